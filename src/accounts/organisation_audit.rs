//! An organisation's own record, as its members with `audit:read` see it.
//!
//! It has what concerns the organisation and nothing else that its members do. Members have their name and address in it, for
//! readers who see the members; invited people their address, for readers who may invite. Everybody else is an id: who left,
//! and the pseudonym of who was purged. From where somebody did it is theirs, and not in it.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::policy::Membership;
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::Result,
    ids::{AuditEventId, Id, InvitationId, OrganisationId, UserId},
    kinds::Permission,
    mail::EmailAddress,
    model::{
        audit::{self, Actor, ActorKind, Entry, Filter, audit_events},
        invitation, membership,
        rate_limit::{self, Limit},
    },
};

audit_events! {
    /// A member took a copy of it: in which form, and which part of it.
    AuditExported {
        organisation: OrganisationId,
        format: &'static str,
        event: Option<String>,
        by: Option<UserId>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    } => naming_an_account("audit_exported", "Audit log downloaded"),
}

/// Downloads of one organisation's record in an hour, and those of one member.
const MOST_DOWNLOADS: i32 = 60;
const MOST_DOWNLOADS_BY_ONE: i32 = 30;

/// The event that tells who did it only where they are a member whom the reader sees.
const HIDES_ACTOR: &str = "invitation_declined";

/// An event as the organisation sees it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EventView {
    /// Its id; a page goes on after the last one's.
    pub id: AuditEventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: String,
    /// Who did it.
    pub actor: ActorView,
    /// Whom it is about.
    pub subject: Option<UserView>,
    /// The address of the invitation that it is about, while that is kept.
    pub invited: Option<String>,
    /// What belongs to it; empty once its subject's account is purged.
    pub detail: Map<String, Value>,
}

/// Who did something.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ActorView {
    /// A user, the operators of the site, or the program itself.
    pub kind: ActorKind,
    /// The user's, where it is one that is known.
    pub id: Option<UserId>,
    /// What a member wants to be called.
    pub name: Option<String>,
    /// A member's address.
    pub email: Option<String>,
}

/// A user: a member by name, anybody else by their id.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct UserView {
    /// Theirs, or a pseudonym.
    pub id: UserId,
    /// What a member wants to be called.
    pub name: Option<String>,
    /// A member's address.
    pub email: Option<String>,
}

/// Up to `most` events before `cursor` (its time and id), the newest first. Whoever asks has `audit:read`.
pub(crate) fn page(
    conn: &mut Conn,
    mine: &Membership,
    filter: &Filter,
    cursor: Option<&(Timestamp, AuditEventId)>,
    most: i64,
) -> Result<Vec<EventView>> {
    let of = &mine.organisation.id;
    let but = hidden(conn, mine, filter)?;
    let found = audit::of_organisation(conn, of, filter, but, cursor, most)?;
    let details: Vec<Map<String, Value>> = found.iter().map(detail).collect::<Result<_>>()?;
    let mut contacts = HashMap::new();
    if mine.may(Permission::MembersRead) {
        let users = found.iter().flat_map(|entry| entry.actor_id.iter().chain(&entry.subject_id));
        let users: Vec<UserId> = users.cloned().collect();
        for (id, name, email) in membership::contacts(conn, of, &users)? {
            contacts.insert(id, (name, email.spelled().to_owned()));
        }
    }
    let mut invited = HashMap::new();
    if mine.may(Permission::MembersInvite) {
        let ids: Vec<InvitationId> = details.iter().filter_map(invitation).collect();
        invited.extend(invitation::addresses(conn, of, &ids)?);
    }
    let user = |id: UserId| {
        let (name, email) = contacts.get(&id).cloned().unzip();
        UserView { id, name, email }
    };
    let views = found.into_iter().zip(details).map(|(entry, detail)| {
        // Whether an account has the address is nothing that who invites it learns.
        let is_hidden = entry.event == HIDES_ACTOR;
        let shown = |id: Option<UserId>| id.filter(|id| !is_hidden || contacts.contains_key(id)).map(user);
        let by = shown(entry.actor_id);
        let (id, name, email) = by.map_or((None, None, None), |by| (Some(by.id), by.name, by.email));
        EventView {
            actor: ActorView { kind: entry.actor_kind, id, name, email },
            subject: shown(entry.subject_id),
            invited: invitation(&detail)
                .and_then(|id| invited.get(&id))
                .map(|email| email.spelled().to_owned()),
            id: entry.id,
            at: entry.at,
            event: entry.event,
            detail,
        }
    });
    Ok(views.collect())
}

/// The event that is not found by who did it, where the rows do not say that either.
fn hidden(conn: &mut Conn, mine: &Membership, filter: &Filter) -> Result<Option<&'static str>> {
    let Some(actor) = &filter.actor else { return Ok(None) };
    let is_shown = mine.may(Permission::MembersRead)
        && !membership::contacts(conn, &mine.organisation.id, std::slice::from_ref(actor))?.is_empty();
    Ok((!is_shown).then_some(HIDES_ACTOR))
}

/// What belongs to an entry, but for the organisation, which is the same in all of them.
fn detail(entry: &Entry) -> Result<Map<String, Value>> {
    let mut detail: Map<String, Value> = serde_json::from_str(&entry.detail)?;
    detail.remove("organisation");
    Ok(detail)
}

fn invitation(detail: &Map<String, Value>) -> Option<InvitationId> {
    Id::parse(detail.get("invitation")?.as_str()?)
}

/// The member with this address, for readers who see the members.
pub(crate) fn member_with(
    conn: &mut Conn,
    mine: &Membership,
    address: &EmailAddress,
) -> Result<Option<UserId>> {
    mine.require(Permission::MembersRead)?;
    membership::with_address(conn, &mine.organisation.id, address)
}

/// Notes that a member takes a copy of what fits `filter`, at most 30 times an hour, and all of them 60
/// times in one organisation.
pub(crate) fn note_download(
    tx: &mut Tx,
    actor: &Actor,
    mine: &Membership,
    format: &'static str,
    filter: Filter,
) -> Result<()> {
    let organisation = mine.organisation.id.clone();
    let hour = chrono::TimeDelta::hours(1);
    // The member first: who has had their share takes nothing from the others.
    let by_one = format!("{organisation} {}", mine.actor_id());
    rate_limit::consume(tx, &Limit::new("audit-downloads-by", &by_one, MOST_DOWNLOADS_BY_ONE, hour))?;
    rate_limit::consume(tx, &Limit::new("audit-downloads", organisation.as_str(), MOST_DOWNLOADS, hour))?;
    let Filter { event, actor: by, since, until } = filter;
    audit::record(tx, actor, None, Event::AuditExported { organisation, format, event, by, since, until })
}
