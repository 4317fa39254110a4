//! Passkey ceremonies: a challenge is out, and whoever it was for answers it once.
//!
//! The challenge itself is a one-time token. It is good for one purpose, for five minutes, and where it was asked for:
//! in that session, for that sign-in that waits, or in that browser.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::passkeys;
use crate::{
    db::{Conn, Tx},
    error::{Error, Result, refusals},
    ids::{PasskeyId, SessionId, UserId},
    model::{
        audit::Actor,
        network,
        passkey::{self, PASSKEY_TAKEN, Passkey},
        rate_limit::{self, Limit},
        sign_in::Outcome,
        token::{self, PASSKEY_CEREMONY, PendingSignIn, Purpose, RegisterPasskey, UsePasskey},
        user::{self, User},
    },
    secret::{self, Secret},
    webauthn::{Assertion, Challenge, Credential, Registration, RelyingParty, Verdict},
};

refusals! {
    /// A passkey was asked for too long ago, by another browser, or its answer was used before.
    PASSKEY_EXPIRED = ("passkey_expired", 422, "That took too long, or was answered before. Try it again.");
}

const SEAL: &str = "passkey_ceremony";

/// Where a challenge was asked for, and may be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CeremonyBinding {
    /// In a session.
    Session(SessionId),
    /// In a sign-in that waits for its second factor. Holds the digest of its secret.
    Pending(String),
    /// In a browser. Holds the digest of the mark in its short-lived cookie.
    Browser(String),
}

impl CeremonyBinding {
    /// A sign-in that waits.
    pub(crate) fn pending(secret: &Secret<PendingSignIn>) -> Self {
        CeremonyBinding::Pending(secret.digest())
    }

    /// A browser with this mark.
    pub(crate) fn browser(mark: &str) -> Self {
        CeremonyBinding::Browser(secret::digest(mark))
    }
}

/// What a challenge's token says.
#[derive(Serialize, Deserialize)]
struct Ceremony {
    binding: CeremonyBinding,
    state: String,
}

/// What came of an answer.
#[derive(Debug)]
pub(crate) enum AssertionOutcome {
    /// It is right: who it is, and with which passkey, which is noted as used.
    Right(Box<User>, PasskeyId),
    /// It is not right, though the passkey is one of theirs.
    Wrong(Box<User>, Outcome),
    /// Nobody's.
    Unknown,
}

/// Asks `user` for a new passkey. Returns what the browser takes.
pub(crate) fn ask_for_new(
    tx: &mut Tx,
    party: &RelyingParty,
    user: &User,
    binding: CeremonyBinding,
) -> Result<Value> {
    let held: Vec<Credential> =
        passkey::list(tx.conn, &user.id)?.iter().map(Passkey::credential).collect::<Result<_>>()?;
    let challenge = party.ask_for_new(user, &held)?;
    send_out::<RegisterPasskey>(tx, challenge, Some(&user.id), binding)
}

/// Asks `user` for one of their passkeys.
pub(crate) fn ask(
    tx: &mut Tx,
    party: &RelyingParty,
    user: &UserId,
    binding: CeremonyBinding,
) -> Result<Value> {
    let allowed = passkey::usable(tx.conn, user, party)?;
    let challenge = party.ask(Some(&allowed))?;
    send_out::<UsePasskey>(tx, challenge, Some(user), binding)
}

/// Asks whoever it is for a passkey of this site.
pub(crate) fn ask_anybody(tx: &mut Tx, party: &RelyingParty, binding: CeremonyBinding) -> Result<Value> {
    token::discard_expired::<UsePasskey>(tx)?;
    let challenge = party.ask(None)?;
    send_out::<UsePasskey>(tx, challenge, None, binding)
}

/// Counts a challenge for a client before it is made: each is a row.
pub(crate) fn count_challenge(tx: &mut Tx, ip: &str) -> Result<()> {
    let most = tx.config.limits.passkeys_per_network;
    let network = network::client_network(ip);
    rate_limit::consume(tx, &Limit::new("passkey-challenges", &network, most, TimeDelta::minutes(1)))
}

fn send_out<P: Purpose<Claim = String>>(
    tx: &mut Tx,
    challenge: Challenge,
    user: Option<&UserId>,
    binding: CeremonyBinding,
) -> Result<Value> {
    let ceremony = serde_json::to_string(&Ceremony { binding, state: challenge.state })?;
    let sealed = tx.config.keys.seal(SEAL, &ceremony)?;
    token::store(tx, &Secret::<P>::from_text(challenge.challenge), user, &sealed, PASSKEY_CEREMONY)?;
    Ok(challenge.options)
}

/// Takes a challenge back with its answer, once. [`PASSKEY_EXPIRED`] where it was not asked for here, or is used
/// up or too old.
fn consume_challenge<P: Purpose<Claim = String>>(
    tx: &mut Tx,
    challenge: Option<String>,
    binding: &CeremonyBinding,
) -> Result<(Option<UserId>, String)> {
    let secret = Secret::<P>::from_text(challenge.ok_or(PASSKEY_EXPIRED.error())?);
    let (user, sealed) = token::redeem_optional(tx, &secret).map_err(|error| match error {
        Error::DeadLink => PASSKEY_EXPIRED.error(),
        error => error,
    })?;
    let ceremony: Ceremony = serde_json::from_str(&tx.config.keys.open(SEAL, &sealed)?)?;
    if ceremony.binding == *binding { Ok((user, ceremony.state)) } else { Err(PASSKEY_EXPIRED.error()) }
}

/// Judges a new passkey of `user`. `None` where it is not right; the challenge is used up either way.
pub(crate) fn judge_new(
    tx: &mut Tx,
    party: &RelyingParty,
    user: &UserId,
    binding: &CeremonyBinding,
    answer: &Registration,
) -> Result<Option<Credential>> {
    let (asked, state) = consume_challenge::<RegisterPasskey>(tx, answer.challenge(), binding)?;
    if asked.as_ref() != Some(user) {
        return Err(PASSKEY_EXPIRED.error());
    }
    if passkey::by_credential(tx.conn, &answer.credential_id())?.is_some() {
        return Err(PASSKEY_TAKEN.error());
    }
    party.judge_new(answer, &state)
}

/// Judges what a passkey signed, and notes its use. Of one answer sent many times, one is judged. A passkey that turns
/// out to be copied is closed, and its owner told; `device` is what it was used from.
pub(crate) fn judge(
    tx: &mut Tx,
    party: &RelyingParty,
    actor: &Actor,
    device: &str,
    binding: &CeremonyBinding,
    answer: &Assertion,
) -> Result<AssertionOutcome> {
    let credential_id = answer.credential_id();
    if let Some((_, owner)) = with_owner(tx.conn, &credential_id)? {
        tx.lock(&owner.email.normalized())?;
    }
    // Again: either may have changed while this one waited.
    let found = with_owner(tx.conn, &credential_id)?;
    let (asked, state) = consume_challenge::<UsePasskey>(tx, answer.challenge(), binding)?;
    let Some((passkey, owner)) = found else { return Ok(AssertionOutcome::Unknown) };
    // Where anybody was asked, the passkey has to say whose it is (WebAuthn §7.2 step 6).
    let is_theirs = match (asked, answer.names_user()) {
        (Some(asked), false) => asked == owner.id,
        (Some(asked), true) => asked == owner.id && answer.user().as_ref() == Some(&owner.id),
        (None, _) => answer.user().as_ref() == Some(&owner.id),
    };
    if !is_theirs || !owner.is_verified() {
        return Ok(AssertionOutcome::Wrong(Box::new(owner), Outcome::WrongPasskey));
    }
    if passkey.copied_at.is_some() {
        return Ok(AssertionOutcome::Wrong(Box::new(owner), Outcome::CopiedPasskey));
    }
    let is_copied = match party.judge(answer, &state, &passkey.credential()?)? {
        Verdict::Wrong => return Ok(AssertionOutcome::Wrong(Box::new(owner), Outcome::WrongPasskey)),
        Verdict::Right(told) => !passkey::used(tx, &passkey.id, &told)?,
        Verdict::Copied => true,
    };
    if is_copied {
        passkeys::close(tx, &actor.known_as(&owner.id), &owner, &passkey.id, device)?;
        return Ok(AssertionOutcome::Wrong(Box::new(owner), Outcome::CopiedPasskey));
    }
    Ok(AssertionOutcome::Right(Box::new(owner), passkey.id))
}

/// The passkey that its authenticator calls `credential_id`, and whose it is.
fn with_owner(conn: &mut Conn, credential_id: &str) -> Result<Option<(Passkey, User)>> {
    let found = passkey::by_credential(conn, credential_id)?;
    found.map(|passkey| user::by_id(conn, &passkey.user_id).map(|owner| (passkey, owner))).transpose()
}
