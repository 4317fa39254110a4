-- The example of an application's table: notes of an organisation, there with EXAMPLE_NOTES only.
CREATE TABLE notes (
    id TEXT PRIMARY KEY NOT NULL,
    organisation_id TEXT NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    author_id TEXT REFERENCES users (id) ON DELETE SET NULL, -- NULL: somebody who left
    text TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    changed_at TIMESTAMP NOT NULL
);
CREATE INDEX notes_listed ON notes (organisation_id, created_at, id);
CREATE INDEX notes_author_id ON notes (author_id) WHERE author_id IS NOT NULL;
