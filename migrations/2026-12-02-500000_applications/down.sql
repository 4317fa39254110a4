DROP TABLE gate_sessions;
DROP TABLE applications;
