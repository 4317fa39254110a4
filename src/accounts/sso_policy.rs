//! Domains whose people sign in through their organisation only, and the one owner who keeps a spare key.

use diesel::prelude::*;

use super::{
    containment::occasion::{Occasion, end_access},
    factors,
    sso_changes::{self, Target},
};
use crate::{
    db::{Conn, Tx, schema::domains},
    error::{Error, Errors, Particulars, Result, refusals},
    ids::{ConnectionId, DomainId, OrganisationId, SessionId, UserId},
    kinds::Role,
    mail::{EmailAddress, emails::SsoChange},
    model::{
        audit::{self, Actor, audit_events},
        connection::{self, Connection},
        domain::{self, Domain},
        membership, organisation,
        user::{self, User},
    },
};

refusals! {
    /// This address signs in through its organisation only. Its page leads there by a link, not a redirect: browsers do not let
    /// what a form was answered with lead to another site.
    SSO_REQUIRED = ("sso_required", 403, "People at this domain sign in with their organisation.")
        .page("Sign in with your organisation", "/login", "Continue to your organisation");
}

/// [`SSO_REQUIRED`], at this path.
pub(crate) fn sso_required(way: String) -> Error {
    SSO_REQUIRED.with(Particulars::default().detail("signIn", way.as_str()).href(way))
}

audit_events! {
    /// From now on the people of a domain sign in by its connection only.
    DomainEnforced { organisation: OrganisationId, domain: String, break_glass: UserId }
        => naming_an_account("domain_enforced", "Single sign-on required"),
    /// The people of a domain may sign in otherwise again.
    DomainReleased { organisation: OrganisationId, domain: String }
        => of_organisation("domain_released", "Single sign-on no longer required"),
}

/// The domain of an address, where its people sign in through their organisation only. A connection that is out of use is
/// nobody's only way in.
pub(crate) fn enforced(conn: &mut Conn, email: &EmailAddress) -> Result<Option<Domain>> {
    let enforced = domain::verified(conn, &email.domain())?.filter(|domain| domain.is_enforced);
    let Some(way) = enforced.as_ref().and_then(|domain| domain.connection_id.clone()) else {
        return Ok(None);
    };
    let is_paused = connection::by_id(conn, &way)?.is_paused;
    Ok(enforced.filter(|_| !is_paused))
}

/// Whether nobody signs in through a connection: an owner has to turn it on first, or its organisation waits to be deleted.
pub(crate) fn is_out_of_use(conn: &mut Conn, connection: &Connection) -> Result<bool> {
    Ok(connection.is_paused || organisation::by_id(conn, &connection.organisation_id)?.is_leaving())
}

/// The connection that `user` has to sign in with, if they may not sign in otherwise.
pub(crate) fn required_connection(conn: &mut Conn, user: &User) -> Result<Option<ConnectionId>> {
    let Some(domain) = enforced(conn, &user.email)? else { return Ok(None) };
    Ok(if is_break_glass(conn, &domain, &user.id)? { None } else { domain.connection_id })
}

/// The same, while nobody changes it: who comes in otherwise, and whoever closes that, take turns.
pub(crate) fn lock_required_connection(tx: &mut Tx, user: &User) -> Result<Option<ConnectionId>> {
    let name = user.email.domain();
    // Where nobody has the domain proved there is nothing to wait for.
    if domain::verified(tx.conn, &name)?.is_none() {
        return Ok(None);
    }
    domain::lock(tx, &name)?;
    required_connection(tx.conn, user)
}

/// Whether the people of a verified domain are led to a connection.
pub(crate) fn is_led_to(conn: &mut Conn, connection: &ConnectionId) -> Result<bool> {
    let led = domain::domains_of_connection(conn, connection)?;
    Ok(led.iter().any(|domain| domain.verified_at.is_some()))
}

/// Whether `user` is the one owner who may come in otherwise.
pub(crate) fn is_break_glass(conn: &mut Conn, domain: &Domain, user: &UserId) -> Result<bool> {
    // Named once, and still an owner: whoever was put out of the organisation has no key to it.
    let is_named = domain.break_glass_id.as_ref() == Some(user);
    Ok(is_named && membership::role_of(conn, &domain.organisation_id, user)? == Some(Role::Owner))
}

/// Whether `user` is that one owner at any domain, or at any of one organisation.
pub(crate) fn is_break_glass_owner(
    conn: &mut Conn,
    user: &UserId,
    organisation: Option<&OrganisationId>,
) -> Result<bool> {
    let mut kept = domains::table
        .filter(domains::break_glass_id.eq(user))
        .filter(domains::is_enforced)
        .select(domains::id)
        .into_boxed();
    if let Some(organisation) = organisation {
        kept = kept.filter(domains::organisation_id.eq(organisation));
    }
    Ok(kept.first::<DomainId>(conn).optional()?.is_some())
}

/// Whether an address may become `user`'s, as far as organisations have a say: who signs in through one only keeps the
/// address it knows, and nobody moves into a domain like that by themselves.
pub(crate) fn allows_move(conn: &mut Conn, user: &User, new: &EmailAddress) -> Result<Result<(), Errors>> {
    let sentence = if required_connection(conn, user)?.is_some() {
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
pub(crate) fn enforce(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    id: &DomainId,
    break_glass: &UserId,
    here: &SessionId,
) -> Result<Domain> {
    let owner = user::by_id(tx.conn, break_glass).map_err(|_| unfit_owner("Choose one of the owners."))?;
    // Password and second factor change under this lock.
    tx.lock(&owner.email.normalized())?;
    organisation::lock(tx, organisation)?;
    let domain = domain::owned(tx.conn, organisation, id)?;
    if domain.verified_at.is_none() {
        return Err(domain::unfit("Verify the domain first."));
    }
    let Some(connection) = &domain.connection_id else {
        return Err(domain::unfit("Choose first with which connection its people sign in."));
    };
    let connection = connection::owned(tx.conn, organisation, connection)?;
    if connection.is_paused {
        return Err(domain::unfit("Switch the connection on first."));
    }
    if connection.tested_at.is_none() {
        return Err(domain::unfit(
            "Test the connection first. The test has to be newer than its last change.",
        ));
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
    domain::lock(tx, &domain.name)?;
    let verified = domains::table.find(id).filter(domains::verified_at.is_not_null());
    let enforced = diesel::update(verified)
        .set((domains::is_enforced.eq(true), domains::break_glass_id.eq(break_glass)))
        .execute(tx.conn)?;
    if enforced == 0 {
        return Err(Error::Conflict);
    }
    for person in user::at_domain(tx.conn, &domain.name)?.iter().filter(|person| *person != break_glass) {
        end_access(tx, actor, person, Occasion::SsoRequired(Some(here)))?;
    }
    let (of, name) = (organisation.clone(), domain.name.clone());
    let event = Event::DomainEnforced { organisation: of, domain: name, break_glass: break_glass.clone() };
    audit::record(tx, actor, break_glass, event)?;
    let required = SsoChange::Required { domain: &domain.name, emergency_owner: owner.email.spelled() };
    sso_changes::note(tx, actor, organisation, Target::Domain(id), required)?;
    domain::owned(tx.conn, &domain.organisation_id, id)
}

/// Whether somebody comes in here without an identity provider, with two proofs.
pub(crate) fn can_break_glass(conn: &mut Conn, user: &UserId) -> Result<bool> {
    let factors = factors::of(conn, user)?;
    Ok(factors.has_password && factors.has_usable_second())
}

fn unfit_owner(sentence: &str) -> Error {
    Error::Invalid(Errors::one("breakGlass", sentence))
}

/// That an organisation whose members sign in by single sign-on only keeps an emergency owner without `domain`: nobody could
/// mend its identity provider.
pub(crate) fn ensure_can_do_without(conn: &mut Conn, domain: &Domain) -> Result<()> {
    let policy = organisation::by_id(conn, &domain.organisation_id)?.policy;
    if !domain.is_enforced || !policy.is_sso_only() {
        return Ok(());
    }
    let all = domain::of(conn, &domain.organisation_id)?;
    if all.iter().any(|other| other.id != domain.id && other.is_enforced && other.break_glass_id.is_some()) {
        return Ok(());
    }
    let sentence =
        "Members sign in with single sign-on only. Allow another method in the organisation's policy first.";
    Err(Error::Invalid(Errors::one("form", sentence)))
}

/// The people of a domain may sign in otherwise again, as `actor` wants it; every owner hears of it. The errors are those of
/// [`ensure_can_do_without`].
pub(crate) fn release(tx: &mut Tx, actor: &Actor, domain: &Domain) -> Result<()> {
    ensure_can_do_without(tx.conn, domain)?;
    if !lift(tx, actor, domain)? {
        return Ok(());
    }
    let released = SsoChange::Released { domain: &domain.name };
    sso_changes::note(tx, actor, &domain.organisation_id, Target::Domain(&domain.id), released)
}

/// The people of a domain may sign in otherwise again. Says whether they could not.
pub(crate) fn lift(tx: &mut Tx, actor: &Actor, domain: &Domain) -> Result<bool> {
    let enforced = domains::table.find(&domain.id).filter(domains::is_enforced);
    let released = diesel::update(enforced)
        .set((domains::is_enforced.eq(false), domains::break_glass_id.eq(None::<UserId>)))
        .execute(tx.conn)?;
    if released == 0 {
        return Ok(false);
    }
    let (organisation, name) = (domain.organisation_id.clone(), domain.name.clone());
    audit::record(tx, actor, None, Event::DomainReleased { organisation, domain: name }).map(|()| true)
}
