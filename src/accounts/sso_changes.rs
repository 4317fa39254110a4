//! What decides who may sign in as somebody else: a change of an organisation's single sign-on is a change of a credential
//! of every account that the organisation speaks for.
//!
//! So it is noted with the session that made it, as a passkey is, and every owner hears of it.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    containment::way_back::{device_of, way_back_from},
    members, security_changes,
};
use crate::{
    db::{Tx, schema::sessions},
    error::Result,
    ids::{ConnectionId, DomainId, OrganisationId},
    mail::emails::{self, SsoChange, SsoChangedBy},
    model::{
        audit::Actor,
        organisation,
        rate_limit::{self, Limit},
        security_change::Kind,
        user,
    },
    urls,
};

// Of one organisation, by one owner, in an hour: each is an email to every owner.
const MOST_CHANGES: i32 = 30;

/// What was changed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target<'a> {
    /// A connection: made, set anew or switched on.
    Connection(&'a ConnectionId),
    /// A domain, whose people sign in there only from now on, or may sign in otherwise.
    Domain(&'a DomainId),
    /// A domain, whose people are led elsewhere.
    Led {
        /// Which one.
        domain: &'a DomainId,
        /// Where they were led so far.
        before: Option<&'a ConnectionId>,
    },
}

impl Target<'_> {
    fn id(&self) -> &str {
        match self {
            Target::Connection(id) => id.as_str(),
            Target::Domain(id) | Target::Led { domain: id, .. } => id.as_str(),
        }
    }
}

/// What is kept of a change beside its target.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Circumstances {
    /// Whether a domain's people were led elsewhere by it.
    pub is_led: bool,
    /// Where they were led so far.
    pub led_before: Option<ConnectionId>,
    /// The connection that the session came by.
    pub came_by: Option<ConnectionId>,
}

/// Notes a change that an owner makes in their session, and tells every owner. Operators and jobs answer elsewhere.
/// [`Error::TooManyAttempts`](crate::error::Error::TooManyAttempts) where there were too many in an hour.
pub(crate) fn note(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    target: Target,
    change: SsoChange,
) -> Result<()> {
    let (Some(owner), Some(here)) = (&actor.user, &actor.session) else { return Ok(()) };
    let whose = format!("{organisation} {owner}");
    rate_limit::consume(tx, &Limit::new("sso-change", &whose, MOST_CHANGES, TimeDelta::hours(1)))?;
    let came_by: Option<Option<ConnectionId>> =
        sessions::table.find(here).select(sessions::connection_id).first(tx.conn).optional()?;
    let (is_led, led_before) = match target {
        Target::Led { before, .. } => (true, before.cloned()),
        _ => (false, None),
    };
    let kept = serde_json::to_string(&Circumstances { is_led, led_before, came_by: came_by.flatten() })?;
    security_changes::note_after(tx, actor, owner, Kind::SsoChanged, Some(target.id()), Some(&kept))?;

    let organisation = organisation::by_id(tx.conn, organisation)?;
    let (owner, device) = (user::by_id(tx.conn, owner)?, device_of(tx.conn, actor)?);
    let path = match target {
        Target::Connection(id) => urls::connection(&organisation.slug, id),
        _ => urls::organisation_page(&organisation.slug, "sso"),
    };
    let (site, when) = (tx.config.site.clone(), tx.now.exact());
    let by = SsoChangedBy { name: &owner.name, address: owner.email.spelled(), when: &when, device: &device };
    for reader in members::owners(tx.conn, &organisation.id)? {
        // Mail goes to people, never to claims.
        if !reader.is_verified() {
            continue;
        }
        let what = format!("Single sign-on of {} was changed", organisation.name);
        let not_me = match reader.id == owner.id {
            true => Some(way_back_from(tx, actor, &reader, &what, &device)?),
            false => None,
        };
        let not_me = not_me.as_ref().map(|secret| secret.reveal());
        let to = (&reader.email, reader.name.as_str());
        let email = emails::sso_changed(&site, to, &organisation.name, change, by, not_me, &path)?;
        tx.mail(Some(&reader.id), email)?;
    }
    Ok(())
}
