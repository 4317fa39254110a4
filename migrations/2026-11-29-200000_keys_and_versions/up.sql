-- A wrong SECRET_KEY is noticed before anything is sealed with it. One row: a text that everybody knows.
CREATE TABLE key_checks (
    id TEXT PRIMARY KEY NOT NULL,       -- 'canary'
    sealed TEXT NOT NULL                -- key id '.' what only that key opens
);

-- Which version of the program brought in which migration: an older program that meets it can say what to start instead.
CREATE TABLE schema_versions (
    migration TEXT PRIMARY KEY NOT NULL,
    program TEXT NOT NULL
);
