DROP TABLE audit;
DROP TABLE outbox;
DROP TABLE throttles;
DROP TABLE sign_ins;
DROP TABLE tokens;
DROP TABLE sessions;
DROP TABLE users;
