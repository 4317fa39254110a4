-- What an account can prove besides its password.

-- The authenticator app (RFC 6238). One to a person.
CREATE TABLE totp (
    user_id TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sealed TEXT NOT NULL,               -- the shared secret, encrypted
    last_step BIGINT NOT NULL,          -- the newest time step that was accepted; no older one is
    created_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP NOT NULL
);

-- A set-up that waits for its first code. It gates nothing.
CREATE TABLE totp_setups (
    user_id TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sealed TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX totp_setups_expires_at ON totp_setups (expires_at);

CREATE TABLE recovery_codes (
    hash TEXT PRIMARY KEY NOT NULL,     -- key id ':' keyed hash of owner and code
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TIMESTAMP NOT NULL,
    used_at TIMESTAMP
);
CREATE INDEX recovery_codes_user_id ON recovery_codes (user_id);

CREATE TABLE passkeys (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id TEXT NOT NULL UNIQUE, -- base64url, as the authenticator named it
    credential TEXT NOT NULL,           -- JSON: public key, counter, what the authenticator said of itself
    counter BIGINT NOT NULL,            -- of its signatures, as it last told; 0 where it does not count
    rp_id TEXT NOT NULL,                -- the host it was made for; it works for no other
    name TEXT NOT NULL,
    is_synced BOOLEAN NOT NULL,         -- kept by a password manager on several devices
    created_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP,
    copied_at TIMESTAMP                 -- when its counter went back: somebody has a copy, and it opens nothing since
);
CREATE INDEX passkeys_user_id ON passkeys (user_id, created_at);

ALTER TABLE sessions ADD COLUMN second_factor TEXT; -- what was proved besides the first; NULL: nothing
ALTER TABLE sessions ADD COLUMN passkey_id TEXT;    -- the passkey that it relies on
ALTER TABLE tokens ADD COLUMN tries INTEGER NOT NULL DEFAULT 0; -- codes that were offered with it
ALTER TABLE users ADD COLUMN factors_reset_at TIMESTAMP;        -- when an operator's reset of the factors takes effect
CREATE INDEX users_factors_reset_at ON users (factors_reset_at) WHERE factors_reset_at IS NOT NULL;
