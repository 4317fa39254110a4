DROP TABLE audit;
DROP TABLE outbox;
DROP TABLE tokens;
DROP TABLE sessions;
DROP TABLE users;
