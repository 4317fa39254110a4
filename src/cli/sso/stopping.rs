//! Single sign-on goes out of use: an operator releases a domain, or pauses a connection, where its owners cannot.

use serde_json::{Value, json};

use crate::{
    accounts::{connections::Event, domains, sessions, sso_policy},
    clock::Timestamp,
    db::Tx,
    error::{Error, Result},
    ids::ConnectionId,
    model::{
        audit::{self, Actor},
        connection::{self, upkeep},
        domain, organisation,
    },
};

/// The people of a verified domain may sign in otherwise again; a sentence where nobody has it verified.
pub(crate) fn release(tx: &mut Tx, typed: &str) -> Result<std::result::Result<Value, String>> {
    let name = match domain::parse(typed) {
        Ok(name) => name,
        Err(problem) => return Ok(Err(problem)),
    };
    let mut listed = domains::listed(tx.conn, &name)?.into_iter();
    let Some((domain, of)) = listed.find(|(domain, _)| domain.verified_at.is_some()) else {
        return Ok(Err(format!("No organisation has {name} verified.")));
    };
    organisation::lock(tx, &of.id)?;
    domain::lock(tx, &name)?;
    let changed = sso_policy::lift(tx, &Actor::operator(), &domain)?;
    Ok(Ok(json!({ "domain": name, "organisation": of.slug, "changed": changed })))
}

/// Nobody signs in by a connection until an owner turns it on, and whoever came by it is signed out; a sentence where there is
/// none.
pub(crate) fn pause(tx: &mut Tx, id: &ConnectionId) -> Result<std::result::Result<Value, String>> {
    let found = match connection::by_id(tx.conn, id) {
        Err(Error::NotFound) => {
            return Ok(Err("There is no such connection: see `vestibule sso list`.".to_owned()));
        }
        found => found?,
    };
    let (organisation, actor) = (found.organisation_id, Actor::operator());
    organisation::lock(tx, &organisation)?;
    let changed = !connection::by_id(tx.conn, id)?.is_paused;
    if changed {
        upkeep::withdraw(tx, id)?;
        let event = Event::ConnectionChanged { organisation: organisation.clone(), connection: id.clone() };
        audit::record(tx, &actor, None, event)?;
        sessions::end_of_connection(tx, &actor, id, Timestamp::from_unix(0))?;
    }
    let slug = organisation::slug_of(tx.conn, &organisation)?;
    Ok(Ok(json!({ "id": id, "organisation": slug, "name": found.name, "changed": changed })))
}
