ALTER TABLE connections DROP COLUMN can_step_up;
ALTER TABLE connections DROP COLUMN subject_claim;
ALTER TABLE connections DROP COLUMN scopes;
ALTER TABLE connections DROP COLUMN secret_sealed;
ALTER TABLE connections DROP COLUMN client_id;
ALTER TABLE connections DROP COLUMN protocol;
DROP INDEX sessions_sid_hash;
DROP TABLE provider_identities;
DROP TABLE issuers;
