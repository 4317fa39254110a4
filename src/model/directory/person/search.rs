//! Which entries a list has, and in which order: that in which they were made, so that nothing moves while it is paged.

use diesel::{Connection, dsl::sql, prelude::*, sql_types::Text};

use super::Person;
use crate::{
    clock::Timestamp,
    db::{Conn, schema::directory_people},
    error::Result,
    ids::{DirectoryId, DirectoryPersonId},
    scim::{Term, folded},
};

/// Which entries are looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    /// What the database can tell.
    pub terms: Vec<Term>,
    /// Only those after this one, in the order in which they were made.
    pub after: Option<(Timestamp, DirectoryPersonId)>,
    /// Only those that wait for somebody.
    pub is_waiting: bool,
    /// What their `userName` or address has in it, as it was typed.
    pub typed: Option<String>,
}

type Query<'a> = directory_people::BoxedQuery<'a, <Conn as Connection>::Backend>;

fn query<'a>(directory: &DirectoryId, search: &Search) -> Query<'a> {
    let mut query =
        directory_people::table.filter(directory_people::directory_id.eq(directory.clone())).into_boxed();
    for term in &search.terms {
        query = match term {
            Term::Id(id) => query.filter(directory_people::id.eq(plain(id))),
            Term::UserName(name) => query.filter(directory_people::user_name_folded.eq(plain(name))),
            Term::ExternalId(id) => query.filter(directory_people::external_id.eq(plain(id))),
            // What is compared in any case is judged by whoever reads them.
            Term::DisplayName(_) => query.filter(directory_people::display_name.is_not_null()),
            Term::Email(address) if address.is_ascii() && !address.contains(['"', '\\']) => {
                let lower = sql::<Text>("lower(directory_people.emails)");
                query.filter(lower.like(containing(&address.to_ascii_lowercase())).escape('\\'))
            }
            Term::Email(_) => query,
            Term::Active(is) => query.filter(directory_people::is_active.eq(*is)),
            Term::Since(at, true) => query.filter(directory_people::changed_at.gt(*at)),
            Term::Since(at, false) => query.filter(directory_people::changed_at.ge(*at)),
            Term::Until(at, true) => query.filter(directory_people::changed_at.lt(*at)),
            Term::Until(at, false) => query.filter(directory_people::changed_at.le(*at)),
        };
    }
    if search.is_waiting {
        query = query.filter(directory_people::waits_for.is_not_null()).filter(directory_people::is_active);
    }
    if let Some(typed) = &search.typed {
        let pattern = containing(&folded(typed));
        query = query.filter(
            directory_people::user_name_folded
                .like(pattern.clone())
                .escape('\\')
                .or(directory_people::address.assume_not_null().like(pattern).escape('\\')),
        );
    }
    query
}

/// What has `text` in it, as LIKE has it.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in plain(text).chars() {
        if ['%', '_', '\\'].contains(&c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + "%"
}

/// No text that is kept has a NUL in it, and PostgreSQL would fail on one instead of finding nothing.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// How many entries `search` finds, wherever the page begins.
pub(crate) fn count(conn: &mut Conn, directory: &DirectoryId, search: &Search) -> Result<i64> {
    Ok(query(directory, search).count().get_result(conn)?)
}

/// The entries that `search` finds, at most `most` after `skip`.
pub(crate) fn list(
    conn: &mut Conn,
    directory: &DirectoryId,
    search: &Search,
    skip: i64,
    most: i64,
) -> Result<Vec<Person>> {
    let mut found = query(directory, search);
    if let Some((at, id)) = &search.after {
        let is_later = directory_people::created_at
            .gt(*at)
            .or(directory_people::created_at.eq(*at).and(directory_people::id.gt(id.clone())));
        found = found.filter(is_later);
    }
    Ok(found
        .order((directory_people::created_at, directory_people::id))
        .offset(skip)
        .limit(most)
        .select(Person::as_select())
        .load(conn)?)
}
