DROP INDEX outbox_trouble;
ALTER TABLE outbox DROP COLUMN requeued_at;
ALTER TABLE outbox DROP COLUMN trouble;
ALTER TABLE outbox DROP COLUMN destination;
