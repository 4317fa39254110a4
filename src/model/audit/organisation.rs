//! The part of the record that is an organisation's own: what concerns it, and nothing else of its members.

use diesel::prelude::*;

use super::Entry;
use crate::{
    clock::Timestamp,
    db::{Conn, schema::audit},
    error::Result,
    ids::{AuditEventId, OrganisationId, UserId},
};

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Those of this event.
    pub event: Option<String>,
    /// What this account did.
    pub actor: Option<UserId>,
    /// Those since this moment.
    pub since: Option<Timestamp>,
    /// Those up to this moment.
    pub until: Option<Timestamp>,
}

/// Where an entry of an organisation's record is in it; nothing where it has none with this id.
pub(crate) fn cursor_at(
    conn: &mut Conn,
    organisation: &OrganisationId,
    id: &AuditEventId,
) -> Result<Option<(Timestamp, AuditEventId)>> {
    let found = audit::table.find(id).filter(audit::organisation_id.eq(organisation));
    Ok(found.select((audit::at, audit::id)).first(conn).optional()?)
}

/// Up to `most` entries of an organisation's record before `cursor` (its time and id), the newest first; but none of the event
/// `but`.
pub(crate) fn of_organisation(
    conn: &mut Conn,
    organisation: &OrganisationId,
    filter: &Filter,
    but: Option<&str>,
    cursor: Option<&(Timestamp, AuditEventId)>,
    most: i64,
) -> Result<Vec<Entry>> {
    let mut query = audit::table.filter(audit::organisation_id.eq(organisation)).into_boxed();
    if let Some(event) = &filter.event {
        query = query.filter(audit::event.eq(event));
    }
    if let Some(but) = but {
        query = query.filter(audit::event.ne(but));
    }
    if let Some(actor) = &filter.actor {
        query = query.filter(audit::actor_id.eq(actor));
    }
    if let Some(since) = filter.since {
        query = query.filter(audit::at.ge(since));
    }
    if let Some(until) = filter.until {
        query = query.filter(audit::at.le(until));
    }
    if let Some((at, id)) = cursor {
        // The first half is what the index reads.
        query = query.filter(audit::at.le(at)).filter(audit::at.lt(at).or(audit::id.lt(id)));
    }
    Ok(query.order((audit::at.desc(), audit::id.desc())).limit(most).select(Entry::as_select()).load(conn)?)
}
