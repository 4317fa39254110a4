//! What disowned sessions changed in organisations: of single sign-on it goes out of use, nothing else is taken back by itself,
//! and the owners read all of it.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use serde_json::Value;

use super::single_sign_on::{self, Changed};
use crate::{
    accounts::members,
    clock::Timestamp,
    db::{Conn, Tx, schema::audit},
    error::{Error, Result},
    ids::{OrganisationId, SessionId, UserId},
    kinds::Role,
    mail::emails::{self, DisownedChange, Withdrawn},
    model::{audit::Actor, organisation, user},
};

/// What an organisation's owners read.
type Told = (Vec<DisownedChange>, Vec<Withdrawn>);

/// Takes out of use what these sessions of `member` changed of single sign-on, and tells the owners of each organisation
/// what they changed there.
pub(super) fn contain(
    tx: &mut Tx,
    actor: &Actor,
    member: &UserId,
    sessions: &HashSet<SessionId>,
) -> Result<()> {
    let changed = single_sign_on::changed(tx.conn, &tx.config.keys, member, sessions)?;
    let mut told: HashMap<OrganisationId, Told> = HashMap::new();
    for (organisation, changes) in changes(tx.conn, member, &changed)? {
        told.entry(organisation).or_default().0 = changes;
    }
    for (organisation, withdrawn) in single_sign_on::withdraw(tx, actor, &changed)? {
        told.entry(organisation).or_default().1 = withdrawn;
    }
    for (organisation, (changes, withdrawn)) in told {
        // One that has ended meanwhile has nobody left to tell.
        let organisation = match organisation::by_id(tx.conn, &organisation) {
            Err(Error::NotFound) => continue,
            found => found?,
        };
        let member = user::by_id(tx.conn, member)?;
        let path = match withdrawn.is_empty() {
            true => format!("/organisations/{}", organisation.slug),
            false => format!("/organisations/{}/sso", organisation.slug),
        };
        let mut readers = members::owners(tx.conn, &organisation.id)?;
        // What they were made to be since does not keep it from them.
        if !withdrawn.is_empty() && readers.iter().all(|owner| owner.id != member.id) {
            readers.push(member.clone());
        }
        for owner in readers {
            let site = &tx.config.site;
            let (to, of) =
                ((&owner.email, owner.name.as_str()), (&*organisation.name, member.email.spelled()));
            let email = emails::disowned_changes(site, to, of, &changes, &withdrawn, &path)?;
            tx.mail(Some(&owner.id), email)?;
        }
    }
    Ok(())
}

/// When, what, about whom, and the rest of it.
type Row = (Timestamp, String, Option<UserId>, String);

/// What these sessions did, by organisation, the oldest first. Those of others than `member` came by what these changed.
fn changes(
    conn: &mut Conn,
    member: &UserId,
    changed: &Changed,
) -> Result<HashMap<OrganisationId, Vec<DisownedChange>>> {
    let columns = (audit::at, audit::event, audit::subject_id, audit::detail);
    let own = audit::table
        .filter(audit::actor_id.eq_any(&changed.people))
        .filter(audit::session_id.eq_any(&changed.sessions));
    let mut found: Vec<Row> = own.order((audit::at, audit::id)).select(columns).load(conn)?;
    if let Some(since) = changed.since() {
        // Whoever came by single sign-on as an owner, or as one no more, did so in no session.
        let joined = audit::table
            .filter(audit::event.eq_any(["member_added", "role_changed"]))
            .filter(audit::session_id.is_null())
            .filter(audit::at.ge(since));
        let joined: Vec<Row> = joined.order((audit::at, audit::id)).select(columns).load(conn)?;
        for row in joined {
            let detail: Value = serde_json::from_str(&row.3)?;
            let mut roles = ["from", "to", "role"].into_iter().filter_map(|role| detail[role].as_str());
            let whose = detail["organisation"].as_str().map(OrganisationId::from_text);
            if roles.any(|role| role == Role::Owner.as_str())
                && whose.is_some_and(|whose| changed.is_of(&whose))
            {
                found.push(row);
            }
        }
        found.sort_by_key(|row| row.0);
    }
    let mut changes: HashMap<OrganisationId, Vec<DisownedChange>> = HashMap::new();
    for (at, event, subject, detail) in found {
        let detail: Value = serde_json::from_str(&detail)?;
        let Some(organisation) = detail["organisation"].as_str() else { continue };
        let person = match subject.filter(|person| person != member) {
            Some(person) => user::find(conn, &person)?.map(|person| person.email.spelled().to_owned()),
            None => None,
        };
        // Of a role that is given or changed, the one that they have since; of a domain that is closed, its emergency owner.
        let role = detail["to"].as_str().or(detail["role"].as_str()).map(|role| format!("as {role}"));
        let domain = detail["domain"].as_str().map(str::to_owned);
        let about: Vec<String> = domain.into_iter().chain(person).chain(role).collect();
        let about = Some(about.join(" ")).filter(|about| !about.is_empty());
        let change = DisownedChange { when: at.exact(), event: event.replace('_', " "), about };
        changes.entry(OrganisationId::from_text(organisation)).or_default().push(change);
    }
    Ok(changes)
}
