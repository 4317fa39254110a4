-- From when an organisation ends; an owner asked for that, and can still restore it.
ALTER TABLE organisations ADD COLUMN deletes_at TIMESTAMP;
CREATE INDEX organisations_deletes_at ON organisations (deletes_at) WHERE deletes_at IS NOT NULL;

-- Short names that are not free: those that an organisation had before lead to it, those of the deleted lead nowhere.
CREATE TABLE former_slugs (
    slug TEXT PRIMARY KEY NOT NULL,
    organisation_id TEXT REFERENCES organisations (id) ON DELETE SET NULL,
    until TIMESTAMP NOT NULL
);
CREATE INDEX former_slugs_organisation_id ON former_slugs (organisation_id) WHERE organisation_id IS NOT NULL;
CREATE INDEX former_slugs_until ON former_slugs (until);

-- The organisation in use: a hint, looked at together with the membership.
ALTER TABLE sessions ADD COLUMN organisation_id TEXT REFERENCES organisations (id) ON DELETE SET NULL;
CREATE INDEX sessions_organisation_id ON sessions (organisation_id) WHERE organisation_id IS NOT NULL;
