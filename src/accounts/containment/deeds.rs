//! What disowned sessions did in organisations, also through others: whoever got a role from such a session counts as that
//! session for what they change there since.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use serde_json::Value;

use crate::{
    clock::Timestamp,
    db::{Conn, schema::audit},
    error::Result,
    ids::{AuditEventId, OrganisationId, SessionId, UserId},
    kinds::Role,
    model::audit::ActorKind,
};

/// Who got a role in an organisation from a disowned session, directly or by another of them, and since when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Delegates(HashMap<(OrganisationId, UserId), Timestamp>);

impl Delegates {
    /// Whether what somebody does there at a moment counts as done by a disowned session.
    pub(super) fn act(&self, organisation: &OrganisationId, person: &UserId, at: Timestamp) -> bool {
        self.0.get(&(organisation.clone(), person.clone())).is_some_and(|since| at >= *since)
    }

    /// Whether somebody is one of them.
    pub(super) fn has(&self, organisation: &OrganisationId, person: &UserId) -> bool {
        self.0.contains_key(&(organisation.clone(), person.clone()))
    }

    /// All of them.
    pub(super) fn people(&self) -> impl Iterator<Item = &UserId> {
        self.0.keys().map(|(_, person)| person)
    }

    fn add(&mut self, organisation: &OrganisationId, person: &UserId, at: Timestamp) {
        let since = self.0.entry((organisation.clone(), person.clone())).or_insert(at);
        *since = (*since).min(at);
    }
}

/// One thing that was done, as the audit has it.
#[derive(Debug)]
pub(super) struct Deed {
    pub id: AuditEventId,
    pub at: Timestamp,
    pub event: String,
    pub organisation: OrganisationId,
    pub actor: UserId,
    pub subject: Option<UserId>,
    pub detail: Value,
}

/// What was done, the oldest first, and through whom.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    pub all: Vec<Deed>,
    pub delegates: Delegates,
}

impl Deeds {
    /// Adds the roles that people got who came by single sign-on since a moment, which they do in no session.
    pub(super) fn add_sso_role_changes(
        &mut self,
        conn: &mut Conn,
        since: Timestamp,
        is_of: impl Fn(&OrganisationId) -> bool,
    ) -> Result<()> {
        let rows: Vec<(AuditEventId, Timestamp, Option<UserId>, String)> = audit::table
            .filter(audit::event.eq("role_changed"))
            .filter(audit::actor_kind.eq(ActorKind::User))
            .filter(audit::session_id.is_null())
            .filter(audit::at.ge(since))
            .select((audit::id, audit::at, audit::subject_id, audit::detail))
            .load(conn)?;
        let known: HashSet<AuditEventId> = self.all.iter().map(|deed| deed.id.clone()).collect();
        for (id, at, subject, detail) in rows {
            let detail: Value = serde_json::from_str(&detail)?;
            let organisation = detail["organisation"].as_str().map(OrganisationId::from_text);
            let Some((organisation, person)) = organisation.zip(subject) else { continue };
            if is_of(&organisation) && !known.contains(&id) {
                let (event, actor, subject) = ("role_changed".to_owned(), person.clone(), Some(person));
                self.all.push(Deed { id, at, event, organisation, actor, subject, detail });
            }
        }
        self.all.sort_by_key(|deed| deed.at);
        Ok(())
    }
}

// After which somebody knows the secret of an API key.
const MAKES_SECRET: [&str; 2] = ["api_key_made", "api_key_rolled"];

/// What these sessions did in organisations since a moment, whose people these are.
pub(super) fn find(
    conn: &mut Conn,
    people: &HashSet<UserId>,
    sessions: &HashSet<SessionId>,
    since: Timestamp,
) -> Result<Deeds> {
    let mut delegates = Delegates::default();
    // Each round may find somebody through whom more was done.
    loop {
        let all = load(conn, people, sessions, &delegates, since)?;
        let before = delegates.0.len();
        for deed in &all {
            add_delegates(conn, &mut delegates, deed)?;
        }
        if delegates.0.len() == before {
            return Ok(Deeds { all, delegates });
        }
    }
}

type Row<D = Value> = (AuditEventId, Timestamp, String, Option<UserId>, Option<SessionId>, Option<UserId>, D);

/// The ids of the keys that these sessions made or rolled: whoever did knows the secret, and acts with it as before.
fn known_keys(rows: &[Row], sessions: &HashSet<SessionId>) -> HashSet<String> {
    let makes_secret = |(_, _, event, _, session, _, _): &&Row| {
        let is_theirs = session.as_ref().is_some_and(|session| sessions.contains(session));
        is_theirs && MAKES_SECRET.contains(&event.as_str())
    };
    let made = rows.iter().filter(makes_secret);
    made.filter_map(|(.., detail)| detail["key"].as_str().map(str::to_owned)).collect()
}

fn load(
    conn: &mut Conn,
    people: &HashSet<UserId>,
    sessions: &HashSet<SessionId>,
    delegates: &Delegates,
    since: Timestamp,
) -> Result<Vec<Deed>> {
    let doers: HashSet<&UserId> = people.iter().chain(delegates.people()).collect();
    let rows: Vec<Row<String>> = audit::table
        .filter(audit::actor_id.eq_any(doers))
        .filter(audit::at.ge(since))
        .order((audit::at, audit::id))
        .select((
            audit::id,
            audit::at,
            audit::event,
            audit::actor_id,
            audit::session_id,
            audit::subject_id,
            audit::detail,
        ))
        .load(conn)?;
    let read = |(id, at, event, actor, session, subject, detail): Row<String>| {
        Ok((id, at, event, actor, session, subject, serde_json::from_str(&detail)?))
    };
    let rows = rows.into_iter().map(read).collect::<Result<Vec<Row>>>()?;
    let keys = known_keys(&rows, sessions);
    let mut deeds = Vec::new();
    for (id, at, event, actor, session, subject, detail) in rows {
        let by_key = detail["byKey"]["id"].as_str().is_some_and(|key| keys.contains(key));
        let is_theirs = by_key || session.is_some_and(|session| sessions.contains(&session));
        let organisation = detail["organisation"].as_str().map(OrganisationId::from_text);
        let Some((organisation, actor)) = organisation.zip(actor) else { continue };
        if is_theirs || delegates.act(&organisation, &actor, at) {
            deeds.push(Deed { id, at, event, organisation, actor, subject, detail });
        }
    }
    Ok(deeds)
}

/// Whom this gave a role in which more can be done than before.
fn add_delegates(conn: &mut Conn, delegates: &mut Delegates, deed: &Deed) -> Result<()> {
    let word = |name: &str| deed.detail[name].as_str().unwrap_or_default();
    match (deed.event.as_str(), &deed.subject) {
        ("role_changed", Some(member)) if gains(word("from"), word("to")) && *member != deed.actor => {
            delegates.add(&deed.organisation, member, deed.at);
        }
        ("member_invited", _) => {
            for (at, person, detail) in answers(conn, "invitation_accepted", deed.at)? {
                if detail["invitation"] == deed.detail["invitation"] {
                    delegates.add(&deed.organisation, &person, at);
                }
            }
        }
        ("hand_over_offered", Some(member)) => {
            for (at, person, detail) in answers(conn, "handed_over", deed.at)? {
                if person == *member && detail["organisation"] == deed.detail["organisation"] {
                    delegates.add(&deed.organisation, &person, at);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// What people answered since a moment: when, who, and the rest of it.
fn answers(conn: &mut Conn, event: &str, since: Timestamp) -> Result<Vec<(Timestamp, UserId, Value)>> {
    let rows: Vec<(Timestamp, Option<UserId>, String)> = audit::table
        .filter(audit::event.eq(event))
        .filter(audit::at.ge(since))
        .select((audit::at, audit::actor_id, audit::detail))
        .load(conn)?;
    let mut answers = Vec::new();
    for (at, person, detail) in rows {
        if let Some(person) = person {
            answers.push((at, person, serde_json::from_str(&detail)?));
        }
    }
    Ok(answers)
}

/// Whether a role can do to others what the one before could not: the owner's, or one of the organisation's own.
fn gains(from: &str, to: &str) -> bool {
    let is_custom = Role::from_word(to).is_none();
    from != Role::Owner.as_str() && (to == Role::Owner.as_str() || is_custom)
}
