//! Organisations and their members: who may be what, and the rule that an organisation keeps an owner.
//!
//! Every change locks the organisation, so that two owners who leave at once are looked at one after the other.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::sso_policy;
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{memberships, organisations},
    },
    error::{Error, Errors, Result},
    ids::{Id, OrganisationId, UserId},
    kinds::Role,
    model::{
        audit::{self, Actor, Event},
        identity, membership,
        organisation::{self, Organisation, Slug, Title},
        personal_data::{Erasure, ExportSection, PersonalData},
    },
};

/// What is held here about a person, and what becomes of it.
pub const PERSONAL_DATA: PersonalData = PersonalData {
    table: "memberships",
    title: "Your organisations",
    why: "So that you and the others who belong to an organisation can work together. It stays until you leave.",
    columns: &[
        ("organisation_id", "the organisation"),
        ("user_id", "that you belong to it"),
        ("role", "what you may do there"),
    ],
    fate: Erasure::Removed,
    afterwards: "An organisation in which nobody else is ends with your account.",
    export: &[ExportSection { name: "memberships", is_list: true, read: exported }],
    erase: |tx, id, _| withdraw(tx, &Actor::job(), id),
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(String, Role, Timestamp)> = memberships::table
        .inner_join(organisations::table)
        .filter(memberships::user_id.eq(owner))
        .order((memberships::created_at, memberships::organisation_id))
        .offset(skip)
        .limit(most)
        .select((organisations::name, memberships::role, memberships::created_at))
        .load(conn)?;
    let told = found.into_iter().map(
        |(organisation, role, since)| json!({ "organisation": organisation, "role": role, "since": since }),
    );
    Ok(told.collect())
}

/// Makes an organisation; its maker owns it. [`Error::Invalid`] where the slug is taken.
pub fn create(
    tx: &mut Tx,
    actor: &Actor,
    maker: &UserId,
    title: &Title,
    slug: &Slug,
) -> Result<Organisation> {
    let organisation = Organisation {
        id: Id::random()?,
        name: title.as_str().to_owned(),
        slug: slug.as_str().to_owned(),
        created_at: tx.now,
    };
    tx.unless_taken(|conn| diesel::insert_into(organisations::table).values(&organisation).execute(conn))?
        .ok_or_else(|| {
            Error::Invalid(Errors::one("slug", "Another organisation has that. Choose another."))
        })?;
    audit::record(tx, actor, maker, Event::OrganisationMade { organisation: organisation.id.clone() })?;
    membership::add(tx, actor, &organisation.id, maker, Role::Owner)?;
    Ok(organisation)
}

/// Gives a member another role. [`Error::NotFound`] where they are none, [`Error::LastOwner`] where nobody would own the
/// organisation afterwards, [`Error::SpareKey`] where they keep that of a domain.
pub fn set_role(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
    role: Role,
) -> Result<()> {
    organisation::lock(tx, organisation)?;
    let before = membership::role_of(tx.conn, organisation, user)?.ok_or(Error::NotFound)?;
    if before == role {
        return Ok(());
    }
    if membership::fit(tx.conn, user, role)? != role {
        let sentence = "They have to confirm their address before they can own anything.";
        return Err(Error::Invalid(Errors::one("role", sentence)));
    }
    if before == Role::Owner && sso_policy::is_break_glass_owner(tx.conn, user, Some(organisation))? {
        return Err(Error::SpareKey);
    }
    diesel::update(memberships::table.find((organisation, user)))
        .set(memberships::role.eq(role))
        .execute(tx.conn)?;
    keep_an_owner(tx, organisation)?;
    let event = Event::RoleChanged { organisation: organisation.clone(), from: before, to: role };
    audit::record(tx, actor, user, event)
}

/// Makes `user` a member in this role, or gives them this role, as their identity provider says; but never takes the last
/// owner away, nor the one who keeps a spare key.
pub fn sync_role(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
    role: Role,
) -> Result<()> {
    organisation::lock(tx, organisation)?;
    let Some(before) = membership::role_of(tx.conn, organisation, user)? else {
        return membership::add(tx, actor, organisation, user, role).map(drop);
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
    set_role(tx, actor, organisation, user, role)
}

/// Ends a membership: one leaves, or is removed. Nor does the organisation's sign-in know them any more. The same errors
/// as [`set_role`].
pub fn remove_member(tx: &mut Tx, actor: &Actor, organisation: &OrganisationId, user: &UserId) -> Result<()> {
    organisation::lock(tx, organisation)?;
    if sso_policy::is_break_glass_owner(tx.conn, user, Some(organisation))? {
        return Err(Error::SpareKey);
    }
    let gone = diesel::delete(memberships::table.find((organisation, user))).execute(tx.conn)?;
    if gone == 0 {
        return Err(Error::NotFound);
    }
    keep_an_owner(tx, organisation)?;
    identity::forget_at(tx, actor, organisation, user)?;
    audit::record(tx, actor, user, Event::MemberRemoved { organisation: organisation.clone() })
}

/// Takes a person out of every organisation, without a row of its own in the audit: they are gone for good, or were never
/// who they were said to be. Those in which nobody else is end with them;
/// [`Error::LastOwner`] where others would be left without an owner.
pub fn withdraw(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<()> {
    let mine: Vec<OrganisationId> = memberships::table
        .filter(memberships::user_id.eq(user))
        .order(memberships::organisation_id)
        .select(memberships::organisation_id)
        .load(tx.conn)?;
    mine.iter().try_for_each(|organisation| organisation::lock(tx, organisation))?;
    for (organisation, others) in membership::sole_ownerships(tx.conn, user)? {
        if others > 0 {
            return Err(Error::LastOwner);
        }
        organisation::end(tx, actor, &organisation.id)?;
    }
    diesel::delete(memberships::table.filter(memberships::user_id.eq(user))).execute(tx.conn)?;
    Ok(())
}

fn keep_an_owner(tx: &mut Tx, organisation: &OrganisationId) -> Result<()> {
    let owners = memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::role.eq(Role::Owner));
    match owners.count().get_result::<i64>(tx.conn)? {
        0 => Err(Error::LastOwner),
        _ => Ok(()),
    }
}
