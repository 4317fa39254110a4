//! One-time secrets that travel by mail. A link proves one thing: its [`Purpose`].

mod authorization;
mod gate_code;
mod hand_over;
mod invite;
mod purpose;
mod reading;
mod use_address;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::tokens},
    error::{Error, Result},
    ids::UserId,
    secret::Secret,
};

pub(crate) use self::purpose::{
    OidcIntent, OidcParked, OidcRequest, OidcRequestState, OidcVia, ParkedResponse,
};
pub(crate) use self::{
    authorization::{AskedFor, AuthorizationCode, AuthorizeRequest, CodeGrant},
    gate_code::{GateCode, GateHandover},
    hand_over::{HandOver, HandOverOffer},
    invite::{Invite, Invited},
    purpose::{
        AddressChange, BeganWith, CancelDeletion, ChangeEmail, CompleteSignUp, FirstFactor, LinkIdentity,
        LogoutOffer, LogoutSent, MagicLink, MagicLinkBrowser, MagicLinkCode, MagicLinkRequest,
        PASSKEY_CEREMONY, PendingLink, PendingSignIn, Purpose, RegisterPasskey, ReportSignIn, ReportedEvent,
        ResetPassword, ResumeRequest, RevertEmailChange, SetUpConnection, SetupLinkState, SignOutThere,
        SignUpState, SsoHandoff, StopFactorReset, UsePasskey, VerifyEmail,
    },
    reading::{Token, all_outstanding, claim, is_live, is_used, outstanding, peek, peek_unowned},
    use_address::UseAddress,
};
pub use purpose::{AuthnRequestState, SamlRequest, SsoIntent};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "tokens",
    title: "Links we sent you, and steps under way",
    why: "So that a link works once and not too long. What has expired is removed a week later; until then it can be \
          told what became of it.",
    columns: &[
        ("hash", "a fingerprint of the secret in the link"),
        ("user_id", "that it is yours"),
        ("purpose", "what it is for"),
        (
            "claim",
            "what it needs to know: an address, a device and its network address, a page you were going to, or a form you were filling in",
        ),
    ],
    erasure: Erasure::Removed,
    afterwards: "They stop working as soon as you ask to be deleted.",
    export: &[ExportSection { name: "links", is_list: true, read: exported }],
    erase: |tx, id, _| {
        diesel::delete(tokens::table.filter(tokens::user_id.eq(id))).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    type Row = (String, Timestamp, Timestamp, Option<Timestamp>);
    let found: Vec<Row> = tokens::table
        .filter(tokens::user_id.eq(owner))
        .order((tokens::created_at, tokens::hash))
        .offset(skip)
        .limit(most)
        .select((tokens::purpose, tokens::created_at, tokens::expires_at, tokens::used_at))
        .load(conn)?;
    let told = found.into_iter().map(|(purpose, created_at, expires_at, used_at)| {
        json!({ "purpose": purpose, "createdAt": created_at, "expiresAt": expires_at, "usedAt": used_at })
    });
    Ok(told.collect())
}

// So that somebody who opens an old link is told what became of it.
const KEPT_EXPIRED: TimeDelta = TimeDelta::days(7);

/// Removes up to `most` tokens that expired a while ago. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let gone = tokens::expires_at.le(tx.now - KEPT_EXPIRED);
    let old = tokens::table.filter(gone).order(tokens::expires_at).limit(most);
    let hashes: Vec<String> = old.select(tokens::hash).load(tx.conn)?;
    Ok(diesel::delete(tokens::table.filter(tokens::hash.eq_any(hashes)).filter(gone)).execute(tx.conn)?)
}

// What is open to the owner of an account when somebody else has it. None can be asked for a second time.
const WAYS_BACK: [&str; 4] =
    [RevertEmailChange::NAME, ReportSignIn::NAME, CancelDeletion::NAME, StopFactorReset::NAME];

/// The latest moment at which a token can have been made that works at `now`. One from a later moment was made while the
/// clock was wrong, and would work until then; a way back is worth that.
fn made_by(is_way_back: bool, now: Timestamp) -> Timestamp {
    if is_way_back { now + TimeDelta::days(36_500) } else { now.latest_start() }
}

/// Makes a token; older ones of the same purpose die.
pub(crate) fn issue<P: Purpose>(tx: &mut Tx, user: &UserId, claim: &P::Claim) -> Result<Secret<P>> {
    revoke::<P>(tx, user)?;
    let life = P::life(&tx.config.lifetimes);
    issue_with(tx, user, claim, life)
}

/// The same beside older ones, which stay, and with a life of its own.
pub(crate) fn issue_with<P: Purpose>(
    tx: &mut Tx,
    user: &UserId,
    claim: &P::Claim,
    life: TimeDelta,
) -> Result<Secret<P>> {
    let secret = Secret::random()?;
    store(tx, &secret, Some(user), claim, life)?;
    Ok(secret)
}

/// Makes a token of a secret that is there already, for `user` or for whoever will turn out to hold it.
pub(crate) fn store<P: Purpose>(
    tx: &mut Tx,
    secret: &Secret<P>,
    user: Option<&UserId>,
    claim: &P::Claim,
    life: TimeDelta,
) -> Result<()> {
    let claim = serde_json::to_string(claim)?;
    insert(tx, secret, user, claim, life)
}

fn insert<P: Purpose>(
    tx: &mut Tx,
    secret: &Secret<P>,
    user: Option<&UserId>,
    claim: String,
    life: TimeDelta,
) -> Result<()> {
    diesel::insert_into(tokens::table)
        .values((
            tokens::hash.eq(secret.digest()),
            tokens::user_id.eq(user),
            tokens::purpose.eq(P::NAME),
            tokens::claim.eq(claim),
            tokens::created_at.eq(tx.now),
            tokens::expires_at.eq(tx.now + life),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Makes a token that is nobody's yet: whom it is about turns out when it is used.
pub fn issue_unowned<P: Purpose>(tx: &mut Tx, claim: &P::Claim) -> Result<Secret<P>> {
    let secret = Secret::random()?;
    store_unowned(tx, &secret, claim)?;
    Ok(secret)
}

/// The same with a secret that was made before.
pub(crate) fn store_unowned<P: Purpose>(tx: &mut Tx, secret: &Secret<P>, claim: &P::Claim) -> Result<()> {
    let life = P::life(&tx.config.lifetimes);
    store(tx, secret, None, claim, life)
}

/// Uses a token that is nobody's. Of many at once, one succeeds; the others get [`Error::DeadLink`].
pub(crate) fn redeem_unowned<P: Purpose>(tx: &mut Tx, secret: &Secret<P>) -> Result<P::Claim> {
    redeem_optional(tx, secret).map(|(_, claim)| claim)
}

/// Uses a token. Of many at once, one succeeds; the others get [`Error::DeadLink`].
pub(crate) fn redeem<P: Purpose>(tx: &mut Tx, secret: &Secret<P>) -> Result<(UserId, P::Claim)> {
    redeem_by_digest::<P>(tx, &secret.digest())
}

/// The same by the digest of its secret, where something else stands for the secret.
pub(crate) fn redeem_by_digest<P: Purpose>(tx: &mut Tx, digest: &str) -> Result<(UserId, P::Claim)> {
    let (user_id, claim) = use_up::<P>(tx, digest)?;
    Ok((user_id.ok_or(Error::DeadLink)?, claim))
}

/// The same for a token that need not be anybody's.
pub(crate) fn redeem_optional<P: Purpose>(
    tx: &mut Tx,
    secret: &Secret<P>,
) -> Result<(Option<UserId>, P::Claim)> {
    use_up::<P>(tx, &secret.digest())
}

fn use_up<P: Purpose>(tx: &mut Tx, digest: &str) -> Result<(Option<UserId>, P::Claim)> {
    let (user_id, claim): (Option<UserId>, String) = diesel::update(live(P::NAME, digest, tx.now))
        .set(tokens::used_at.eq(tx.now))
        .returning((tokens::user_id, tokens::claim))
        .get_result(tx.conn)
        .optional()?
        .ok_or(Error::DeadLink)?;
    Ok((user_id, serde_json::from_str(&claim)?))
}

/// The token with this digest, where it would be redeemed at `now`.
#[diesel::dsl::auto_type(no_type_alias)]
fn live<'a>(purpose: &'static str, digest: &'a str, now: Timestamp) -> _ {
    let latest: Timestamp = made_by(WAYS_BACK.contains(&purpose), now);
    tokens::table
        .find(digest)
        .filter(tokens::purpose.eq(purpose))
        .filter(tokens::used_at.is_null())
        .filter(tokens::expires_at.gt(now))
        .filter(tokens::created_at.le(latest))
}

/// Counts one code that is offered with a token, before it is looked at. [`Error::DeadLink`] where the token is not live
/// or `most` were offered already.
pub(crate) fn count_attempt<P: Purpose>(
    tx: &mut Tx,
    secret: &Secret<P>,
    most: i32,
) -> Result<(UserId, P::Claim, i32)> {
    let (user_id, claim, left) = count_attempt_unowned(tx, secret, most)?;
    Ok((user_id.ok_or(Error::DeadLink)?, claim, left))
}

/// The same with a token that may be nobody's.
pub(crate) fn count_attempt_unowned<P: Purpose>(
    tx: &mut Tx,
    secret: &Secret<P>,
    most: i32,
) -> Result<(Option<UserId>, P::Claim, i32)> {
    let digest = secret.digest();
    let open = live(P::NAME, &digest, tx.now).filter(tokens::tries.lt(most));
    let (user_id, claim, tries): (Option<UserId>, String, i32) = diesel::update(open)
        .set(tokens::tries.eq(tokens::tries + 1))
        .returning((tokens::user_id, tokens::claim, tokens::tries))
        .get_result(tx.conn)
        .optional()?
        .ok_or(Error::DeadLink)?;
    Ok((user_id, serde_json::from_str(&claim)?, most - tries))
}

/// Kills one token that was not used, by its secret. Harmless twice.
pub(crate) fn discard<P: Purpose>(tx: &mut Tx, secret: &Secret<P>) -> Result<()> {
    discard_by_digest::<P>(tx, &secret.digest())
}

/// The same by the digest of its secret.
pub(crate) fn discard_by_digest<P: Purpose>(tx: &mut Tx, digest: &str) -> Result<()> {
    diesel::delete(tokens::table.find(digest).filter(tokens::purpose.eq(P::NAME))).execute(tx.conn)?;
    Ok(())
}

/// Keeps a token that is nobody's, with a secret that was made elsewhere; an older one with the same secret is replaced.
pub(crate) fn replace_unowned<P: Purpose>(tx: &mut Tx, secret: &Secret<P>, claim: &P::Claim) -> Result<()> {
    discard(tx, secret)?;
    store_unowned(tx, secret, claim)
}

/// Forgets the tokens of one purpose that are nobody's and no longer work.
pub(crate) fn discard_expired<P: Purpose>(tx: &mut Tx) -> Result<()> {
    let nobodys = tokens::table.filter(tokens::user_id.is_null()).filter(tokens::purpose.eq(P::NAME));
    diesel::delete(nobodys.filter(tokens::expires_at.le(tx.now))).execute(tx.conn)?;
    Ok(())
}

/// Kills the tokens of one purpose that `user` has and did not use.
pub(crate) fn revoke<P: Purpose>(tx: &mut Tx, user: &UserId) -> Result<()> {
    let open = tokens::table.filter(tokens::user_id.eq(user)).filter(tokens::used_at.is_null());
    diesel::delete(open.filter(tokens::purpose.eq(P::NAME))).execute(tx.conn)?;
    Ok(())
}

/// Kills the tokens of one purpose that anybody has and did not use.
pub(crate) fn revoke_for_all<P: Purpose>(tx: &mut Tx) -> Result<()> {
    let open = tokens::table.filter(tokens::purpose.eq(P::NAME)).filter(tokens::used_at.is_null());
    diesel::delete(open).execute(tx.conn)?;
    Ok(())
}

/// Kills every token of `user` that was not used yet, but for the ways back: for the old mailbox after a change of
/// address, from a sign-in that was somebody else's, from a deletion, and from a reset of the second factors. Whoever took
/// an account over must not be able to close them.
pub(crate) fn revoke_all(tx: &mut Tx, user: &UserId) -> Result<()> {
    let open = tokens::table.filter(tokens::user_id.eq(user)).filter(tokens::used_at.is_null());
    diesel::delete(open.filter(tokens::purpose.ne_all(WAYS_BACK))).execute(tx.conn)?;
    Ok(())
}

/// Kills those tokens of a purpose that `user` has and did not use of which `is_spent` says so.
pub(crate) fn revoke_where<P: Purpose>(
    tx: &mut Tx,
    user: &UserId,
    is_spent: impl Fn(&P::Claim) -> bool,
) -> Result<()> {
    let open = tokens::table.filter(tokens::user_id.eq(user)).filter(tokens::used_at.is_null());
    let open = open.filter(tokens::purpose.eq(P::NAME)).select((tokens::hash, tokens::claim));
    let mut spent = Vec::new();
    for (hash, claim) in open.load::<(String, String)>(tx.conn)? {
        if is_spent(&serde_json::from_str(&claim)?) {
            spent.push(hash);
        }
    }
    diesel::delete(tokens::table.filter(tokens::hash.eq_any(spent))).execute(tx.conn)?;
    Ok(())
}

/// Does what [`issue`] does, for nobody: the same work where there is nobody to make a token for.
pub(crate) fn dummy_issue<P: Purpose>(tx: &mut Tx) -> Result<()> {
    let secret = Secret::<P>::random()?;
    diesel::delete(tokens::table.find(secret.digest())).execute(tx.conn)?;
    insert(tx, &secret, None, "null".to_owned(), TimeDelta::zero())
}
