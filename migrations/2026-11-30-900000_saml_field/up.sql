-- Requests are signed as soon as there is a key; a connection that was set up without goes on as it is.
ALTER TABLE connections RENAME COLUMN signs_requests TO sends_unsigned;
UPDATE connections SET sends_unsigned = NOT sends_unsigned;
-- In which format a connection asks for names: 'any', 'persistent' or 'email'.
ALTER TABLE connections ADD COLUMN name_policy TEXT NOT NULL DEFAULT 'any';
-- The attribute that identifies its people, whose identities have the format 'attribute'; empty where the NameID does.
ALTER TABLE connections ADD COLUMN identifier TEXT NOT NULL DEFAULT '';
-- Responses that no identity provider signed are counted, and never push others off the list.
ALTER TABLE connections ADD COLUMN unsigned_responses INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN is_signed BOOLEAN NOT NULL DEFAULT TRUE;
-- What was sealed about the last responses has another shape now.
DELETE FROM attempts;
