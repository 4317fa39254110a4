ALTER TABLE users ADD COLUMN locked_at TIMESTAMP;     -- by an operator: nobody comes in until it is unlocked
ALTER TABLE users ADD COLUMN deletes_at TIMESTAMP;    -- its person asked for it: from then on it is purged
ALTER TABLE users ADD COLUMN warned_at TIMESTAMP;     -- when its person was told that the end is near
ALTER TABLE users ADD COLUMN deletion_hold TEXT;      -- why an operator keeps it from being purged; NULL: nobody does
CREATE INDEX users_deletes_at ON users (deletes_at) WHERE deletes_at IS NOT NULL;
CREATE INDEX users_unconfirmed ON users (created_at) WHERE email_verified_at IS NULL;

-- What runs by itself, once in a cluster.
CREATE TABLE jobs (
    name TEXT PRIMARY KEY NOT NULL,
    holder TEXT,                        -- the node that runs it now, by a number of its own
    held_until TIMESTAMP,               -- from then on another may take it over
    next_at TIMESTAMP NOT NULL,
    began_at TIMESTAMP,
    ended_at TIMESTAMP,
    done INTEGER NOT NULL,              -- how much the last finished run did
    last_error TEXT                     -- why the last finished run did not do everything
);

-- What is looked for by its time, or by its person.
CREATE INDEX sessions_idle_expires_at ON sessions (idle_expires_at);
CREATE INDEX tokens_expires_at ON tokens (expires_at);
CREATE INDEX sign_ins_at ON sign_ins (at);
CREATE INDEX outbox_created_at ON outbox (created_at) WHERE sent_at IS NOT NULL OR parked_at IS NOT NULL;
CREATE INDEX audit_actor ON audit (actor_id, at) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_strangers ON audit (subject_id, at) WHERE actor_id IS NULL AND subject_id IS NULL AND ip IS NOT NULL;
