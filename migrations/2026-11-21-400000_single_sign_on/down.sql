DROP TABLE attempts;
DROP TABLE assertions;
DROP TABLE identities;
DROP TABLE domains;
DROP TABLE connections;
DROP TABLE service_keys;
