//! Who belongs to which organisation, in one role each, and the rule that an organisation keeps an owner.
//!
//! Every change locks the organisation, so that two owners who leave at once are looked at one after the other.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::{
    audit::{self, Actor, Event},
    domain,
    holding::{Fate, Holding, Section},
    identity,
    organisation::Organisation,
    user::User,
};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Id, Tx,
        schema::{memberships, organisations, users},
    },
    error::{Error, Errors, Result},
    mail::EmailAddress,
    text_enum,
};

text_enum! {
    /// What a member may do, the most powerful first.
    Role {
        /// Everything, the members and the single sign-on included.
        Owner => "owner",
        /// Change what the organisation has.
        Editor => "editor",
        /// Look.
        Viewer => "viewer",
    }
}

/// What is held here about a person, and what becomes of it.
pub const HOLDING: Holding = Holding {
    table: "memberships",
    title: "Your organisations",
    why: "So that you and the others who belong to an organisation can work together. It stays until you leave.",
    columns: &[
        ("organisation_id", "the organisation"),
        ("user_id", "that you belong to it"),
        ("role", "what you may do there"),
    ],
    fate: Fate::Removed,
    afterwards: "An organisation in which nobody else is ends with your account.",
    export: &[Section { name: "memberships", is_list: true, read: exported }],
    erase: |tx, id, _| withdraw(tx, &Actor::job(), id),
};

fn exported(conn: &mut Conn, owner: &Id<User>, skip: i64, most: i64) -> Result<Vec<Value>> {
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

impl Role {
    /// The role in words.
    pub fn words(&self) -> &'static str {
        match self {
            Role::Owner => "Owner",
            Role::Editor => "Editor",
            Role::Viewer => "Viewer",
        }
    }
}

/// A person in an organisation.
#[derive(Debug, Clone, Queryable)]
pub struct Member {
    /// Who.
    pub user_id: Id<User>,
    /// What they want to be called.
    pub name: String,
    /// Their address.
    pub email: EmailAddress,
    /// What they may do.
    pub role: Role,
    /// Since when they belong to it.
    pub since: Timestamp,
}

/// The members, in the order in which they came, up to `most` from the one after `cursor`.
pub fn list(
    conn: &mut Conn,
    organisation: &Id<Organisation>,
    cursor: Option<&Id<User>>,
    most: i64,
) -> Result<Vec<Member>> {
    let mut query = memberships::table
        .inner_join(users::table)
        .filter(memberships::organisation_id.eq(organisation))
        .into_boxed();
    if let Some(cursor) = cursor {
        let row = memberships::table.find((organisation, cursor)).select(memberships::created_at);
        let Some(at) = row.get_result::<Timestamp>(conn).optional()? else { return Ok(Vec::new()) };
        let is_later = memberships::created_at
            .gt(at)
            .or(memberships::created_at.eq(at).and(memberships::user_id.gt(cursor)));
        query = query.filter(is_later);
    }
    Ok(query
        .order((memberships::created_at, memberships::user_id))
        .limit(most)
        .select((memberships::user_id, users::name, users::email, memberships::role, memberships::created_at))
        .load(conn)?)
}

/// The owners of an organisation, in the order in which they came.
pub fn owners(conn: &mut Conn, organisation: &Id<Organisation>) -> Result<Vec<User>> {
    Ok(memberships::table
        .inner_join(users::table)
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::role.eq(Role::Owner))
        .order((memberships::created_at, memberships::user_id))
        .select(User::as_select())
        .load(conn)?)
}

/// Makes `user` a member. Somebody who is one keeps their role: `false`. A mere claim to an address owns nothing: it edits
/// at most.
pub fn add(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &Id<Organisation>,
    user: &Id<User>,
    role: Role,
) -> Result<bool> {
    lock(tx, organisation)?;
    let role = fit(tx.conn, user, role)?;
    let row = (
        memberships::organisation_id.eq(organisation),
        memberships::user_id.eq(user),
        memberships::role.eq(role),
        memberships::created_at.eq(tx.now),
    );
    let added = tx.unless_taken(|conn| diesel::insert_into(memberships::table).values(row).execute(conn))?;
    if added.is_none() {
        return Ok(false);
    }
    audit::record(tx, actor, user, Event::MemberAdded { organisation: organisation.clone(), role })?;
    Ok(true)
}

/// Gives a member another role. [`Error::NotFound`] where they are none, [`Error::LastOwner`] where nobody would own the
/// organisation afterwards, [`Error::SpareKey`] where they keep that of a domain.
pub fn set_role(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &Id<Organisation>,
    user: &Id<User>,
    role: Role,
) -> Result<()> {
    lock(tx, organisation)?;
    let before = role_of(tx.conn, organisation, user)?.ok_or(Error::NotFound)?;
    if before == role {
        return Ok(());
    }
    if fit(tx.conn, user, role)? != role {
        let sentence = "They have to confirm their address before they can own anything.";
        return Err(Error::Invalid(Errors::one("role", sentence)));
    }
    if before == Role::Owner && domain::is_spare_key(tx.conn, user, Some(organisation))? {
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
pub fn follow(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &Id<Organisation>,
    user: &Id<User>,
    role: Role,
) -> Result<()> {
    lock(tx, organisation)?;
    let Some(before) = role_of(tx.conn, organisation, user)? else {
        return add(tx, actor, organisation, user, role).map(drop);
    };
    let role = fit(tx.conn, user, role)?;
    if before == role {
        return Ok(());
    }
    let others = memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::user_id.ne(user))
        .filter(memberships::role.eq(Role::Owner));
    let is_only_owner = before == Role::Owner && others.count().get_result::<i64>(tx.conn)? == 0;
    if is_only_owner || domain::is_spare_key(tx.conn, user, Some(organisation))? {
        return Ok(());
    }
    set_role(tx, actor, organisation, user, role)
}

/// Ends a membership: one leaves, or is removed. Nor does the organisation's sign-in know them any more. The same errors
/// as [`set_role`].
pub fn remove(tx: &mut Tx, actor: &Actor, organisation: &Id<Organisation>, user: &Id<User>) -> Result<()> {
    lock(tx, organisation)?;
    if domain::is_spare_key(tx.conn, user, Some(organisation))? {
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

/// The role of a person, if they are a member.
pub fn role_of(conn: &mut Conn, organisation: &Id<Organisation>, user: &Id<User>) -> Result<Option<Role>> {
    let row = memberships::table.find((organisation, user)).select(memberships::role);
    Ok(row.get_result(conn).optional()?)
}

/// The organisations with other members that would be left without an owner if `user` went.
pub fn left_without_owner(conn: &mut Conn, user: &Id<User>) -> Result<Vec<Organisation>> {
    Ok(sole_ownerships(conn, user)?
        .into_iter()
        .filter(|(_, others)| *others > 0)
        .map(|(one, _)| one)
        .collect())
}

/// Takes a person out of every organisation, without a row of its own in the audit: they are gone for good, or were never
/// who they were said to be. Those in which nobody else is end with them;
/// [`Error::LastOwner`] where others would be left without an owner.
pub fn withdraw(tx: &mut Tx, actor: &Actor, user: &Id<User>) -> Result<()> {
    let mine: Vec<Id<Organisation>> = memberships::table
        .filter(memberships::user_id.eq(user))
        .order(memberships::organisation_id)
        .select(memberships::organisation_id)
        .load(tx.conn)?;
    mine.iter().try_for_each(|organisation| lock(tx, organisation))?;
    for (organisation, others) in sole_ownerships(tx.conn, user)? {
        if others > 0 {
            return Err(Error::LastOwner);
        }
        super::organisation::end(tx, actor, &organisation.id)?;
    }
    diesel::delete(memberships::table.filter(memberships::user_id.eq(user))).execute(tx.conn)?;
    Ok(())
}

/// The organisations that nobody but `user` owns, with how many others belong to them.
fn sole_ownerships(conn: &mut Conn, user: &Id<User>) -> Result<Vec<(Organisation, i64)>> {
    let owned: Vec<Organisation> = memberships::table
        .inner_join(organisations::table)
        .filter(memberships::user_id.eq(user))
        .filter(memberships::role.eq(Role::Owner))
        .order(organisations::id)
        .select(Organisation::as_select())
        .load(conn)?;
    let mut sole = Vec::new();
    for organisation in owned {
        let others = memberships::table
            .filter(memberships::organisation_id.eq(&organisation.id))
            .filter(memberships::user_id.ne(user));
        if others.filter(memberships::role.eq(Role::Owner)).count().get_result::<i64>(conn)? == 0 {
            let count = others.count().get_result(conn)?;
            sole.push((organisation, count));
        }
    }
    Ok(sole)
}

/// Holds up every other change of an organisation until this one is done.
pub fn lock(tx: &mut Tx, organisation: &Id<Organisation>) -> Result<()> {
    tx.lock(&format!("organisation {organisation}"))
}

/// The role that a person may have: whose address is a mere claim edits at most.
fn fit(conn: &mut Conn, user: &Id<User>, role: Role) -> Result<Role> {
    let row = users::table.find(user).select(users::email_verified_at.is_not_null());
    Ok(if role == Role::Owner && !row.get_result(conn)? { Role::Editor } else { role })
}

fn keep_an_owner(tx: &mut Tx, organisation: &Id<Organisation>) -> Result<()> {
    let owners = memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::role.eq(Role::Owner));
    match owners.count().get_result::<i64>(tx.conn)? {
        0 => Err(Error::LastOwner),
        _ => Ok(()),
    }
}
