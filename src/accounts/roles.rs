//! An organisation's own roles: made, changed, given and removed.
//!
//! Nobody puts into a role what they do not hold; taking something out of one is not held to that. Every change is made
//! while nobody else changes the organisation.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{open_invitations, organisations, permissions, policy::Membership};
use crate::{
    db::{Conn, Tx},
    error::{Error, Errors, Particulars, Result, refusals},
    ids::{Id, OrganisationId, RoleId},
    kinds::Role,
    model::{
        audit::{self, Actor, audit_events},
        held_role::HeldRole,
        membership,
        role::{self, CustomRole, RoleName},
        session,
    },
};

refusals! {
    /// Members have the role.
    ROLE_IN_USE = ("role_in_use", 409, "{}. Choose another role for them first.")
        .at_organisations("That is not possible");
}

/// [`ROLE_IN_USE`] by so many.
fn role_in_use(members: i64) -> Error {
    let have_it = match members {
        1 => "One member has this role".to_owned(),
        members => format!("{members} members have this role"),
    };
    ROLE_IN_USE.with(Particulars::named(have_it).detail("members", members))
}

audit_events! {
    /// An organisation made a role of its own.
    CustomRoleMade {
        organisation: OrganisationId,
        role_id: RoleId,
        name: String,
        permissions: BTreeSet<String>,
    } => of_organisation("custom_role_made", "Role created"),
    /// Such a role got another name, or other permissions.
    CustomRoleChanged { organisation: OrganisationId, role_id: RoleId, before: RoleState, after: RoleState }
        => of_organisation("custom_role_changed", "Role changed"),
    /// Such a role was removed.
    CustomRoleRemoved { organisation: OrganisationId, role_id: RoleId, name: String }
        => of_organisation("custom_role_removed", "Role removed"),
}

/// A custom role at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RoleState {
    /// What it was called.
    pub name: String,
    /// What it held.
    pub permissions: BTreeSet<String>,
}

/// Roles of one organisation.
pub(crate) const MOST_ROLES: usize = 20;

/// Permissions of one role.
pub(crate) const MOST_PERMISSIONS: usize = 64;

/// The role that `text` names: the word of a built-in one, or the id of one of the organisation's own.
pub(crate) fn named(conn: &mut Conn, organisation: &OrganisationId, text: &str) -> Result<HeldRole> {
    if let Some(role) = Role::from_word(text) {
        return Ok(HeldRole::BuiltIn(role));
    }
    let id: Option<RoleId> = Id::parse(text);
    match id.map(|id| role::owned(conn, organisation, &id)) {
        Some(Ok(role)) => Ok(role.into()),
        None | Some(Err(Error::NotFound)) => {
            let sentence = "Choose owner, editor, viewer or one of the organisation's own roles.";
            Err(Error::Invalid(Errors::one("role", sentence)))
        }
        Some(Err(error)) => Err(error),
    }
}

/// Makes a role. The caller holds the organisation's lock, as for everything here.
pub(crate) fn make(
    tx: &mut Tx,
    actor: &Actor,
    by: &Membership,
    name: &RoleName,
    chosen: &BTreeSet<String>,
) -> Result<CustomRole> {
    let organisation = &by.organisation.id;
    let held = permissions::chosen(tx.conn, chosen, &BTreeSet::new())?;
    check_size(&held)?;
    by.require_all(tx.conn, &held)?;
    if role::of(tx.conn, organisation)?.len() >= MOST_ROLES {
        let sentence =
            format!("An organisation has at most {MOST_ROLES} roles of its own. Remove one first.");
        return Err(Error::Invalid(Errors::one("form", sentence)));
    }
    let made = role::add(tx, organisation, name)?;
    role::set_permissions(tx, &made.id, &held)?;
    let event = Event::CustomRoleMade {
        organisation: organisation.clone(),
        role_id: made.id.clone(),
        name: made.name.clone(),
        permissions: held,
    };
    audit::record(tx, actor, None, event)?;
    Ok(made)
}

/// Gives a role another name, other permissions, or both. Whoever has it steps up again before they use what it holds now.
pub(crate) fn change(
    tx: &mut Tx,
    actor: &Actor,
    by: &Membership,
    id: &RoleId,
    name: Option<&RoleName>,
    chosen: Option<&BTreeSet<String>>,
) -> Result<CustomRole> {
    let organisation = &by.organisation.id;
    let role = role::owned(tx.conn, organisation, id)?;
    let before = RoleState { permissions: role::permissions(tx.conn, id)?, name: role.name };
    let mut after = before.clone();
    if let Some(chosen) = chosen {
        after.permissions = permissions::chosen(tx.conn, chosen, &before.permissions)?;
        check_size(&after.permissions)?;
        by.require_all(tx.conn, &after.permissions.difference(&before.permissions).cloned().collect())?;
    }
    if let Some(name) = name {
        name.as_str().clone_into(&mut after.name);
        role::rename(tx, id, name)?;
    }
    if after.permissions != before.permissions {
        role::set_permissions(tx, id, &after.permissions)?;
        membership::with_role(tx.conn, id)?.iter().try_for_each(|member| {
            session::drop_step_ups(tx, member)?;
            open_invitations::recheck(tx, actor, organisation, member)
        })?;
    }
    if after != before {
        let event = Event::CustomRoleChanged {
            organisation: organisation.clone(),
            role_id: id.clone(),
            before,
            after,
        };
        audit::record(tx, actor, None, event)?;
    }
    role::owned(tx.conn, organisation, id)
}

fn check_size(held: &BTreeSet<String>) -> Result<()> {
    if held.len() <= MOST_PERMISSIONS {
        return Ok(());
    }
    let sentence = format!("Choose at most {MOST_PERMISSIONS} permissions.");
    Err(Error::Invalid(Errors::one("permissions", sentence)))
}

/// Removes a role. Whoever has it gets `replacement`, which is given like any other; [`ROLE_IN_USE`] where somebody has
/// it and nothing takes its place.
pub(crate) fn remove(
    tx: &mut Tx,
    actor: &Actor,
    by: &Membership,
    id: &RoleId,
    replacement: Option<&HeldRole>,
) -> Result<CustomRole> {
    let organisation = &by.organisation.id;
    let role = role::owned(tx.conn, organisation, id)?;
    let members = membership::with_role(tx.conn, id)?;
    let before = HeldRole::from(role.clone());
    match replacement {
        Some(to) if to.is_owner() || *to == before => {
            let sentence = "Choose editor, viewer or another of the organisation's own roles.";
            return Err(Error::Invalid(Errors::one("replaceWith", sentence)));
        }
        Some(to) => {
            by.require_change(tx.conn, &before, to)?;
            for member in &members {
                organisations::replace_role(tx, actor, organisation, member, &before, to)?;
            }
        }
        None if members.is_empty() => {}
        None => return Err(role_in_use(i64::try_from(members.len()).map_err(Error::internal)?)),
    }
    open_invitations::end_with_role(tx, actor, id)?;
    membership::forget_role(tx, id)?;
    role::remove(tx, id)?;
    let event = Event::CustomRoleRemoved {
        organisation: organisation.clone(),
        role_id: id.clone(),
        name: role.name.clone(),
    };
    audit::record(tx, actor, None, event)?;
    Ok(role)
}
