DROP INDEX security_changes_left;
DELETE FROM security_changes WHERE kind = 'address_left';
ALTER TABLE sign_ins DROP COLUMN had_cookie;
DROP TABLE totp_setups;
CREATE TABLE totp_setups (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX totp_setups_expires_at ON totp_setups (expires_at);
DROP INDEX security_changes_removed;
DELETE FROM security_changes WHERE kind = 'credential_removed';
ALTER TABLE users DROP COLUMN factors_reset_only;
