-- What was given after the first factor, so that history and devices can say "Password + recovery code".
ALTER TABLE sign_ins ADD COLUMN second_factor TEXT;
CREATE INDEX sessions_shown ON sessions (user_id, id, method, second_factor, remembered, browser, os, device_type, ip, locked_by,
    created_at, last_active_at, idle_expires_at, expires_at);
DROP INDEX sessions_listed;
