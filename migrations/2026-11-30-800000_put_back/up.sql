-- What a removal that waits takes away: JSON, a list of passkeys' ids and "totp"; nothing: every second factor.
ALTER TABLE users ADD COLUMN factors_reset_only TEXT;
-- What a containment removed can be put back for a while; then its sealed half goes.
CREATE INDEX security_changes_removed ON security_changes (at) WHERE kind = 'credential_removed' AND sealed IS NOT NULL;
-- A set-up belongs to the session that began it, and ends with it. One that waits is begun anew.
DROP TABLE totp_setups;
CREATE TABLE totp_setups (
    session_id TEXT NOT NULL PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sealed TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX totp_setups_user_id ON totp_setups (user_id);
CREATE INDEX totp_setups_expires_at ON totp_setups (expires_at);
-- Whether the browser brought a cookie that knew the account.
ALTER TABLE sign_ins ADD COLUMN had_cookie BOOLEAN NOT NULL DEFAULT FALSE;
-- Who left an address lately.
CREATE INDEX security_changes_left ON security_changes (target_id, at) WHERE kind = 'address_left';
