//! What an entry comes to: an account at once, or a person who has to join by their own act.
//!
//! An organisation speaks for an account only while it has proved the domain of its address. For everybody else its directory decides
//! about the membership, and nothing more.

use super::{asking, events::Event, leaving::keep_account};
use crate::{
    accounts::{
        directories::Place,
        directory_roles::{self, Followed},
        email_verification, organisations, profile, provisioned_address, registration, security_changes,
        suspensions,
    },
    db::Tx,
    error::Result,
    mail::EmailAddress,
    model::{
        audit::{self, Actor},
        directory::person::{self, Person, Waits},
        domain,
        held_role::HeldRole,
        identity, membership,
        token::{self, PendingSignIn},
        user::{self, Name, ProvisionedUser, User},
    },
};

/// What an account that a directory made is said to come from.
const MADE_BY: &str = "Your organisation's directory";

/// Brings about what an entry says, after a write; `was_active` before it. Returns whether an owner stays whom the organisation cannot
/// do without.
pub(super) fn settle(
    tx: &mut Tx,
    actor: &Actor,
    place: &Place,
    entry: &mut Person,
    was_active: bool,
) -> Result<bool> {
    if !entry.is_active {
        return deactivate(tx, actor, place, entry, was_active);
    }
    if let Some(user) = linked(tx, entry)? {
        if is_back(tx, actor, place, entry, &user, was_active)? {
            return follow(tx, actor, place, entry, &user);
        }
        // They left by themselves, or an owner took them out: they join again by their own act.
        unlink(entry);
    }
    match find_account(tx, actor, place, entry)? {
        Some(user) => {
            link(tx, actor, place, entry, &user)?;
            follow(tx, actor, place, entry, &user)
        }
        None => Ok(false),
    }
}

/// What an entry says of an account ends with the link: the next one is somebody else's.
fn unlink(entry: &mut Person) {
    (entry.user_id, entry.kept_role, entry.made_account) = (None, None, false);
}

fn linked(tx: &mut Tx, entry: &Person) -> Result<Option<User>> {
    match &entry.user_id {
        Some(id) => user::find(tx.conn, id),
        None => Ok(None),
    }
}

/// Whether the account of an entry is a member, as it was, or again from now on: whoever the directory put out comes back with it.
fn is_back(
    tx: &mut Tx,
    actor: &Actor,
    place: &Place,
    entry: &mut Person,
    user: &User,
    was_active: bool,
) -> Result<bool> {
    let organisation = &place.organisation.id;
    let was_suspended = suspensions::end(tx, actor, organisation, &user.id)?;
    keep_account(tx, actor, organisation, &user.id)?;
    let is_member = membership::role_of(tx.conn, organisation, &user.id)?.is_some();
    if !is_member && (was_suspended || !was_active) {
        let role = role_again(tx, place, entry)?;
        organisations::add_in_role(tx, actor, organisation, &user.id, &role)?;
        return Ok(true);
    }
    Ok(is_member)
}

/// What somebody is who comes back: as their groups say, else what they were.
fn role_again(tx: &mut Tx, place: &Place, entry: &mut Person) -> Result<HeldRole> {
    let kept = entry.kept_role.take();
    if let Some(role) = directory_roles::by_groups(tx.conn, &place.directory, &entry.id)? {
        return Ok(role);
    }
    let kept = match kept {
        Some(kept) => directory_roles::held(tx.conn, &place.organisation.id, &kept)?,
        None => None,
    };
    match kept {
        Some(role) => Ok(role),
        None => directory_roles::default(tx.conn, &place.directory),
    }
}

/// The account that an entry without one stands for from now on: a member's, one that this organisation keeps out, or a new one.
/// Nothing where it waits.
fn find_account(tx: &mut Tx, actor: &Actor, place: &Place, entry: &mut Person) -> Result<Option<User>> {
    let organisation = &place.organisation.id;
    if let Some(user) = by_identity(tx, place, entry)? {
        return Ok(Some(user));
    }
    let Some(email) = entry.email()? else {
        entry.waits_for = Some(Waits::NoAddress);
        return Ok(None);
    };
    let verified = domain::verified(tx.conn, &email.domain())?.map(|domain| domain.organisation_id);
    let is_ours = verified.as_ref() == Some(organisation);
    let waits = match (verified, is_ours) {
        (None, _) => Waits::UnprovedDomain,
        (Some(_), false) => Waits::AnotherDomain,
        (Some(_), true) => Waits::OwnAccount,
    };
    match user::confirmed(tx.conn, &email)? {
        Some(owner) if person::of_user(tx.conn, &place.directory.id, &owner.id)?.is_some() => {
            // Another entry stands for it.
            entry.waits_for = Some(waits);
            return Ok(None);
        }
        Some(owner) if suspensions::end(tx, actor, organisation, &owner.id)? => {
            // What was to be deleted with its entry was of this directory's making.
            entry.made_account = keep_account(tx, actor, organisation, &owner.id)?;
            let role = role_again(tx, place, entry)?;
            organisations::add_in_role(tx, actor, organisation, &owner.id, &role)?;
            return Ok(Some(owner));
        }
        Some(owner) if membership::role_of(tx.conn, organisation, &owner.id)?.is_some() => {
            return Ok(Some(owner));
        }
        None if is_ours && !is_reserved(tx, &email)? => {
            return provision(tx, actor, place, entry, &email).map(Some);
        }
        _ => {}
    }
    entry.waits_for = Some(waits);
    asking::ask(tx, actor, place, entry, &email)?;
    Ok(None)
}

/// Whoever signed in first by the organisation's single sign-on, under the name that the entry has, and is a member.
fn by_identity(tx: &mut Tx, place: &Place, entry: &Person) -> Result<Option<User>> {
    let fields = entry.fields()?;
    let names = fields.external_id.iter().chain([&fields.user_name]);
    for name in names {
        let Some(id) = identity::member_called(tx.conn, &place.organisation.id, name)? else { continue };
        if person::of_user(tx.conn, &place.directory.id, &id)?.is_none() {
            return user::find(tx.conn, &id);
        }
    }
    Ok(None)
}

/// Whether somebody else may still take an address back.
fn is_reserved(tx: &mut Tx, email: &EmailAddress) -> Result<bool> {
    let kept = tx.config.lifetimes.email_undo;
    security_changes::is_reserved(tx.conn, &email.normalized(), None, tx.now, kept)
}

/// A new account, its address confirmed, without a password.
fn provision(
    tx: &mut Tx,
    actor: &Actor,
    place: &Place,
    entry: &mut Person,
    email: &EmailAddress,
) -> Result<User> {
    let local = email.spelled().split('@').next().unwrap_or_default().to_owned();
    let name = entry.fields()?.called().and_then(|name| Name::parse(&name).ok());
    let name = name.or_else(|| Name::parse(&local).ok());
    let new = ProvisionedUser { email: email.clone(), name, created_from: MADE_BY.to_owned() };
    let user = registration::provision(tx, actor, new)?;
    email_verification::confirm(tx, actor, &user.id, &email.normalized())?;
    entry.made_account = true;
    let role = role_again(tx, place, entry)?;
    organisations::add_in_role(tx, actor, &place.organisation.id, &user.id, &role)?;
    user::by_id(tx.conn, &user.id)
}

fn link(tx: &mut Tx, actor: &Actor, place: &Place, entry: &mut Person, user: &User) -> Result<()> {
    entry.user_id = Some(user.id.clone());
    entry.waits_for = None;
    let event =
        Event::JoinedByDirectory { organisation: place.organisation.id.clone(), person: entry.id.clone() };
    audit::record(tx, actor, &user.id, event)
}

/// Somebody signed in by single sign-on whom an entry waited for: it stands for their account from now on.
pub(crate) fn join(tx: &mut Tx, actor: &Actor, place: &Place, entry: &mut Person, user: &User) -> Result<()> {
    asking::withdraw(tx, actor, entry)?;
    link(tx, actor, place, entry, user)?;
    person::update(tx, entry)?;
    follow(tx, actor, place, entry, user).map(drop)
}

/// Brings role, name and address of a member up to what the directory says. An account that is locked or on its way out stays as
/// it is. Returns whether an owner stays whom the organisation cannot do without.
pub(crate) fn follow(tx: &mut Tx, actor: &Actor, place: &Place, entry: &Person, user: &User) -> Result<bool> {
    let user = user::by_id(tx.conn, &user.id)?;
    if user.locked_at.is_some() || user.deletes_at.is_some() {
        return Ok(false);
    }
    let organisation = &place.organisation.id;
    let mut is_kept = false;
    if let Some(role) = directory_roles::by_groups(tx.conn, &place.directory, &entry.id)? {
        is_kept = directory_roles::follow(tx, actor, organisation, &user.id, &role)? == Followed::Kept;
    }
    if suspensions::is_spoken_for(tx.conn, organisation, &user)? {
        let name = entry.fields()?.called().and_then(|name| Name::parse(&name).ok());
        if let Some(name) = name.filter(|name| name.as_str() != user.name) {
            profile::rename(tx, actor, &user.id, &name)?;
        }
        if let Some(email) = entry.email()? {
            let is_free = !is_reserved(tx, &email)? || email.normalized() == user.email.normalized();
            if is_free {
                provisioned_address::follow(tx, actor, organisation, &user, &email)?;
            }
        }
    }
    Ok(is_kept)
}

/// Puts the person of an entry out, now: where the organisation speaks for the account, it is suspended with all that opens it; else
/// the membership ends with what came of it. Returns whether an owner stays a member.
fn deactivate(
    tx: &mut Tx,
    actor: &Actor,
    place: &Place,
    entry: &mut Person,
    was_active: bool,
) -> Result<bool> {
    asking::withdraw(tx, actor, entry)?;
    entry.waits_for = None;
    let Some(user) = linked(tx, entry)? else { return Ok(false) };
    let organisation = &place.organisation.id;
    let role = membership::held_role(tx.conn, organisation, &user.id)?;
    if role.is_none() && user.suspended_by.as_ref() != Some(organisation) && was_active {
        // They had left by themselves: the directory has nothing to end, and nothing to give back.
        unlink(entry);
        return Ok(false);
    }
    if let Some(role) = &role {
        entry.kept_role = Some(role.to_string());
    }
    // A sign-in that waits for its second factor may have come by the organisation.
    token::revoke::<PendingSignIn>(tx, &user.id)?;
    let is_spoken_for = suspensions::is_spoken_for(tx.conn, organisation, &user)?;
    let followed = directory_roles::end(tx, actor, organisation, &user.id)?;
    if is_spoken_for && (was_active || role.is_some()) {
        suspensions::suspend(tx, actor, organisation, &user.id)?;
    }
    if followed == Followed::Kept {
        entry.kept_role = None;
    }
    Ok(followed == Followed::Kept)
}
