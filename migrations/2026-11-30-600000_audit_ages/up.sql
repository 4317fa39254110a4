-- What leaves the audit is found by these: network addresses, and events that have a life.
DROP INDEX audit_strangers;
CREATE INDEX audit_networks ON audit (at) WHERE ip IS NOT NULL;
CREATE INDEX audit_event ON audit (event, at);
