-- Where an email goes, so that one slow domain holds up no other; '' once it is sent.
ALTER TABLE outbox ADD COLUMN destination TEXT NOT NULL DEFAULT '';
-- While the mail server takes nothing from us: 'server' where that holds for every email, 'us' where for this recipient.
ALTER TABLE outbox ADD COLUMN trouble TEXT;
-- Since when it waits, where an operator put it back into the queue.
ALTER TABLE outbox ADD COLUMN requeued_at TIMESTAMP;
CREATE INDEX outbox_trouble ON outbox (trouble) WHERE trouble IS NOT NULL;
