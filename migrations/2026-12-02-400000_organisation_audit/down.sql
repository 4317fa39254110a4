DROP INDEX audit_organisation;
ALTER TABLE audit DROP COLUMN organisation_id;
