DROP INDEX sessions_organisation_id;
ALTER TABLE sessions DROP COLUMN organisation_id;
DROP TABLE former_slugs;
DROP INDEX organisations_deletes_at;
ALTER TABLE organisations DROP COLUMN deletes_at;
