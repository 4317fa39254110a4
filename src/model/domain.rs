//! Domains of mail addresses: which organisation speaks for them, and whether its people sign in there only.
//!
//! Many may say that a domain is theirs; one has it proved, by a TXT record or by the operator.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::{
    audit::{self, Actor, Event},
    connection::{self, Connection},
    holding::{Fate, Holding},
    membership::{self, Role},
    organisation::Organisation,
    second_factor,
    session::{self, Session},
    user::{self, User},
};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Id, Tx,
        schema::{domains, organisations},
    },
    error::{Error, Errors, Result},
    mail::EmailAddress,
    secret::random_text,
};

/// From one look at a TXT record to the next.
pub const CHECKED_EVERY: TimeDelta = TimeDelta::days(1);

/// How long a record may be gone until the proof is.
pub const GRACE: TimeDelta = TimeDelta::days(7);

/// What is held here about a person, and what becomes of it.
pub const HOLDING: Holding = Holding {
    table: "domains",
    title: "Domains that you keep the spare key to",
    why: "So that one owner can still sign in when an organisation's own sign-in fails.",
    columns: &[
        ("id", "a number that stands for the domain"),
        ("organisation_id", "the organisation"),
        ("connection_id", "its sign-in"),
        ("name", "the domain"),
        ("challenge", "what its record has to say"),
        ("proved_by", "how it was proved"),
        ("break_glass_id", "that the spare key is yours"),
    ],
    fate: Fate::Anonymised,
    afterwards: "The domain stays with its organisation, and nobody has the spare key.",
    export: &[],
    erase: |tx, id, _| {
        diesel::update(domains::table.filter(domains::break_glass_id.eq(id)))
            .set(domains::break_glass_id.eq(None::<Id<User>>))
            .execute(tx.conn)?;
        Ok(())
    },
};

/// A domain that an organisation says is its own.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = domains)]
pub struct Domain {
    /// Opaque.
    pub id: Id<Domain>,
    /// Whose it is said to be.
    pub organisation_id: Id<Organisation>,
    /// Where its people sign in.
    pub connection_id: Option<Id<Connection>>,
    /// Folded, as A-labels.
    pub name: String,
    /// What the TXT record has to say.
    pub challenge: String,
    /// When it was proved.
    pub proved_at: Option<Timestamp>,
    /// `dns` or `operator`.
    pub proved_by: Option<String>,
    /// When the TXT record was last looked for.
    pub checked_at: Option<Timestamp>,
    /// Since when it is not there any more.
    pub gone_since: Option<Timestamp>,
    /// Whether its people sign in by the connection only.
    pub is_enforced: bool,
    /// But for this owner.
    pub break_glass_id: Option<Id<User>>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A domain's name as addresses have it, or a sentence about what is wrong with it.
pub fn parse(typed: &str) -> Result<String, String> {
    let typed = typed.trim().trim_start_matches('@');
    EmailAddress::parse(&format!("somebody@{typed}"))
        .map(|address| address.domain())
        .map_err(|_| "Write the domain like example.com.".to_owned())
}

/// Adds a domain, unproved.
pub fn add(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &Id<Organisation>,
    connection: Option<&Id<Connection>>,
    name: &str,
) -> Result<Domain> {
    let domain = Domain {
        id: Id::random()?,
        organisation_id: organisation.clone(),
        connection_id: connection.cloned(),
        name: name.to_owned(),
        challenge: format!("vestibule-domain={}", random_text(24)?),
        proved_at: None,
        proved_by: None,
        checked_at: None,
        gone_since: None,
        is_enforced: false,
        break_glass_id: None,
        created_at: tx.now,
    };
    tx.unless_taken(|conn| diesel::insert_into(domains::table).values(&domain).execute(conn))?
        .ok_or_else(|| Error::Invalid(Errors::one("domain", "That domain is in your list already.")))?;
    let event = Event::DomainAdded { organisation: organisation.clone(), domain: name.to_owned() };
    audit::record(tx, actor, None, event)?;
    Ok(domain)
}

impl Domain {
    /// Where the TXT record is looked for. A name of its own, so that nothing else is in the way and a wildcard never
    /// answers for it by accident.
    pub fn record_name(&self) -> String {
        format!("_vestibule.{}", self.name)
    }

    /// Whether the record is among those that were found.
    pub fn is_proved_by(&self, texts: &[String]) -> bool {
        texts.iter().any(|text| text.trim() == self.challenge)
    }
}

/// Marks a domain as proved. [`Error::DomainTaken`] where another organisation has it proved: of many at once, one does.
pub fn prove(tx: &mut Tx, actor: &Actor, domain: &Domain, by: &'static str) -> Result<()> {
    let proof = (
        domains::proved_at.eq(tx.now),
        domains::proved_by.eq(by),
        domains::checked_at.eq(tx.now),
        domains::gone_since.eq(None::<Timestamp>),
    );
    let row = domains::table.find(&domain.id).filter(domains::proved_at.is_null());
    let proved = tx.unless_taken(|conn| diesel::update(row).set(proof).execute(conn))?;
    if proved.ok_or(Error::DomainTaken)? == 0 {
        // Removed, or proved already.
        return Err(Error::Conflict);
    }
    let (organisation, name) = (domain.organisation_id.clone(), domain.name.clone());
    audit::record(tx, actor, None, Event::DomainProved { organisation, domain: name, by })
}

/// The proof no longer holds: the domain leads nobody and enforces nothing.
pub fn unprove(tx: &mut Tx, actor: &Actor, domain: &Domain) -> Result<()> {
    let proved = domains::table.find(&domain.id).filter(domains::proved_at.is_not_null());
    let gone = diesel::update(proved)
        .set((
            domains::proved_at.eq(None::<Timestamp>),
            domains::proved_by.eq(None::<String>),
            domains::gone_since.eq(None::<Timestamp>),
            domains::is_enforced.eq(false),
            domains::break_glass_id.eq(None::<Id<User>>),
        ))
        .execute(tx.conn)?;
    if gone == 0 {
        return Ok(());
    }
    let (organisation, name) = (domain.organisation_id.clone(), domain.name.clone());
    audit::record(tx, actor, None, Event::DomainUnproved { organisation, domain: name })
}

/// An organisation's domains, by name.
pub fn of(conn: &mut Conn, organisation: &Id<Organisation>) -> Result<Vec<Domain>> {
    let own = domains::table.filter(domains::organisation_id.eq(organisation));
    Ok(own.order(domains::name).select(Domain::as_select()).load(conn)?)
}

/// Everybody who says that a domain is theirs.
pub fn listed(conn: &mut Conn, name: &str) -> Result<Vec<(Domain, Organisation)>> {
    Ok(domains::table
        .inner_join(organisations::table)
        .filter(domains::name.eq(name))
        .select((Domain::as_select(), Organisation::as_select()))
        .load(conn)?)
}

/// Who has a domain proved, if anybody has.
pub fn proved(conn: &mut Conn, name: &str) -> Result<Option<Domain>> {
    let found = domains::table.filter(domains::name.eq(name)).filter(domains::proved_at.is_not_null());
    Ok(found.select(Domain::as_select()).get_result(conn).optional()?)
}

/// The connection that an address is led to: that of its domain, where it is proved and has one.
pub fn leads_to(conn: &mut Conn, email: &EmailAddress) -> Result<Option<Id<Connection>>> {
    Ok(proved(conn, &email.domain())?.and_then(|domain| domain.connection_id))
}

/// The domain of an address, where its people sign in through their organisation only.
pub fn enforced(conn: &mut Conn, email: &EmailAddress) -> Result<Option<Domain>> {
    Ok(proved(conn, &email.domain())?.filter(|domain| domain.is_enforced && domain.connection_id.is_some()))
}

/// The connection that `user` has to sign in with, if they may not sign in otherwise.
pub fn closes(conn: &mut Conn, user: &User) -> Result<Option<Id<Connection>>> {
    let Some(domain) = enforced(conn, &user.email)? else { return Ok(None) };
    Ok(if is_break_glass(conn, &domain, &user.id)? { None } else { domain.connection_id })
}

/// The same, while nobody changes it: who comes in otherwise, and whoever closes that, take turns.
pub fn closes_now(tx: &mut Tx, user: &User) -> Result<Option<Id<Connection>>> {
    let name = user.email.domain();
    // Where nobody has the domain proved there is nothing to wait for.
    if proved(tx.conn, &name)?.is_none() {
        return Ok(None);
    }
    lock(tx, &name)?;
    closes(tx.conn, user)
}

fn lock(tx: &mut Tx, name: &str) -> Result<()> {
    tx.lock(&format!("domain {name}"))
}

/// Whether `user` is the one owner who may come in otherwise.
pub fn is_break_glass(conn: &mut Conn, domain: &Domain, user: &Id<User>) -> Result<bool> {
    // Named once, and still an owner: whoever was put out of the organisation has no key to it.
    let is_named = domain.break_glass_id.as_ref() == Some(user);
    Ok(is_named && membership::role_of(conn, &domain.organisation_id, user)? == Some(Role::Owner))
}

/// Whether `user` is that one owner at any domain, or at any of one organisation.
pub fn is_spare_key(
    conn: &mut Conn,
    user: &Id<User>,
    organisation: Option<&Id<Organisation>>,
) -> Result<bool> {
    let mut kept = domains::table
        .filter(domains::break_glass_id.eq(user))
        .filter(domains::is_enforced)
        .select(domains::id)
        .into_boxed();
    if let Some(organisation) = organisation {
        kept = kept.filter(domains::organisation_id.eq(organisation));
    }
    Ok(kept.first::<Id<Domain>>(conn).optional()?.is_some())
}

/// Whether an address may become `user`'s, as far as organisations have a say: who signs in through one only keeps the
/// address it knows, and nobody moves into a domain like that by themselves.
pub fn admits_move(conn: &mut Conn, user: &User, new: &EmailAddress) -> Result<Result<(), Errors>> {
    let sentence = if closes(conn, user)?.is_some() {
        "Your organisation decides about your address."
    } else if enforced(conn, new)?.is_some() {
        "People of that domain get their accounts from their organisation."
    } else {
        return Ok(Ok(()));
    };
    Ok(Err(Errors::one("email", sentence)))
}

/// One of an organisation's domains.
pub fn owned(conn: &mut Conn, organisation: &Id<Organisation>, id: &Id<Domain>) -> Result<Domain> {
    let own = domains::table.find(id).filter(domains::organisation_id.eq(organisation));
    Ok(own.select(Domain::as_select()).get_result(conn)?)
}

/// Takes a domain off the list, its proof and its rule with it.
pub fn remove(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &Id<Organisation>,
    id: &Id<Domain>,
) -> Result<Domain> {
    let domain = owned(tx.conn, organisation, id)?;
    diesel::delete(domains::table.find(id)).execute(tx.conn)?;
    let event = Event::DomainRemoved { organisation: organisation.clone(), domain: domain.name.clone() };
    audit::record(tx, actor, None, event)?;
    Ok(domain)
}

/// Leads a domain's people to a connection of the organisation, or to none. Where they sign in there only, it has to be
/// one that was tested.
pub fn lead_to(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &Id<Organisation>,
    id: &Id<Domain>,
    connection: Option<&Id<Connection>>,
) -> Result<()> {
    membership::lock(tx, organisation)?;
    let domain = owned(tx.conn, organisation, id)?;
    let chosen = connection.map(|id| connection::owned(tx.conn, organisation, id)).transpose()?;
    let is_tested = chosen.as_ref().is_some_and(|chosen| chosen.tested_at.is_some());
    if domain.is_enforced && !is_tested {
        return Err(unfit(
            "Its people sign in there only: choose a connection that was tested since its last change.",
        ));
    }
    if domain.connection_id.as_ref() == connection {
        return Ok(());
    }
    diesel::update(domains::table.find(id)).set(domains::connection_id.eq(connection)).execute(tx.conn)?;
    let event = Event::DomainLed {
        organisation: organisation.clone(),
        domain: domain.name,
        connection: connection.cloned(),
    };
    audit::record(tx, actor, None, event)
}

/// From now on the people of a domain sign in by its connection only, but for one owner with a password and a second
/// factor of their own. Whoever came in otherwise is signed out, but in the session `here`. [`Error::Invalid`] where that
/// would lock everybody out.
pub fn enforce(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &Id<Organisation>,
    id: &Id<Domain>,
    break_glass: &Id<User>,
    here: &Id<Session>,
) -> Result<Domain> {
    let owner = user::by_id(tx.conn, break_glass).map_err(|_| unfit_owner("Choose one of the owners."))?;
    // Password and second factor change under this lock.
    tx.lock(&owner.email.normalized())?;
    membership::lock(tx, organisation)?;
    let domain = owned(tx.conn, organisation, id)?;
    if domain.proved_at.is_none() {
        return Err(unfit("Prove first that the domain is yours."));
    }
    let Some(connection) = &domain.connection_id else {
        return Err(unfit("Choose first with which connection its people sign in."));
    };
    if connection::owned(tx.conn, organisation, connection)?.tested_at.is_none() {
        return Err(unfit("Test the connection first. The test has to be newer than its last change."));
    }
    if membership::role_of(tx.conn, organisation, break_glass)? != Some(Role::Owner) {
        return Err(unfit_owner("Choose one of the owners."));
    }
    if !can_break_glass(tx.conn, break_glass)? {
        return Err(unfit_owner(
            "This owner needs a password and a second factor here, to come in when the identity provider does not work.",
        ));
    }
    if domain.is_enforced && domain.break_glass_id.as_ref() == Some(break_glass) {
        return Ok(domain);
    }
    lock(tx, &domain.name)?;
    let proved = domains::table.find(id).filter(domains::proved_at.is_not_null());
    let enforced = diesel::update(proved)
        .set((domains::is_enforced.eq(true), domains::break_glass_id.eq(break_glass)))
        .execute(tx.conn)?;
    if enforced == 0 {
        return Err(Error::Conflict);
    }
    for person in user::at_domain(tx.conn, &domain.name)?.iter().filter(|person| *person != break_glass) {
        session::revoke_but_sso(tx, actor, person, Some(here))?;
    }
    let (organisation, name) = (organisation.clone(), domain.name.clone());
    let event = Event::DomainEnforced { organisation, domain: name, break_glass: break_glass.clone() };
    audit::record(tx, actor, break_glass, event)?;
    owned(tx.conn, &domain.organisation_id, id)
}

/// Whether somebody comes in here without an identity provider, with two proofs.
pub fn can_break_glass(conn: &mut Conn, user: &Id<User>) -> Result<bool> {
    let factors = second_factor::of(conn, user)?;
    Ok(factors.has_password && factors.has_usable_second())
}

fn unfit(sentence: &str) -> Error {
    Error::Invalid(Errors::one("form", sentence))
}

fn unfit_owner(sentence: &str) -> Error {
    Error::Invalid(Errors::one("breakGlass", sentence))
}

/// The people of a domain may sign in otherwise again.
pub fn release(tx: &mut Tx, actor: &Actor, domain: &Domain) -> Result<()> {
    let enforced = domains::table.find(&domain.id).filter(domains::is_enforced);
    let released = diesel::update(enforced)
        .set((domains::is_enforced.eq(false), domains::break_glass_id.eq(None::<Id<User>>)))
        .execute(tx.conn)?;
    if released == 0 {
        return Ok(());
    }
    let (organisation, name) = (domain.organisation_id.clone(), domain.name.clone());
    audit::record(tx, actor, None, Event::DomainReleased { organisation, domain: name })
}

/// The domains whose people are led to a connection.
pub fn led_to(conn: &mut Conn, connection: &Id<Connection>) -> Result<Vec<Domain>> {
    let led = domains::table.filter(domains::connection_id.eq(connection));
    Ok(led.order(domains::name).select(Domain::as_select()).load(conn)?)
}

/// Domains proved by their record that it is time to look at again, the longest unseen first.
pub fn due(conn: &mut Conn, now: Timestamp, most: i64) -> Result<Vec<Domain>> {
    Ok(domains::table
        .filter(domains::proved_by.eq("dns"))
        .filter(domains::checked_at.is_null().or(domains::checked_at.le(now - CHECKED_EVERY)))
        .order(domains::checked_at)
        .limit(most)
        .select(Domain::as_select())
        .load(conn)?)
}

/// Takes the turn to look at a domain's record. Of many nodes at once, one does.
pub fn take_turn(tx: &mut Tx, domain: &Domain) -> Result<bool> {
    let row = domains::table.find(&domain.id);
    let set = domains::checked_at.eq(tx.now);
    let taken = match domain.checked_at {
        Some(at) => diesel::update(row.filter(domains::checked_at.eq(at))).set(set).execute(tx.conn)?,
        None => diesel::update(row.filter(domains::checked_at.is_null())).set(set).execute(tx.conn)?,
    };
    Ok(taken == 1)
}

/// The record is there.
pub fn note_found(tx: &mut Tx, domain: &Domain) -> Result<()> {
    let gone = domains::table.find(&domain.id).filter(domains::gone_since.is_not_null());
    diesel::update(gone).set(domains::gone_since.eq(None::<Timestamp>)).execute(tx.conn)?;
    Ok(())
}

/// What follows from a record that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It was there the last time.
    Since,
    /// It is gone, and the proof stands yet.
    Still,
    /// It was gone for so long that the proof is gone too.
    TooLong,
}

/// The record is not there.
pub fn note_gone(tx: &mut Tx, actor: &Actor, domain: &Domain) -> Result<Gone> {
    // Removed since it was looked for: nothing is left to say.
    let found = domains::table.find(&domain.id).select(Domain::as_select()).get_result(tx.conn).optional()?;
    let Some(now) = found else { return Ok(Gone::Still) };
    match now.gone_since {
        _ if now.proved_at.is_none() => Ok(Gone::Still),
        None => {
            diesel::update(domains::table.find(&domain.id))
                .set(domains::gone_since.eq(tx.now))
                .execute(tx.conn)?;
            Ok(Gone::Since)
        }
        Some(since) if tx.now - since < GRACE => Ok(Gone::Still),
        Some(_) => unprove(tx, actor, domain).map(|()| Gone::TooLong),
    }
}
