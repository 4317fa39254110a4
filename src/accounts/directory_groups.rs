//! Groups of directories, written by the identity provider; an owner says what their members are in the organisation. Whoever is
//! touched gets their role in the same transaction.

use std::collections::BTreeSet;

use super::{
    directories::Place,
    directory_people::require_version,
    directory_roles::{self, Followed},
};
use crate::{
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{DirectoryGroupId, DirectoryPersonId, OrganisationId, UserId},
    model::{
        audit::{self, Actor, audit_events},
        directory::{
            self,
            group::{self, Group},
            person::{self, Search},
        },
        held_role::HeldRole,
        membership, user,
    },
    scim::{GroupChange, MemberChange, ScimType, closed, invalid, not_unique},
};

audit_events! {
    /// A group of a directory was made, or is called something else.
    DirectoryGroupChanged { organisation: OrganisationId, group: DirectoryGroupId, from: Option<String>, to: String }
        => of_organisation("directory_group_changed", "Directory group changed"),
    /// A group of a directory is gone.
    DirectoryGroupRemoved { organisation: OrganisationId, group: DirectoryGroupId, name: String }
        => of_organisation("directory_group_removed", "Directory group removed"),
    /// An owner said what the members of a group are in the organisation.
    DirectoryGroupRole { organisation: OrganisationId, group: DirectoryGroupId, role: Option<String> }
        => of_organisation("directory_group_role", "Directory group's role changed"),
}

/// The most groups of one directory.
const MOST: i64 = 2_000;

/// The most people in one group.
pub(crate) const MOST_MEMBERS: i64 = 10_000;

/// A group after a write.
#[derive(Debug)]
pub(crate) struct Written {
    /// As it is.
    pub group: Group,
    /// How many attributes and members were passed over.
    pub passed_over: usize,
    /// How many owners keep a role that the directory gives them no more.
    pub kept: usize,
}

/// Makes a group.
///
/// # Errors
/// `NOT_UNIQUE` where another has its `externalId`, `DIRECTORY_CLOSED` where there are as many as may be.
pub(crate) fn create(tx: &mut Tx, actor: &Actor, place: &Place, change: &GroupChange) -> Result<Written> {
    directory::lock(tx, &place.organisation.id)?;
    if group::count(tx.conn, &place.directory.id, &[])? >= MOST {
        return Err(closed("The directory has 2,000 groups, and takes no more."));
    }
    let name = change.display_name.as_deref().unwrap_or_default();
    let external_id = change.external_id.clone().flatten();
    let made = Group::new(&place.directory.id, name, external_id, tx.now)?;
    if !group::insert(tx, &made)? {
        return Err(taken());
    }
    note_name(tx, actor, place, &made, None)?;
    let (touched, unknown) = change_members(tx, place, &made, &change.members)?;
    let kept = settle_roles(tx, actor, place, touched)?;
    Ok(Written { group: made, passed_over: change.passed_over + unknown, kept })
}

fn taken() -> Error {
    not_unique("Another group in this directory has that externalId.")
}

fn note_name(tx: &mut Tx, actor: &Actor, place: &Place, group: &Group, before: Option<String>) -> Result<()> {
    let event = Event::DirectoryGroupChanged {
        organisation: place.organisation.id.clone(),
        group: group.id.clone(),
        from: before,
        to: group.display_name.clone(),
    };
    audit::record(tx, actor, None, event)
}

/// Changes a group; `expected`: the versions that it may have.
///
/// # Errors
/// [`Error::NotFound`], `VERSION_MISMATCH`, `NOT_UNIQUE`, and `tooMany` where a group would have more than 10,000 members.
pub(crate) fn change(
    tx: &mut Tx,
    actor: &Actor,
    place: &Place,
    (id, expected): (&DirectoryGroupId, Option<&str>),
    change: &GroupChange,
) -> Result<Written> {
    directory::lock(tx, &place.organisation.id)?;
    let before = owned(tx.conn, place, id)?;
    require_version(expected, before.version)?;
    let mut after = before.clone();
    if let Some(name) = &change.display_name {
        after.rename(name.clone());
    }
    if let Some(external_id) = &change.external_id {
        after.external_id = external_id.clone();
    }
    let (touched, unknown) = change_members(tx, place, &before, &change.members)?;
    let is_same = touched.is_empty()
        && after.display_name == before.display_name
        && after.external_id == before.external_id;
    if !is_same {
        after.version += 1;
        after.changed_at = tx.now;
        if !group::update(tx, &after)? {
            return Err(taken());
        }
    }
    if after.display_name != before.display_name {
        note_name(tx, actor, place, &after, Some(before.display_name))?;
    }
    let kept = settle_roles(tx, actor, place, touched)?;
    Ok(Written { group: after, passed_over: change.passed_over + unknown, kept })
}

/// The group of a directory with this id. [`Error::NotFound`] for any other.
pub(crate) fn owned(conn: &mut Conn, place: &Place, id: &DirectoryGroupId) -> Result<Group> {
    group::find(conn, &place.directory.id, id)?.ok_or(Error::NotFound)
}

/// Lets people come and go. Returns whom that touched, and how many of those named the directory does not list.
fn change_members(
    tx: &mut Tx,
    place: &Place,
    group: &Group,
    changes: &[MemberChange],
) -> Result<(BTreeSet<String>, usize)> {
    let (mut touched, mut unknown) = (BTreeSet::new(), 0);
    for change in changes {
        let (MemberChange::Add(ids) | MemberChange::Remove(ids) | MemberChange::Set(ids)) = change;
        let named: BTreeSet<String> = ids.iter().cloned().collect();
        let ids: Vec<DirectoryPersonId> =
            named.iter().filter_map(|id| DirectoryPersonId::parse(id)).collect();
        let known = group::known(tx.conn, &place.directory.id, &ids)?;
        unknown += named.len().saturating_sub(known.len());
        let moved = match change {
            MemberChange::Add(_) => group::add_members(tx, &group.id, &known)?,
            MemberChange::Remove(_) => group::remove_members(tx, &group.id, &known)?,
            MemberChange::Set(_) => {
                let stays: BTreeSet<&str> = known.iter().map(DirectoryPersonId::as_str).collect();
                let mut gone = group::member_ids(tx.conn, &group.id)?;
                gone.retain(|id| !stays.contains(id.as_str()));
                let mut moved = group::remove_members(tx, &group.id, &gone)?;
                moved.extend(group::add_members(tx, &group.id, &known)?);
                moved
            }
        };
        touched.extend(moved.iter().map(|id| id.as_str().to_owned()));
    }
    if !changes.is_empty() && group::member_count(tx.conn, &group.id)? > MOST_MEMBERS {
        return Err(invalid(ScimType::TooMany, "A group has at most 10,000 members."));
    }
    Ok((touched, unknown))
}

/// Removes a group; its role goes with it. Returns how many owners keep theirs all the same.
pub(crate) fn remove(
    tx: &mut Tx,
    actor: &Actor,
    place: &Place,
    (id, expected): (&DirectoryGroupId, Option<&str>),
) -> Result<usize> {
    directory::lock(tx, &place.organisation.id)?;
    let found = owned(tx.conn, place, id)?;
    require_version(expected, found.version)?;
    let touched = group::member_ids(tx.conn, id)?.iter().map(|id| id.as_str().to_owned()).collect();
    group::remove(tx, id)?;
    let event = Event::DirectoryGroupRemoved {
        organisation: place.organisation.id.clone(),
        group: id.clone(),
        name: found.display_name,
    };
    audit::record(tx, actor, None, event)?;
    settle_roles(tx, actor, place, touched)
}

/// Says what the members of a group are in the organisation, as an owner wants it; nothing: whatever they are otherwise. Returns how
/// many owners stay what they were.
pub(crate) fn set_role(
    tx: &mut Tx,
    actor: &Actor,
    place: &Place,
    id: &DirectoryGroupId,
    role: Option<&HeldRole>,
) -> Result<usize> {
    directory::lock(tx, &place.organisation.id)?;
    let mut found = owned(tx.conn, place, id)?;
    let role = role.map(ToString::to_string);
    if found.role == role {
        return Ok(0);
    }
    found.role = role.clone();
    group::update(tx, &found)?;
    let event =
        Event::DirectoryGroupRole { organisation: place.organisation.id.clone(), group: id.clone(), role };
    audit::record(tx, actor, None, event)?;
    // With the first role that a group gets, or the last that goes, everybody's may change.
    let all = person::list(tx.conn, &place.directory.id, &Search::default(), 0, i64::MAX)?;
    let touched = all.iter().filter(|one| one.user_id.is_some()).map(|one| one.id.as_str().to_owned());
    settle_roles(tx, actor, place, touched.collect())
}

/// Gives people the roles that they have by their groups now: whoever becomes an owner first, so that there is one throughout.
/// Returns how many owners stay whom the organisation cannot do without.
fn settle_roles(tx: &mut Tx, actor: &Actor, place: &Place, people: BTreeSet<String>) -> Result<usize> {
    if people.is_empty() {
        return Ok(0);
    }
    let mut due: Vec<(HeldRole, String, UserId)> = Vec::new();
    for id in people {
        let found = person::find(tx.conn, &place.directory.id, &DirectoryPersonId::from_text(id))?;
        let Some(entry) = found.filter(|entry| entry.is_active) else { continue };
        let Some(user) = entry.user_id else { continue };
        let Some(role) = directory_roles::by_groups(tx.conn, &place.directory, &entry.id)? else { break };
        let Some(person) = user::find(tx.conn, &user)? else { continue };
        if person.locked_at.is_none() && person.deletes_at.is_none() {
            due.push((role, person.email.normalized(), user));
        }
    }
    let mut names: Vec<&String> = due.iter().map(|(_, name, _)| name).collect();
    names.sort();
    names.into_iter().try_for_each(|name| tx.lock(name))?;
    due.sort_by_key(|(role, ..)| std::cmp::Reverse(role.is_owner()));
    let mut kept = 0;
    for (role, _, user) in due {
        let organisation = &place.organisation.id;
        // Whoever left by themselves is no member, and is made none by a group.
        if membership::role_of(tx.conn, organisation, &user)?.is_none() {
            continue;
        }
        if directory_roles::follow(tx, actor, organisation, &user, &role)? == Followed::Kept {
            kept += 1;
        }
    }
    Ok(kept)
}
