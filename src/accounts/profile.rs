//! What an account's person wants to be called, and which of their organisations they use where.

use super::policy;
use crate::{
    db::Tx,
    error::{Error, Result},
    ids::{SessionId, UserId},
    kinds::Permission,
    model::{
        audit::{self, Actor, audit_events},
        organisation::{Named, Organisation},
        session,
        user::{self, Name},
    },
};

audit_events! {
    /// The display name changed.
    Renamed {} => of("renamed"),
}

/// Changes what a person wants to be called.
pub(crate) fn rename(tx: &mut Tx, actor: &Actor, id: &UserId, name: &Name) -> Result<()> {
    user::rename(tx, id, name)?;
    audit::record(tx, actor, id, Event::Renamed {})
}

/// Sets the organisation in use in a session, by its slug, or none. [`Error::NotFound`] where the person does not belong to it,
/// [`ORGANISATION_LEAVING`] where it waits to be deleted.
pub(crate) fn use_organisation(
    tx: &mut Tx,
    user: &UserId,
    here: &SessionId,
    slug: Option<&str>,
) -> Result<Option<Organisation>> {
    let chosen = match slug {
        None => None,
        Some(slug) => {
            let found = match policy::membership(tx.conn, Named::Slug(slug), user)? {
                None => policy::membership_by_former_slug(tx.conn, slug, user, tx.now)?,
                found => found,
            };
            let mine = found.ok_or(Error::NotFound)?;
            mine.require(Permission::OrganisationRead)?;
            Some(mine.organisation)
        }
    };
    session::set_organisation(tx, here, chosen.as_ref().map(|chosen| &chosen.id))?;
    Ok(chosen)
}
