//! Who belongs to which organisation, in one role each.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::held_role::HeldRole;
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{memberships, roles, users},
    },
    error::Result,
    ids::{OrganisationId, RoleId, UserId},
    kinds::Role,
    mail::EmailAddress,
};

/// A person in an organisation.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Who.
    pub user_id: UserId,
    /// What they want to be called.
    pub name: String,
    /// Their address.
    pub email: EmailAddress,
    /// What they may do.
    pub role: HeldRole,
    /// Since when they belong to it.
    pub since: Timestamp,
}

type Row = (UserId, String, EmailAddress, Role, Option<RoleId>, Option<String>, Timestamp);

impl From<Row> for Member {
    fn from((user_id, name, email, role, role_id, role_name, since): Row) -> Self {
        Self { user_id, name, email, role: HeldRole::of(role, role_id, role_name), since }
    }
}

/// Which members are looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    /// Only those after this one.
    pub cursor: Option<UserId>,
    /// What their name or address begins with, as it was typed.
    pub beginning: Option<String>,
    /// Their role.
    pub role: Option<HeldRole>,
    /// Only this one.
    pub user: Option<UserId>,
}

/// The members that `search` finds, in the order in which they came, at most `most`.
pub(crate) fn list(
    conn: &mut Conn,
    organisation: &OrganisationId,
    search: &Search,
    most: i64,
) -> Result<Vec<Member>> {
    let mut query = memberships::table
        .inner_join(users::table)
        .left_join(roles::table.on(memberships::role_id.eq(roles::id.nullable())))
        .filter(memberships::organisation_id.eq(organisation))
        .into_boxed();
    if let Some(cursor) = &search.cursor {
        let row = memberships::table.find((organisation, cursor)).select(memberships::created_at);
        let Some(at) = row.get_result::<Timestamp>(conn).optional()? else { return Ok(Vec::new()) };
        let is_later = memberships::created_at
            .gt(at)
            .or(memberships::created_at.eq(at).and(memberships::user_id.gt(cursor)));
        query = query.filter(is_later);
    }
    if let Some(typed) = &search.beginning {
        // What is capital in another alphabet than ours, SQLite does not know: both are looked for.
        let [address, name, capital] = [folded_address(typed), typed.to_lowercase(), capitalised(typed)];
        let lower = diesel::dsl::sql::<diesel::sql_types::Text>("lower(users.name)");
        query = query.filter(
            users::email_normalized
                .like(pattern(&address))
                .escape('\\')
                .or(lower.like(pattern(&name)).escape('\\'))
                .or(users::name.like(pattern(typed)).escape('\\'))
                .or(users::name.like(pattern(&capital)).escape('\\')),
        );
    }
    match &search.role {
        None => {}
        Some(HeldRole::Custom { id, .. }) => {
            query = query.filter(memberships::role_id.eq(id)).filter(memberships::role.eq(Role::Viewer));
        }
        Some(HeldRole::BuiltIn(Role::Viewer)) => {
            query = query.filter(memberships::role.eq(Role::Viewer)).filter(memberships::role_id.is_null());
        }
        Some(HeldRole::BuiltIn(role)) => query = query.filter(memberships::role.eq(role)),
    }
    if let Some(user) = &search.user {
        query = query.filter(memberships::user_id.eq(user));
    }
    let found: Vec<Row> = query
        .order((memberships::created_at, memberships::user_id))
        .limit(most)
        .select((
            memberships::user_id,
            users::name,
            users::email,
            memberships::role,
            memberships::role_id,
            roles::name.nullable(),
            memberships::created_at,
        ))
        .load(conn)?;
    Ok(found.into_iter().map(Member::from).collect())
}

/// What begins with `text`, as LIKE has it.
fn pattern(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        if ['%', '_', '\\'].contains(&c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + "%"
}

/// The beginning of an address as addresses are compared; it may end anywhere.
fn folded_address(typed: &str) -> String {
    EmailAddress::parse(typed).map_or_else(|_| typed.to_lowercase(), |address| address.normalized())
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars.flat_map(char::to_lowercase)).collect())
        .unwrap_or_default()
}

/// Names and addresses of those of `users` who belong to an organisation.
pub(crate) fn contacts(
    conn: &mut Conn,
    organisation: &OrganisationId,
    users: &[UserId],
) -> Result<Vec<(UserId, String, EmailAddress)>> {
    let members = memberships::table
        .inner_join(users::table)
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::user_id.eq_any(users));
    Ok(members.select((users::id, users::name, users::email)).load(conn)?)
}

/// The member who has this address.
pub(crate) fn with_address(
    conn: &mut Conn,
    organisation: &OrganisationId,
    address: &EmailAddress,
) -> Result<Option<UserId>> {
    let members = memberships::table
        .inner_join(users::table)
        .filter(memberships::organisation_id.eq(organisation))
        .filter(users::email_normalized.eq(address.normalized()));
    Ok(members.select(users::id).first(conn).optional()?)
}

/// Who has one of the organisation's own roles, in the order in which they came.
pub(crate) fn with_role(conn: &mut Conn, role: &RoleId) -> Result<Vec<UserId>> {
    Ok(memberships::table
        .filter(memberships::role_id.eq(role))
        .filter(memberships::role.eq(Role::Viewer))
        .order((memberships::created_at, memberships::user_id))
        .select(memberships::user_id)
        .load(conn)?)
}

/// Nobody's row names a role any more: an older program leaves the id where it gives another built-in role.
pub(crate) fn forget_role(tx: &mut Tx, role: &RoleId) -> Result<()> {
    diesel::update(memberships::table.filter(memberships::role_id.eq(role)))
        .set(memberships::role_id.eq(None::<RoleId>))
        .execute(tx.conn)?;
    Ok(())
}

/// How many members have each role of an organisation, by its word or id.
pub(crate) fn counts(conn: &mut Conn, organisation: &OrganisationId) -> Result<BTreeMap<String, i64>> {
    let found: Vec<(Role, Option<RoleId>, i64)> = memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .group_by((memberships::role, memberships::role_id))
        .select((memberships::role, memberships::role_id, diesel::dsl::count_star()))
        .load(conn)?;
    let mut counts = BTreeMap::new();
    for (role, id, count) in found {
        *counts.entry(HeldRole::of(role, id, Some(String::new())).to_string()).or_default() += count;
    }
    Ok(counts)
}

/// Who belongs to an organisation, with their built-in role, in the order in which they came.
pub(crate) fn all(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<(UserId, Role)>> {
    Ok(memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .order((memberships::created_at, memberships::user_id))
        .select((memberships::user_id, memberships::role))
        .load(conn)?)
}

/// The owners of an organisation, in the order in which they came.
pub(crate) fn owners(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<UserId>> {
    Ok(memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::role.eq(Role::Owner))
        .order((memberships::created_at, memberships::user_id))
        .select(memberships::user_id)
        .load(conn)?)
}

/// How many owners an organisation has.
pub(crate) fn owner_count(conn: &mut Conn, organisation: &OrganisationId) -> Result<i64> {
    let owners = memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::role.eq(Role::Owner));
    Ok(owners.count().get_result(conn)?)
}

/// Makes `user` a member. Returns the role they got; nothing where they are one and keep theirs. A mere claim to an
/// address owns nothing: it edits at most.
pub(crate) fn add(
    tx: &mut Tx,
    organisation: &OrganisationId,
    user: &UserId,
    role: Role,
) -> Result<Option<Role>> {
    let role = fit(tx.conn, user, role)?;
    let row = (
        memberships::organisation_id.eq(organisation),
        memberships::user_id.eq(user),
        memberships::role.eq(role),
        memberships::created_at.eq(tx.now),
    );
    let added =
        tx.allow_unique_violation(|conn| diesel::insert_into(memberships::table).values(row).execute(conn))?;
    Ok(added.map(|_| role))
}

/// The role that a person has, if they are a member.
pub(crate) fn held_role(
    conn: &mut Conn,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<Option<HeldRole>> {
    let row = memberships::table
        .left_join(roles::table.on(memberships::role_id.eq(roles::id.nullable())))
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::user_id.eq(user))
        .select((memberships::role, memberships::role_id, roles::name.nullable()));
    let found = row.get_result::<(Role, Option<RoleId>, Option<String>)>(conn).optional()?;
    Ok(found.map(|(role, id, name)| HeldRole::of(role, id, name)))
}

/// Gives a member a role.
pub(crate) fn set(tx: &mut Tx, organisation: &OrganisationId, user: &UserId, role: &HeldRole) -> Result<()> {
    diesel::update(memberships::table.find((organisation, user)))
        .set((memberships::role.eq(role.built_in()), memberships::role_id.eq(role.custom())))
        .execute(tx.conn)?;
    Ok(())
}

/// The built-in role of a person, if they are a member; `viewer` with one of the organisation's own.
pub(crate) fn role_of(conn: &mut Conn, organisation: &OrganisationId, user: &UserId) -> Result<Option<Role>> {
    let row = memberships::table.find((organisation, user)).select(memberships::role);
    Ok(row.get_result(conn).optional()?)
}

/// The organisations with other members that would be left without an owner if `user` went.
pub(crate) fn left_without_owner(conn: &mut Conn, user: &UserId) -> Result<Vec<OrganisationId>> {
    Ok(sole_ownerships(conn, user)?
        .into_iter()
        .filter(|(_, others)| *others > 0)
        .map(|(one, _)| one)
        .collect())
}

/// The organisations that nobody but `user` owns, with how many others belong to them.
pub(crate) fn sole_ownerships(conn: &mut Conn, user: &UserId) -> Result<Vec<(OrganisationId, i64)>> {
    let owned: Vec<OrganisationId> = memberships::table
        .filter(memberships::user_id.eq(user))
        .filter(memberships::role.eq(Role::Owner))
        .order(memberships::organisation_id)
        .select(memberships::organisation_id)
        .load(conn)?;
    let mut sole = Vec::new();
    for organisation in owned {
        let others = memberships::table
            .filter(memberships::organisation_id.eq(&organisation))
            .filter(memberships::user_id.ne(user));
        if others.filter(memberships::role.eq(Role::Owner)).count().get_result::<i64>(conn)? == 0 {
            let count = others.count().get_result(conn)?;
            sole.push((organisation, count));
        }
    }
    Ok(sole)
}

/// The role that a person may have: whose address is a mere claim edits at most.
pub(crate) fn fit(conn: &mut Conn, user: &UserId, role: Role) -> Result<Role> {
    let row = users::table.find(user).select(users::email_verified_at.is_not_null());
    Ok(if role == Role::Owner && !row.get_result(conn)? { Role::Editor } else { role })
}
