//! Who may do what in an organisation. Nothing else decides, and what is not allowed is refused.
//!
//! It is asked inside the read or write that acts, so that nobody is demoted between the question and the act. The first
//! that applies: no membership (404), a permission that is missing (403). What an organisation asks of its members besides
//! comes after that, in [`require`]: nobody learns a rule of an area that they have no business in.

use std::collections::BTreeSet;

use super::sessions;
use crate::{
    db::{Conn, Tx},
    error::{Error, Result},
    ids::UserId,
    kinds::{Permission, Role},
    model::{
        audit::Actor,
        held_role::HeldRole,
        organisation::{self, Named, Organisation},
        permission, role,
    },
};

/// What somebody may do in an organisation.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    /// Where.
    pub organisation: Organisation,
    /// Whose.
    pub user: UserId,
    /// In which role.
    pub role: HeldRole,
    /// What that role holds, where it is the organisation's own.
    custom: BTreeSet<String>,
}

/// A question: whether `actor` may use `permission` in the organisation called `slug`. What a route needs is asked with one.
#[derive(Debug, Clone)]
pub(crate) struct AccessRequest {
    /// Who acts, and in which session.
    pub actor: Actor,
    /// Where.
    pub slug: String,
    /// What it takes.
    pub permission: Permission,
}

impl AccessRequest {
    /// The answer, in a read, or in a write that takes locks of its own. The errors are those of [`require`].
    pub(crate) fn decide(&self, conn: &mut Conn) -> Result<Membership> {
        require(conn, &self.actor, Named::Slug(&self.slug), self.permission)
    }

    /// The answer in a write, while nobody else changes the organisation or ends the session that acts.
    pub(crate) fn decide_locked(&self, tx: &mut Tx) -> Result<Membership> {
        sessions::hold_of(tx, &self.actor)?;
        let found = self.decide(tx.conn)?;
        organisation::lock(tx, &found.organisation.id)?;
        self.decide(tx.conn)
    }
}

/// The membership of `user`, if there is one.
pub(crate) fn membership(conn: &mut Conn, named: Named, user: &UserId) -> Result<Option<Membership>> {
    let Some((organisation, role)) = organisation::with_member(conn, named, user)? else { return Ok(None) };
    let custom = match role.custom() {
        Some(id) => role::permissions(conn, id)?,
        None => BTreeSet::new(),
    };
    Ok(Some(Membership { organisation, user: user.clone(), role, custom }))
}

/// The membership of whoever acts, and that they may: [`Error::NotFound`] for strangers, who learn nothing of which
/// organisations there are, [`Error::Forbidden`] for members without the permission.
pub(crate) fn require(
    conn: &mut Conn,
    actor: &Actor,
    named: Named,
    permission: Permission,
) -> Result<Membership> {
    let user = actor.user.as_ref().ok_or(Error::NotFound)?;
    let membership = membership(conn, named, user)?.ok_or(Error::NotFound)?;
    membership.require(permission)?;
    Ok(membership)
}

impl Membership {
    /// Whether they may do what the program itself asks for.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        match &self.role {
            HeldRole::BuiltIn(role) => permission.is_of(*role),
            // Whatever its rows say: an owner's permission is an owner's.
            HeldRole::Custom { .. } => {
                permission == Permission::OrganisationRead
                    || (permission.fits_custom_roles() && self.custom.contains(permission.as_str()))
            }
        }
    }

    /// [`Error::Forbidden`] where they may not.
    pub(crate) fn require(&self, permission: Permission) -> Result<()> {
        if self.may(permission) { Ok(()) } else { Err(Error::Forbidden(permission.to_string())) }
    }

    /// Whether their role has a permission of the catalogue, retired or not.
    pub(crate) fn has(&self, entry: &permission::CatalogueEntry) -> Result<bool> {
        match &self.role {
            HeldRole::BuiltIn(role) => entry.is_of(*role),
            HeldRole::Custom { .. } => Ok(self.custom.contains(&entry.name)),
        }
    }

    /// Everything that their role allows, by name.
    pub(crate) fn permissions(&self, conn: &mut Conn) -> Result<BTreeSet<String>> {
        let mut held = permissions_of(conn, &self.role)?;
        held.retain(|name| Permission::from_word(name).is_none());
        held.extend(Permission::ALL.iter().filter(|one| self.may(**one)).map(ToString::to_string));
        Ok(held)
    }

    /// That they hold each of these: nobody gives what they do not have. [`Error::Forbidden`] with the first that is missing.
    pub(crate) fn require_all(&self, conn: &mut Conn, given: &BTreeSet<String>) -> Result<()> {
        if self.role.is_owner() {
            return Ok(());
        }
        let held = self.permissions(conn)?;
        match given.iter().find(|name| !held.contains(*name)) {
            Some(missing) => Err(Error::Forbidden(missing.clone())),
            None => Ok(()),
        }
    }

    /// That they may take a member from one role to another: whoever is no owner neither touches one nor makes one, and
    /// gives nothing that they do not have.
    pub(crate) fn require_change(&self, conn: &mut Conn, before: &HeldRole, to: &HeldRole) -> Result<()> {
        if before.is_owner() || to.is_owner() {
            self.require(Permission::OwnersManage)?;
        }
        if self.role.is_owner() {
            return Ok(());
        }
        let given = permissions_of(conn, to)?;
        self.require_all(conn, &given)
    }
}

/// What a role allows, by name. What is retired is still held by a custom role, and nobody's by a built-in one.
pub(crate) fn permissions_of(conn: &mut Conn, held: &HeldRole) -> Result<BTreeSet<String>> {
    let built_in = match held {
        HeldRole::Custom { id, .. } => return role::permissions(conn, id),
        HeldRole::BuiltIn(role) => *role,
    };
    let own = Permission::ALL.iter().filter(|permission| permission.is_of(built_in));
    let mut names: BTreeSet<String> = own.map(ToString::to_string).collect();
    for entry in permission::all(conn)? {
        if entry.is_of(built_in)? {
            names.insert(entry.name);
        }
    }
    Ok(names)
}

/// Whether a role allows less than another, of what the program asks for or of what the application does.
pub(crate) fn is_below(conn: &mut Conn, role: &HeldRole, other: &HeldRole) -> Result<bool> {
    let (of_role, of_other) = (permissions_of(conn, role)?, permissions_of(conn, other)?);
    Ok(role.built_in().is_below(other.built_in()) || !of_other.is_subset(&of_role))
}

/// Whether `user` may; a stranger may not.
pub(crate) fn may(conn: &mut Conn, named: Named, user: &UserId, permission: Permission) -> Result<bool> {
    Ok(membership(conn, named, user)?.is_some_and(|membership| membership.may(permission)))
}

/// The built-in roles, the most powerful first.
pub(crate) fn built_in() -> impl Iterator<Item = HeldRole> {
    Role::ALL.iter().map(|role| HeldRole::BuiltIn(*role))
}
