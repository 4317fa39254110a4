//! Organisations and their members: who may be what, and the rule that an organisation keeps an owner.
//!
//! Every change locks the organisation, so that two owners who leave at once are looked at one after the other.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::{
    containment::occasion::{Occasion, end_access},
    hand_over_offers, identity_links, members, open_invitations, organisation_deletion, organisation_names,
    policy::{self, Membership},
    put_back, role_news, sessions, sso_policy,
};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{memberships, organisations, roles},
    },
    error::{Error, Errors, Result, refusals},
    ids::{Id, OrganisationId, UserId},
    kinds::{Permission, Role},
    mail::emails::MembershipChange,
    model::{
        audit::{self, Actor, audit_events},
        domain,
        held_role::HeldRole,
        membership,
        organisation::{self, Organisation, Slug, Title},
        personal_data::{Erasure, ExportSection, PersonalData},
        rate_limit, session,
        token::{self, LinkIdentity},
        user,
    },
};

refusals! {
    /// Nobody could come in any more where an identity provider fails.
    BREAK_GLASS_OWNER = (
        "break_glass_owner", 409, "This is the emergency owner of a domain. Choose another owner there first."
    ).at_organisations("That is not possible");
    /// Nobody would own an organisation any more.
    LAST_OWNER = (
        "last_owner", 409, "An organisation needs an owner. Make someone else an owner first."
    ).at_organisations("That is not possible");
}

audit_events! {
    /// An organisation was made.
    OrganisationMade { organisation: OrganisationId }
        => of_organisation("organisation_made", "Organisation created"),
}

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "memberships",
    title: "Your organisations",
    why: "So that you and the others who belong to an organisation can work together. It stays until you leave.",
    columns: &[
        ("organisation_id", "the organisation"),
        ("user_id", "that you belong to it"),
        ("role", "what you may do there"),
        ("role_id", "the role that it made for you and others, if it did"),
    ],
    erasure: Erasure::Removed,
    afterwards: "An organisation in which nobody else is ends with your account.",
    export: &[ExportSection { name: "memberships", is_list: true, read: exported }],
    erase: |tx, id, _| withdraw(tx, &Actor::job(), id),
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(String, Role, Option<String>, Timestamp)> = memberships::table
        .inner_join(organisations::table)
        .left_join(roles::table.on(memberships::role_id.eq(roles::id.nullable())))
        .filter(memberships::user_id.eq(owner))
        .order((memberships::created_at, memberships::organisation_id))
        .offset(skip)
        .limit(most)
        .select((organisations::name, memberships::role, roles::name.nullable(), memberships::created_at))
        .load(conn)?;
    let told = found.into_iter().map(|(organisation, role, custom, since)| {
        let role = custom.unwrap_or_else(|| role.to_string());
        json!({ "organisation": organisation, "role": role, "since": since })
    });
    Ok(told.collect())
}

/// Makes an organisation; its maker owns it. [`Error::Invalid`] where the slug is taken, or was lately.
pub fn create(
    tx: &mut Tx,
    actor: &Actor,
    maker: &UserId,
    title: &Title,
    slug: &Slug,
) -> Result<Organisation> {
    let organisation = Organisation::new(Id::random()?, title, slug, tx.now);
    organisation_names::reserve(tx, &organisation.slug, None)?;
    tx.allow_unique_violation(|conn| {
        diesel::insert_into(organisations::table).values(&organisation).execute(conn)
    })?
    .ok_or_else(|| organisation_names::taken(&organisation.slug))?;
    audit::record(tx, actor, maker, Event::OrganisationMade { organisation: organisation.id.clone() })?;
    members::add(tx, actor, &organisation.id, maker, Role::Owner)?;
    Ok(organisation)
}

/// Makes `user` a member, as [`members::add`] does; somebody who owns the organisation from now on, and the other owners,
/// hear of it.
pub(crate) fn add_member(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
    role: Role,
) -> Result<()> {
    let is_new = members::add(tx, actor, organisation, user, role)?;
    match membership::role_of(tx.conn, organisation, user)? {
        Some(Role::Owner) if is_new => {
            role_news::follow_role(tx, organisation, user, MembershipChange::MadeOwner)
        }
        _ => Ok(()),
    }
}

/// Gives a member another role, as `by` wants it and may: the errors are those of [`set_role`], and
/// [`Membership::require_change`]'s.
pub(crate) fn change_role(
    tx: &mut Tx,
    actor: &Actor,
    by: &Membership,
    user: &UserId,
    role: &HeldRole,
) -> Result<()> {
    let organisation = &by.organisation.id;
    let before = membership::held_role(tx.conn, organisation, user)?.ok_or(Error::NotFound)?;
    by.require_change(tx.conn, &before, role)?;
    set_role(tx, actor, organisation, user, role)
}

/// The same in any role of the organisation's. Whoever belongs to it keeps theirs.
pub(crate) fn add_in_role(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
    role: &HeldRole,
) -> Result<()> {
    if membership::role_of(tx.conn, organisation, user)?.is_some() {
        return Ok(());
    }
    add_member(tx, actor, organisation, user, role.built_in())?;
    membership::set(tx, organisation, user, role)
}

/// Gives a member another role, whose sessions have to step up again before they use it. [`Error::NotFound`] where they are
/// none, [`LAST_OWNER`] where nobody would own the organisation afterwards, [`BREAK_GLASS_OWNER`] where they keep that of
/// a domain.
pub(crate) fn set_role(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
    role: &HeldRole,
) -> Result<()> {
    sessions::hold_of(tx, actor)?;
    organisation::lock(tx, organisation)?;
    let before = membership::held_role(tx.conn, organisation, user)?.ok_or(Error::NotFound)?;
    if before == *role {
        return Ok(());
    }
    rate_limit::count_change(tx, "role-changes", &format!("{organisation} {user}"))?;
    if membership::fit(tx.conn, user, role.built_in())? != role.built_in() {
        let sentence = "They have to confirm their address before they can own anything.";
        return Err(Error::Invalid(Errors::one("role", sentence)));
    }
    if before.is_owner() && sso_policy::is_break_glass_owner(tx.conn, user, Some(organisation))? {
        return Err(BREAK_GLASS_OWNER.error());
    }
    replace_role(tx, actor, organisation, user, &before, role)?;
    keep_an_owner(tx, organisation)
}

/// Puts one role into the place of another, on record; whoever owns it now, or may do less, hears of it.
pub(crate) fn replace_role(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
    before: &HeldRole,
    role: &HeldRole,
) -> Result<()> {
    if before.is_owner() || role.is_owner() {
        hand_over_offers::revoke(tx, organisation, Some(user))?;
    }
    membership::set(tx, organisation, user, role)?;
    let (from, to) = (before.audited(), role.audited());
    let event = members::Event::RoleChanged { organisation: organisation.clone(), from, to };
    audit::record(tx, actor, user, event)?;
    open_invitations::recheck(tx, actor, organisation, user)?;
    if role.is_owner() {
        role_news::follow_role(tx, organisation, user, MembershipChange::MadeOwner)
    } else if policy::is_below(tx.conn, role, before)? {
        role_news::follow_role(tx, organisation, user, MembershipChange::Demoted { to: role.words() })
    } else {
        session::drop_step_ups(tx, user)
    }
}

/// Makes `user` a member in this role, or gives them this role, as their identity provider says; but never takes the last
/// owner away, nor the one who keeps a spare key. It knows the built-in roles: whom it calls a viewer keeps a role of the
/// organisation's own.
pub(crate) fn sync_role(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
    role: Role,
) -> Result<()> {
    organisation::lock(tx, organisation)?;
    let Some(before) = membership::role_of(tx.conn, organisation, user)? else {
        return add_member(tx, actor, organisation, user, role);
    };
    let role = membership::fit(tx.conn, user, role)?;
    if before == role {
        return Ok(());
    }
    let others = memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::user_id.ne(user))
        .filter(memberships::role.eq(Role::Owner));
    let is_only_owner = before == Role::Owner && others.count().get_result::<i64>(tx.conn)? == 0;
    if is_only_owner || sso_policy::is_break_glass_owner(tx.conn, user, Some(organisation))? {
        return Ok(());
    }
    set_role(tx, actor, organisation, user, &HeldRole::BuiltIn(role))
}

/// Takes a member out, as `by` wants it and may: nobody below an owner takes one out. The errors besides are those of
/// [`remove_member`].
pub(crate) fn take_out(tx: &mut Tx, actor: &Actor, by: &Membership, user: &UserId) -> Result<()> {
    let organisation = &by.organisation.id;
    let role = membership::role_of(tx.conn, organisation, user)?.ok_or(Error::NotFound)?;
    if role == Role::Owner {
        by.require(Permission::OwnersManage)?;
    }
    remove_member(tx, actor, organisation, user)
}

/// Ends a membership: one leaves, or is removed. Nor does the organisation's sign-in know them any more. The same errors
/// as [`set_role`].
pub(crate) fn remove_member(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<()> {
    let is_leaving = actor.user.as_ref() == Some(user);
    end_membership(tx, actor, organisation, user, is_leaving)
}

/// Ends the membership of somebody who wanted that, and let `actor` bring it about. The same errors.
pub(crate) fn let_go(tx: &mut Tx, actor: &Actor, organisation: &OrganisationId, user: &UserId) -> Result<()> {
    end_membership(tx, actor, organisation, user, true)
}

fn end_membership(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
    is_leaving: bool,
) -> Result<()> {
    sessions::hold_of(tx, actor)?;
    organisation::lock(tx, organisation)?;
    if sso_policy::is_break_glass_owner(tx.conn, user, Some(organisation))? {
        return Err(BREAK_GLASS_OWNER.error());
    }
    hand_over_offers::revoke(tx, organisation, Some(user))?;
    let role = membership::held_role(tx.conn, organisation, user)?.ok_or(Error::NotFound)?.audited();
    diesel::delete(memberships::table.find((organisation, user))).execute(tx.conn)?;
    keep_an_owner(tx, organisation)?;
    forget_sign_in(tx, actor, organisation, user)?;
    let event = members::Event::MemberRemoved { organisation: organisation.clone(), role };
    audit::record(tx, actor, user, event)?;
    open_invitations::recheck(tx, actor, organisation, user)?;
    super::api_keys::endings::end_at(tx, actor, organisation, user)?;
    open_invitations::end_to(tx, actor, organisation, user)?;
    // Whoever leaves by themselves keeps what is theirs.
    let person = user::by_id(tx.conn, user)?;
    let speaks = domain::verified(tx.conn, &person.email.domain())?;
    let speaks = speaks.is_some_and(|domain| domain.organisation_id == *organisation);
    end_access(tx, actor, user, Occasion::MembershipEnded { has_spoken: speaks && !is_leaving })?;
    let (organisation, reader) = (organisation::by_id(tx.conn, organisation)?, user::by_id(tx.conn, user)?);
    role_news::tell(tx, &reader, &organisation, MembershipChange::Removed)
}

/// An organisation's sign-in does not know somebody any more: neither what is linked, nor what waits to be linked or could be put
/// back.
fn forget_sign_in(tx: &mut Tx, actor: &Actor, organisation: &OrganisationId, user: &UserId) -> Result<()> {
    identity_links::forget_at(tx, actor, organisation, user)?;
    token::revoke::<LinkIdentity>(tx, user)?;
    put_back::forget_at(tx, organisation, user)
}

/// Takes a person out of every organisation, without a row of its own in the audit: they are gone for good, or were never
/// who they were said to be. Those in which nobody else is end with them;
/// [`LAST_OWNER`] where others would be left without an owner.
pub(crate) fn withdraw(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<()> {
    let mine: Vec<OrganisationId> = memberships::table
        .filter(memberships::user_id.eq(user))
        .order(memberships::organisation_id)
        .select(memberships::organisation_id)
        .load(tx.conn)?;
    mine.iter().try_for_each(|organisation| organisation::lock(tx, organisation))?;
    mine.iter().try_for_each(|organisation| hand_over_offers::revoke(tx, organisation, Some(user)))?;
    for (organisation, others) in membership::sole_ownerships(tx.conn, user)? {
        if others > 0 {
            return Err(LAST_OWNER.error());
        }
        let slug = organisation::slug_of(tx.conn, &organisation)?;
        organisation::end(tx, &organisation)?;
        organisation_names::keep_back(tx, &slug, &organisation)?;
        audit::record(tx, actor, None, organisation_deletion::Event::OrganisationEnded { organisation })?;
    }
    diesel::delete(memberships::table.filter(memberships::user_id.eq(user))).execute(tx.conn)?;
    Ok(())
}

fn keep_an_owner(tx: &mut Tx, organisation: &OrganisationId) -> Result<()> {
    let owners = memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::role.eq(Role::Owner));
    match owners.count().get_result::<i64>(tx.conn)? {
        0 => Err(LAST_OWNER.error()),
        _ => Ok(()),
    }
}
