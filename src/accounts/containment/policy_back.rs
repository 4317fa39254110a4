//! The policy of an organisation goes back to what it was before disowned sessions changed it, unless somebody else has since.

use std::collections::HashSet;

use serde_json::Value;

use super::deeds::Deeds;
use crate::{
    accounts::policy_changes,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::OrganisationId,
    mail::emails::Withdrawn,
    model::{audit::Actor, organisation, organisation_policy::OrganisationPolicy},
};

const CHANGE: &str = "organisation_policy_changed";

/// The organisations whose policy they changed.
pub(super) fn organisations(deeds: &Deeds) -> HashSet<&OrganisationId> {
    deeds.all.iter().filter(|deed| deed.event == CHANGE).map(|deed| &deed.organisation).collect()
}

/// Forgets what they changed in the policy of an organisation.
pub(super) fn forget(deeds: &mut Deeds, of: &OrganisationId) {
    deeds.all.retain(|deed| deed.organisation != *of || deed.event != CHANGE);
}

/// What the policy of an organisation was before; nothing where it stays as it is.
pub(super) fn before(
    conn: &mut Conn,
    of: &OrganisationId,
    deeds: &Deeds,
) -> Result<Option<OrganisationPolicy>> {
    let now = match organisation::by_id(conn, of) {
        Err(Error::NotFound) => return Ok(None),
        found => found?.policy,
    };
    let mut policy = now.clone();
    let changes = deeds.all.iter().filter(|deed| deed.organisation == *of && deed.event == CHANGE);
    let changes = changes.map(|deed| Ok((read(&deed.detail["before"])?, read(&deed.detail["after"])?)));
    let mut changes: Vec<_> = changes.collect::<Result<_>>()?;
    // From one to the one before by what each says: of two in one moment neither is the later.
    while let Some(last) = changes.iter().rposition(|(_, after)| *after == policy) {
        policy = changes.remove(last).0;
    }
    Ok(Some(policy).filter(|policy| *policy != now))
}

/// Puts the policy of an organisation back. The caller holds its lock. Returns what was done.
pub(super) fn put_back(
    tx: &mut Tx,
    actor: &Actor,
    of: &OrganisationId,
    deeds: &Deeds,
) -> Result<Option<Withdrawn>> {
    let Some(before) = before(tx.conn, of, deeds)? else { return Ok(None) };
    // Whoever pressed the link acts in no session that would have to be there still.
    let actor = &Actor { session: None, ..actor.clone() };
    policy_changes::put_back(tx, actor, of, before)?;
    Ok(Some(Withdrawn::PolicyBack))
}

fn read(policy: &Value) -> Result<OrganisationPolicy> {
    Ok(serde_json::from_value(policy.clone())?)
}
