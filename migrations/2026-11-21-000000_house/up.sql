-- One SQL for SQLite and PostgreSQL. Times are UTC to the microsecond; ids are 128 random bits in hexadecimal.

CREATE TABLE users (
    id TEXT PRIMARY KEY NOT NULL,
    email TEXT NOT NULL,                -- as the person wrote it; mail goes there
    email_normalized TEXT NOT NULL,     -- folded, domain as A-labels; what is compared
    email_verified_at TIMESTAMP,        -- NULL: the address is only a claim
    name TEXT NOT NULL,
    password_hash TEXT,                 -- key id ':' bcrypt; NULL: no password
    password_blocked_at TIMESTAMP,      -- "This wasn't me": no sign-in by password until a new one is set
    browsers_known_from TIMESTAMP NOT NULL, -- known-browser cookies from before this moment do not count
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
    user_agent TEXT NOT NULL,           -- as sent; a change of family or platform locks the session
    language TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    screen TEXT NOT NULL,
    ip TEXT NOT NULL,
    proved_at TIMESTAMP,                -- the last step-up; NULL: none in this session
    locked_at TIMESTAMP,                -- it was suddenly used from another device and must sign in again
    locked_by TEXT,                     -- that device, in words
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

-- What was tried at the door, successful or not.
CREATE TABLE sign_ins (
    id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    at TIMESTAMP NOT NULL,
    ip TEXT NOT NULL,
    network TEXT NOT NULL,              -- the /24 or /48 around the address
    browser TEXT NOT NULL,
    os TEXT NOT NULL,
    device_type TEXT NOT NULL,
    method TEXT NOT NULL,
    outcome TEXT NOT NULL,
    is_new_device BOOLEAN NOT NULL
);
CREATE INDEX sign_ins_user_id ON sign_ins (user_id, at);

-- Counters that hold across nodes and restarts. A key names what is limited and for whom, digested.
CREATE TABLE throttles (
    key TEXT PRIMARY KEY NOT NULL,
    count INTEGER NOT NULL,
    ends_at TIMESTAMP NOT NULL          -- when the count starts again
);
CREATE INDEX throttles_ends_at ON throttles (ends_at);

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
CREATE INDEX outbox_parked ON outbox (parked_at) WHERE parked_at IS NOT NULL;
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
