-- Why a key is suspended. One whose secret somebody else knows is never resumed.
ALTER TABLE api_keys ADD COLUMN suspended_for TEXT;
