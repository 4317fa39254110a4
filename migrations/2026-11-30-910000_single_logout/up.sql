-- The session at an identity provider that a session came from, so that it ends with that one. Digests: what the identity
-- provider calls the person, and its session, is not kept.
ALTER TABLE sessions ADD COLUMN connection_id TEXT;
ALTER TABLE sessions ADD COLUMN name_id_hash TEXT;  -- of connection and NameID
ALTER TABLE sessions ADD COLUMN sid_hash TEXT;      -- of connection, NameID and SessionIndex
CREATE INDEX sessions_name_id_hash ON sessions (name_id_hash) WHERE name_id_hash IS NOT NULL;
