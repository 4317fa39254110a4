DROP TABLE schema_versions;
DROP TABLE key_checks;
