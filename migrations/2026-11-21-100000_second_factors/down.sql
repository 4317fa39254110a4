DROP INDEX users_factors_reset_at;
ALTER TABLE users DROP COLUMN factors_reset_at;
ALTER TABLE tokens DROP COLUMN tries;
ALTER TABLE sessions DROP COLUMN passkey_id;
ALTER TABLE sessions DROP COLUMN second_factor;
DROP TABLE passkeys;
DROP TABLE recovery_codes;
DROP TABLE totp_setups;
DROP TABLE totp;
