//! Organisations: a name, a slug for URLs, and members.

use diesel::prelude::*;
use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_properties::{CodePointMapData, props::GeneralCategory};

use super::{held_role::HeldRole, name::hides_something, organisation_policy::OrganisationPolicy};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{memberships, organisations, roles, users},
    },
    direct,
    error::Result,
    ids::{OrganisationId, RoleId, UserId},
    kinds::Role,
    mail::EmailAddress,
};

/// An organisation.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = organisations)]
pub struct Organisation {
    /// Opaque.
    pub id: OrganisationId,
    /// As its owners call it.
    pub name: String,
    /// Its part of a URL.
    pub slug: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when it ends; an owner asked for that, and can still restore it.
    pub deletes_at: Option<Timestamp>,
    /// What it asks of whoever acts in it.
    #[diesel(skip_insertion, deserialize_as = Option<String>)]
    pub(crate) policy: OrganisationPolicy,
}

impl Organisation {
    /// One that asks nothing of its members yet.
    pub(crate) fn new(id: OrganisationId, title: &Title, slug: &Slug, created_at: Timestamp) -> Self {
        let (name, slug) = (title.as_str().to_owned(), slug.as_str().to_owned());
        Self { id, name, slug, created_at, deletes_at: None, policy: OrganisationPolicy::default() }
    }

    /// Whether it waits to be deleted.
    pub(crate) fn is_leaving(&self) -> bool {
        self.deletes_at.is_some()
    }

    /// Whether people with this address can be invited.
    pub(crate) fn takes(&self, email: &EmailAddress) -> bool {
        self.policy.invites(&email.domain())
    }
}

/// The organisation in use in a session, as long as its person belongs to it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = organisations)]
pub(crate) struct CurrentOrganisation {
    /// Its id.
    pub id: OrganisationId,
    /// As its owners call it.
    pub name: String,
}

/// What an organisation is called: 1 to 80 characters, without control characters. Somebody's text.
#[derive(Debug, Clone)]
pub struct Title(String);

impl Title {
    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as typed, without the blanks around it, or a sentence about what is wrong with it.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let title = typed.trim();
        match title.chars().count() {
            0 => Err("Enter a name.".to_owned()),
            1..=80 if !hides_something(title) => Ok(Self(title.to_owned())),
            1..=80 => Err("Use letters, without line breaks or invisible characters.".to_owned()),
            _ => Err("Use at most 80 characters.".to_owned()),
        }
    }

    /// A slug made of it: its characters and digits without their marks (NFKD), else `org-` and six that are random.
    pub(crate) fn slug(&self) -> Result<Slug> {
        let plain = DecomposingNormalizerBorrowed::new_nfkd().normalize(&self.0).to_lowercase();
        let plain = plain.replace('ß', "ss");
        let marks = CodePointMapData::<GeneralCategory>::new();
        let characters = plain.chars().filter(|c| marks.get(*c) != GeneralCategory::NonspacingMark);
        let characters: String = characters.collect();
        let words = characters.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let mut slug = words.collect::<Vec<_>>().join("-");
        slug.truncate(Slug::LONGEST);
        match Slug::for_new(slug.trim_end_matches('-')) {
            Ok(slug) => Ok(slug),
            Err(_) => {
                let random = OrganisationId::random()?;
                Ok(Slug(format!("org-{}", &random.as_str()[..6])))
            }
        }
    }
}

/// An organisation's part of a URL: 2 to 40 of a to z, digits and single dashes, starting with a letter.
#[derive(Debug, Clone)]
pub struct Slug(String);

impl Slug {
    const LONGEST: usize = 40;

    /// The slug as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for an organisation that is to have it: none that would be taken for an id.
    pub(crate) fn for_new(typed: &str) -> Result<Self, String> {
        let slug = Self::parse(typed)?;
        match OrganisationId::parse(slug.as_str()) {
            Some(_) => Err(format!("{} looks like an id. Choose another.", slug.as_str())),
            None => Ok(slug),
        }
    }

    /// The slug, or a sentence about what is wrong with it.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let slug = typed.trim().to_ascii_lowercase();
        let is_plain = slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let is_formed = slug.starts_with(|c: char| c.is_ascii_lowercase())
            && !slug.ends_with('-')
            && !slug.contains("--");
        match is_plain && is_formed && (2..=Self::LONGEST).contains(&slug.len()) {
            true => Ok(Self(slug)),
            false => {
                Err("Use 2 to 40 of a to z, digits and single dashes, starting with a letter.".to_owned())
            }
        }
    }
}

/// Which organisation is meant: what a URL has, or what an application knows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Named<'a> {
    /// By its slug.
    Slug(&'a str),
    /// By its id.
    Id(&'a OrganisationId),
}

type Row = (Organisation, Role, Option<RoleId>, Option<String>);

fn with_role((organisation, role, id, name): Row) -> (Organisation, HeldRole) {
    (organisation, HeldRole::of(role, id, name))
}

/// The organisations of a person, with their role, by name; of those that wait to be deleted, the ones that they own.
pub(crate) fn of(conn: &mut Conn, user: &UserId) -> Result<Vec<(Organisation, HeldRole)>> {
    let found: Vec<Row> = memberships::table
        .inner_join(organisations::table)
        .left_join(roles::table.on(memberships::role_id.eq(roles::id.nullable())))
        .filter(memberships::user_id.eq(user))
        .filter(organisations::deletes_at.is_null().or(memberships::role.eq(Role::Owner)))
        .order((organisations::name, organisations::id))
        .select((Organisation::as_select(), memberships::role, memberships::role_id, roles::name.nullable()))
        .load(conn)?;
    Ok(found.into_iter().map(with_role).collect())
}

/// An organisation and the role that `user` has in it; nothing where there is none, or they are no member. One that waits to
/// be deleted is there for its owners only, and none for a mere claim to an address.
pub(crate) fn with_member(
    conn: &mut Conn,
    named: Named,
    user: &UserId,
) -> Result<Option<(Organisation, HeldRole)>> {
    let (slug, id) = match named {
        // What is no slug is nobody's. PostgreSQL would fail on a NUL instead of finding nothing.
        Named::Slug(slug) if !Slug::parse(slug).is_ok_and(|parsed| parsed.0 == slug) => return Ok(None),
        Named::Slug(slug) => (Some(slug), None),
        Named::Id(id) => (None, Some(id)),
    };
    let found: Option<Row> = direct!(conn => memberships::table
        .inner_join(organisations::table)
        .inner_join(users::table)
        .left_join(roles::table.on(memberships::role_id.eq(roles::id.nullable())))
        .filter(memberships::user_id.eq(user))
        .filter(users::email_verified_at.is_not_null())
        .filter(organisations::deletes_at.is_null().or(memberships::role.eq(Role::Owner)))
        .filter(organisations::slug.nullable().eq(slug).or(organisations::id.nullable().eq(id)))
        .select((Organisation::as_select(), memberships::role, memberships::role_id, roles::name.nullable()))
        .get_result(conn))
    .optional()?;
    Ok(found.map(with_role))
}

/// The organisations in use that a person belongs to, by slug: id, slug, role as in JSON, name. Asked at each request of a gate.
pub(crate) fn roles_in(
    conn: &mut Conn,
    user: &UserId,
) -> Result<Vec<(OrganisationId, String, String, String)>> {
    let found: Vec<(OrganisationId, String, String, Role, Option<RoleId>)> = direct!(conn => memberships::table
        .inner_join(organisations::table)
        .filter(memberships::user_id.eq(user))
        .filter(organisations::deletes_at.is_null())
        .order(organisations::slug)
        .select((
            organisations::id,
            organisations::slug,
            organisations::name,
            memberships::role,
            memberships::role_id,
        ))
        .load(conn))?;
    Ok(found
        .into_iter()
        .map(|(id, slug, name, role, custom)| match (role, custom) {
            (Role::Viewer, Some(custom)) => (id, slug, custom.to_string(), name),
            (role, _) => (id, slug, role.to_string(), name),
        })
        .collect())
}

/// The organisations that somebody may mean: the one with this slug, else those with this name.
pub(crate) fn called(conn: &mut Conn, named: &str) -> Result<Vec<Organisation>> {
    let by_slug = organisations::table.filter(organisations::slug.eq(named));
    let found: Vec<Organisation> = by_slug.select(Organisation::as_select()).load(conn)?;
    if !found.is_empty() {
        return Ok(found);
    }
    let by_name = organisations::table.filter(organisations::name.eq(named));
    Ok(by_name.select(Organisation::as_select()).load(conn)?)
}

/// The organisation with this id.
pub(crate) fn by_id(conn: &mut Conn, id: &OrganisationId) -> Result<Organisation> {
    Ok(organisations::table.find(id).select(Organisation::as_select()).get_result(conn)?)
}

/// The slug of an organisation.
pub(crate) fn slug_of(conn: &mut Conn, id: &OrganisationId) -> Result<String> {
    Ok(organisations::table.find(id).select(organisations::slug).get_result(conn)?)
}

/// Holds up every other change of an organisation until this one is done.
pub(crate) fn lock(tx: &mut Tx, organisation: &OrganisationId) -> Result<()> {
    tx.lock(&format!("organisation {organisation}"))
}

/// Gives an organisation another name and slug; `None` where another has the slug.
pub(crate) fn rename(tx: &mut Tx, id: &OrganisationId, name: &str, slug: &str) -> Result<Option<usize>> {
    let names = (organisations::name.eq(name), organisations::slug.eq(slug));
    let row = diesel::update(organisations::table.find(id)).set(names);
    tx.allow_unique_violation(|conn| row.execute(conn))
}

/// Sets what an organisation asks of whoever acts in it.
pub(crate) fn set_policy(tx: &mut Tx, id: &OrganisationId, policy: &OrganisationPolicy) -> Result<()> {
    let is_default = *policy == OrganisationPolicy::default();
    let kept = (!is_default).then(|| serde_json::to_string(policy)).transpose()?;
    diesel::update(organisations::table.find(id)).set(organisations::policy.eq(kept)).execute(tx.conn)?;
    Ok(())
}

/// Deletes an organisation at a moment, unless that is so already, or sooner. Says whether that changed anything.
pub(crate) fn schedule_deletion(tx: &mut Tx, id: &OrganisationId, at: Timestamp) -> Result<bool> {
    let is_later = organisations::deletes_at.is_null().or(organisations::deletes_at.gt(at));
    let asked = diesel::update(organisations::table.find(id).filter(is_later));
    Ok(asked.set(organisations::deletes_at.eq(at)).execute(tx.conn)? == 1)
}

/// Keeps an organisation that was to be deleted. Says whether it was.
pub(crate) fn cancel_deletion(tx: &mut Tx, id: &OrganisationId) -> Result<bool> {
    let waiting = organisations::table.find(id).filter(organisations::deletes_at.is_not_null());
    let kept = diesel::update(waiting).set(organisations::deletes_at.eq(None::<Timestamp>));
    Ok(kept.execute(tx.conn)? == 1)
}

/// Up to `most` organisations whose time is up by `by`, in the order of their times, after `after`.
pub(crate) fn due(
    conn: &mut Conn,
    by: Timestamp,
    after: &(Timestamp, OrganisationId),
    most: i64,
) -> Result<Vec<(Timestamp, OrganisationId)>> {
    let at = organisations::deletes_at.assume_not_null();
    let is_after = at.gt(after.0).or(at.eq(after.0).and(organisations::id.gt(&after.1)));
    Ok(organisations::table
        .filter(at.le(by))
        .filter(is_after)
        .order((organisations::deletes_at, organisations::id))
        .limit(most)
        .select((at, organisations::id))
        .load(conn)?)
}

/// Ends an organisation whose time is up, with everything that is its own. Says whether it did.
pub(crate) fn end_due(tx: &mut Tx, id: &OrganisationId) -> Result<bool> {
    let due = organisations::table.find(id).filter(organisations::deletes_at.le(tx.now));
    Ok(diesel::delete(due).execute(tx.conn)? == 1)
}

/// Every organisation, by its slug, up to `most` of those after `after`.
pub(crate) fn page(conn: &mut Conn, after: &str, most: i64) -> Result<Vec<Organisation>> {
    let later = organisations::table.filter(organisations::slug.gt(after));
    Ok(later.order(organisations::slug).limit(most).select(Organisation::as_select()).load(conn)?)
}

/// Ends an organisation with everything that is its own.
pub(crate) fn end(tx: &mut Tx, id: &OrganisationId) -> Result<()> {
    diesel::delete(organisations::table.find(id)).execute(tx.conn)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_made_of_what_a_name_has_for_one() {
        let slug = |name: &str| Title::parse(name).unwrap().slug().unwrap().0;
        for (name, made) in [
            ("Acme & Sons, Ltd.", "acme-sons-ltd"),
            ("Bäckerei Müller & Söhne", "backerei-muller-sohne"),
            ("Straße GROẞ", "strasse-gross"),
            ("Ａｃｍｅ ﬁne", "acme-fine"),
            ("Ünïcödé", "unicode"),
        ] {
            assert_eq!(slug(name), made);
        }
        for name in ["日本", "株式会社", "2", "a", "abcdefabcdefabcdefabcdefabcdefab", "🎉"] {
            let made = slug(name);
            assert!(made.starts_with("org-") && made.len() == 10 && Slug::parse(&made).is_ok(), "{made}");
        }
        assert!(Slug::parse(&slug(&"long name ".repeat(8))).is_ok());
    }

    #[test]
    fn a_slug_is_plain() {
        assert!(Slug::parse(" Acme-2 ").is_ok());
        for wrong in ["", "a", "2acme", "-acme", "acme-", "ac--me", "ac me", "ac/me", "äcme", &"a".repeat(41)]
        {
            assert!(Slug::parse(wrong).is_err(), "{wrong}");
        }
    }
}
