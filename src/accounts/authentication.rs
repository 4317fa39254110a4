//! The one way in. Every proof of who somebody is ends here; no flow starts a session by itself.
//!
//! Where a second factor is due there is no session yet, only a sign-in that waits: see [`SignInOutcome::SecondFactorRequired`].

use super::{
    client_facts::ClientFacts,
    containment::{self, Occasion},
    factors::{self, Factors},
    known_devices::KnownDevices,
    session_cap, sso_policy, step_up,
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::Result,
    ids::{ConnectionId, PasskeyId, SessionId, UserId},
    kinds::{AuthMethod, Factor},
    mail::{EmailKind, emails},
    model::{
        audit::{self, audit_events},
        network,
        provider_identity::ProviderIdentity,
        rate_limit,
        session::{self, CurrentSession, NewSession, SessionSecret},
        sign_in::{self, Attempt, Outcome},
        sso_session::SsoSession,
        token::{self, FirstFactor, PendingLink, PendingSignIn},
        user::{self, User},
    },
    secret::Secret,
    urls,
};

audit_events! {
    /// A session began.
    SignedIn { method: AuthMethod, session: SessionId } => of_sign_in("signed_in"),
    /// A first factor was wrong.
    SignInFailed { method: AuthMethod } => failure("sign_in_failed"),
    /// A first factor was right, and a second is due.
    SecondFactorAsked { method: AuthMethod } => of_sign_in("second_factor_asked"),
    /// A second factor was wrong.
    SecondFactorFailed {} => failure("second_factor_failed"),
    /// A response of an identity provider was refused.
    SsoRefused { connection: ConnectionId, reason: String } => failure("sso_refused"),
}

/// What came of a first factor.
#[derive(Debug)]
pub(crate) enum SignInOutcome {
    /// It was enough.
    Complete(IssuedSession),
    /// A second one is due.
    SecondFactorRequired(PendingSecondFactor),
}

/// A sign-in that waits for its second factor, to be handed to its browser.
#[derive(Debug)]
pub(crate) struct PendingSecondFactor {
    /// Opens `/login/2fa` and nothing else.
    pub secret: Secret<PendingSignIn>,
    /// What the second factor may be.
    pub methods: Vec<&'static str>,
}

/// A session secret that was just made, to be handed to its browser.
#[derive(Debug)]
pub(crate) struct IssuedSession {
    /// What the session's cookie holds.
    pub secret: SessionSecret,
    /// Whether its cookie outlives the browser.
    pub remembered: bool,
    /// How somebody came in; nothing where a session only got a new secret.
    pub method: Option<AuthMethod>,
    /// Says that the account knows this browser, where that is news.
    pub known: Option<KnownDevices>,
}

/// Takes a first factor of `user`. Where a second one is due, the sign-in waits for it.
pub(crate) fn complete_first_factor(
    tx: &mut Tx,
    client: &ClientFacts,
    user: &User,
    method: AuthMethod,
    remembered: bool,
) -> Result<SignInOutcome> {
    user::ensure_not_locked(user)?;
    let factors = factors::of(tx.conn, &user.id)?;
    enforce_sso_policy(tx, client, user)?;
    let first = FirstFactor { method, remembered, ends_at: None, sso: None };
    match factors.is_second_due() {
        false => establish_session(tx, client, user, first, None).map(SignInOutcome::Complete),
        true => wait(tx, client, user, first, &factors),
    }
}

/// Takes what an identity provider said of `user`. Its session ends with the one there, and no later than that is said to;
/// the second factor of the account here is asked for where the connection says so.
pub(crate) fn complete_sso(
    tx: &mut Tx,
    client: &ClientFacts,
    user: &User,
    (sso, ends_at): (Option<SsoSession>, Option<Timestamp>),
    asks_second_factor: bool,
    remembered: bool,
) -> Result<SignInOutcome> {
    user::ensure_not_locked(user)?;
    let factors = factors::of(tx.conn, &user.id)?;
    let ends_at = ends_at.map(|at| at.unix());
    let first = FirstFactor { method: AuthMethod::Sso, remembered, ends_at, sso };
    match asks_second_factor && factors.is_second_due() {
        false => establish_session(tx, client, user, first, None).map(SignInOutcome::Complete),
        true => wait(tx, client, user, first, &factors),
    }
}

/// Takes an identity at a provider that opens the account of `user`: one factor, however many its provider asked for. `sid` is
/// what the provider calls its own session, where it does.
pub(crate) fn complete_provider(
    tx: &mut Tx,
    client: &ClientFacts,
    user: &User,
    identity: &ProviderIdentity,
    sid: Option<&str>,
    remembered: bool,
) -> Result<SignInOutcome> {
    user::ensure_not_locked(user)?;
    let factors = factors::of(tx.conn, &user.id)?;
    enforce_sso_policy(tx, client, user)?;
    let there = SsoSession::of_identity(&identity.id, (&identity.issuer, &identity.subject), sid);
    let first = FirstFactor { method: AuthMethod::Provider, remembered, ends_at: None, sso: Some(there) };
    match factors.is_second_due() {
        false => establish_session(tx, client, user, first, None).map(SignInOutcome::Complete),
        true => wait(tx, client, user, first, &factors),
    }
}

/// People of a domain that signs in through its organisation only come in no other way; but whoever is about to connect
/// the two accounts does so once.
fn enforce_sso_policy(tx: &mut Tx, client: &ClientFacts, user: &User) -> Result<()> {
    if sso_policy::lock_required_connection(tx, user)?.is_none()
        || is_about_to_link(tx.conn, client, &user.id, tx.now)
    {
        return Ok(());
    }
    Err(sso_policy::sso_required(urls::sso_login(user.email.spelled())))
}

/// Whether this browser is about to connect `user` with what an organisation says of them.
pub(crate) fn is_about_to_link(conn: &mut Conn, client: &ClientFacts, user: &UserId, now: Timestamp) -> bool {
    let Some(link) = &client.linking else { return false };
    // A provider is no organisation: what is connected with one is no reason to sign in otherwise.
    token::peek(conn, link).is_ok_and(|token| {
        token.user_id == *user && token.is_live(now) && matches!(token.claim, PendingLink::Connection(_))
    })
}

fn wait(
    tx: &mut Tx,
    client: &ClientFacts,
    user: &User,
    first: FirstFactor,
    factors: &Factors,
) -> Result<SignInOutcome> {
    let method = first.method;
    let life = tx.config.lifetimes.pending_sign_in;
    let secret = token::issue_with::<PendingSignIn>(tx, &user.id, &first, life)?;
    let actor = client.actor().known_as(&user.id);
    audit::record(tx, &actor, &user.id, Event::SecondFactorAsked { method })?;
    Ok(SignInOutcome::SecondFactorRequired(PendingSecondFactor { secret, methods: factors.second() }))
}

/// Ends the wait of a sign-in whose second factor was checked in this transaction. Of many at once, one succeeds;
/// [`crate::error::Error::DeadLink`] for the others.
pub(crate) fn finish(
    tx: &mut Tx,
    client: &ClientFacts,
    user: &User,
    pending: &Secret<PendingSignIn>,
    second: PassedSecondFactor,
) -> Result<IssuedSession> {
    let (_, first) = token::redeem(tx, pending)?;
    if first.method != AuthMethod::Sso {
        // They may sign in through their organisation only since the first factor.
        enforce_sso_policy(tx, client, user)?;
    }
    establish_session(tx, client, user, first, Some(second))
}

/// Takes a passkey that verified its person (WebAuthn §6.1, flag UV): two proofs in one.
pub(crate) fn complete_passkey(
    tx: &mut Tx,
    client: &ClientFacts,
    user: &User,
    passkey: PasskeyId,
    remembered: bool,
) -> Result<IssuedSession> {
    let second = PassedSecondFactor { factor: Factor::Passkey, passkey: Some(passkey) };
    enforce_sso_policy(tx, client, user)?;
    let first = FirstFactor { method: AuthMethod::Passkey, remembered, ends_at: None, sso: None };
    establish_session(tx, client, user, first, Some(second))
}

/// A second factor that was right.
#[derive(Debug)]
pub(crate) struct PassedSecondFactor {
    /// What it was.
    pub factor: Factor,
    /// Which passkey, where it was one.
    pub passkey: Option<PasskeyId>,
}

/// A fresh session with a fresh secret. The one that this browser held ends.
fn establish_session(
    tx: &mut Tx,
    client: &ClientFacts,
    user: &User,
    first: FirstFactor,
    second: Option<PassedSecondFactor>,
) -> Result<IssuedSession> {
    user::ensure_not_locked(user)?;
    let FirstFactor { method, remembered, ends_at, sso } = first;
    let is_sign_up =
        method == AuthMethod::SignUp || (method == AuthMethod::Provider && user.created_at == tx.now);
    let ends_at = ends_at.map(Timestamp::from_unix);
    for held in &client.presented {
        session::end_by_secret(tx, held)?;
    }
    if let Some(binding) = &client.binding {
        session::end_twin(tx, &user.id, binding)?;
    }
    let known_from = user::known_from(tx, &user.id)?;
    let known_since = client.known.known_since(&user.id, known_from);
    let is_new_device = is_new(tx, client, user, method, known_from)?;
    let (device, ip) = (client.device(), client.ip.clone());
    let (second_factor, passkey) =
        second.map_or((None, None), |second| (Some(second.factor), second.passkey));
    let attempt = Attempt {
        ip: ip.clone(),
        device: device.clone(),
        method,
        outcome: Outcome::Success,
        is_new_device,
        had_cookie: known_since.is_some(),
        second_factor,
    };
    sign_in::note(tx, &user.id, attempt)?;
    let (fingerprint, binding) = (client.fingerprint(), client.binding.clone());
    let new = NewSession {
        method,
        remembered,
        device,
        fingerprint,
        ip,
        second_factor,
        passkey,
        stepped_up_with: tx
            .config
            .step_up_after_sign_in
            .then(|| step_up::by_sign_in(method, second_factor))
            .flatten(),
        ends_at,
        sso,
        binding,
        // The browser in which an account begins is known to it from then on.
        browser_known_since: known_since.or(is_sign_up.then_some(tx.now)),
        browser_seen_since: client.known.seen_since(&user.id),
    };
    let actor = client.actor().known_as(&user.id);
    session_cap::make_room(tx, &actor, &user.id)?;
    let (session, secret) = session::start(tx, &user.id, new)?;
    audit::record(tx, &actor, &user.id, Event::SignedIn { method, session: session.id.clone() })?;
    if is_new_device {
        send_new_device_alert(tx, client, user, session.id)?;
    }
    let known = client.known.with(&user.id, tx.now, known_since);
    Ok(IssuedSession { secret, remembered, method: Some(method), known: Some(known) })
}

/// Gives the visitor's session a new secret; the old one is dead at once.
pub(crate) fn rotate(tx: &mut Tx, session: &CurrentSession) -> Result<IssuedSession> {
    Ok(IssuedSession {
        secret: session::rotate(tx, session)?,
        remembered: session.remembered,
        method: None,
        known: None,
    })
}

/// The same where the password was changed: whoever knew the old one is a stranger again, and the account forgets every
/// browser but this one, which it has known since its cookie says so and counts.
pub(crate) fn change_password_here(
    tx: &mut Tx,
    client: &ClientFacts,
    user: &UserId,
    session: &CurrentSession,
) -> Result<IssuedSession> {
    let before = user::known_from(tx, user)?;
    let since = client.known.known_since(user, before);
    let actor = client.actor().known_as(user);
    containment::end_access(tx, &actor, user, Occasion::PasswordChanged(&session.id))?;
    let known = client.known.with(user, user::known_from(tx, user)?, since);
    Ok(IssuedSession { known: Some(known), ..rotate(tx, session)? })
}

/// Whether the owner should be asked about this browser: the first sign-in is compared with the sign-up. Never where there
/// is nothing to compare with, and never where the address is only a claim: a stranger's mailbox is not a place for news
/// about somebody's account.
fn is_new(
    tx: &mut Tx,
    client: &ClientFacts,
    user: &User,
    method: AuthMethod,
    known_from: Timestamp,
) -> Result<bool> {
    if method == AuthMethod::SignUp || !user.is_verified() {
        return Ok(false);
    }
    if client.known.known_since(&user.id, known_from).is_some() {
        return Ok(false);
    }
    if !sign_in::has_any(tx.conn, &user.id)? {
        // Nothing to compare with: an account that was made just now, or one whose history was swept while it slept.
        return Ok(user.created_at < tx.now - tx.config.lifetimes.history);
    }
    Ok(!sign_in::is_familiar(tx.conn, &user.id, &client.ip, &client.device(), known_from)?)
}

fn send_new_device_alert(tx: &mut Tx, client: &ClientFacts, user: &User, session: SessionId) -> Result<()> {
    if !rate_limit::try_consume_mail(tx, EmailKind::NewSignIn, &user.email)? {
        return Ok(());
    }
    let device = client.device().name();
    let secret = containment::way_back(tx, user, Some(session), None, &device, &client.ip)?;
    let (site, when) = (&tx.config.site, tx.now.exact());
    let place = network::place(&client.ip);
    let email = emails::new_sign_in(site, &user.email, &user.name, &device, &when, &place, secret.reveal())?;
    tx.mail(Some(&user.id), email)
}
