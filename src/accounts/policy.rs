//! Who may do what in an organisation. Nothing else decides, and what is not allowed is refused.
//!
//! It is asked inside the read or write that acts, so that nobody is demoted between the question and the act. The first
//! that applies: no membership (404), an organisation that waits to be deleted (404, and 403 for its owners), a permission
//! that is missing (403), and what the organisation asks of the session besides (403, see [`organisation_policy`]): nobody
//! learns a rule of an area that they have no business in.

mod refused;

use std::collections::BTreeSet;

pub(crate) use self::refused::{
    FORBIDDEN, KEY_FORBIDDEN, ORGANISATION_LEAVING, ORGANISATION_MOVED, PERSON_REQUIRED, REFUSALS, forbidden,
    key_forbidden, organisation_leaving, organisation_moved,
};
use super::{
    api_keys::{KeyOwner, Presented},
    organisation_policy::{self, Credential, Unmet, Who},
};
use crate::{
    clock::Timestamp,
    db::Conn,
    error::{Error, Result},
    ids::{Id, OrganisationId, UserId},
    kinds::{Permission, Role},
    model::{
        api_key::ApiKey,
        audit::Actor,
        former_slug,
        held_role::HeldRole,
        organisation::{self, Named, Organisation, Slug},
        permission, role,
    },
};

/// What somebody may do in an organisation, or a program with an API key.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    /// Where.
    pub organisation: Organisation,
    /// Whose; nobody's where a key of the organisation's own acts.
    pub user: Option<UserId>,
    /// In which role. A key of the organisation's own is a role by itself, of its id and its name.
    pub role: HeldRole,
    /// What that role holds, where it is the organisation's own.
    custom: BTreeSet<String>,
    /// The key that acts: nothing is allowed that it does not hold.
    key: Option<ApiKey>,
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
        user: Some(user.clone()),
        role,
        custom: BTreeSet::new(),
        key: None,
    }))
}

/// The same of an API key: its person's, bounded by what it holds; or that of a key of the organisation's own. Nothing where it
/// is for another organisation.
pub(crate) fn membership_by_key(conn: &mut Conn, by: &Presented, named: Named) -> Result<Option<Membership>> {
    let Some(mut found) = membership_by_key_only(conn, by, named)? else { return Ok(None) };
    found.read_custom(conn)?;
    Ok(Some(found))
}

/// The same without what a custom role of its person holds.
pub(super) fn membership_by_key_only(
    conn: &mut Conn,
    by: &Presented,
    named: Named,
) -> Result<Option<Membership>> {
    let (key, only) = (Some(by.key.clone()), by.key.organisation_id.as_ref());
    Ok(match &by.owner {
        KeyOwner::Person(user) => {
            let found = membership_only(conn, named, &user.id)?;
            let found = found.filter(|mine| only.is_none_or(|only| *only == mine.organisation.id));
            found.map(|mine| Membership { key, ..mine })
        }
        KeyOwner::Organisation(own) => {
            // As it is now: it may have changed since the key was looked up.
            let own = organisation::by_id(conn, &own.id)?;
            let is_named = match named {
                Named::Slug(slug) => own.slug == slug,
                Named::Id(id) => own.id == *id,
            };
            let role = HeldRole::Custom { id: Id::from_text(by.key.id.as_str()), name: by.key.name.clone() };
            let custom = by.key.permissions().into_iter().map(str::to_owned).collect();
            is_named.then_some(Membership { organisation: own, user: None, role, custom, key })
        }
    })
}

/// The membership of `user` in the organisation that had this slug before, while that leads to it.
pub(crate) fn membership_by_former_slug(
    conn: &mut Conn,
    slug: &str,
    user: &UserId,
    now: Timestamp,
) -> Result<Option<Membership>> {
    match of_former_slug(conn, slug, now)? {
        Some(id) => membership(conn, Named::Id(&id), user),
        None => Ok(None),
    }
}

/// The organisation that had this slug before, while that leads to it.
pub(crate) fn of_former_slug(conn: &mut Conn, slug: &str, now: Timestamp) -> Result<Option<OrganisationId>> {
    // What is no slug never was one. PostgreSQL would fail on a NUL instead of finding nothing.
    match Slug::parse(slug).is_ok_and(|parsed| parsed.as_str() == slug) {
        true => former_slug::organisation_of(conn, slug, now),
        false => Ok(None),
    }
}

/// The membership of whoever acts, and that they may: [`Error::NotFound`] for strangers, who learn nothing of which
/// organisations there are, [`ORGANISATION_LEAVING`] for owners of one that waits to be deleted, [`FORBIDDEN`]
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
    pub(crate) fn who(&self) -> Who<'_> {
        (&self.organisation, &self.role, self.user.as_ref())
    }

    /// Whose it is. [`PERSON_REQUIRED`] for a key of the organisation's own.
    pub(crate) fn person(&self) -> Result<&UserId> {
        self.user.as_ref().ok_or(PERSON_REQUIRED.error())
    }

    /// The id of whoever acts: a person's, or that of the organisation's own key.
    pub(crate) fn actor_id(&self) -> String {
        self.user.as_ref().map_or_else(|| self.role.to_string(), ToString::to_string)
    }

    /// What a session or a key lacks to act in the organisation.
    pub(crate) fn unmet<'a>(
        &self,
        conn: &mut Conn,
        credential: impl Into<Credential<'a>>,
        now: Timestamp,
    ) -> Result<Option<Unmet>> {
        organisation_policy::unmet(conn, self.who(), credential, now)
    }

    /// Whether they may do what the program itself asks for. Nobody may anything while the organisation waits to be deleted.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        !self.organisation.is_leaving() && self.allows(permission.as_str()) && self.role_holds(permission)
    }

    /// Whether the key that acts allows it, where one does.
    fn allows(&self, permission: &str) -> bool {
        self.key.as_ref().is_none_or(|key| key.holds(permission))
    }

    fn role_holds(&self, permission: Permission) -> bool {
        match &self.role {
            HeldRole::BuiltIn(role) => permission.is_of(*role),
            // Whatever its rows say: an owner's permission is an owner's.
            HeldRole::Custom { .. } => {
                permission == Permission::OrganisationRead
                    || (permission.fits_custom_roles() && self.custom.contains(permission.as_str()))
            }
        }
    }

    /// [`FORBIDDEN`] where they may not, [`ORGANISATION_LEAVING`] where nobody may.
    pub(crate) fn require(&self, permission: Permission) -> Result<()> {
        self.ensure_stays()?;
        self.require_even_leaving(permission)
    }

    /// Reads what a custom role holds. A key of the organisation's own has what it holds already.
    pub(super) fn read_custom(&mut self, conn: &mut Conn) -> Result<()> {
        if let (Some(id), Some(_)) = (self.role.custom(), &self.user) {
            self.custom = role::permissions(conn, id)?;
        }
        Ok(())
    }

    pub(super) fn ensure_stays(&self) -> Result<()> {
        match self.organisation.is_leaving() {
            true => Err(organisation_leaving(self.organisation.slug.clone())),
            false => Ok(()),
        }
    }

    pub(super) fn require_even_leaving(&self, permission: Permission) -> Result<()> {
        match self.allows(permission.as_str()) {
            true => self.require_of_role(permission),
            false => Err(key_forbidden(permission.to_string())),
        }
    }

    pub(super) fn require_of_role(&self, permission: Permission) -> Result<()> {
        if self.role_holds(permission) { Ok(()) } else { Err(forbidden(permission.to_string())) }
    }

    /// Whether they have a permission of the catalogue, retired or not.
    pub(super) fn has(&self, entry: &permission::CheckedEntry) -> Result<bool> {
        let is_of_role = match &self.role {
            HeldRole::BuiltIn(role) => entry.is_of(*role)?,
            HeldRole::Custom { .. } if self.user.is_none() => true,
            HeldRole::Custom { .. } => entry.is_held,
        };
        Ok(is_of_role && self.allows(&entry.name))
    }

    /// Everything that they may, by name.
    pub(crate) fn permissions(&self, conn: &mut Conn) -> Result<BTreeSet<String>> {
        let mut held = match &self.role {
            HeldRole::Custom { .. } => self.custom.clone(),
            role => permissions_of(conn, role)?,
        };
        held.retain(|name| Permission::from_word(name).is_none() && self.allows(name));
        held.extend(Permission::ALL.iter().filter(|one| self.may(**one)).map(ToString::to_string));
        Ok(held)
    }

    fn may_everything(&self) -> bool {
        self.role.is_owner() && self.key.is_none()
    }

    /// That they hold each of these: nobody gives what they do not have. [`FORBIDDEN`] with the first that is missing.
    pub(crate) fn require_all(&self, conn: &mut Conn, given: &BTreeSet<String>) -> Result<()> {
        if self.may_everything() {
            return Ok(());
        }
        let held = self.permissions(conn)?;
        match given.iter().find(|name| !held.contains(*name)) {
            Some(missing) => Err(forbidden(missing.clone())),
            None => Ok(()),
        }
    }

    /// That they may take a member from one role to another: whoever is no owner neither touches one nor makes one, and
    /// gives nothing that they do not have.
    pub(crate) fn require_change(&self, conn: &mut Conn, before: &HeldRole, to: &HeldRole) -> Result<()> {
        if before.is_owner() || to.is_owner() {
            self.require(Permission::OwnersManage)?;
        }
        if self.may_everything() {
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
