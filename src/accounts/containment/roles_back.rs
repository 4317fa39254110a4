//! Roles in organisations go back to what they were before disowned sessions gave or took them, and an organisation that they
//! were deleting stays. Whatever somebody else has decided since stands.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use serde_json::Value;

use super::deeds::{Deed, Deeds};
use crate::{
    accounts::{
        members::{self, Event},
        organisation_deletion, organisations, role_news, sso_policy,
    },
    db::{Conn, Tx, schema::audit},
    error::Result,
    ids::{AuditEventId, OrganisationId, UserId},
    kinds::Role,
    mail::emails::{MembershipChange, Withdrawn},
    model::{
        audit::{self as record, Actor},
        held_role::HeldRole,
        membership, organisation, role, user,
    },
};

/// What changes a role.
const CHANGES: [&str; 3] = ["member_added", "role_changed", "member_removed"];

/// A role that was given or taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub organisation: OrganisationId,
    pub member: UserId,
    /// What it was before, as the audit calls it; nothing for a member who was none.
    pub before: Option<String>,
}

/// The roles that were given or taken, but for those about which somebody else has decided since.
pub(super) fn taken(conn: &mut Conn, deeds: &Deeds) -> Result<Vec<Taken>> {
    let mut first: Vec<(&Deed, &UserId)> = Vec::new();
    let mut last = HashMap::new();
    for deed in deeds.all.iter().filter(|deed| CHANGES.contains(&deed.event.as_str())) {
        let Some(member) = &deed.subject else { continue };
        if last.insert((&deed.organisation, member), deed.at).is_none() {
            first.push((deed, member));
        }
    }
    let theirs: HashSet<&AuditEventId> = deeds.all.iter().map(|deed| &deed.id).collect();
    let mut taken = Vec::new();
    for (deed, member) in first {
        let organisation = &deed.organisation;
        let later: Vec<(AuditEventId, String)> = audit::table
            .filter(audit::subject_id.eq(member))
            .filter(audit::event.eq_any(CHANGES))
            .filter(audit::at.ge(last[&(organisation, member)]))
            .select((audit::id, audit::detail))
            .load(conn)?;
        let is_decided = later.iter().any(|(id, detail)| {
            let detail: Value = serde_json::from_str(detail).unwrap_or_default();
            !theirs.contains(id) && detail["organisation"] == organisation.as_str()
        });
        let before = match deed.event.as_str() {
            "member_added" => None,
            "role_changed" => deed.detail["from"].as_str(),
            // From before the audit told the role.
            _ => match deed.detail["role"].as_str() {
                None => continue,
                before => before,
            },
        };
        // Whoever joined by themselves, or made the organisation, was given nothing by anybody.
        let is_own = before.is_none() && *member == deed.actor && !deeds.delegates.has(organisation, member);
        if !is_decided && !is_own {
            let before = before.map(str::to_owned);
            taken.push(Taken { organisation: organisation.clone(), member: member.clone(), before });
        }
    }
    Ok(taken)
}

/// Whether an organisation waits to be deleted because they asked.
pub(super) fn is_deleted_by(deeds: &Deeds, of: &OrganisationId) -> bool {
    deeds.all.iter().any(|deed| deed.organisation == *of && deed.event == "organisation_deletion_scheduled")
}

/// Gives these roles of an organisation back, and keeps it. The caller holds its lock. Returns what was done.
pub(super) fn give_back(
    tx: &mut Tx,
    actor: &Actor,
    of: &OrganisationId,
    taken: &[&Taken],
    is_deleted: bool,
) -> Result<Vec<Withdrawn>> {
    // Whoever pressed the link acts in no session that would have to be there still.
    let actor = &Actor { session: None, ..actor.clone() };
    let mut done = Vec::new();
    if is_deleted && organisation::by_id(tx.conn, of)?.is_leaving() {
        organisation_deletion::restore(tx, actor, of)?;
        done.push(Withdrawn::Restored);
    }
    // The owners first: while nobody else owns it, nobody goes.
    let mut taken: Vec<&Taken> = taken.to_vec();
    taken.sort_by_key(|one| one.before.as_deref() != Some(Role::Owner.as_str()));
    for one in taken {
        let Some(member) = user::find(tx.conn, &one.member)? else { continue };
        let address = member.email.spelled().to_owned();
        let now = membership::held_role(tx.conn, of, &member.id)?;
        let before = match &one.before {
            Some(before) => Some(called(tx.conn, of, before)?),
            None => None,
        };
        if now == before || (now.as_ref().is_some_and(HeldRole::is_owner) && is_needed(tx, of, &member.id)?) {
            continue;
        }
        match (now, before) {
            (_, None) => {
                organisations::remove_member(tx, actor, of, &member.id)?;
                done.push(Withdrawn::TakenOut { address });
            }
            (Some(now), Some(before)) => {
                organisations::replace_role(tx, actor, of, &member.id, &now, &before)?;
                done.push(Withdrawn::RoleBack { address, role: before.words().to_owned() });
            }
            (None, Some(before)) => {
                if organisation::by_id(tx.conn, of)?.is_leaving() {
                    continue;
                }
                bring_back(tx, actor, of, &member.id, &before)?;
                done.push(Withdrawn::RoleBack { address, role: before.words().to_owned() });
            }
        }
    }
    Ok(done)
}

/// The role of this name. One that is gone by now counts as the least.
fn called(conn: &mut Conn, of: &OrganisationId, word: &str) -> Result<HeldRole> {
    if let Some(role) = Role::from_word(word) {
        return Ok(HeldRole::BuiltIn(role));
    }
    let own = role::of(conn, of)?.into_iter().map(HeldRole::from).find(|role| role.words() == word);
    Ok(own.unwrap_or(HeldRole::BuiltIn(Role::Viewer)))
}

/// Whether an organisation would be without an owner, or a domain of it without its emergency owner.
fn is_needed(tx: &mut Tx, of: &OrganisationId, owner: &UserId) -> Result<bool> {
    let is_only = membership::owners(tx.conn, of)?.iter().all(|one| one == owner);
    Ok(is_only || sso_policy::is_break_glass_owner(tx.conn, owner, Some(of))?)
}

fn bring_back(
    tx: &mut Tx,
    actor: &Actor,
    of: &OrganisationId,
    member: &UserId,
    role: &HeldRole,
) -> Result<()> {
    members::add(tx, actor, of, member, role.built_in())?;
    if role.is_owner() {
        return role_news::follow_role(tx, of, member, MembershipChange::MadeOwner);
    }
    if role.custom().is_some() {
        membership::set(tx, of, member, role)?;
        let (from, to) = (role.built_in().to_string(), role.audited());
        record::record(tx, actor, member, Event::RoleChanged { organisation: of.clone(), from, to })?;
    }
    role_news::follow_role(tx, of, member, MembershipChange::Demoted { to: role.words() })
}
