-- The words of the glossary. Both databases carry indexes, checks and foreign keys along.
ALTER TABLE sessions RENAME COLUMN proved_at TO stepped_up_at;
ALTER TABLE connections RENAME COLUMN takes_unsolicited TO allows_idp_initiated;
ALTER TABLE domains RENAME COLUMN proved_at TO verified_at;
ALTER TABLE domains RENAME COLUMN proved_by TO verified_by;
UPDATE audit SET event = 'domain_verified' WHERE event = 'domain_proved';
UPDATE audit SET event = 'domain_unverified' WHERE event = 'domain_unproved';
UPDATE audit SET event = 'unverified_account_removed' WHERE event = 'claim_ended';
UPDATE audit SET event = 'unverified_account_expired' WHERE event = 'claim_expired';
UPDATE audit SET event = 'unverified_account_cleared' WHERE event = 'claim_cleared';
UPDATE jobs SET name = 'vacuum' WHERE name = 'scrub';
