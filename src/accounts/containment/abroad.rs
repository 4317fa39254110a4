//! What disowned sessions changed in organisations: nothing of it is taken back by itself, but the owners read it.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use serde_json::Value;

use crate::{
    accounts::members,
    clock::Timestamp,
    db::{Conn, Tx, schema::audit},
    error::{Error, Result},
    ids::{OrganisationId, SessionId, UserId},
    mail::emails::{self, DisownedChange},
    model::{organisation, user},
};

/// Tells the owners of each organisation what these sessions of `member` changed there.
pub(super) fn tell_owners(tx: &mut Tx, member: &UserId, sessions: &HashSet<SessionId>) -> Result<()> {
    for (organisation, changes) in changes(tx.conn, member, sessions)? {
        // One that has ended meanwhile has nobody left to tell.
        let organisation = match organisation::by_id(tx.conn, &organisation) {
            Err(Error::NotFound) => continue,
            found => found?,
        };
        let member = user::by_id(tx.conn, member)?;
        let path = format!("/organisations/{}", organisation.slug);
        for owner in members::owners(tx.conn, &organisation.id)? {
            let site = &tx.config.site;
            let (to, name, address) = (&owner.email, &owner.name, member.email.spelled());
            let email =
                emails::disowned_changes(site, to, name, (&organisation.name, address), &changes, &path)?;
            tx.mail(Some(&owner.id), email)?;
        }
    }
    Ok(())
}

/// What these sessions of an account changed, by organisation, the oldest first.
fn changes(
    conn: &mut Conn,
    member: &UserId,
    sessions: &HashSet<SessionId>,
) -> Result<HashMap<OrganisationId, Vec<DisownedChange>>> {
    let own = audit::table.filter(audit::actor_id.eq(member)).filter(audit::session_id.eq_any(sessions));
    let found: Vec<(Timestamp, String, Option<UserId>, String)> = own
        .order((audit::at, audit::id))
        .select((audit::at, audit::event, audit::subject_id, audit::detail))
        .load(conn)?;
    let mut changes: HashMap<OrganisationId, Vec<DisownedChange>> = HashMap::new();
    for (at, event, subject, detail) in found {
        let detail: Value = serde_json::from_str(&detail)?;
        let Some(organisation) = detail["organisation"].as_str() else { continue };
        let about = match (subject, detail["domain"].as_str()) {
            (_, Some(domain)) => Some(domain.to_owned()),
            (Some(person), None) if person != *member => {
                user::find(conn, &person)?.map(|person| person.email.spelled().to_owned())
            }
            _ => None,
        };
        let change = DisownedChange { when: at.exact(), event: event.replace('_', " "), about };
        changes.entry(OrganisationId::from_text(organisation)).or_default().push(change);
    }
    Ok(changes)
}
