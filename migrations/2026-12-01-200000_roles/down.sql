DROP INDEX memberships_role_id;
ALTER TABLE memberships DROP COLUMN role_id;
DROP TABLE role_permissions;
DROP TABLE roles;
DROP TABLE permissions;
