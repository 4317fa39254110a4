//! Who may do what in an organisation. Nothing else decides, and what is not allowed is refused.
//!
//! It is asked inside the read or write that acts, so that nobody is demoted between the question and the act. The first
//! that applies: no membership (404), an organisation that waits to be deleted (404, and 403 for its owners), a permission
//! that is missing (403), and what the organisation asks of the session besides (403, see [`organisation_policy`]): nobody
//! learns a rule of an area that they have no business in.

use std::collections::BTreeSet;

use super::{
    organisation_policy::{self, SessionTraits, Unmet},
    sessions,
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::UserId,
    kinds::{Permission, Role},
    model::{
        audit::Actor,
        former_slug,
        held_role::HeldRole,
        organisation::{self, Named, Organisation, Slug},
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
    /// What the organisation may ask of that.
    pub session: SessionTraits,
    /// Where.
    pub slug: String,
    /// What it takes.
    pub permission: Permission,
    /// Whether what the organisation asks of the session counts, too.
    pub is_bound: bool,
    /// When.
    pub now: Timestamp,
}

impl AccessRequest {
    /// The answer, in a read, or in a write that takes locks of its own. The errors are those of [`Self::decide_unbound`],
    /// and of [`organisation_policy::require`].
    pub(crate) fn decide(&self, conn: &mut Conn) -> Result<Membership> {
        let mine = self.decide_unbound(conn)?;
        if self.is_bound {
            organisation_policy::require(conn, mine.who(), &self.session, self.now)?;
        }
        Ok(mine)
    }

    /// The same whatever the organisation asks of the session: to see why, and to leave. The errors are those of [`require`],
    /// and [`Error::OrganisationMoved`] for members who use a former slug.
    pub(crate) fn decide_unbound(&self, conn: &mut Conn) -> Result<Membership> {
        match require(conn, &self.actor, Named::Slug(&self.slug), self.permission) {
            Err(Error::NotFound) => Err(self.moved(conn)?),
            decided => decided,
        }
    }

    /// The same for an organisation that may wait to be deleted, whatever it asks of the session: what is asked for takes
    /// nothing from anybody.
    pub(crate) fn decide_even_leaving(&self, conn: &mut Conn) -> Result<Membership> {
        let user = self.actor.user.as_ref().ok_or(Error::NotFound)?;
        let Some(membership) = membership(conn, Named::Slug(&self.slug), user)? else {
            return Err(self.moved(conn)?);
        };
        membership.require_even_leaving(self.permission)?;
        Ok(membership)
    }

    fn moved(&self, conn: &mut Conn) -> Result<Error> {
        let user = self.actor.user.as_ref().ok_or(Error::NotFound)?;
        let moved = membership_by_former_slug(conn, &self.slug, user, self.now)?;
        Ok(moved.map_or(Error::NotFound, |moved| Error::OrganisationMoved(moved.organisation.slug)))
    }

    /// The answer in a write, while nobody else changes the organisation or ends the session that acts.
    pub(crate) fn decide_locked(&self, tx: &mut Tx) -> Result<Membership> {
        self.decide_by(tx, Self::decide)
    }

    /// The same whatever the organisation asks of the session.
    pub(crate) fn decide_unbound_locked(&self, tx: &mut Tx) -> Result<Membership> {
        self.decide_by(tx, Self::decide_unbound)
    }

    /// The same for an organisation that may wait to be deleted.
    pub(crate) fn decide_even_leaving_locked(&self, tx: &mut Tx) -> Result<Membership> {
        self.decide_by(tx, Self::decide_even_leaving)
    }

    fn decide_by(
        &self,
        tx: &mut Tx,
        decide: fn(&Self, &mut Conn) -> Result<Membership>,
    ) -> Result<Membership> {
        sessions::hold_of(tx, &self.actor)?;
        let found = decide(self, tx.conn)?;
        organisation::lock(tx, &found.organisation.id)?;
        decide(self, tx.conn)
    }
}

/// The membership of `user`, if there is one. In an organisation that waits to be deleted, owners have one.
pub(crate) fn membership(conn: &mut Conn, named: Named, user: &UserId) -> Result<Option<Membership>> {
    let Some(mut found) = membership_only(conn, named, user)? else { return Ok(None) };
    found.read_custom(conn)?;
    Ok(Some(found))
}

/// The same without what a custom role holds: for questions about permissions of the application.
pub(super) fn membership_only(conn: &mut Conn, named: Named, user: &UserId) -> Result<Option<Membership>> {
    let found = organisation::with_member(conn, named, user)?;
    Ok(found.map(|(organisation, role)| Membership {
        organisation,
        user: user.clone(),
        role,
        custom: BTreeSet::new(),
    }))
}

/// The membership of `user` in the organisation that had this slug before, while that leads to it.
pub(crate) fn membership_by_former_slug(
    conn: &mut Conn,
    slug: &str,
    user: &UserId,
    now: Timestamp,
) -> Result<Option<Membership>> {
    // What is no slug never was one. PostgreSQL would fail on a NUL instead of finding nothing.
    if !Slug::parse(slug).is_ok_and(|parsed| parsed.as_str() == slug) {
        return Ok(None);
    }
    match former_slug::organisation_of(conn, slug, now)? {
        Some(id) => membership(conn, Named::Id(&id), user),
        None => Ok(None),
    }
}

/// The membership of whoever acts, and that they may: [`Error::NotFound`] for strangers, who learn nothing of which
/// organisations there are, [`Error::OrganisationLeaving`] for owners of one that waits to be deleted, [`Error::Forbidden`]
/// for members without the permission.
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
    /// Who it is, where and as what.
    pub(crate) fn who(&self) -> (&Organisation, &HeldRole, &UserId) {
        (&self.organisation, &self.role, &self.user)
    }

    /// What `session` lacks to act in the organisation.
    pub(crate) fn unmet(
        &self,
        conn: &mut Conn,
        session: &SessionTraits,
        now: Timestamp,
    ) -> Result<Option<Unmet>> {
        organisation_policy::unmet(conn, self.who(), session, now)
    }

    /// Whether they may do what the program itself asks for. Nobody may anything while the organisation waits to be deleted.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        !self.organisation.is_leaving() && self.holds(permission)
    }

    fn holds(&self, permission: Permission) -> bool {
        match &self.role {
            HeldRole::BuiltIn(role) => permission.is_of(*role),
            // Whatever its rows say: an owner's permission is an owner's.
            HeldRole::Custom { .. } => {
                permission == Permission::OrganisationRead
                    || (permission.fits_custom_roles() && self.custom.contains(permission.as_str()))
            }
        }
    }

    /// [`Error::Forbidden`] where they may not, [`Error::OrganisationLeaving`] where nobody may.
    pub(crate) fn require(&self, permission: Permission) -> Result<()> {
        if self.organisation.is_leaving() {
            return Err(Error::OrganisationLeaving(self.organisation.slug.clone()));
        }
        self.require_even_leaving(permission)
    }

    fn require_even_leaving(&self, permission: Permission) -> Result<()> {
        if self.holds(permission) { Ok(()) } else { Err(Error::Forbidden(permission.to_string())) }
    }

    /// Reads what a custom role holds.
    pub(super) fn read_custom(&mut self, conn: &mut Conn) -> Result<()> {
        if let Some(id) = self.role.custom() {
            self.custom = role::permissions(conn, id)?;
        }
        Ok(())
    }

    /// Whether their role has a permission of the catalogue, retired or not.
    pub(super) fn has(&self, entry: &permission::CheckedEntry) -> Result<bool> {
        match &self.role {
            HeldRole::BuiltIn(role) => entry.is_of(*role),
            HeldRole::Custom { .. } => Ok(entry.is_held()),
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

/// Whether giving a role takes a step-up: it allows something of the program's own beyond what an editor may.
pub(crate) fn is_powerful(conn: &mut Conn, role: &HeldRole) -> Result<bool> {
    let held = permissions_of(conn, role)?;
    let own = held.iter().filter_map(|name| Permission::from_word(name));
    Ok(own.into_iter().any(|permission| !permission.is_of(Role::Editor)))
}

/// Whether `user` may; a stranger may not.
pub(crate) fn may(conn: &mut Conn, named: Named, user: &UserId, permission: Permission) -> Result<bool> {
    Ok(membership(conn, named, user)?.is_some_and(|membership| membership.may(permission)))
}

/// The built-in roles, the most powerful first.
pub(crate) fn built_in() -> impl Iterator<Item = HeldRole> {
    Role::ALL.iter().map(|role| HeldRole::BuiltIn(*role))
}
