-- What roles are made of beyond the permissions that the program has itself: the catalogue of the application.
CREATE TABLE permissions (
    name TEXT PRIMARY KEY NOT NULL,     -- resource:action
    title TEXT NOT NULL,
    roles TEXT NOT NULL,                -- JSON: the built-in roles that have it
    retired_at TIMESTAMP                -- since when it is in no catalogue any more
);

-- An organisation's own roles.
CREATE TABLE roles (
    id TEXT PRIMARY KEY NOT NULL,
    organisation_id TEXT NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,                 -- 1 to 40 characters
    name_folded TEXT NOT NULL,          -- NFKC and case folded: which names are one
    created_at TIMESTAMP NOT NULL,
    UNIQUE (organisation_id, name_folded)
);
CREATE TABLE role_permissions (
    role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    PRIMARY KEY (role_id, permission)
);

-- NULL: the built-in role. Else `role` is 'viewer', which is all that an older program makes of it.
ALTER TABLE memberships ADD COLUMN role_id TEXT REFERENCES roles (id);
CREATE INDEX memberships_role_id ON memberships (role_id) WHERE role_id IS NOT NULL;
