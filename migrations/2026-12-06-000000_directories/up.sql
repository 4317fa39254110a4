-- Directories of organisations (SCIM 2.0): what an identity provider says of people. An entry is no account: it stands for one, or
-- waits for one.
CREATE TABLE directories (
    id TEXT PRIMARY KEY NOT NULL,
    organisation_id TEXT NOT NULL UNIQUE REFERENCES organisations (id) ON DELETE CASCADE,
    default_role TEXT NOT NULL,         -- a built-in role, or the id of the organisation's own
    is_required BOOLEAN NOT NULL,       -- only people with an entry come in by single sign-on
    is_paused BOOLEAN NOT NULL,         -- calls are refused
    last_call_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL
);

-- At most two at a time.
CREATE TABLE directory_tokens (
    hash TEXT PRIMARY KEY NOT NULL,     -- SHA-256
    directory_id TEXT NOT NULL REFERENCES directories (id) ON DELETE CASCADE,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    ending TEXT NOT NULL,               -- its last four characters
    made_by TEXT REFERENCES users (id) ON DELETE SET NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP,
    last_used_ip TEXT,
    warned_days INTEGER                 -- how many days before its end its owners were told last
);
CREATE INDEX directory_tokens_directory_id ON directory_tokens (directory_id);
CREATE INDEX directory_tokens_made_by ON directory_tokens (made_by);

CREATE TABLE directory_people (
    id TEXT PRIMARY KEY NOT NULL,
    directory_id TEXT NOT NULL REFERENCES directories (id) ON DELETE CASCADE,
    user_id TEXT REFERENCES users (id) ON DELETE SET NULL,
    external_id TEXT,
    user_name TEXT NOT NULL,
    user_name_folded TEXT NOT NULL,
    given_name TEXT,
    family_name TEXT,
    formatted_name TEXT,
    display_name TEXT,
    emails TEXT NOT NULL,               -- JSON
    address TEXT,                       -- the one that counts, normalised
    is_active BOOLEAN NOT NULL,
    waits_for TEXT,                     -- own_account, unproved_domain, another_domain, no_address
    kept_role TEXT,                     -- what they were in the organisation when they left
    made_account BOOLEAN NOT NULL,      -- whether the account is this directory's doing
    asked_at TIMESTAMP,                 -- the last email to whoever has to accept
    version INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL,
    changed_at TIMESTAMP NOT NULL,
    UNIQUE (directory_id, user_name_folded),
    UNIQUE (directory_id, external_id)
);
CREATE INDEX directory_people_address ON directory_people (directory_id, address);
CREATE INDEX directory_people_user_id ON directory_people (user_id);
CREATE INDEX directory_people_page ON directory_people (directory_id, created_at, id);

CREATE TABLE directory_groups (
    id TEXT PRIMARY KEY NOT NULL,
    directory_id TEXT NOT NULL REFERENCES directories (id) ON DELETE CASCADE,
    external_id TEXT,
    display_name TEXT NOT NULL,
    display_name_folded TEXT NOT NULL,
    role TEXT,                          -- what its members are in the organisation; a built-in role, or the id of its own
    version INTEGER NOT NULL,
    created_at TIMESTAMP NOT NULL,
    changed_at TIMESTAMP NOT NULL,
    UNIQUE (directory_id, external_id)
);
CREATE INDEX directory_groups_page ON directory_groups (directory_id, created_at, id);

CREATE TABLE directory_members (
    group_id TEXT NOT NULL REFERENCES directory_groups (id) ON DELETE CASCADE,
    person_id TEXT NOT NULL REFERENCES directory_people (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, person_id)
);
CREATE INDEX directory_members_person_id ON directory_members (person_id);

-- Which organisation's directory ended the access of an account, and which one asked for its deletion.
ALTER TABLE users ADD COLUMN suspended_at TIMESTAMP;
ALTER TABLE users ADD COLUMN suspended_by TEXT REFERENCES organisations (id) ON DELETE SET NULL;
ALTER TABLE users ADD COLUMN deletes_for TEXT REFERENCES organisations (id) ON DELETE SET NULL;
CREATE INDEX users_suspended_by ON users (suspended_by) WHERE suspended_by IS NOT NULL;

-- An invitation of a directory's entry, in nobody's name: it lasts as long as the entry waits.
ALTER TABLE invitations ADD COLUMN person_id TEXT REFERENCES directory_people (id) ON DELETE CASCADE;
CREATE INDEX invitations_person_id ON invitations (person_id) WHERE person_id IS NOT NULL;
