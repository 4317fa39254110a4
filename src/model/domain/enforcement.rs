//! Domains whose people sign in through their organisation only, and the one owner who keeps a spare key.

use diesel::prelude::*;

use super::{Domain, lock, owned, proved, unfit};
use crate::{
    db::{Conn, Id, Tx, schema::domains},
    error::{Error, Errors, Result},
    mail::EmailAddress,
    model::{
        audit::{self, Actor, Event},
        connection::{self, Connection},
        membership::{self, Role},
        organisation::Organisation,
        second_factor,
        session::{self, Session},
        user::{self, User},
    },
};

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
