-- API keys of people, which may be for one organisation only, and of organisations (user_id is NULL).
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    organisation_id TEXT REFERENCES organisations (id) ON DELETE CASCADE,
    made_by TEXT NOT NULL,              -- a pseudonym once its maker is deleted
    name TEXT NOT NULL,
    hint TEXT NOT NULL,                 -- how the secret begins, to show
    secret_hash TEXT NOT NULL,
    former_hash TEXT,                   -- the secret before it was rolled,
    former_until TIMESTAMP,             -- and until when that works
    permissions TEXT NOT NULL,          -- names with blanks between
    created_at TIMESTAMP NOT NULL,
    rolled_at TIMESTAMP NOT NULL,       -- when the secret was made
    expires_at TIMESTAMP,               -- NULL: never
    suspended_at TIMESTAMP,
    last_used_at TIMESTAMP,
    last_used_from TEXT,                -- a network
    expiry_emails INTEGER NOT NULL      -- 0: none went out; 1: a week before; 2: on the day
);
CREATE UNIQUE INDEX api_keys_secret_hash ON api_keys (secret_hash);
CREATE INDEX api_keys_former_hash ON api_keys (former_hash) WHERE former_hash IS NOT NULL;
CREATE INDEX api_keys_user_id ON api_keys (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX api_keys_organisation_id ON api_keys (organisation_id) WHERE organisation_id IS NOT NULL;
CREATE INDEX api_keys_made_by ON api_keys (made_by);
CREATE INDEX api_keys_expires_at ON api_keys (expires_at) WHERE expires_at IS NOT NULL;
