DELETE FROM tokens WHERE purpose = 'set_up_connection';
DELETE FROM connections WHERE is_paused OR metadata = '';
ALTER TABLE connections DROP COLUMN is_paused;
