-- The digest of a mark in the browser that a session began in, so that a form that was sent twice begins one session. Empty
-- for a browser that had no mark when it signed in.
ALTER TABLE sessions ADD COLUMN binding TEXT;
