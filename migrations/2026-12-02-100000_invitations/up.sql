-- Invitations to organisations. The secret of the link is a token; what counts is the row.
CREATE TABLE invitations (
    id TEXT PRIMARY KEY NOT NULL,
    organisation_id TEXT NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    email TEXT NOT NULL,                -- as it was typed; the email goes there
    email_normalized TEXT NOT NULL,
    role TEXT NOT NULL,
    role_id TEXT REFERENCES roles (id) ON DELETE CASCADE, -- NULL: the built-in role; else `role` is 'viewer'
    invited_by TEXT REFERENCES users (id) ON DELETE CASCADE,
    state TEXT NOT NULL,                -- open, accepted, declined, revoked, expired
    emails_sent INTEGER NOT NULL,       -- a link says which email it was in, and only the last one's works
    created_at TIMESTAMP NOT NULL,
    sent_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP
);
CREATE UNIQUE INDEX invitations_open ON invitations (organisation_id, email_normalized) WHERE state = 'open';
CREATE INDEX invitations_address ON invitations (email_normalized, state);
CREATE INDEX invitations_listed ON invitations (organisation_id, created_at, id);
CREATE INDEX invitations_invited_by ON invitations (invited_by);
CREATE INDEX invitations_role_id ON invitations (role_id) WHERE role_id IS NOT NULL;
CREATE INDEX invitations_expires_at ON invitations (expires_at) WHERE state = 'open';
CREATE INDEX invitations_ended_at ON invitations (ended_at) WHERE ended_at IS NOT NULL;
