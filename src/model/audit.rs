//! Who did what to whom, when and from where; written in the same transaction as the change.

mod ageing;
mod event;
mod organisation;

use diesel::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::audit},
    error::Result,
    ids::{ApiKeyId, AuditEventId, OrganisationId, SessionId, UserId},
    log::{self, Audited},
    text_enum,
};

pub(crate) use self::{
    ageing::{forget_networks, sweep},
    event::{AuditEvent, EventKind, Retention, audit_events},
    organisation::{Filter, cursor_at, of_organisation},
};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "audit",
    title: "The record of what was done to your account",
    why: "So that it can be found out afterwards who changed what, also when something went wrong. Network addresses, and \
          what happens at each sign-in, are removed after {history}.",
    columns: &[
        ("id", "a number that stands for the entry"),
        (
            "actor_kind",
            "whether a person, an API key, the directory of an organisation, the people who run this site, or the program itself \
             did it",
        ),
        ("actor_id", "who did it"),
        ("session_id", "from which of their devices"),
        ("ip", "from which network address"),
        ("event", "what was done"),
        ("subject_id", "whose account it was done to"),
        ("detail", "what belongs to it, such as an old and a new address"),
        ("organisation_id", "which organisation it concerns, where it concerns one"),
    ],
    erasure: Erasure::Anonymised,
    afterwards: "That something happened, and when, stays on record under a random number that leads back to nobody, so \
                 that the record has no gaps. Who did it, from where and the details are wiped.",
    export: &[ExportSection { name: "audit", is_list: true, read: exported }],
    erase: anonymise,
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    type Row = (Timestamp, ActorKind, Option<UserId>, Option<String>, String, Option<UserId>, String);
    let found: Vec<Row> = audit::table
        .filter(audit::subject_id.eq(owner).or(audit::actor_id.eq(owner)))
        .order((audit::at, audit::id))
        .offset(skip)
        .limit(most)
        .select((
            audit::at,
            audit::actor_kind,
            audit::actor_id,
            audit::ip,
            audit::event,
            audit::subject_id,
            audit::detail,
        ))
        .load(conn)?;
    let told = found.into_iter().map(|(at, kind, actor, ip, event, subject, detail)| {
        let is_about_you = subject.as_ref() == Some(owner);
        let detail = serde_json::from_str::<Value>(&detail).ok().filter(|_| is_about_you);
        // Where somebody else did it, from where is theirs.
        let by_another = actor.is_some_and(|actor| actor != *owner);
        json!({
            "at": at,
            "event": event,
            "by": if by_another { "another person" } else { kind.as_str() },
            "ip": ip.filter(|_| !by_another),
            "isAboutYou": is_about_you,
            "detail": detail,
        })
    });
    Ok(told.collect())
}

/// Puts a pseudonym in a person's place. Nothing else knows it, so it leads back to nobody.
fn anonymise(tx: &mut Tx, id: &UserId, pseudonym: &UserId) -> Result<()> {
    let nowhere = || (audit::session_id.eq(None::<String>), audit::ip.eq(None::<String>));
    diesel::update(audit::table.filter(audit::actor_id.eq(id)))
        .set((audit::actor_id.eq(pseudonym), nowhere()))
        .execute(tx.conn)?;
    let about = audit::table.filter(audit::subject_id.eq(id));
    // An unauthenticated actor acting on this account, usually its owner.
    diesel::update(about.filter(audit::actor_id.is_null())).set(nowhere()).execute(tx.conn)?;
    diesel::update(about).set((audit::subject_id.eq(pseudonym), audit::detail.eq("{}"))).execute(tx.conn)?;
    Ok(())
}

/// Wipes the details of events of these names that name a person. What happened is not rewritten.
pub(crate) fn wipe_details(tx: &mut Tx, id: &UserId, events: &[&str]) -> Result<()> {
    let naming = audit::table
        .filter(audit::event.eq_any(events))
        .filter(audit::detail.like(format!("%\"{}\"%", id.as_str())));
    diesel::update(naming).set(audit::detail.eq("{}")).execute(tx.conn)?;
    Ok(())
}

text_enum! {
    /// What kind of actor it was.
    ActorKind {
        /// A person, signed in or arriving.
        User => "user",
        /// A program with an API key.
        ApiKey => "api_key",
        /// Somebody with a shell on the server.
        Operator => "operator",
        /// The identity provider of an organisation, by SCIM.
        Directory => "directory",
        /// The program itself.
        Job => "job",
    }
}

/// The API key that acts.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ActingKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What it is called, where it is an organisation's: somebody's text, which stays when they are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Who acts, and from where.
#[derive(Debug, Clone)]
pub struct Actor {
    /// What kind of actor.
    pub kind: ActorKind,
    /// The person, where it is one we know.
    pub user: Option<UserId>,
    /// Their session, where there is one.
    pub session: Option<SessionId>,
    /// Their API key, or that of an organisation, where one acts.
    pub(crate) key: Option<ActingKey>,
    /// Their address on the network.
    pub ip: Option<String>,
}

impl Actor {
    /// Somebody with a shell on the server.
    pub fn operator() -> Self {
        Self { kind: ActorKind::Operator, user: None, session: None, key: None, ip: None }
    }

    /// The program itself.
    pub(crate) fn job() -> Self {
        Self { kind: ActorKind::Job, user: None, session: None, key: None, ip: None }
    }

    /// A person, of whom no more is known.
    pub(crate) fn user(user: &UserId) -> Self {
        Self { kind: ActorKind::User, user: Some(user.clone()), session: None, key: None, ip: None }
    }

    /// The same visitor, now known to be `user`. Operators and jobs stay who they are.
    pub(crate) fn known_as(&self, user: &UserId) -> Self {
        if self.kind != ActorKind::User {
            return self.clone();
        }
        let session = self.session.clone().filter(|_| self.user.as_ref() == Some(user));
        Self { user: Some(user.clone()), session, ..self.clone() }
    }
}

/// Writes the row, and the line of the log that follows the commit. `subject` is the user it is about, `None` where
/// nobody is known.
pub(crate) fn record<'a>(
    tx: &mut Tx,
    actor: &Actor,
    subject: impl Into<Option<&'a UserId>>,
    event: impl AuditEvent,
) -> Result<()> {
    let mut detail = serde_json::to_value(&event)?;
    if let Some(key) = &actor.key {
        detail["byKey"] = json!(key);
    }
    write(tx, actor, subject.into(), event.kind(), &detail)
}

fn write(
    tx: &mut Tx,
    actor: &Actor,
    subject: Option<&UserId>,
    kind: &EventKind,
    detail: &Value,
) -> Result<()> {
    diesel::insert_into(audit::table)
        .values((
            audit::id.eq(AuditEventId::random()?),
            audit::at.eq(tx.now),
            audit::actor_kind.eq(actor.kind),
            audit::actor_id.eq(&actor.user),
            audit::session_id.eq(&actor.session),
            audit::ip.eq(&actor.ip),
            audit::event.eq(kind.name),
            audit::subject_id.eq(subject),
            audit::detail.eq(detail.to_string()),
            // An event that concerns an organisation names it.
            audit::organisation_id.eq(detail["organisation"].as_str()),
        ))
        .execute(tx.conn)?;
    let text = |id: &UserId| id.as_str().to_owned();
    let method = ["method", "with"].iter().find_map(|name| detail[*name].as_str());
    tx.audited.push(Audited {
        event: kind.name,
        method: method.map(str::to_owned),
        is_failure: kind.is_failure,
        user: subject.map(text),
        organisation: detail["organisation"].as_str().map(str::to_owned),
        actor: log::Actor {
            kind: actor.kind.as_str(),
            user: actor.user.as_ref().map(text),
            // A sign-in begins the session that it tells of.
            session: match &actor.session {
                Some(session) => Some(session.as_str().to_owned()),
                None => detail["session"].as_str().map(str::to_owned),
            },
            client: actor.ip.clone(),
        },
    });
    Ok(())
}

/// Which entries of the record are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Those by or about this account.
    pub user: Option<UserId>,
    /// Those of this event.
    pub event: Option<String>,
    /// Those since this moment.
    pub since: Option<Timestamp>,
}

/// An entry of the record.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = audit)]
pub(crate) struct Entry {
    /// Its id.
    pub id: AuditEventId,
    /// When it happened.
    pub at: Timestamp,
    /// What kind of actor it was.
    pub actor_kind: ActorKind,
    /// Who did it, where that is known.
    pub actor_id: Option<UserId>,
    /// In which session.
    pub session_id: Option<String>,
    /// From which network address.
    pub ip: Option<String>,
    /// What happened.
    pub event: String,
    /// Which account it is about.
    pub subject_id: Option<UserId>,
    /// Which organisation it concerns.
    pub organisation_id: Option<OrganisationId>,
    /// What belongs to it, as JSON.
    pub detail: String,
}

/// The events that the record has, by their names.
pub(crate) fn events(conn: &mut Conn) -> Result<Vec<String>> {
    Ok(audit::table.select(audit::event).distinct().order(audit::event).load(conn)?)
}

/// Up to `most` entries after `after` (its time and id), the oldest first.
pub(crate) fn page(
    conn: &mut Conn,
    wanted: &Wanted,
    after: Option<&(Timestamp, AuditEventId)>,
    most: i64,
) -> Result<Vec<Entry>> {
    let mut query = audit::table.into_boxed();
    if let Some(user) = &wanted.user {
        query = query.filter(audit::subject_id.eq(user).or(audit::actor_id.eq(user)));
    }
    if let Some(event) = &wanted.event {
        query = query.filter(audit::event.eq(event));
    }
    if let Some(since) = wanted.since {
        query = query.filter(audit::at.ge(since));
    }
    if let Some((at, id)) = after {
        query = query.filter(audit::at.gt(at).or(audit::at.eq(at).and(audit::id.gt(id))));
    }
    Ok(query.order((audit::at, audit::id)).limit(most).select(Entry::as_select()).load(conn)?)
}
