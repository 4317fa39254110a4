-- With what the session began that changed something, so that it can be judged by that after it ended.
ALTER TABLE security_changes ADD COLUMN session_method TEXT;
ALTER TABLE security_changes ADD COLUMN session_factor TEXT;
ALTER TABLE security_changes ADD COLUMN session_connection TEXT;
-- Since when somebody says that a passkey is not theirs: until it is removed, or that is stopped, it lets nobody in by itself.
ALTER TABLE passkeys ADD COLUMN disputed_at TIMESTAMP;
-- Since when the browser's own cookie says that it was let in, also where the account has forgotten its browsers since.
ALTER TABLE sessions ADD COLUMN browser_seen_since TIMESTAMP;
