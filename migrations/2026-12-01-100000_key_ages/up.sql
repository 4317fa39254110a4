-- Since when the secret key of today is in use, so that an operator sees when it is time for another.
ALTER TABLE key_checks ADD COLUMN sealed_at TIMESTAMP;
