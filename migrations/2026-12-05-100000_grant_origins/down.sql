DROP INDEX grants_made_in;
ALTER TABLE grants DROP COLUMN listed_as;
ALTER TABLE grants DROP COLUMN made_in;
