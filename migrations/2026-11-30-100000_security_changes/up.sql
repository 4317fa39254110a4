-- What changed about how an account is held, by which session, and what was there before: so that what somebody did who
-- should not have been there can be taken back. `session_id` outlives its session.
CREATE TABLE security_changes (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    target_id TEXT,
    sealed TEXT,
    network TEXT NOT NULL,
    session_id TEXT,
    session_began_at TIMESTAMP,
    browser_known_since TIMESTAMP,
    passkey_id TEXT,
    at TIMESTAMP NOT NULL
);
CREATE INDEX security_changes_user_id ON security_changes (user_id, at);
CREATE INDEX security_changes_at ON security_changes (at);
-- Since when the account knew the browser, before this sign-in; empty for one that it did not know.
ALTER TABLE sessions ADD COLUMN browser_known_since TIMESTAMP;
