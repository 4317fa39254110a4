-- Applications that sign people in here by OpenID Connect: kinds 'web', 'browser', 'native' and 'service'. They have no host.
ALTER TABLE applications ADD COLUMN client_id TEXT;
ALTER TABLE applications ADD COLUMN secret_hash TEXT;           -- SHA-256 of the secret, where the kind has one
ALTER TABLE applications ADD COLUMN former_hash TEXT;           -- of the one before it
ALTER TABLE applications ADD COLUMN former_until TIMESTAMP;     -- until when that one works
CREATE UNIQUE INDEX applications_client_id ON applications (client_id);

-- What somebody lets an application do: through one session, or without one. What rested on a session that is gone opens nothing any
-- more, and says whom to tell.
CREATE TABLE grants (
    id TEXT PRIMARY KEY NOT NULL,
    application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id TEXT REFERENCES sessions (id) ON DELETE SET NULL,
    kind TEXT NOT NULL,                 -- session, offline
    scopes TEXT NOT NULL,               -- separated by blanks
    audience TEXT NOT NULL,             -- for whom its access tokens are
    acr TEXT NOT NULL,
    amr TEXT NOT NULL,                  -- separated by blanks
    second_factor TEXT,                 -- what was given after the first factor
    auth_time TIMESTAMP NOT NULL,
    device TEXT NOT NULL,               -- in words
    ip TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX grants_session_id ON grants (session_id, application_id);
CREATE INDEX grants_user_id ON grants (user_id);
CREATE INDEX grants_application_id ON grants (application_id);
CREATE INDEX grants_expires_at ON grants (expires_at);

-- One row for each generation. The spent one keeps what was answered, sealed, as long as the same answer may be given again.
CREATE TABLE refresh_tokens (
    hash TEXT PRIMARY KEY NOT NULL,     -- SHA-256
    grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    spent_at TIMESTAMP,
    next_hash TEXT,                     -- the generation after it
    answer TEXT,                        -- sealed
    -- What it was given for: signing in again may change what its grant says.
    scopes TEXT NOT NULL,               -- separated by blanks
    audience TEXT NOT NULL,
    acr TEXT NOT NULL,
    auth_time TIMESTAMP NOT NULL
);
CREATE INDEX refresh_tokens_grant_id ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);

-- What somebody allowed an application that is not the operator's own.
CREATE TABLE consents (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (user_id, application_id)
);
CREATE INDEX consents_application_id ON consents (application_id);

-- What applications are still to be told: that a session ended.
CREATE TABLE deliveries (
    id TEXT PRIMARY KEY NOT NULL,
    application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sid TEXT NOT NULL,                  -- what the application calls the session
    created_at TIMESTAMP NOT NULL,
    due_at TIMESTAMP NOT NULL,
    attempts INTEGER NOT NULL,
    parked_at TIMESTAMP,                -- when it was given up
    last_error TEXT
);
CREATE INDEX deliveries_due_at ON deliveries (due_at) WHERE parked_at IS NULL;
CREATE INDEX deliveries_application_id ON deliveries (application_id);
CREATE INDEX deliveries_user_id ON deliveries (user_id);

-- What this site signs tokens with. Public halves are kept for old tokens that come back.
CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY NOT NULL,      -- RFC 7638
    algorithm TEXT NOT NULL,            -- RS256, ES256
    state TEXT NOT NULL,                -- announced, in_use, retired
    sealed TEXT,                        -- PKCS#8; NULL once it is retired
    public TEXT NOT NULL,               -- a JWK
    created_at TIMESTAMP NOT NULL,
    changed_at TIMESTAMP NOT NULL       -- since when it is in this state
);
CREATE UNIQUE INDEX signing_keys_current ON signing_keys (algorithm, state) WHERE state <> 'retired';
