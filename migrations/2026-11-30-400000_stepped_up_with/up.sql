-- What the last step-up of a session was made with: password, totp, recovery_code, passkey or sso. Empty for one from before.
ALTER TABLE sessions ADD COLUMN stepped_up_with TEXT;
