//! What the application asks: whether somebody may do something in an organisation.
//!
//! Nothing is cached: a role that changed counts at the next check. It takes two reads: the membership with its organisation,
//! and the permissions beside what a custom role holds of them; three where the program's own are among them.

use std::net::IpAddr;

use super::{
    api_keys::Presented,
    organisation_policy::{Credential, Unmet},
    permissions,
    policy::{self, Membership},
};
use crate::{
    clock::Timestamp,
    db::Conn,
    error::{Error, Errors, Result},
    ids::{Id, OrganisationId, RoleId, UserId},
    kinds::Permission,
    model::{
        organisation::Named,
        permission::{self, CheckedEntry, OWN},
        user,
    },
};

/// Checks in one request.
pub(crate) const MOST_CHECKS: usize = 50;

/// One question.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    /// `resource:action`.
    pub permission: String,
    /// Whose the thing is that it is about.
    pub owner: Option<UserId>,
}

/// Why something is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// No organisation was named.
    NoOrganisation,
    /// They do not belong to it, or there is none.
    NotAMember,
    /// Their address is not confirmed: they belong nowhere yet.
    EmailUnverified,
    /// Their role does not have the permission.
    NotPermitted,
    /// The permission is in the catalogue no more.
    Retired,
    /// They own the organisation, which waits to be deleted.
    Leaving,
    /// The organisation asks for more than their session has.
    Unmet(Unmet),
}

impl Why {
    /// The stable word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NoOrganisation => "no_organisation",
            Self::NotAMember => "not_a_member",
            Self::EmailUnverified => "email_unverified",
            Self::NotPermitted => "not_permitted",
            Self::Retired => "retired",
            Self::Leaving => "organisation_leaving",
            Self::Unmet(what) => what.code(),
        }
    }
}

/// The answers, in the order of the questions.
#[derive(Debug)]
pub(crate) struct Checked {
    /// What they are about, where the asker belongs to it.
    pub membership: Option<Membership>,
    /// For each: nothing where it is allowed.
    pub results: Vec<Option<Why>>,
}

impl Checked {
    fn refused(checks: &[Check], why: Why) -> Self {
        Self { membership: None, results: vec![Some(why); checks.len()] }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asker<'a> {
    /// A user, by this where something may be asked of it.
    User(&'a UserId, Option<Credential<'a>>),
    /// A program with an API key, from there. It has its own organisation, where it is one's own or for one only, and may not
    /// name another; nobody learns whether that one is there.
    ApiKey(&'a Presented, Option<IpAddr>),
}

impl<'a> Asker<'a> {
    /// What organisations may ask something of.
    pub(crate) fn credential(self) -> Option<Credential<'a>> {
        match self {
            Asker::User(_, by) => by,
            Asker::ApiKey(by, ip) => Some(Credential::ApiKey { ip, is_personal: by.user().is_some() }),
        }
    }
}

/// Answers whether the asker may, in the organisation with this slug or id, or that had this slug before. [`Error::Invalid`]
/// for a permission that there never was: a word that is misspelt must not look like a refusal.
pub(crate) fn check(
    conn: &mut Conn,
    asker: Asker,
    organisation: Option<&str>,
    checks: &[Check],
    now: Timestamp,
) -> Result<Checked> {
    let own = match asker {
        Asker::User(..) => None,
        Asker::ApiKey(by, _) => by.key.organisation_id.as_ref().map(Id::as_str),
    };
    let organisation = organisation.or(own);
    let found = organisation.map(|named| find_membership(conn, asker, named, now)).transpose()?.flatten();
    let custom = found.as_ref().and_then(|mine| mine.role.custom());
    let catalogue = catalogue_of(conn, checks, custom)?;
    let subjects = subjects_of(&catalogue, checks)?;
    let Some(mut mine) = found else {
        let is_verified = match asker {
            Asker::User(user, _) => user::find(conn, user)?.is_none_or(|user| user.is_verified()),
            Asker::ApiKey(..) => true,
        };
        return Ok(Checked::refused(
            checks,
            match organisation {
                _ if !is_verified => Why::EmailUnverified,
                None => Why::NoOrganisation,
                Some(_) => Why::NotAMember,
            },
        ));
    };
    if mine.organisation.is_leaving() {
        return Ok(Checked { membership: Some(mine), ..Checked::refused(checks, Why::Leaving) });
    }
    if subjects.iter().any(|subject| matches!(subject, Subject::Program(_))) {
        mine.read_custom(conn)?;
    }
    let asked = subjects.iter().zip(checks);
    let decided = asked.map(|(subject, check)| decide(&mine, subject, check.owner.as_ref()));
    let mut results = decided.collect::<Result<Vec<_>>>()?;
    if let Some(credential) = asker.credential() {
        // Nobody learns what is asked for where they may not.
        let unmet = mine.unmet(conn, credential, now)?.map(Why::Unmet);
        results.iter_mut().for_each(|why| *why = why.or(unmet));
    }
    Ok(Checked { membership: Some(mine), results })
}

/// What a question is about, looked up once.
enum Subject<'a> {
    /// What the program itself asks for.
    Program(Permission),
    /// A permission that counts for one's own things only.
    Own(&'a CheckedEntry),
    /// Any other of the catalogue: its entry, and that of its counterpart for one's own things.
    Any(Option<&'a CheckedEntry>, Option<&'a CheckedEntry>),
}

impl<'a> Subject<'a> {
    /// Nothing for a permission that there never was.
    fn of(catalogue: &'a [CheckedEntry], name: &str) -> Option<Self> {
        if let Some(permission) = Permission::from_word(name) {
            return Some(Self::Program(permission));
        }
        if name.ends_with(OWN) {
            return find(catalogue, name, "").map(Self::Own);
        }
        let (all, own) = (find(catalogue, name, ""), find(catalogue, name, OWN));
        all.or(own).is_some().then_some(Self::Any(all, own))
    }
}

/// The entries that questions are about, by name, and whether this role has them.
fn catalogue_of(conn: &mut Conn, checks: &[Check], role: Option<&RoleId>) -> Result<Vec<CheckedEntry>> {
    let mut asked = checks.iter().filter(|check| Permission::from_word(&check.permission).is_none());
    match (asked.next(), asked.next()) {
        (None, _) => Ok(Vec::new()),
        // Who may change everybody's needs no permission for their own.
        (Some(only), None) => permission::checked(conn, &only.permission, role),
        _ => permission::all_checked(conn, role),
    }
}

/// [`Error::Invalid`] for a permission that there never was.
fn subjects_of<'a>(catalogue: &'a [CheckedEntry], checks: &[Check]) -> Result<Vec<Subject<'a>>> {
    let mut errors = Errors::default();
    let mut subject = |check: &Check| {
        let found = Subject::of(catalogue, &check.permission);
        if found.is_none() {
            errors.add("permission", permissions::unknown(&check.permission));
        }
        found
    };
    let subjects = checks.iter().filter_map(&mut subject).collect();
    if errors.is_empty() { Ok(subjects) } else { Err(Error::Invalid(errors)) }
}

/// The membership of the asker in the organisation with this slug or id, or that had this slug before.
pub(crate) fn membership_in(
    conn: &mut Conn,
    asker: Asker,
    organisation: &str,
    now: Timestamp,
) -> Result<Option<Membership>> {
    let Some(mut found) = find_membership(conn, asker, organisation, now)? else { return Ok(None) };
    found.read_custom(conn)?;
    Ok(Some(found))
}

/// The same without what a custom role holds.
fn find_membership(
    conn: &mut Conn,
    asker: Asker,
    organisation: &str,
    now: Timestamp,
) -> Result<Option<Membership>> {
    // What looks like an id is one: nobody can call an organisation so that it is taken for another.
    let slug = &organisation.trim().to_ascii_lowercase();
    let id: Option<OrganisationId> = Id::parse(slug);
    let named = id.as_ref().map_or(Named::Slug(slug), Named::Id);
    let find = |conn: &mut Conn, named: Named| match asker {
        Asker::User(user, _) => policy::membership_only(conn, named, user),
        Asker::ApiKey(by, _) => policy::membership_by_key_only(conn, by, named),
    };
    match find(conn, named)? {
        // Nor by a slug that it had before.
        None if id.is_none() => match policy::of_former_slug(conn, slug, now)? {
            Some(id) => find(conn, Named::Id(&id)),
            None => Ok(None),
        },
        found => Ok(found),
    }
}

/// Whether a member may do something that the catalogue has, to a thing of `owner`.
pub(crate) fn may(
    conn: &mut Conn,
    membership: &Membership,
    permission: &str,
    owner: Option<&UserId>,
) -> Result<bool> {
    let catalogue = permission::checked(conn, permission, membership.role.custom())?;
    match Subject::of(&catalogue, permission) {
        Some(subject) => Ok(decide(membership, &subject, owner)?.is_none()),
        None => Ok(false),
    }
}

/// [`FORBIDDEN`] where they may not.
pub(crate) fn require(
    conn: &mut Conn,
    membership: &Membership,
    permission: &str,
    owner: Option<&UserId>,
) -> Result<()> {
    match may(conn, membership, permission, owner)? {
        true => Ok(()),
        false => Err(policy::forbidden(permission.to_owned())),
    }
}

/// The entry of this name with this ending.
fn find<'a>(catalogue: &'a [CheckedEntry], name: &str, ending: &str) -> Option<&'a CheckedEntry> {
    let compare = |entry: &CheckedEntry| {
        let (head, tail) = entry.name.as_bytes().split_at(name.len().min(entry.name.len()));
        head.cmp(name.as_bytes()).then(tail.cmp(ending.as_bytes()))
    };
    catalogue.binary_search_by(compare).ok().map(|at| &catalogue[at])
}

/// Nothing where it is allowed. A retired entry counts only where there is no other.
fn decide(holder: &Membership, subject: &Subject, owner: Option<&UserId>) -> Result<Option<Why>> {
    let is_live = |entry: &&CheckedEntry| entry.retired_at.is_none();
    let has = |entry: Option<&CheckedEntry>| entry.map_or(Ok(false), |entry| holder.has(entry));
    let is_owner = owner.map(|owner| holder.user.as_ref() == Some(owner));
    let is_allowed = match *subject {
        Subject::Program(permission) => holder.may(permission),
        Subject::Own(entry) if is_live(&entry) => is_owner != Some(false) && holder.has(entry)?,
        Subject::Own(_) => return Ok(Some(Why::Retired)),
        Subject::Any(all, own) => match (all.filter(is_live), own.filter(is_live)) {
            (None, None) => return Ok(Some(Why::Retired)),
            (all, own) => has(all)? || (is_owner == Some(true) && has(own)?),
        },
    };
    Ok((!is_allowed).then_some(Why::NotPermitted))
}
