//! One-time secrets that travel by mail. A link proves one thing: its [`Purpose`].

use chrono::TimeDelta;
use diesel::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    connection::Connection,
    holding::{Fate, Holding, Section},
    session::{Method, Session},
    user::User,
};
use crate::{
    clock::Timestamp,
    config::Lifetimes,
    db::{Conn, Id, Tx, schema::tokens},
    error::{Error, Result},
    mail::EmailAddress,
    secret::Secret,
};

/// What is held here about a person, and what becomes of it.
pub const HOLDING: Holding = Holding {
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
            "what it needs to know: an address, a device and its network address, or a form you were filling in",
        ),
    ],
    fate: Fate::Removed,
    afterwards: "They stop working as soon as you ask to be deleted.",
    export: &[Section { name: "links", is_list: true, read: exported }],
    erase: |tx, id, _| {
        diesel::delete(tokens::table.filter(tokens::user_id.eq(id))).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &Id<User>, skip: i64, most: i64) -> Result<Vec<Value>> {
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
pub fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let gone = tokens::expires_at.le(tx.now - KEPT_EXPIRED);
    let old = tokens::table.filter(gone).order(tokens::expires_at).limit(most);
    let hashes: Vec<String> = old.select(tokens::hash).load(tx.conn)?;
    Ok(diesel::delete(tokens::table.filter(tokens::hash.eq_any(hashes)).filter(gone)).execute(tx.conn)?)
}

/// What a token is for. A token of one purpose cannot be redeemed as another.
pub trait Purpose: 'static {
    /// Its name in the table.
    const NAME: &'static str;
    /// What it says besides whose it is.
    type Claim: Serialize + DeserializeOwned;
    /// How long it works.
    fn life(lifetimes: &Lifetimes) -> TimeDelta;
}

/// Proves the address of an account. Claims the normalised address that the link was sent to.
#[derive(Debug)]
pub struct VerifyEmail;

impl Purpose for VerifyEmail {
    const NAME: &'static str = "verify_email";
    type Claim = String;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.verify_link
    }
}

/// Opens the page for a new password. Claims the normalised address that the link was sent to.
#[derive(Debug)]
pub struct ResetPassword;

impl Purpose for ResetPassword {
    const NAME: &'static str = "reset_password";
    type Claim = String;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.reset_link
    }
}

/// Moves an account to a new address. The link goes to the new address.
#[derive(Debug)]
pub struct ChangeEmail;

impl Purpose for ChangeEmail {
    const NAME: &'static str = "change_email";
    type Claim = AddressChange;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.email_change
    }
}

/// Stops a change of address, or takes the old one back. The link goes to the old address.
#[derive(Debug)]
pub struct UndoEmail;

impl Purpose for UndoEmail {
    const NAME: &'static str = "undo_email";
    type Claim = AddressChange;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.email_change
    }
}

/// From which address to which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressChange {
    /// The address before.
    pub old: EmailAddress,
    /// The address after.
    pub new: EmailAddress,
}

/// Keeps an account that was to be deleted. Works until then.
#[derive(Debug)]
pub struct CancelDeletion;

impl Purpose for CancelDeletion {
    const NAME: &'static str = "cancel_deletion";
    type Claim = ();

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.deletion_grace
    }
}

/// "This wasn't me": secures the account after a sign-in from a new device. Claims what was told of it.
#[derive(Debug)]
pub struct NotMe;

impl Purpose for NotMe {
    const NAME: &'static str = "not_me";
    type Claim = ToldSignIn;

    fn life(_: &Lifetimes) -> TimeDelta {
        TimeDelta::days(7)
    }
}

/// A sign-in as its letter told of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ToldSignIn {
    /// When, in seconds since the Unix epoch.
    pub at: i64,
    /// From which device.
    pub device: String,
    /// From which address on the network.
    pub ip: String,
}

/// A form that a step-up interrupted. Claims it sealed.
#[derive(Debug)]
pub struct Interrupted;

impl Purpose for Interrupted {
    const NAME: &'static str = "interrupted";
    type Claim = String;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.step_up
    }
}

/// A sign-in between its first proof and its second. It opens `/login/2fa` and nothing else.
#[derive(Debug)]
pub struct PendingSignIn;

/// The first proof of a sign-in that waits for its second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FirstProof {
    /// What was proved.
    pub method: Method,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
    /// When the session has to end at the latest, where somebody else says so: seconds since the Unix epoch.
    #[serde(default)]
    pub ends_at: Option<i64>,
}

impl Purpose for PendingSignIn {
    const NAME: &'static str = "pending_sign_in";
    type Claim = FirstProof;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.pending_sign_in
    }
}

/// Signs somebody in. The link goes to the address that it claims.
#[derive(Debug)]
pub struct MagicLink;

/// How a link to sign in was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AskedLink {
    /// The normalised address that it was sent to.
    pub address: String,
    /// The digest of what the browser that asked holds.
    pub browser: String,
    /// The short code that the link shows elsewhere, sealed.
    pub code: String,
    /// From which device, in words.
    pub device: String,
    /// From which address on the network.
    pub ip: String,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
    /// Where to go afterwards: a path on this site.
    pub next: Option<String>,
}

impl Purpose for MagicLink {
    const NAME: &'static str = "magic_link";
    type Claim = AskedLink;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.magic_link
    }
}

/// A browser that asked for a link to sign in and may be told its short code. It is nobody's, so that it is the same
/// whether or not there is an account.
#[derive(Debug)]
pub struct MagicCode;

/// Which link a short code stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AskedCode {
    /// The digest of the link's secret.
    pub link: String,
    /// The short code, sealed.
    pub code: String,
}

impl Purpose for MagicCode {
    const NAME: &'static str = "magic_code";
    type Claim = AskedCode;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.magic_link
    }
}

/// Stops an operator's reset of the second factors. Outlives the delay, so that a late reader learns what happened.
#[derive(Debug)]
pub struct StopFactorReset;

impl Purpose for StopFactorReset {
    const NAME: &'static str = "stop_factor_reset";
    type Claim = ();

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        lifetimes.factors_reset + TimeDelta::days(7)
    }
}

/// The challenge to make a passkey (WebAuthn §7.1), which is the secret itself. Claims its ceremony, sealed.
#[derive(Debug)]
pub struct RegisterPasskey;

/// The challenge to use a passkey (WebAuthn §7.2), which is the secret itself. Claims its ceremony, sealed.
#[derive(Debug)]
pub struct UsePasskey;

impl Purpose for RegisterPasskey {
    const NAME: &'static str = "register_passkey";
    type Claim = String;

    fn life(_: &Lifetimes) -> TimeDelta {
        PASSKEY_CEREMONY
    }
}

impl Purpose for UsePasskey {
    const NAME: &'static str = "use_passkey";
    type Claim = String;

    fn life(_: &Lifetimes) -> TimeDelta {
        PASSKEY_CEREMONY
    }
}

/// How long a browser may take to answer a challenge (WebAuthn §15.1).
pub const PASSKEY_CEREMONY: TimeDelta = TimeDelta::minutes(5);

/// A request to an identity provider. Its secret is the RelayState: opaque, one use.
#[derive(Debug)]
pub struct SamlRequest;

/// What was asked of an identity provider, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    /// Which connection.
    pub connection: Id<Connection>,
    /// The ID of the request (saml-core §3.2.1).
    pub request: String,
    /// When it was sent, in seconds since the Unix epoch.
    pub at: i64,
    /// The digest of the nonce that the browser holds which asked.
    pub browser: String,
    /// What for.
    pub purpose: AskedFor,
    /// Where to go afterwards, sealed.
    pub next: Option<String>,
}

/// What somebody is asked to sign in for at an identity provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AskedFor {
    /// To come in.
    SignIn,
    /// To confirm, in this session, that it is them.
    StepUp {
        /// Whose session.
        user: Id<User>,
        /// Which one.
        session: Id<Session>,
    },
    /// To try the connection. Nobody is let in.
    Test {
        /// Which owner tries it.
        user: Id<User>,
    },
}

impl Purpose for SamlRequest {
    const NAME: &'static str = "saml_request";
    type Claim = Asked;

    fn life(_: &Lifetimes) -> TimeDelta {
        TimeDelta::minutes(10)
    }
}

/// A response that passed every check and waits for its browser to come by itself, out of the cross-site POST. Claims it
/// sealed.
#[derive(Debug)]
pub struct SamlArrival;

impl Purpose for SamlArrival {
    const NAME: &'static str = "saml_arrival";
    type Claim = String;

    fn life(_: &Lifetimes) -> TimeDelta {
        TimeDelta::minutes(2)
    }
}

/// Connects an identity with the account of whoever signs in to it once the old way. Claims the identity sealed.
#[derive(Debug)]
pub struct LinkIdentity;

impl Purpose for LinkIdentity {
    const NAME: &'static str = "link_identity";
    type Claim = String;

    fn life(_: &Lifetimes) -> TimeDelta {
        TimeDelta::minutes(15)
    }
}

/// A token whose secret somebody holds.
#[derive(Debug, Clone)]
pub struct Token<C> {
    /// Whose it is.
    pub user_id: Id<User>,
    /// What it says.
    pub claim: C,
    /// When it was used, if it was.
    pub used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it works.
    pub expires_at: Timestamp,
}

impl<C> Token<C> {
    /// Whether it would be redeemed at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.used_at.is_none() && self.expires_at > now
    }
}

/// Makes a token; older ones of the same purpose die.
pub fn issue<P: Purpose>(tx: &mut Tx, user: &Id<User>, claim: &P::Claim) -> Result<Secret<P>> {
    revoke::<P>(tx, user)?;
    let life = P::life(&tx.config.lifetimes);
    issue_another(tx, user, claim, life)
}

/// The same beside older ones, which stay, and with a life of its own.
pub fn issue_another<P: Purpose>(
    tx: &mut Tx,
    user: &Id<User>,
    claim: &P::Claim,
    life: TimeDelta,
) -> Result<Secret<P>> {
    let secret = Secret::random()?;
    keep(tx, &secret, Some(user), claim, life)?;
    Ok(secret)
}

/// Makes a token of a secret that is there already, for `user` or for whoever will turn out to hold it.
pub fn keep<P: Purpose>(
    tx: &mut Tx,
    secret: &Secret<P>,
    user: Option<&Id<User>>,
    claim: &P::Claim,
    life: TimeDelta,
) -> Result<()> {
    let claim = serde_json::to_string(claim)?;
    insert(tx, secret, user, claim, life)
}

fn insert<P: Purpose>(
    tx: &mut Tx,
    secret: &Secret<P>,
    user: Option<&Id<User>>,
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
    keep_unowned(tx, &secret, claim)?;
    Ok(secret)
}

/// The same with a secret that was made before.
pub fn keep_unowned<P: Purpose>(tx: &mut Tx, secret: &Secret<P>, claim: &P::Claim) -> Result<()> {
    let life = P::life(&tx.config.lifetimes);
    keep(tx, secret, None, claim, life)
}

/// What a live token that is nobody's says, without using it.
pub fn peek_unowned<P: Purpose>(conn: &mut Conn, secret: &Secret<P>, now: Timestamp) -> Result<P::Claim> {
    let digest = secret.digest();
    let claim: Option<String> =
        live(P::NAME, &digest, now).select(tokens::claim).get_result(conn).optional()?;
    Ok(serde_json::from_str(&claim.ok_or(Error::DeadLink)?)?)
}

/// Uses a token that is nobody's. Of many at once, one succeeds; the others get [`Error::DeadLink`].
pub fn redeem_unowned<P: Purpose>(tx: &mut Tx, secret: &Secret<P>) -> Result<P::Claim> {
    redeem_anyones(tx, secret).map(|(_, claim)| claim)
}

/// Looks at a token without using it, whether it is live or not. [`Error::DeadLink`] where there is none.
pub fn peek<P: Purpose>(conn: &mut Conn, secret: &Secret<P>) -> Result<Token<P::Claim>> {
    type Row = (Option<Id<User>>, String, Option<Timestamp>, Timestamp, Timestamp);
    let (user_id, claim, used_at, created_at, expires_at) = tokens::table
        .find(secret.digest())
        .filter(tokens::purpose.eq(P::NAME))
        .select((tokens::user_id, tokens::claim, tokens::used_at, tokens::created_at, tokens::expires_at))
        .first::<Row>(conn)
        .optional()?
        .ok_or(Error::DeadLink)?;
    Ok(Token {
        user_id: user_id.ok_or(Error::DeadLink)?,
        claim: serde_json::from_str(&claim)?,
        used_at,
        created_at,
        expires_at,
    })
}

/// Uses a token. Of many at once, one succeeds; the others get [`Error::DeadLink`].
pub fn redeem<P: Purpose>(tx: &mut Tx, secret: &Secret<P>) -> Result<(Id<User>, P::Claim)> {
    redeem_by_digest::<P>(tx, &secret.digest())
}

/// The same by the digest of its secret, where something else stands for the secret.
pub fn redeem_by_digest<P: Purpose>(tx: &mut Tx, digest: &str) -> Result<(Id<User>, P::Claim)> {
    let (user_id, claim) = use_up::<P>(tx, digest)?;
    Ok((user_id.ok_or(Error::DeadLink)?, claim))
}

/// The same for a token that need not be anybody's.
pub fn redeem_anyones<P: Purpose>(tx: &mut Tx, secret: &Secret<P>) -> Result<(Option<Id<User>>, P::Claim)> {
    use_up::<P>(tx, &secret.digest())
}

fn use_up<P: Purpose>(tx: &mut Tx, digest: &str) -> Result<(Option<Id<User>>, P::Claim)> {
    let (user_id, claim): (Option<Id<User>>, String) = diesel::update(live(P::NAME, digest, tx.now))
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
    tokens::table
        .find(digest)
        .filter(tokens::purpose.eq(purpose))
        .filter(tokens::used_at.is_null())
        .filter(tokens::expires_at.gt(now))
}

/// Counts one code that is offered with a token, before it is looked at. [`Error::DeadLink`] where the token is not live
/// or `most` were offered already.
pub fn try_once<P: Purpose>(tx: &mut Tx, secret: &Secret<P>, most: i32) -> Result<(Id<User>, P::Claim, i32)> {
    let (user_id, claim, left) = try_nobodys(tx, secret, most)?;
    Ok((user_id.ok_or(Error::DeadLink)?, claim, left))
}

/// The same with a token that may be nobody's.
pub fn try_nobodys<P: Purpose>(
    tx: &mut Tx,
    secret: &Secret<P>,
    most: i32,
) -> Result<(Option<Id<User>>, P::Claim, i32)> {
    let digest = secret.digest();
    let open = live(P::NAME, &digest, tx.now).filter(tokens::tries.lt(most));
    let (user_id, claim, tries): (Option<Id<User>>, String, i32) = diesel::update(open)
        .set(tokens::tries.eq(tokens::tries + 1))
        .returning((tokens::user_id, tokens::claim, tokens::tries))
        .get_result(tx.conn)
        .optional()?
        .ok_or(Error::DeadLink)?;
    Ok((user_id, serde_json::from_str(&claim)?, most - tries))
}

/// Kills one token that was not used, by its secret. Harmless twice.
pub fn drop_one<P: Purpose>(tx: &mut Tx, secret: &Secret<P>) -> Result<()> {
    drop_by_digest::<P>(tx, &secret.digest())
}

/// The same by the digest of its secret.
pub fn drop_by_digest<P: Purpose>(tx: &mut Tx, digest: &str) -> Result<()> {
    diesel::delete(tokens::table.find(digest).filter(tokens::purpose.eq(P::NAME))).execute(tx.conn)?;
    Ok(())
}

/// Keeps a token that is nobody's, with a secret that was made elsewhere; an older one with the same secret is replaced.
pub fn keep_for_nobody<P: Purpose>(tx: &mut Tx, secret: &Secret<P>, claim: &P::Claim) -> Result<()> {
    drop_one(tx, secret)?;
    keep_unowned(tx, secret, claim)
}

/// Whether a token, anybody's or nobody's, would be redeemed at `now`.
pub fn is_live<P: Purpose>(conn: &mut Conn, secret: &Secret<P>, now: Timestamp) -> Result<bool> {
    let digest = secret.digest();
    Ok(diesel::select(diesel::dsl::exists(live(P::NAME, &digest, now))).get_result(conn)?)
}

/// Forgets the tokens of one purpose that are nobody's and no longer work.
pub fn forget_dead<P: Purpose>(tx: &mut Tx) -> Result<()> {
    let nobodys = tokens::table.filter(tokens::user_id.is_null()).filter(tokens::purpose.eq(P::NAME));
    diesel::delete(nobodys.filter(tokens::expires_at.le(tx.now))).execute(tx.conn)?;
    Ok(())
}

/// The newest live token of a purpose that `user` has, as far as it can be told without its secret.
pub fn outstanding<P: Purpose>(conn: &mut Conn, user: &Id<User>, now: Timestamp) -> Result<Option<P::Claim>> {
    let claim: Option<String> = tokens::table
        .filter(tokens::user_id.eq(user))
        .filter(tokens::purpose.eq(P::NAME))
        .filter(tokens::used_at.is_null())
        .filter(tokens::expires_at.gt(now))
        .order(tokens::created_at.desc())
        .select(tokens::claim)
        .first(conn)
        .optional()?;
    Ok(claim.map(|claim| serde_json::from_str(&claim)).transpose()?)
}

/// Kills the tokens of one purpose that `user` has and did not use.
pub fn revoke<P: Purpose>(tx: &mut Tx, user: &Id<User>) -> Result<()> {
    let open = tokens::table.filter(tokens::user_id.eq(user)).filter(tokens::used_at.is_null());
    diesel::delete(open.filter(tokens::purpose.eq(P::NAME))).execute(tx.conn)?;
    Ok(())
}

/// Kills every token of `user` that was not used yet, but for the ways back: for the old mailbox after a change of
/// address, from a sign-in that was somebody else's, from a deletion, and from a reset of the second factors. Whoever took
/// an account over must not be able to close them.
pub fn revoke_all(tx: &mut Tx, user: &Id<User>) -> Result<()> {
    let open = tokens::table.filter(tokens::user_id.eq(user)).filter(tokens::used_at.is_null());
    let ways_back = [UndoEmail::NAME, NotMe::NAME, CancelDeletion::NAME, StopFactorReset::NAME];
    diesel::delete(open.filter(tokens::purpose.ne_all(ways_back))).execute(tx.conn)?;
    Ok(())
}

/// Kills the ways back that were opened since `moment`: those of the addresses that came after.
pub fn revoke_undo_since(tx: &mut Tx, user: &Id<User>, moment: Timestamp) -> Result<()> {
    let open = tokens::table.filter(tokens::user_id.eq(user)).filter(tokens::used_at.is_null());
    diesel::delete(open.filter(tokens::purpose.eq(UndoEmail::NAME)).filter(tokens::created_at.ge(moment)))
        .execute(tx.conn)?;
    Ok(())
}

/// Does what [`issue`] does, for nobody: the same work where there is nobody to make a token for.
pub fn issue_for_nobody<P: Purpose>(tx: &mut Tx) -> Result<()> {
    let secret = Secret::<P>::random()?;
    diesel::delete(tokens::table.find(secret.digest())).execute(tx.conn)?;
    insert(tx, &secret, None, "null".to_owned(), TimeDelta::zero())
}
