-- What the identity provider calls the person and its session, sealed: so that whoever signs out here can sign out there.
ALTER TABLE sessions ADD COLUMN provider_session TEXT;
