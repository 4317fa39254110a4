CREATE INDEX sessions_user_id ON sessions (user_id);
DROP INDEX sessions_listed;
