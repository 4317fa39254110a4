-- What providers say of themselves, shared by all nodes.
CREATE TABLE issuers (
    issuer TEXT PRIMARY KEY NOT NULL,
    document TEXT,                      -- as read; NULL until it answered once
    keys TEXT,
    read_at TIMESTAMP,
    keys_read_at TIMESTAMP,
    tried_at TIMESTAMP,                 -- when a node last took the turn to read
    read_error TEXT
);
-- Whom providers know somebody as. `provider` is the key in the settings when it was connected.
CREATE TABLE provider_identities (
    id TEXT PRIMARY KEY NOT NULL,
    provider TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    known_as TEXT,                      -- to show: an address or a login there
    created_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP NOT NULL,
    UNIQUE (issuer, subject)
);
CREATE INDEX provider_identities_user_id ON provider_identities (user_id);
CREATE INDEX provider_identities_provider ON provider_identities (provider);
-- sessions.connection_id has the id of the connection, or of the identity at a provider, that a session came by. A provider
-- names its own session without its person (OpenID Connect Back-Channel Logout §2.4).
CREATE INDEX sessions_sid_hash ON sessions (sid_hash) WHERE sid_hash IS NOT NULL;
ALTER TABLE connections ADD COLUMN protocol TEXT NOT NULL DEFAULT 'saml';
ALTER TABLE connections ADD COLUMN client_id TEXT;
ALTER TABLE connections ADD COLUMN secret_sealed TEXT;
ALTER TABLE connections ADD COLUMN scopes TEXT;
ALTER TABLE connections ADD COLUMN subject_claim TEXT;
ALTER TABLE connections ADD COLUMN can_step_up BOOLEAN NOT NULL DEFAULT FALSE;
