-- Single sign-on by SAML: who speaks for whom, and what was said.

-- Our own keys. The one in use signs; the announced one is in our metadata before it is used; the retired one still
-- opens what was encrypted to it.
CREATE TABLE service_keys (
    id TEXT PRIMARY KEY NOT NULL,
    state TEXT NOT NULL,                -- 'in_use', 'announced' or 'retired'
    sealed TEXT NOT NULL,               -- the private key, encrypted
    certificate TEXT NOT NULL,          -- PEM
    created_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX service_keys_in_use ON service_keys (state) WHERE state = 'in_use';

-- An organisation's identity provider.
CREATE TABLE connections (
    id TEXT PRIMARY KEY NOT NULL,
    organisation_id TEXT NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    issuer TEXT NOT NULL,               -- the identity provider's entity ID
    metadata TEXT NOT NULL,             -- as it was read
    metadata_url TEXT,                  -- where it is read anew every day
    read_at TIMESTAMP NOT NULL,         -- when it was last asked for
    read_error TEXT,                    -- why it could not be read since
    expires_at TIMESTAMP NOT NULL,      -- when its last certificate does
    warned_days INTEGER,                -- the last warning that went out, in days before that
    mapping TEXT NOT NULL,              -- JSON: names of attributes, groups to roles, the default role
    signs_requests BOOLEAN NOT NULL,
    takes_unsolicited BOOLEAN NOT NULL, -- sign-ins that begin at the identity provider: answered with a fresh request
    asks_second_factor BOOLEAN NOT NULL,
    tested_at TIMESTAMP,                -- the last test sign-in that went through, with today's settings
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX connections_organisation_id ON connections (organisation_id);
CREATE INDEX connections_issuer ON connections (issuer);

-- Domains of mail addresses that an organisation says are its own. Many may say so, one has it proved.
CREATE TABLE domains (
    id TEXT PRIMARY KEY NOT NULL,
    organisation_id TEXT NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    connection_id TEXT REFERENCES connections (id) ON DELETE SET NULL, -- where its people sign in
    name TEXT NOT NULL,                 -- folded, as A-labels
    challenge TEXT NOT NULL,            -- what the TXT record has to say
    proved_at TIMESTAMP,
    proved_by TEXT,                     -- 'dns' or 'operator'
    checked_at TIMESTAMP,               -- when the TXT record was last looked for
    gone_since TIMESTAMP,               -- since when it is not there any more
    is_enforced BOOLEAN NOT NULL,       -- its people sign in by the connection only
    break_glass_id TEXT REFERENCES users (id) ON DELETE SET NULL, -- but for this owner
    created_at TIMESTAMP NOT NULL,
    UNIQUE (organisation_id, name)
);
CREATE UNIQUE INDEX domains_proved ON domains (name) WHERE proved_at IS NOT NULL;

-- Who somebody is at an identity provider.
CREATE TABLE identities (
    id TEXT PRIMARY KEY NOT NULL,
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    format TEXT NOT NULL,               -- 'persistent' or 'email'
    name TEXT NOT NULL,                 -- the NameID, letter for letter
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP NOT NULL,
    UNIQUE (connection_id, format, name)
);
CREATE INDEX identities_user_id ON identities (user_id);

-- Assertions that were used: the insert is the check.
CREATE TABLE assertions (
    hash TEXT PRIMARY KEY NOT NULL,     -- of connection and assertion ID
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX assertions_expires_at ON assertions (expires_at);

-- The last responses of each connection, for its owners.
CREATE TABLE attempts (
    id TEXT PRIMARY KEY NOT NULL,
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE, -- whom it let in, or who tested
    at TIMESTAMP NOT NULL,
    is_test BOOLEAN NOT NULL,
    outcome TEXT NOT NULL,              -- 'success', or the code of the reason
    sealed TEXT NOT NULL                -- what was said and checked, encrypted
);
CREATE INDEX attempts_connection_id ON attempts (connection_id, at);
CREATE INDEX attempts_user_id ON attempts (user_id);
