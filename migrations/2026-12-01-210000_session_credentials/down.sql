ALTER TABLE sessions DROP COLUMN browser_seen_since;
ALTER TABLE passkeys DROP COLUMN disputed_at;
ALTER TABLE security_changes DROP COLUMN session_connection;
ALTER TABLE security_changes DROP COLUMN session_factor;
ALTER TABLE security_changes DROP COLUMN session_method;
