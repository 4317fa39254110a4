//! Who it is that arrives from an identity provider, and what is brought up to date.

use diesel::prelude::*;

use super::{
    containment::occasion::{Occasion, end_access},
    email_change, email_verification, linking, organisations, sso_policy,
};
use crate::{
    db::{Conn, Tx, schema::identities},
    error::Result,
    mail::EmailAddress,
    model::{
        audit::{self, Actor, Event},
        connection::{Connection, Person},
        domain, identity, membership,
        token::AddressChange,
        user::{self, NewGuest, User},
    },
    sso,
};

/// Who it is that arrives.
#[derive(Debug)]
pub enum Resolution {
    /// Somebody who was here before, or has an account since just now.
    Known(User),
    /// An account has the address. Its person has to sign in once the old way to connect the two.
    Unlinked(User),
    /// Nobody who may come in.
    Refused(Refused),
}

/// Why somebody may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No address is said of them, or one that no mail can reach.
    NoAddress,
    /// The organisation has not proved the domain of the address, and does not speak for it.
    DomainNotProved,
    /// Another organisation speaks for the domain of the address.
    AnotherDomain,
    /// Their domain signs in through another connection only.
    AnotherConnection,
    /// The member with the address goes by another name at this identity provider.
    AnotherName,
}

impl Refused {
    /// Its name.
    pub fn code(self) -> &'static str {
        match self {
            Refused::NoAddress => "no_address",
            Refused::DomainNotProved => "domain_not_proved",
            Refused::AnotherDomain => "another_domain",
            Refused::AnotherConnection => "another_connection",
            Refused::AnotherName => "another_name",
        }
    }

    /// The reason in a sentence for an owner.
    pub fn sentence(self) -> &'static str {
        match self {
            Refused::NoAddress => {
                "The identity provider does not tell the person's address. Map the attribute that holds it."
            }
            Refused::DomainNotProved => {
                "The organisation has not proved the domain of this address, so it does not speak for it. Prove the domain, \
                 or make the person a member first."
            }
            Refused::AnotherDomain => "The domain of this address belongs to another organisation.",
            Refused::AnotherConnection => "People of this domain sign in through another connection only.",
            Refused::AnotherName => {
                "The member with this address goes by another name at the identity provider. If it is the same person, \
                 take the member out and let them sign in again."
            }
        }
    }
}

/// Decides who arrives, makes the account of somebody new, and brings name, address and role up to date.
pub fn resolve(
    tx: &mut Tx,
    actor: &Actor,
    connection: &Connection,
    name: &sso::Name,
    person: &Person,
    created_from: &str,
) -> Result<Resolution> {
    // Two first arrivals of one person take turns.
    tx.lock(&format!("identity {} {} {}", connection.id, identity::format_word(name.format), name.value))?;
    let known = identity::find(tx.conn, &connection.id, name)?;
    lock_addresses(tx, known.as_ref(), person)?;
    // Read again: the account may have changed, or ended, while its address was waited for.
    match judge(tx.conn, connection, name, person)? {
        Arrival::Refused(refused) => Ok(Resolution::Refused(refused)),
        Arrival::Known(user) => follow(tx, actor, connection, name, user, person).map(Resolution::Known),
        Arrival::Member(owner) => {
            linking::link(tx, actor, connection, name, &owner, created_from)?;
            follow(tx, actor, connection, name, owner, person).map(Resolution::Known)
        }
        Arrival::Unlinked(owner) => Ok(Resolution::Unlinked(owner)),
        Arrival::New { email } => {
            let shown = person.name.clone().or_else(|| user::Name::parse(local_part(email.spelled())).ok());
            let guest = NewGuest { email: email.clone(), name: shown, created_from: created_from.to_owned() };
            let user = user::provision(tx, actor, guest)?;
            email_verification::confirm(tx, actor, &user.id, &email.normalized())?;
            identity::link(tx, actor, connection, name, &user.id)?;
            organisations::add_member(tx, actor, &connection.organisation_id, &user.id, person.role)?;
            user::by_id(tx.conn, &user.id).map(Resolution::Known)
        }
    }
}

/// What an arrival comes to.
enum Arrival {
    /// The account that the name is connected with.
    Known(User),
    /// The account of the member with the address.
    Member(User),
    /// The account of somebody else with the address.
    Unlinked(User),
    /// No account has the address, and the organisation speaks for its domain.
    New { email: EmailAddress },
    /// Nobody who may come in.
    Refused(Refused),
}

fn judge(conn: &mut Conn, connection: &Connection, name: &sso::Name, person: &Person) -> Result<Arrival> {
    if let Some(user) = identity::find(conn, &connection.id, name)? {
        let way = sso_policy::required_connection(conn, &user)?;
        return Ok(match way.is_none_or(|way| way == connection.id) {
            true => Arrival::Known(user),
            false => Arrival::Refused(Refused::AnotherConnection),
        });
    }
    let Some(email) = person.email.clone() else { return Ok(Arrival::Refused(Refused::NoAddress)) };
    let proved = domain::proved(conn, &email.domain())?;
    let is_proved = proved.as_ref().is_some_and(|one| one.organisation_id == connection.organisation_id);
    if let Some(domain) = proved {
        if !is_proved {
            return Ok(Arrival::Refused(Refused::AnotherDomain));
        }
        if domain.is_enforced && domain.connection_id.is_some_and(|way| way != connection.id) {
            return Ok(Arrival::Refused(Refused::AnotherConnection));
        }
    }
    let owner = user::confirmed(conn, &email)?;
    let is_member = match &owner {
        Some(owner) => membership::role_of(conn, &connection.organisation_id, &owner.id)?.is_some(),
        None => false,
    };
    // Of anybody else's address it says what it likes; also to the owners: nobody learns there who has an account here.
    if !is_proved && !is_member {
        return Ok(Arrival::Refused(Refused::DomainNotProved));
    }
    let Some(owner) = owner else { return Ok(Arrival::New { email }) };
    if !(is_proved && is_member) {
        return Ok(Arrival::Unlinked(owner));
    }
    // An address may have been given to somebody new since.
    Ok(match identity::is_known(conn, &connection.id, &owner.id)? {
        true => Arrival::Refused(Refused::AnotherName),
        false => Arrival::Member(owner),
    })
}

/// What [`resolve`] would come to, in a sentence for an owner. Nothing is changed.
pub fn foresee(
    conn: &mut Conn,
    connection: &Connection,
    name: &sso::Name,
    person: &Person,
) -> Result<Result<&'static str, Refused>> {
    Ok(match judge(conn, connection, name, person)? {
        Arrival::Known(_) => Ok("The account that this name is connected with."),
        Arrival::Member(_) => Ok("The account of the member with this address."),
        Arrival::Unlinked(_) => {
            Ok("The account with this address, once its person has signed in the old way.")
        }
        Arrival::New { .. } => Ok("A new account with this address."),
        Arrival::Refused(refused) => Err(refused),
    })
}

/// Brings name, address and role of somebody known up to what their identity provider says now. An account that is locked
/// or on its way out stays as it is.
pub fn follow(
    tx: &mut Tx,
    actor: &Actor,
    connection: &Connection,
    name: &sso::Name,
    user: User,
    person: &Person,
) -> Result<User> {
    if user.locked_at.is_some() || user.deletes_at.is_some() {
        return Ok(user);
    }
    diesel::update(identity::row_of(&connection.id, name))
        .set(identities::last_used_at.eq(tx.now))
        .execute(tx.conn)?;
    if let Some(shown) = &person.name
        && shown.as_str() != user.name
    {
        user::rename(tx, actor, &user.id, shown)?;
    }
    follow_address(tx, actor, connection, &user, person)?;
    organisations::sync_role(tx, actor, &connection.organisation_id, &user.id, person.role)?;
    user::by_id(tx.conn, &user.id)
}

/// Moves the account to the address that the identity provider says now, where its organisation speaks for the domain of
/// either and nobody else has the address. An address elsewhere that its person has confirmed is their own affair.
fn follow_address(
    tx: &mut Tx,
    actor: &Actor,
    connection: &Connection,
    user: &User,
    person: &Person,
) -> Result<()> {
    let Some(new) = &person.email else { return Ok(()) };
    let is_same = new.normalized() == user.email.normalized();
    if !speaks_for(tx.conn, connection, &new.domain())? || (is_same && user.is_verified()) {
        return Ok(());
    }
    if user::confirmed(tx.conn, new)?.is_some_and(|owner| owner.id != user.id) {
        return Ok(());
    }
    if is_same {
        return email_verification::confirm(tx, actor, &user.id, &new.normalized());
    }
    if user.is_verified() && !speaks_for(tx.conn, connection, &user.email.domain())? {
        return Ok(());
    }
    let change = AddressChange { old: user.email.clone(), new: new.clone() };
    email_change::move_address(tx, actor, &user.id, &change)?;
    end_access(tx, actor, &user.id, Occasion::EmailChangedByProvider)?;
    // Whose address a claim named is not to be bothered with it.
    if user.is_verified() {
        email_change::notify_previous_address(tx, user, &change)?;
    }
    if sso_policy::enforced(tx.conn, &change.new)?.is_some() {
        end_access(tx, actor, &user.id, Occasion::SsoRequired(None))?;
    }
    let (from, to) = (change.old.spelled().to_owned(), change.new.spelled().to_owned());
    audit::record(tx, actor, &user.id, Event::EmailChanged { from, to })
}

/// Whether a connection's organisation has proved the domain.
fn speaks_for(conn: &mut Conn, connection: &Connection, name: &str) -> Result<bool> {
    let proved = domain::proved(conn, name)?;
    Ok(proved.is_some_and(|domain| domain.organisation_id == connection.organisation_id))
}

/// The addresses first, in the order of their names, as everywhere.
fn lock_addresses(tx: &mut Tx, known: Option<&User>, person: &Person) -> Result<()> {
    let mut names: Vec<String> =
        known.map(|user| &user.email).into_iter().chain(&person.email).map(|one| one.normalized()).collect();
    names.sort();
    names.dedup();
    names.iter().try_for_each(|name| tx.lock(name))
}

fn local_part(address: &str) -> &str {
    address.split('@').next().unwrap_or(address)
}
