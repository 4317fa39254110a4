ALTER TABLE api_keys DROP COLUMN suspended_for;
