//! Who belongs to which organisation, in one role each.

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{memberships, users},
    },
    error::Result,
    ids::{OrganisationId, UserId},
    kinds::Role,
    mail::EmailAddress,
};

/// A person in an organisation.
#[derive(Debug, Clone, Queryable)]
pub(crate) struct Member {
    /// Who.
    pub user_id: UserId,
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
pub(crate) fn list(
    conn: &mut Conn,
    organisation: &OrganisationId,
    cursor: Option<&UserId>,
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
pub(crate) fn owners(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<UserId>> {
    Ok(memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::role.eq(Role::Owner))
        .order((memberships::created_at, memberships::user_id))
        .select(memberships::user_id)
        .load(conn)?)
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

/// The role of a person, if they are a member.
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
