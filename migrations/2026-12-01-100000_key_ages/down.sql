ALTER TABLE key_checks DROP COLUMN sealed_at;
