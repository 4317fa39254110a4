//! What people are in an organisation as its directory says: by the groups that an owner gave a role.

use super::{organisations, policy, sso_policy};
use crate::{
    db::{Conn, Tx},
    error::Result,
    ids::{DirectoryPersonId, OrganisationId, RoleId, UserId},
    kinds::Role,
    model::{
        audit::Actor,
        directory::{Directory, group, person},
        held_role::HeldRole,
        membership, organisation, role,
    },
};

/// The role that a word or an id of an organisation's own stands for; nothing where that is gone.
pub(crate) fn held(conn: &mut Conn, organisation: &OrganisationId, text: &str) -> Result<Option<HeldRole>> {
    if let Some(built_in) = Role::from_word(text) {
        return Ok(Some(HeldRole::BuiltIn(built_in)));
    }
    let Some(id) = RoleId::parse(text) else { return Ok(None) };
    Ok(role::of(conn, organisation)?.into_iter().find(|one| one.id == id).map(HeldRole::from))
}

/// The roles that an owner may give a group, or newcomers.
pub(crate) fn givable(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<HeldRole>> {
    let own = role::of(conn, organisation)?.into_iter().map(HeldRole::from);
    Ok(policy::built_in().chain(own).collect())
}

/// What newcomers are.
pub(crate) fn default(conn: &mut Conn, directory: &Directory) -> Result<HeldRole> {
    let found = held(conn, &directory.organisation_id, &directory.default_role)?;
    Ok(found.unwrap_or(HeldRole::BuiltIn(Role::Viewer)))
}

/// What somebody is by their groups: the most powerful of those, else the default. Nothing as long as no group of the directory has
/// a role: then it says nothing of what people are.
pub(crate) fn by_groups(
    conn: &mut Conn,
    directory: &Directory,
    person: &DirectoryPersonId,
) -> Result<Option<HeldRole>> {
    if !group::has_roles(conn, &directory.id)? {
        return Ok(None);
    }
    let mut best: Option<HeldRole> = None;
    let groups = person::groups_of(conn, std::slice::from_ref(person))?;
    for (.., text) in groups.into_values().flatten() {
        let Some(text) = text else { continue };
        let Some(found) = held(conn, &directory.organisation_id, &text)? else { continue };
        if best.as_ref().is_none_or(|best| power(&found) > power(best)) {
            best = Some(found);
        }
    }
    match best {
        Some(best) => Ok(Some(best)),
        None => default(conn, directory).map(Some),
    }
}

/// How much a role can, next to others.
pub(super) fn power(role: &HeldRole) -> u8 {
    match role {
        HeldRole::BuiltIn(Role::Owner) => 3,
        HeldRole::BuiltIn(Role::Editor) => 2,
        HeldRole::Custom { .. } => 1,
        HeldRole::BuiltIn(Role::Viewer) => 0,
    }
}

/// Whether an organisation cannot do without a member: its last owner, or the one who may come in otherwise.
pub(crate) fn is_needed(
    conn: &mut Conn,
    organisation: &OrganisationId,
    user: &UserId,
    role: &HeldRole,
) -> Result<bool> {
    let is_last = role.is_owner() && membership::owner_count(conn, organisation)? <= 1;
    Ok(is_last || sso_policy::is_break_glass_owner(conn, user, Some(organisation))?)
}

/// What came of a change of a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// It is as the directory says.
    Done,
    /// The organisation cannot do without this owner: nothing changed.
    Kept,
}

/// Makes somebody a member in this role, or gives them this role; but never takes away an owner without whom nobody could look after
/// the organisation. Whose address is not confirmed owns nothing.
pub(crate) fn follow(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
    role: &HeldRole,
) -> Result<Followed> {
    organisation::lock(tx, organisation)?;
    let fit = membership::fit(tx.conn, user, role.built_in())?;
    let role = if fit == role.built_in() { role.clone() } else { HeldRole::BuiltIn(fit) };
    let Some(before) = membership::held_role(tx.conn, organisation, user)? else {
        return organisations::add_in_role(tx, actor, organisation, user, &role).map(|()| Followed::Done);
    };
    if before == role {
        return Ok(Followed::Done);
    }
    if is_needed(tx.conn, organisation, user, &before)? {
        return Ok(Followed::Kept);
    }
    organisations::replace_role(tx, actor, organisation, user, &before, &role)?;
    Ok(Followed::Done)
}

/// Ends a membership, unless the organisation cannot do without that owner.
pub(crate) fn end(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<Followed> {
    organisation::lock(tx, organisation)?;
    let Some(role) = membership::held_role(tx.conn, organisation, user)? else { return Ok(Followed::Done) };
    if is_needed(tx.conn, organisation, user, &role)? {
        return Ok(Followed::Kept);
    }
    organisations::remove_member(tx, actor, organisation, user).map(|()| Followed::Done)
}
