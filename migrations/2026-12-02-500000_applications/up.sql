-- What people use with their account here. Of the kind 'gate': a host before which a proxy asks this site.
CREATE TABLE applications (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,                 -- gate
    name TEXT NOT NULL,                 -- 1 to 80 characters
    host TEXT UNIQUE,                   -- of a gate: lower case, with its port unless that is the scheme's own
    needs TEXT NOT NULL,                -- JSON: what a visitor needs
    settings TEXT NOT NULL,             -- JSON: what belongs to the kind
    created_at TIMESTAMP NOT NULL,
    disabled_at TIMESTAMP,              -- since when nobody comes in
    asked_by TEXT,                      -- the address of the proxy that asked last
    asked_at TIMESTAMP,
    refused_peer TEXT,                  -- an address that asked and is not in TRUSTED_PROXIES
    refused_at TIMESTAMP
);

-- A browser at the host of a gate: a child of the session that it came from.
CREATE TABLE gate_sessions (
    hash TEXT PRIMARY KEY NOT NULL,     -- SHA-256 of the secret in the host's cookie
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX gate_sessions_session_id ON gate_sessions (session_id, application_id);
CREATE INDEX gate_sessions_application_id ON gate_sessions (application_id);
CREATE INDEX gate_sessions_expires_at ON gate_sessions (expires_at);
