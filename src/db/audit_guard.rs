//! Keeps what happened as it was written, whoever holds the connection (OWASP ASVS 5.0 V16.4.2): rows of the audit lose
//! their people, networks and details, and sign-ins and attempts have a life; nothing else is changed or removed.

use diesel::connection::SimpleConnection;

use super::Conn;
use crate::error::Result;

/// Events that may be removed: see `model::audit`, whose lists a test holds against this one.
const REMOVABLE: &str = "'signed_in', 'second_factor_asked', 'stepped_up', 'signed_out', 'sign_in_failed', \
                         'second_factor_failed', 'step_up_failed', 'sso_refused', 'provider_refused', \
                         'reset_requested', 'magic_link_requested'";

/// Puts the triggers before the table, which is there. The two databases have no word of it in common, so it is no
/// migration.
pub(crate) fn put(conn: &mut Conn) -> Result<()> {
    let sql = match conn {
        Conn::Sqlite(_) => sqlite(),
        Conn::Postgres(_) => postgres(),
    };
    Ok(conn.batch_execute(&sql)?)
}

fn sqlite() -> String {
    format!(
        "DROP TRIGGER IF EXISTS audit_stays; DROP TRIGGER IF EXISTS audit_is_not_rewritten; \
         CREATE TRIGGER audit_stays BEFORE DELETE ON audit WHEN OLD.event NOT IN ({REMOVABLE}) \
         BEGIN SELECT RAISE(ABORT, 'what happened stays in the audit'); END; \
         CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit \
         WHEN NEW.id IS NOT OLD.id OR NEW.at IS NOT OLD.at OR NEW.event IS NOT OLD.event \
         OR NEW.actor_kind IS NOT OLD.actor_kind OR NEW.organisation_id IS NOT OLD.organisation_id \
         OR (NEW.ip IS NOT NULL AND NEW.ip IS NOT OLD.ip) \
         OR (NEW.session_id IS NOT NULL AND NEW.session_id IS NOT OLD.session_id) \
         OR (NEW.detail IS NOT '{{}}' AND NEW.detail IS NOT OLD.detail) \
         BEGIN SELECT RAISE(ABORT, 'what happened is not rewritten'); END;"
    )
}

fn postgres() -> String {
    format!(
        "CREATE OR REPLACE FUNCTION guard_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF TG_OP = 'DELETE' THEN \
         IF OLD.event IN ({REMOVABLE}) THEN RETURN OLD; END IF; \
         RAISE EXCEPTION 'what happened stays in the audit'; \
         END IF; \
         IF NEW.id <> OLD.id OR NEW.at <> OLD.at OR NEW.event <> OLD.event OR NEW.actor_kind <> OLD.actor_kind \
         OR NEW.organisation_id IS DISTINCT FROM OLD.organisation_id \
         OR (NEW.ip IS NOT NULL AND NEW.ip IS DISTINCT FROM OLD.ip) \
         OR (NEW.session_id IS NOT NULL AND NEW.session_id IS DISTINCT FROM OLD.session_id) \
         OR (NEW.detail <> '{{}}' AND NEW.detail <> OLD.detail) THEN \
         RAISE EXCEPTION 'what happened is not rewritten'; \
         END IF; \
         RETURN NEW; END $$; \
         DROP TRIGGER IF EXISTS guard_audit ON audit; \
         CREATE TRIGGER guard_audit BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION guard_audit();"
    )
}
