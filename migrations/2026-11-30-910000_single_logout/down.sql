DROP INDEX sessions_name_id_hash;
ALTER TABLE sessions DROP COLUMN sid_hash;
ALTER TABLE sessions DROP COLUMN name_id_hash;
ALTER TABLE sessions DROP COLUMN connection_id;
