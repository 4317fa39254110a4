//! The directory of an organisation: turned on and off by its owners, and the tokens by which its identity provider calls.

use chrono::TimeDelta;

use super::suspensions;
use crate::{
    clock::{Timestamp, span_in_words},
    db::{Conn, Tx},
    error::{Error, Errors, Result, refusals},
    ids::{DirectoryTokenId, OrganisationId, UserId},
    kinds::Role,
    model::{
        audit::{self, ActingKey, Actor, ActorKind, audit_events},
        directory::{
            self, Directory,
            token::{self, DirectorySecret, DirectoryToken},
        },
        network::network_prefix,
        organisation::{self, Organisation},
        user,
    },
    secret::Secret,
};

refusals! {
    /// A directory has as many tokens as it may.
    DIRECTORY_TOKEN_LIMIT = (
        "directory_token_limit", 409,
        "Two tokens at most: put the second into your identity provider, end the first, then make another."
    ).at_organisations("That is not possible");
}

audit_events! {
    /// An organisation's identity provider keeps the list of its people from now on.
    DirectoryMade { organisation: OrganisationId } => of_organisation("directory_made", "Directory turned on"),
    /// What its owners decide of it changed.
    DirectoryChanged { organisation: OrganisationId, default_role: String, is_required: bool, is_paused: bool }
        => of_organisation("directory_changed", "Directory changed"),
    /// It is gone, with its entries.
    DirectoryRemoved { organisation: OrganisationId } => of_organisation("directory_removed", "Directory turned off"),
    /// A token was made.
    DirectoryTokenMade { organisation: OrganisationId, token: DirectoryTokenId, name: String }
        => of_organisation("directory_token_made", "Directory token created"),
    /// A token ended.
    DirectoryTokenEnded { organisation: OrganisationId, token: DirectoryTokenId, name: String }
        => of_organisation("directory_token_ended", "Directory token ended"),
}

/// Tokens of one directory at a time.
const MOST_TOKENS: usize = 2;

/// The longest name of a token, in characters.
const LONGEST_NAME: usize = 60;

/// What an identity provider acts in.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The directory.
    pub directory: Directory,
    /// The organisation whose it is.
    pub organisation: Organisation,
}

impl Place {
    /// The directory of an organisation. [`Error::NotFound`] where it has none.
    pub(crate) fn of(conn: &mut Conn, organisation: &OrganisationId) -> Result<Self> {
        let directory = directory::of(conn, organisation)?.ok_or(Error::NotFound)?;
        Ok(Self { directory, organisation: organisation::by_id(conn, organisation)? })
    }
}

/// A token that works, and what it opens.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Which token.
    pub token: DirectoryToken,
    /// Where.
    pub place: Place,
}

impl Caller {
    /// The identity provider as an actor in the audit, from this network address.
    pub(crate) fn actor(&self, ip: String) -> Actor {
        let key = ActingKey {
            id: crate::ids::Id::from_text(self.token.id.as_str()),
            name: Some(self.token.name.clone()),
        };
        Actor { kind: ActorKind::Directory, user: None, session: None, key: Some(key), ip: Some(ip) }
    }
}

/// Who calls with this secret, if it works at `now`.
pub(crate) fn authenticate(
    conn: &mut Conn,
    secret: &Secret<DirectorySecret>,
    now: Timestamp,
) -> Result<Option<Caller>> {
    let Some((token, directory)) = token::authenticate(conn, secret, now)? else { return Ok(None) };
    let organisation = organisation::by_id(conn, &directory.organisation_id)?;
    Ok(Some(Caller { token, place: Place { directory, organisation } }))
}

/// Notes that a token is used from a network address.
pub(crate) fn note_use(tx: &mut Tx, token: &DirectoryToken, ip: &str) -> Result<()> {
    token::note_use(tx, token, &network_prefix(ip))
}

/// The directory of an organisation, which is made where there is none.
pub(crate) fn turn_on(tx: &mut Tx, actor: &Actor, organisation: &OrganisationId) -> Result<Directory> {
    directory::lock(tx, organisation)?;
    if let Some(directory) = directory::of(tx.conn, organisation)? {
        return Ok(directory);
    }
    let made = directory::insert(tx, organisation, Role::Viewer.as_str())?;
    audit::record(tx, actor, None, Event::DirectoryMade { organisation: organisation.clone() })?;
    Ok(made)
}

/// Keeps what an owner decides of it.
pub(crate) fn change(tx: &mut Tx, actor: &Actor, changed: &Directory) -> Result<()> {
    directory::update(tx, changed)?;
    let event = Event::DirectoryChanged {
        organisation: changed.organisation_id.clone(),
        default_role: changed.default_role.clone(),
        is_required: changed.is_required,
        is_paused: changed.is_paused,
    };
    audit::record(tx, actor, None, event)
}

/// Ends a directory with its tokens and entries. Whoever is kept out stays so, until an owner lets them in.
pub(crate) fn turn_off(tx: &mut Tx, actor: &Actor, organisation: &OrganisationId) -> Result<()> {
    directory::lock(tx, organisation)?;
    let found = directory::of(tx.conn, organisation)?.ok_or(Error::NotFound)?;
    directory::remove(tx, &found.id)?;
    audit::record(tx, actor, None, Event::DirectoryRemoved { organisation: organisation.clone() })
}

/// Lets somebody in again whom the organisation keeps out. [`Error::NotFound`] where it does not.
pub(crate) fn release(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    user: &UserId,
) -> Result<()> {
    let found = user::find_locked(tx, user)?.ok_or(Error::NotFound)?;
    match suspensions::end(tx, actor, organisation, &found.id)? {
        true => Ok(()),
        false => Err(Error::NotFound),
    }
}

/// Makes a token that works for `life`; its secret is shown this once. [`DIRECTORY_TOKEN_LIMIT`] where two work already,
/// [`Error::Invalid`] where it has no name, or would work longer than `SCIM_TOKEN_LIFE`.
pub(crate) fn make_token(
    tx: &mut Tx,
    actor: &Actor,
    directory: &Directory,
    name: &str,
    life: TimeDelta,
) -> Result<(DirectoryToken, Secret<DirectorySecret>)> {
    let name = name.trim();
    let is_name = (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if !is_name {
        return Err(Error::Invalid(Errors::one("name", "Enter a name of at most 60 characters.")));
    }
    let longest = tx.config.lifetimes.scim_token;
    if life > longest || life <= TimeDelta::zero() {
        let sentence = format!("A token works for {} at most.", span_in_words(longest));
        return Err(Error::Invalid(Errors::one("expiresIn", sentence)));
    }
    directory::lock(tx, &directory.organisation_id)?;
    let there = token::of(tx.conn, &directory.id)?;
    let (live, over): (Vec<_>, Vec<_>) = there.into_iter().partition(|one| one.is_live(tx.now));
    for one in over {
        token::remove(tx, &directory.id, &one.id)?;
    }
    if live.len() >= MOST_TOKENS {
        return Err(DIRECTORY_TOKEN_LIMIT.error());
    }
    let secret = Secret::of_directory(&tx.config.token_prefix)?;
    let id = token::insert(tx, &directory.id, (&secret, name), actor.user.as_ref(), tx.now + life)?;
    let event = Event::DirectoryTokenMade {
        organisation: directory.organisation_id.clone(),
        token: id.clone(),
        name: name.to_owned(),
    };
    audit::record(tx, actor, None, event)?;
    let made = token::of(tx.conn, &directory.id)?.into_iter().find(|one| one.id == id);
    Ok((made.ok_or(Error::NotFound)?, secret))
}

/// Ends a token at once. [`Error::NotFound`] for any that is not the directory's.
pub(crate) fn end_token(
    tx: &mut Tx,
    actor: &Actor,
    directory: &Directory,
    id: &DirectoryTokenId,
) -> Result<DirectoryToken> {
    let found = token::of(tx.conn, &directory.id)?.into_iter().find(|one| one.id == *id);
    let found = found.ok_or(Error::NotFound)?;
    if !token::remove(tx, &directory.id, id)? {
        return Err(Error::NotFound);
    }
    let event = Event::DirectoryTokenEnded {
        organisation: directory.organisation_id.clone(),
        token: id.clone(),
        name: found.name.clone(),
    };
    audit::record(tx, actor, None, event)?;
    Ok(found)
}
