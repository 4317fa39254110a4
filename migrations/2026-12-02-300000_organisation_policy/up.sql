-- What an organisation asks of whoever acts in it, as JSON; NULL: nothing.
ALTER TABLE organisations ADD COLUMN policy TEXT;

-- The longest time that a session went unused, in seconds: what is used again does not become younger.
ALTER TABLE sessions ADD COLUMN longest_idle INTEGER NOT NULL DEFAULT 0;
