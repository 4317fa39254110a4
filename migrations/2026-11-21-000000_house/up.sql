-- One SQL for SQLite and PostgreSQL. Times are UTC to the microsecond; ids are 128 random bits in hexadecimal.

CREATE TABLE users (
    id TEXT PRIMARY KEY NOT NULL,
    email TEXT NOT NULL,                -- as the person wrote it; mail goes there
    email_normalized TEXT NOT NULL,     -- folded, domain as A-labels; what is compared
    email_verified_at TIMESTAMP,        -- NULL: the address is only a claim
    name TEXT NOT NULL,
    password_hash TEXT,                 -- key id ':' bcrypt; NULL: no password
    created_at TIMESTAMP NOT NULL,
    created_from TEXT NOT NULL          -- the device that signed up, in words
);
-- Many may claim an address; at most one account has it confirmed.
CREATE UNIQUE INDEX users_confirmed_address ON users (email_normalized) WHERE email_verified_at IS NOT NULL;
CREATE INDEX users_address ON users (email_normalized, created_at);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret_hash TEXT NOT NULL UNIQUE,
    remembered BOOLEAN NOT NULL,
    method TEXT NOT NULL,
    browser TEXT NOT NULL,
    os TEXT NOT NULL,
    device_type TEXT NOT NULL,
    ip TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    last_active_at TIMESTAMP NOT NULL,
    idle_expires_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX sessions_user_id ON sessions (user_id);

CREATE TABLE tokens (
    hash TEXT PRIMARY KEY NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    claim TEXT NOT NULL,                -- JSON, of the purpose's own shape
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    used_at TIMESTAMP
);
CREATE INDEX tokens_user_id ON tokens (user_id, purpose);

CREATE TABLE outbox (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT,
    kind TEXT NOT NULL,
    sealed TEXT,                        -- the letter, encrypted; NULL once it is sent
    created_at TIMESTAMP NOT NULL,
    due_at TIMESTAMP NOT NULL,          -- when to try next; while a node holds it: when another may
    attempts INTEGER NOT NULL,
    sent_at TIMESTAMP,
    parked_at TIMESTAMP,                -- given up until an operator retries
    last_error TEXT
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE sent_at IS NULL AND parked_at IS NULL;
CREATE INDEX outbox_user_id ON outbox (user_id);

CREATE TABLE audit (
    id TEXT PRIMARY KEY NOT NULL,
    at TIMESTAMP NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    session_id TEXT,
    ip TEXT,
    event TEXT NOT NULL,
    subject_id TEXT,                    -- the user it is about
    detail TEXT NOT NULL                -- JSON; never secrets
);
CREATE INDEX audit_subject ON audit (subject_id, at);
