//! Groups of directories, and who is in them: entries, also those that wait.

use diesel::{Connection, prelude::*};

use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{directory_groups, directory_members, directory_people},
    },
    error::Result,
    ids::{DirectoryGroupId, DirectoryId, DirectoryPersonId, Id},
    scim::{Term, folded},
};

/// A group.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = directory_groups, treat_none_as_null = true)]
pub(crate) struct Group {
    /// Opaque.
    pub id: DirectoryGroupId,
    /// In which directory.
    pub directory_id: DirectoryId,
    /// What it is to the identity provider.
    pub external_id: Option<String>,
    /// What it is called; somebody's text.
    pub display_name: String,
    display_name_folded: String,
    /// What its members are in the organisation, where an owner said so: a built-in role's word, or the id of one of its own.
    pub role: Option<String>,
    /// How often it was written, from 1.
    pub version: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was written last.
    pub changed_at: Timestamp,
}

impl Group {
    /// A new one, without members.
    pub(crate) fn new(
        directory: &DirectoryId,
        name: &str,
        external_id: Option<String>,
        now: Timestamp,
    ) -> Result<Self> {
        Ok(Self {
            id: Id::random()?,
            directory_id: directory.clone(),
            external_id,
            display_name: name.to_owned(),
            display_name_folded: folded(name),
            role: None,
            version: 1,
            created_at: now,
            changed_at: now,
        })
    }

    /// Calls it something else.
    pub(crate) fn rename(&mut self, name: String) {
        self.display_name_folded = folded(&name);
        self.display_name = name;
    }
}

/// Keeps a new one. Says whether it could: another may have its `externalId`.
pub(crate) fn insert(tx: &mut Tx, group: &Group) -> Result<bool> {
    let added = tx.allow_unique_violation(|conn| {
        diesel::insert_into(directory_groups::table).values(group).execute(conn)
    })?;
    Ok(added.is_some())
}

/// Keeps a changed one; its directory is locked. The same answer.
pub(crate) fn update(tx: &mut Tx, group: &Group) -> Result<bool> {
    let row = directory_groups::table.find(&group.id);
    let changed = tx.allow_unique_violation(|conn| diesel::update(row).set(group.clone()).execute(conn))?;
    Ok(changed.is_some())
}

/// Removes one.
pub(crate) fn remove(tx: &mut Tx, id: &DirectoryGroupId) -> Result<()> {
    diesel::delete(directory_groups::table.find(id)).execute(tx.conn)?;
    Ok(())
}

/// The one of a directory with this id.
pub(crate) fn find(conn: &mut Conn, directory: &DirectoryId, id: &DirectoryGroupId) -> Result<Option<Group>> {
    let one = directory_groups::table.find(id).filter(directory_groups::directory_id.eq(directory));
    Ok(one.select(Group::as_select()).first(conn).optional()?)
}

type Query<'a> = directory_groups::BoxedQuery<'a, <Conn as Connection>::Backend>;

fn query<'a>(directory: &DirectoryId, terms: &[Term]) -> Query<'a> {
    let mut query =
        directory_groups::table.filter(directory_groups::directory_id.eq(directory.clone())).into_boxed();
    for term in terms {
        query = match term {
            Term::Id(id) => query.filter(directory_groups::id.eq(id.replace('\0', "\u{fffd}"))),
            Term::ExternalId(id) => {
                query.filter(directory_groups::external_id.eq(id.replace('\0', "\u{fffd}")))
            }
            Term::DisplayName(name) => {
                query.filter(directory_groups::display_name_folded.eq(name.replace('\0', "\u{fffd}")))
            }
            Term::Since(at, true) => query.filter(directory_groups::changed_at.gt(*at)),
            Term::Since(at, false) => query.filter(directory_groups::changed_at.ge(*at)),
            Term::Until(at, true) => query.filter(directory_groups::changed_at.lt(*at)),
            Term::Until(at, false) => query.filter(directory_groups::changed_at.le(*at)),
            // A group has none of these.
            Term::UserName(_) | Term::Active(_) | Term::Email(_) => {
                query.filter(directory_groups::version.lt(0))
            }
        };
    }
    query
}

/// How many groups meet all of `terms`.
pub(crate) fn count(conn: &mut Conn, directory: &DirectoryId, terms: &[Term]) -> Result<i64> {
    Ok(query(directory, terms).count().get_result(conn)?)
}

/// Those groups in the order in which they were made, at most `most` after `skip`, and only those after `after`.
pub(crate) fn list(
    conn: &mut Conn,
    directory: &DirectoryId,
    terms: &[Term],
    after: Option<&(Timestamp, DirectoryGroupId)>,
    (skip, most): (i64, i64),
) -> Result<Vec<Group>> {
    let mut found = query(directory, terms);
    if let Some((at, id)) = after {
        let is_later = directory_groups::created_at
            .gt(*at)
            .or(directory_groups::created_at.eq(*at).and(directory_groups::id.gt(id.clone())));
        found = found.filter(is_later);
    }
    Ok(found
        .order((directory_groups::created_at, directory_groups::id))
        .offset(skip)
        .limit(most)
        .select(Group::as_select())
        .load(conn)?)
}

/// Whether an owner gave any group of a directory a role: until then its groups say nothing of roles.
pub(crate) fn has_roles(conn: &mut Conn, directory: &DirectoryId) -> Result<bool> {
    let mapped = directory_groups::table
        .filter(directory_groups::directory_id.eq(directory))
        .filter(directory_groups::role.is_not_null());
    Ok(diesel::select(diesel::dsl::exists(mapped.select(directory_groups::id))).get_result(conn)?)
}

/// How many people are in a group.
pub(crate) fn member_count(conn: &mut Conn, group: &DirectoryGroupId) -> Result<i64> {
    Ok(directory_members::table.filter(directory_members::group_id.eq(group)).count().get_result(conn)?)
}

/// The ids of who is in a group.
pub(crate) fn member_ids(conn: &mut Conn, group: &DirectoryGroupId) -> Result<Vec<DirectoryPersonId>> {
    let own = directory_members::table.filter(directory_members::group_id.eq(group));
    Ok(own.order(directory_members::person_id).select(directory_members::person_id).load(conn)?)
}

// As many ids as a statement names on either database.
const AT_ONCE: usize = 500;

/// Those of `ids` that are entries of a directory.
pub(crate) fn known(
    conn: &mut Conn,
    directory: &DirectoryId,
    ids: &[DirectoryPersonId],
) -> Result<Vec<DirectoryPersonId>> {
    let mut known = Vec::new();
    for some in ids.chunks(AT_ONCE) {
        let own = directory_people::table
            .filter(directory_people::directory_id.eq(directory))
            .filter(directory_people::id.eq_any(some));
        known.extend(own.select(directory_people::id).load::<DirectoryPersonId>(conn)?);
    }
    Ok(known)
}

/// Puts entries into a group that are not in it. Returns which those were.
pub(crate) fn add_members(
    tx: &mut Tx,
    group: &DirectoryGroupId,
    people: &[DirectoryPersonId],
) -> Result<Vec<DirectoryPersonId>> {
    let mut added = Vec::new();
    for some in people.chunks(AT_ONCE) {
        let there: Vec<DirectoryPersonId> = directory_members::table
            .filter(directory_members::group_id.eq(group))
            .filter(directory_members::person_id.eq_any(some))
            .select(directory_members::person_id)
            .load(tx.conn)?;
        for person in some.iter().filter(|person| !there.contains(person)) {
            diesel::insert_into(directory_members::table)
                .values((directory_members::group_id.eq(group), directory_members::person_id.eq(person)))
                .execute(tx.conn)?;
            added.push(person.clone());
        }
    }
    Ok(added)
}

/// Takes entries out of a group. Returns which of them were in it.
pub(crate) fn remove_members(
    tx: &mut Tx,
    group: &DirectoryGroupId,
    people: &[DirectoryPersonId],
) -> Result<Vec<DirectoryPersonId>> {
    let mut gone = Vec::new();
    for some in people.chunks(AT_ONCE) {
        let there = || {
            directory_members::table
                .filter(directory_members::group_id.eq(group))
                .filter(directory_members::person_id.eq_any(some))
        };
        gone.extend(there().select(directory_members::person_id).load::<DirectoryPersonId>(tx.conn)?);
        diesel::delete(there()).execute(tx.conn)?;
    }
    Ok(gone)
}
