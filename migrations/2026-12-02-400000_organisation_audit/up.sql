-- Whose record an event belongs to, besides its person's. It outlives the purge of that person, and the organisation.
ALTER TABLE audit ADD COLUMN organisation_id TEXT;
-- Both databases take `json(…) ->>`. What a purge has emptied says nothing any more.
UPDATE audit SET organisation_id = json(detail) ->> 'organisation' WHERE detail LIKE '%"organisation":"%';
CREATE INDEX audit_organisation ON audit (organisation_id, at) WHERE organisation_id IS NOT NULL;
