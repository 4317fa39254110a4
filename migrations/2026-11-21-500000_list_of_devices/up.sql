-- All that the list of devices shows, so that it finds a person's sessions side by side and reads no rows.
CREATE INDEX sessions_listed ON sessions (user_id, id, method, remembered, browser, os, device_type, ip, locked_by,
    created_at, last_active_at, idle_expires_at, expires_at);
DROP INDEX sessions_user_id;
