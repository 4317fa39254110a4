ALTER TABLE sessions DROP COLUMN longest_idle;
ALTER TABLE organisations DROP COLUMN policy;
