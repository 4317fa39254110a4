//! Step-up: before something sensitive a session shows again that its person is there, as strongly as at a sign-in.
//!
//! Wrong ones are counted in the session that makes them: whoever guesses in one slows no other session of the account.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::{factors, sso_policy};
use crate::{
    config::{Config, Provider, ProviderKind},
    db::{
        Conn, Tx,
        schema::{connections, identities},
    },
    error::{Result, Way, refusals},
    ids::{OrganisationId, SessionId, UserId},
    kinds::{AuthMethod, Factor, Protocol, StepUpMethod, Strength},
    mail::emails,
    model::{
        audit::{self, Actor, audit_events},
        domain, issuer, provider_identity,
        rate_limit::{self, Limit},
        session::{self, CurrentSession},
        user::{self, User},
    },
    oidc::{self, Transport},
};

refusals! {
    /// A session that ended because one step-up after the other was wrong.
    STEP_UPS_EXHAUSTED = (
        "sign_in_ended", 401,
        "You were signed out here, because what you entered was wrong too often. Sign in again."
    ).redirect("/login", Way::RedirectSaying);
}

audit_events! {
    /// A step-up succeeded.
    SteppedUp { with: &'static str } => of_sign_in("stepped_up"),
    /// A step-up failed.
    StepUpFailed { with: &'static str } => failure("step_up_failed"),
    /// Too many step-ups in a row failed, and their session is over.
    StepUpsExhausted { session: SessionId } => of("step_ups_exhausted"),
}

/// The methods by which `user` can make a step-up of this strength.
pub(crate) fn methods(
    conn: &mut Conn,
    config: &Config,
    user: &User,
    strength: Strength,
) -> Result<Vec<&'static str>> {
    let factors = factors::of(conn, &user.id)?;
    let needs_second = strength == Strength::Full && factors.is_second_due();
    let mut methods = if needs_second { factors.second() } else { factors.step_up() };
    if sso_policy::required_connection(conn, user)?.is_some() {
        methods.retain(|method| *method != StepUpMethod::Password.as_str());
    } else if !needs_second && provider_of(conn, config, &user.id)?.is_some() {
        methods.push(StepUpMethod::Provider.as_str());
    }
    if let Some(asks_here) = provider_leaves_second_factor_to_us(conn, &user.id)?
        && !(needs_second && asks_here)
    {
        methods.push(StepUpMethod::Sso.as_str());
    }
    Ok(methods)
}

/// The provider of the settings where `user` can sign in once more: the one connected last of those that say when somebody did
/// (OpenID Connect Core §2, `auth_time`). The big ones do not.
pub(crate) fn provider_of<'a>(
    conn: &mut Conn,
    config: &'a Config,
    user: &UserId,
) -> Result<Option<&'a Provider>> {
    let transport = if config.is_development() { Transport::Plain } else { Transport::Tls };
    for identity in provider_identity::list(conn, user)?.into_iter().rev() {
        let provider = identity.provider_in(config).filter(|provider| provider.kind == ProviderKind::Oidc);
        let Some(provider) = provider else { continue };
        let kept = issuer::find(conn, &provider.issuer)?.and_then(|kept| kept.document);
        let metadata = kept.and_then(|text| oidc::read_metadata(&text, &provider.issuer, transport).ok());
        if metadata.is_some_and(|metadata| metadata.says_auth_time) {
            return Ok(Some(provider));
        }
    }
    Ok(None)
}

/// Whether a step-up by this method, no second factor, is as strong as a sign-in to the account.
pub(crate) fn is_full(conn: &mut Conn, user: &UserId, with: Option<StepUpMethod>) -> Result<bool> {
    if !factors::of(conn, user)?.is_second_due() {
        return Ok(true);
    }
    Ok(with == Some(StepUpMethod::Sso) && provider_leaves_second_factor_to_us(conn, user)? == Some(false))
}

/// The step-up that a sign-in counts as where `STEP_UP_AFTER_SIGN_IN` is on: by password or passkey, with the second factor
/// where one was due. A link by mail never does, nor does what an identity provider says.
pub(crate) fn by_sign_in(method: AuthMethod, second: Option<Factor>) -> Option<StepUpMethod> {
    match method {
        AuthMethod::Password => Some(second.map_or(StepUpMethod::Password, StepUpMethod::from)),
        AuthMethod::Passkey => Some(second.map_or(StepUpMethod::Passkey, StepUpMethod::from)),
        AuthMethod::MagicLink | AuthMethod::Sso | AuthMethod::Provider | AuthMethod::SignUp => None,
    }
}

/// Whether the account's own second factor is asked for after a sign-in at its identity provider; nothing where it has none that
/// can be asked for a step-up.
/// Where it is not, the provider asks for one, and a sign-in there is as good here.
fn provider_leaves_second_factor_to_us(conn: &mut Conn, id: &UserId) -> Result<Option<bool>> {
    let newest = identities::table
        .inner_join(connections::table)
        .filter(identities::user_id.eq(id))
        .filter(connections::protocol.eq(Protocol::Saml).or(connections::can_step_up))
        .order((identities::created_at.desc(), identities::id.desc()));
    let of = newest.select((connections::asks_second_factor, connections::organisation_id));
    let Some((asks, organisation)) = of.first::<(bool, OrganisationId)>(conn).optional()? else {
        return Ok(None);
    };
    let user = user::by_id(conn, id)?;
    Ok(Some(asks || !stands_in(conn, &organisation, &user)?))
}

/// Whether an organisation's identity provider may stand in for the second factor of `user`: where the organisation has the
/// domain of the account's address proved, now.
pub(crate) fn stands_in(conn: &mut Conn, organisation: &OrganisationId, user: &User) -> Result<bool> {
    let domain = domain::verified(conn, &user.email.domain())?;
    Ok(user.is_verified() && domain.is_some_and(|domain| domain.organisation_id == *organisation))
}

// The tenth wrong one in a row ends the session.
const MOST_WRONG: i32 = 9;

/// Counts a password that is about to be checked in a session: each costs a hash.
pub(crate) fn count_password(tx: &mut Tx, session: &SessionId) -> Result<()> {
    let most = tx.config.limits.login_per_address;
    rate_limit::consume(tx, &Limit::new("step-up", session.as_str(), most, TimeDelta::minutes(1)))
}

fn wrong_in_a_row(session: &SessionId) -> Limit {
    Limit::new("step-up-streak", session.as_str(), MOST_WRONG, TimeDelta::days(1))
}

/// Notes a step-up of `user` that was right.
pub(crate) fn passed(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    here: &CurrentSession,
    with: StepUpMethod,
) -> Result<()> {
    // A password, which whoever stole the session may know, gives nobody more guesses at a second factor.
    if with != StepUpMethod::Password || !factors::of(tx.conn, user)?.is_second_due() {
        rate_limit::clear(tx, &wrong_in_a_row(&here.id))?;
    }
    audit::record(tx, actor, user, Event::SteppedUp { with: with.as_str() })?;
    session::mark_stepped_up(tx, &here.id, with)
}

/// What a wrong step-up comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    /// It may be tried again.
    Again,
    /// It was one too many: the session is over.
    Ended,
}

/// Notes a step-up that was wrong; one too many in a row ends the session that made them, and no other. `with` is the kind
/// of what was given, `device` what it was given from.
pub(crate) fn missed(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    here: &SessionId,
    with: &'static str,
    device: &str,
) -> Result<Missed> {
    audit::record(tx, actor, &user.id, Event::StepUpFailed { with })?;
    if rate_limit::try_consume(tx, &wrong_in_a_row(here))? {
        return Ok(Missed::Again);
    }
    session::end(tx, here)?;
    audit::record(tx, actor, &user.id, Event::StepUpsExhausted { session: here.clone() })?;
    // Whoever has the password can begin one session after the other.
    let hourly = Limit::new("mail-step-ups", user.id.as_str(), 1, TimeDelta::hours(1));
    // Mail goes to people, never to claims.
    if user.is_verified() && rate_limit::try_consume(tx, &hourly)? {
        let when = tx.now.exact();
        let email = emails::wrong_step_ups(&tx.config.site, &user.email, &user.name, &when, device)?;
        tx.mail(Some(&user.id), email)?;
    }
    Ok(Missed::Ended)
}
