//! Entries of directories: people as their identity provider tells of them. What is kept of them is what was sent.

mod search;

use std::collections::HashMap;

use diesel::prelude::*;
use serde_json::{Value, json};

use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{directories, directory_groups, directory_members, directory_people, organisations},
    },
    error::Result,
    ids::{DirectoryGroupId, DirectoryId, DirectoryPersonId, Id, OrganisationId, UserId},
    mail::EmailAddress,
    model::personal_data::{Erasure, ExportSection, PersonalData},
    scim::{EmailValue, UserFields, folded},
    text_enum,
};

pub(crate) use self::search::{Search, count, list};

text_enum! {
    /// What an entry waits for that stands for no account yet.
    Waits {
        /// That the person who has the address joins.
        OwnAccount => "own_account",
        /// The same; the organisation has not proved the domain of the address.
        UnprovedDomain => "unproved_domain",
        /// The same; another organisation has.
        AnotherDomain => "another_domain",
        /// An address, or the first sign-in.
        NoAddress => "no_address",
    }
}

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "directory_people",
    title: "What your organisations' directories say of you",
    why: "So that your organisation's list of people can open and close accounts here. It is the organisation's, and stays as long \
          as its directory lists you.",
    columns: &[
        ("id", "a number that stands for the entry"),
        ("directory_id", "the directory of the organisation"),
        ("user_id", "that it is you"),
        ("external_id", "what your organisation's identity provider calls you"),
        ("user_name", "your user name there"),
        ("user_name_folded", "the same as names are compared"),
        ("given_name", "your given name"),
        ("family_name", "your family name"),
        ("formatted_name", "your whole name"),
        ("display_name", "what you are called there"),
        ("emails", "your email addresses there"),
        ("address", "the one of them that counts"),
        ("waits_for", "what keeps the entry from being your account, if something does"),
        ("kept_role", "what you were allowed in the organisation before you left"),
    ],
    erasure: Erasure::Anonymised,
    afterwards: "The entry stays with the organisation, and nothing says any more that it was you.",
    export: &[ExportSection { name: "directoryEntries", is_list: true, read: exported }],
    erase: |tx, id, _| {
        diesel::update(directory_people::table.filter(directory_people::user_id.eq(id)))
            .set(directory_people::user_id.eq(None::<UserId>))
            .execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(Person, String)> = directory_people::table
        .inner_join(directories::table.inner_join(organisations::table))
        .filter(directory_people::user_id.eq(owner))
        .order((directory_people::created_at, directory_people::id))
        .offset(skip)
        .limit(most)
        .select((Person::as_select(), organisations::name))
        .load(conn)?;
    let told = found.into_iter().map(|(person, organisation)| {
        let fields = person.fields()?;
        Ok(json!({
            "organisation": organisation, "userName": fields.user_name, "externalId": fields.external_id,
            "givenName": fields.given_name, "familyName": fields.family_name, "name": fields.called(),
            "emails": fields.emails, "active": fields.is_active, "createdAt": person.created_at,
        }))
    });
    told.collect()
}

/// An entry.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = directory_people, treat_none_as_null = true)]
pub(crate) struct Person {
    /// Opaque.
    pub id: DirectoryPersonId,
    /// In which directory.
    pub directory_id: DirectoryId,
    /// The account that it stands for.
    pub user_id: Option<UserId>,
    external_id: Option<String>,
    /// Who it is in the directory, as it was sent.
    pub user_name: String,
    user_name_folded: String,
    given_name: Option<String>,
    family_name: Option<String>,
    formatted_name: Option<String>,
    display_name: Option<String>,
    emails: String,
    /// The address that counts, normalised.
    pub address: Option<String>,
    /// Whether the person may come in.
    pub is_active: bool,
    /// What it waits for, where it stands for no account.
    pub waits_for: Option<Waits>,
    /// What they were in the organisation when they left.
    pub kept_role: Option<String>,
    /// Whether the account is this directory's doing.
    pub made_account: bool,
    /// When whoever has to join was written to last.
    pub asked_at: Option<Timestamp>,
    /// How often it was written, from 1.
    pub version: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was written last.
    pub changed_at: Timestamp,
}

impl Person {
    /// A new one, which stands for nobody yet.
    pub(crate) fn new(directory: &DirectoryId, fields: &UserFields, now: Timestamp) -> Result<Self> {
        let mut person = Self {
            id: Id::random()?,
            directory_id: directory.clone(),
            user_id: None,
            external_id: None,
            user_name: String::new(),
            user_name_folded: String::new(),
            given_name: None,
            family_name: None,
            formatted_name: None,
            display_name: None,
            emails: String::new(),
            address: None,
            is_active: true,
            waits_for: None,
            kept_role: None,
            made_account: false,
            asked_at: None,
            version: 1,
            created_at: now,
            changed_at: now,
        };
        person.take(fields)?;
        Ok(person)
    }

    /// Takes over what its identity provider says.
    pub(crate) fn take(&mut self, fields: &UserFields) -> Result<()> {
        let told = fields.clone();
        self.address = told.address().map(|address| address.normalized());
        self.user_name_folded = folded(&told.user_name);
        self.emails = serde_json::to_string(&told.emails)?;
        self.external_id = told.external_id;
        self.user_name = told.user_name;
        self.given_name = told.given_name;
        self.family_name = told.family_name;
        self.formatted_name = told.formatted_name;
        self.display_name = told.display_name;
        self.is_active = told.is_active;
        Ok(())
    }

    /// What its identity provider says.
    pub(crate) fn fields(&self) -> Result<UserFields> {
        let emails: Vec<EmailValue> = serde_json::from_str(&self.emails)?;
        Ok(UserFields {
            external_id: self.external_id.clone(),
            user_name: self.user_name.clone(),
            is_active: self.is_active,
            display_name: self.display_name.clone(),
            given_name: self.given_name.clone(),
            family_name: self.family_name.clone(),
            formatted_name: self.formatted_name.clone(),
            emails,
        })
    }

    /// The address that counts, as it was sent.
    pub(crate) fn email(&self) -> Result<Option<EmailAddress>> {
        Ok(self.fields()?.address())
    }
}

/// Keeps a new one. Says whether it could: another may have its `userName` or `externalId`.
pub(crate) fn insert(tx: &mut Tx, person: &Person) -> Result<bool> {
    let added = tx.allow_unique_violation(|conn| {
        diesel::insert_into(directory_people::table).values(person).execute(conn)
    })?;
    Ok(added.is_some())
}

/// Keeps a changed one; its directory is locked. The same answer.
pub(crate) fn update(tx: &mut Tx, person: &Person) -> Result<bool> {
    let row = directory_people::table.find(&person.id);
    let changed = tx.allow_unique_violation(|conn| diesel::update(row).set(person.clone()).execute(conn))?;
    Ok(changed.is_some())
}

/// Removes one.
pub(crate) fn remove(tx: &mut Tx, id: &DirectoryPersonId) -> Result<()> {
    diesel::delete(directory_people::table.find(id)).execute(tx.conn)?;
    Ok(())
}

/// The one of a directory with this id.
pub(crate) fn find(
    conn: &mut Conn,
    directory: &DirectoryId,
    id: &DirectoryPersonId,
) -> Result<Option<Person>> {
    let one = directory_people::table.find(id).filter(directory_people::directory_id.eq(directory));
    Ok(one.select(Person::as_select()).first(conn).optional()?)
}

/// The one that stands for an account, the oldest of several.
pub(crate) fn of_user(conn: &mut Conn, directory: &DirectoryId, user: &UserId) -> Result<Option<Person>> {
    let theirs = directory_people::table
        .filter(directory_people::user_id.eq(user))
        .filter(directory_people::directory_id.eq(directory));
    let oldest = theirs.order((directory_people::created_at, directory_people::id));
    Ok(oldest.select(Person::as_select()).first(conn).optional()?)
}

/// Those that somebody may be who is called so: by `externalId`, by `userName`, or by the address that counts.
pub(crate) fn called(
    conn: &mut Conn,
    directory: &DirectoryId,
    name: &str,
    address: Option<&str>,
) -> Result<Vec<Person>> {
    let is_it = directory_people::user_name_folded
        .eq(folded(name))
        .or(directory_people::external_id
            .is_not_null()
            .and(directory_people::external_id.assume_not_null().eq(name)))
        .or(directory_people::address
            .is_not_null()
            .and(directory_people::address.assume_not_null().eq(address.unwrap_or_default())));
    let own = directory_people::table.filter(directory_people::directory_id.eq(directory)).filter(is_it);
    Ok(own.select(Person::as_select()).load(conn)?)
}

/// Those that have the `userName` or the `externalId` of another.
pub(crate) fn like(conn: &mut Conn, directory: &DirectoryId, fields: &UserFields) -> Result<Vec<Person>> {
    let own = directory_people::table
        .filter(directory_people::directory_id.eq(directory))
        .select(Person::as_select());
    let name = directory_people::user_name_folded.eq(folded(&fields.user_name));
    Ok(match &fields.external_id {
        Some(id) => {
            let is_it = directory_people::external_id
                .is_not_null()
                .and(directory_people::external_id.assume_not_null().eq(id));
            own.filter(name.or(is_it)).load(conn)?
        }
        None => own.filter(name).load(conn)?,
    })
}

/// Whoever becomes a member of an organisation is from now on who its directory's entry with their address stands for, where one
/// waits for them.
pub(crate) fn link_waiting(
    tx: &mut Tx,
    organisation: &OrganisationId,
    user: &UserId,
    address: &str,
) -> Result<()> {
    let own =
        directories::table.filter(directories::organisation_id.eq(organisation)).select(directories::id);
    let waiting = directory_people::table
        .filter(directory_people::directory_id.eq_any(own))
        .filter(directory_people::address.eq(address))
        .filter(directory_people::user_id.is_null())
        .filter(directory_people::is_active);
    diesel::update(waiting)
        .set((directory_people::user_id.eq(user), directory_people::waits_for.eq(None::<Waits>)))
        .execute(tx.conn)?;
    Ok(())
}

/// Whether an entry still waits for somebody to join.
pub(crate) fn is_waiting(conn: &mut Conn, id: &DirectoryPersonId) -> Result<bool> {
    let one = directory_people::table
        .find(id)
        .filter(directory_people::is_active)
        .filter(directory_people::user_id.is_null());
    Ok(diesel::select(diesel::dsl::exists(one.select(directory_people::id))).get_result(conn)?)
}

/// A group of somebody's: its id, what it is called, and its role.
pub(crate) type GroupOf = (DirectoryGroupId, String, Option<String>);

/// The groups of people, by their ids. At most 100 of a person.
pub(crate) fn groups_of(
    conn: &mut Conn,
    people: &[DirectoryPersonId],
) -> Result<HashMap<DirectoryPersonId, Vec<GroupOf>>> {
    type Row = (DirectoryPersonId, DirectoryGroupId, String, Option<String>);
    let found: Vec<Row> = directory_members::table
        .inner_join(directory_groups::table)
        .filter(directory_members::person_id.eq_any(people))
        .order((directory_groups::created_at, directory_groups::id))
        .select((
            directory_members::person_id,
            directory_groups::id,
            directory_groups::display_name,
            directory_groups::role,
        ))
        .load(conn)?;
    let mut groups: HashMap<DirectoryPersonId, Vec<_>> = HashMap::new();
    for (person, group, called, role) in found {
        groups.entry(person).or_default().push((group, called, role));
    }
    Ok(groups)
}
