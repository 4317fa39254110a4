-- A connection that a set-up link has changed lets nobody in until an owner switches it on. One without metadata is being
-- set up: its issuer and its metadata are empty.
ALTER TABLE connections ADD COLUMN is_paused BOOLEAN NOT NULL DEFAULT FALSE;
