-- What an application calls the session that a grant came from; NULL where that is the grant itself. Its tokens all say the same, with
-- `offline_access` too.
ALTER TABLE grants ADD COLUMN sid TEXT;
