-- In which session a grant was made that rests on none, also once that is gone: signing that device out ends what came of it.
ALTER TABLE grants ADD COLUMN made_in TEXT;
-- How it stands in the list of devices, where it is one of its own there: a JSON object.
ALTER TABLE grants ADD COLUMN listed_as TEXT;
CREATE INDEX grants_made_in ON grants (made_in);
