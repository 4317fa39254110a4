DROP INDEX audit_event;
DROP INDEX audit_networks;
CREATE INDEX audit_strangers ON audit (subject_id, at) WHERE actor_id IS NULL AND subject_id IS NULL AND ip IS NOT NULL;
