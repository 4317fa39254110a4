ALTER TABLE sessions DROP COLUMN provider_session;
