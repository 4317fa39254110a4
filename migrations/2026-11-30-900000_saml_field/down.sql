DELETE FROM attempts;
DELETE FROM identities WHERE format = 'attribute';
ALTER TABLE attempts DROP COLUMN is_signed;
ALTER TABLE connections DROP COLUMN unsigned_responses;
ALTER TABLE connections DROP COLUMN identifier;
ALTER TABLE connections DROP COLUMN name_policy;
UPDATE connections SET sends_unsigned = NOT sends_unsigned;
ALTER TABLE connections RENAME COLUMN sends_unsigned TO signs_requests;
