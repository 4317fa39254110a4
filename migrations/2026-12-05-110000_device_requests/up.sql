-- Devices without a browser that wait for their person to let them in from another one (RFC 8628).
CREATE TABLE device_requests (
    hash TEXT PRIMARY KEY NOT NULL,     -- SHA-256 of what the device holds
    user_code_hash TEXT NOT NULL,       -- and of what its person types
    application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,   -- who answered
    grant_id TEXT,                      -- what they gave it
    state TEXT NOT NULL,                -- waiting, allowed, denied, redeemed
    scopes TEXT NOT NULL,               -- separated by blanks
    audience TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    ip TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    seconds INTEGER NOT NULL,           -- between two questions of the device
    asked_at TIMESTAMP                  -- when it last asked, and not too early
);
CREATE UNIQUE INDEX device_requests_user_code ON device_requests (user_code_hash);
CREATE INDEX device_requests_application_id ON device_requests (application_id);
CREATE INDEX device_requests_user_id ON device_requests (user_id);
CREATE INDEX device_requests_expires_at ON device_requests (expires_at);
