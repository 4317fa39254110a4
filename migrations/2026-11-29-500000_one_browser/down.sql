ALTER TABLE sessions DROP COLUMN binding;
