CREATE INDEX sessions_listed ON sessions (user_id, id, method, remembered, browser, os, device_type, ip, locked_by,
    created_at, last_active_at, idle_expires_at, expires_at);
DROP INDEX sessions_shown;
ALTER TABLE sign_ins DROP COLUMN second_factor;
