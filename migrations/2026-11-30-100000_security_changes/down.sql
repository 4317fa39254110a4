ALTER TABLE sessions DROP COLUMN browser_known_since;
DROP TABLE security_changes;
