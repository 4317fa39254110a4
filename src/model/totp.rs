//! The authenticator app: time-based one-time passwords (RFC 6238), SHA-1, six digits, 30 seconds.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{totp, totp_setups},
    },
    error::{Error, Result},
    ids::{SessionId, UserId},
    secret::Keys,
};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "totp",
    title: "Your authenticator app",
    why: "So that a code from your app can be checked. It stays until you remove the app.",
    columns: &[
        ("user_id", "that it is yours"),
        ("sealed", "the secret that your app and this site share, encrypted"),
    ],
    erasure: Erasure::Removed,
    afterwards: "",
    export: &[ExportSection { name: "authenticatorApps", is_list: true, read: exported }],
    erase: |tx, id, _| forget(tx, id).map(drop),
};

/// What is held here about a person, and what becomes of it.
pub(crate) const SETUP_PERSONAL_DATA: PersonalData = PersonalData {
    table: "totp_setups",
    title: "An authenticator app that waits for its first code",
    why: "So that setting one up can be finished, for half an hour.",
    columns: &[
        ("session_id", "the device on which you set it up"),
        ("user_id", "that it is yours"),
        ("sealed", "the secret that your app and this site are about to share, encrypted"),
    ],
    erasure: Erasure::Removed,
    afterwards: "",
    export: &[],
    erase: |tx, id, _| forget_setup(tx, id),
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, _: i64) -> Result<Vec<Value>> {
    let app = since(conn, owner)?.filter(|_| skip == 0);
    Ok(app
        .map(|(created_at, last_used_at)| json!({ "createdAt": created_at, "lastUsedAt": last_used_at }))
        .into_iter()
        .collect())
}

/// Removes up to `most` set-ups that were not finished in time. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let over = totp_setups::table.filter(totp_setups::expires_at.le(tx.now)).order(totp_setups::expires_at);
    let ids: Vec<SessionId> = over.limit(most).select(totp_setups::session_id).load(tx.conn)?;
    let gone = totp_setups::table.filter(totp_setups::session_id.eq_any(ids));
    Ok(diesel::delete(gone.filter(totp_setups::expires_at.le(tx.now))).execute(tx.conn)?)
}

/// How many digits a code has.
pub(crate) const DIGITS: usize = 6;

// RFC 6238 §5.2: one step of delay each way.
const SKEW: i64 = 1;
const STEP: i64 = 30;
const SEAL: &str = "totp";

// As long as somebody looks for their phone.
const SETUP_LIFE: TimeDelta = TimeDelta::minutes(30);

/// The secret that an account and its app share: 160 bits (RFC 4226 §4).
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// A secret of one's own, for tests against published values.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    fn random() -> Result<Self> {
        let mut bytes = Zeroizing::new(vec![0; 20]);
        getrandom::fill(&mut bytes).map_err(Error::internal)?;
        Ok(Self(bytes))
    }

    /// The secret that [`SharedSecret::base32`] wrote.
    pub(crate) fn from_base32(base32: &str) -> Result<Self> {
        let secret = totp_rs::Secret::try_from_base32(base32).map_err(Error::internal)?;
        Ok(Self::from_bytes(secret.as_bytes()))
    }

    /// The secret in base32, as an app takes it.
    pub fn base32(&self) -> Zeroizing<String> {
        Zeroizing::new(self.generator().secret().to_base32())
    }

    /// `otpauth://totp/…`, as a QR code carries it.
    pub(crate) fn uri(&self, issuer: &str, account: &str) -> Result<Zeroizing<String>> {
        // A colon would end the issuer's part of the label.
        let plain = |text: &str| text.replace(':', " ");
        let named = self.builder().with_issuer(Some(plain(issuer))).with_account_name(plain(account));
        let url = named.build().and_then(|totp| totp.to_url()).map_err(Error::internal)?;
        Ok(Zeroizing::new(url))
    }

    /// The code of one time step, eight digits at most being of use.
    fn code(&self, step: i64) -> String {
        let seconds = u64::try_from(step * STEP).unwrap_or_default();
        self.generator().generate(seconds).to_string()
    }

    /// The newest step around `now` whose code this is.
    fn step_of(&self, code: &str, now: Timestamp) -> Option<i64> {
        use subtle::ConstantTimeEq;
        let today = now.unix() / STEP;
        let is_right = |step: &i64| bool::from(self.code(*step).as_bytes().ct_eq(code.as_bytes()));
        (today - SKEW..=today + SKEW).rev().find(is_right)
    }

    fn builder(&self) -> Builder {
        Builder::new().with_algorithm(Algorithm::SHA1).with_secret(self.0.to_vec())
    }

    fn generator(&self) -> Totp {
        self.builder().build_noncompliant()
    }

    fn seal(&self, keys: &Keys) -> Result<String> {
        keys.seal(SEAL, &self.base32())
    }

    fn open(keys: &Keys, sealed: &str) -> Result<Self> {
        Self::from_base32(&Zeroizing::new(keys.open(SEAL, sealed)?))
    }
}

/// Starts a set-up with a fresh secret; one that this session did not finish is replaced. An app that is in use stays in use.
/// No other session sees or finishes it.
pub(crate) fn start(tx: &mut Tx, user: &UserId, here: &SessionId) -> Result<SharedSecret> {
    let secret = SharedSecret::random()?;
    diesel::delete(totp_setups::table.find(here)).execute(tx.conn)?;
    diesel::insert_into(totp_setups::table)
        .values((
            totp_setups::session_id.eq(here),
            totp_setups::user_id.eq(user),
            totp_setups::sealed.eq(secret.seal(&tx.config.keys)?),
            totp_setups::created_at.eq(tx.now),
            totp_setups::expires_at.eq(tx.now + SETUP_LIFE),
        ))
        .execute(tx.conn)?;
    Ok(secret)
}

/// The secret of a set-up that waits for its first code in this session, if there is one.
pub(crate) fn waiting(
    conn: &mut Conn,
    keys: &Keys,
    here: &SessionId,
    now: Timestamp,
) -> Result<Option<SharedSecret>> {
    let sealed = sealed_setup(conn, here, now)?;
    sealed.map(|sealed| SharedSecret::open(keys, &sealed)).transpose()
}

fn sealed_setup(conn: &mut Conn, here: &SessionId, now: Timestamp) -> Result<Option<String>> {
    let live = totp_setups::table
        .find(here)
        .filter(totp_setups::expires_at.gt(now))
        .filter(totp_setups::created_at.le(now.latest_start()));
    Ok(live.select(totp_setups::sealed).get_result(conn).optional()?)
}

/// Finishes a set-up with the app's first code, which is spent by it (RFC 6238 §5.2). `false` where the code is not
/// right; [`Error::DeadLink`] where no set-up waits. Of many at once, one succeeds.
pub(crate) fn confirm(tx: &mut Tx, user: &UserId, here: &SessionId, code: &str) -> Result<bool> {
    let sealed = sealed_setup(tx.conn, here, tx.now)?.ok_or(Error::DeadLink)?;
    let secret = SharedSecret::open(&tx.config.keys, &sealed)?;
    let Some(step) = secret.step_of(code, tx.now) else { return Ok(false) };
    let done = diesel::delete(totp_setups::table.find(here).filter(totp_setups::sealed.eq(&sealed)))
        .execute(tx.conn)?;
    if done == 0 {
        return Err(Error::DeadLink);
    }
    diesel::delete(totp::table.find(user)).execute(tx.conn)?;
    insert(tx, user, &sealed, step)?;
    Ok(true)
}

fn insert(tx: &mut Tx, user: &UserId, sealed: &str, step: i64) -> Result<()> {
    diesel::insert_into(totp::table)
        .values((
            totp::user_id.eq(user),
            totp::sealed.eq(sealed),
            totp::last_step.eq(step),
            totp::created_at.eq(tx.now),
            totp::last_used_at.eq(tx.now),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// The secret of the app that is in use, where there is one.
pub(crate) fn secret(conn: &mut Conn, keys: &Keys, user: &UserId) -> Result<Option<SharedSecret>> {
    let sealed: Option<String> = totp::table.find(user).select(totp::sealed).get_result(conn).optional()?;
    sealed.map(|sealed| SharedSecret::open(keys, &sealed)).transpose()
}

/// Puts an app in use again that was removed; there is no other. The code of this moment and those before it are spent.
pub fn restore(tx: &mut Tx, user: &UserId, secret: &SharedSecret) -> Result<()> {
    forget_setup(tx, user)?;
    let sealed = secret.seal(&tx.config.keys)?;
    insert(tx, user, &sealed, tx.now.unix() / STEP)
}

/// Uses a code. Each step is good once, and none before it any more: of many at once, one succeeds. A secret that an
/// older key sealed moves to the current one with it; where that key is gone, no code is right.
pub(crate) fn take(tx: &mut Tx, user: &UserId, code: &str) -> Result<bool> {
    let sealed: Option<String> =
        totp::table.find(user).select(totp::sealed).get_result(tx.conn).optional()?;
    let Some(sealed) = sealed else { return Ok(false) };
    let keys = &tx.config.keys;
    let secret = match SharedSecret::open(keys, &sealed) {
        Ok(secret) => secret,
        Err(cause) => {
            tracing::error!(user.id = %user, cause = cause.cause(), "the secret of an authenticator app does not open");
            return Ok(false);
        }
    };
    let Some(step) = secret.step_of(code, tx.now) else { return Ok(false) };
    let today = if keys.is_outdated(&sealed) { secret.seal(keys)? } else { sealed.clone() };
    // One that was used in the future, by a clock that was wrong, keeps nobody out until then.
    let is_newer = totp::last_step.lt(step).or(totp::last_step.gt(tx.now.latest_start().unix() / STEP));
    let unused = totp::table.find(user).filter(totp::sealed.eq(&sealed)).filter(is_newer);
    let taken = diesel::update(unused)
        .set((totp::last_step.eq(step), totp::last_used_at.eq(tx.now), totp::sealed.eq(today)))
        .execute(tx.conn)?;
    Ok(taken == 1)
}

/// Since when an app is set up, and when it was last used.
pub(crate) fn since(conn: &mut Conn, user: &UserId) -> Result<Option<(Timestamp, Timestamp)>> {
    let row = totp::table.find(user).select((totp::created_at, totp::last_used_at));
    Ok(row.get_result(conn).optional()?)
}

/// Removes the set-ups that wait for their first codes.
pub(crate) fn forget_setup(tx: &mut Tx, user: &UserId) -> Result<()> {
    diesel::delete(totp_setups::table.filter(totp_setups::user_id.eq(user))).execute(tx.conn)?;
    Ok(())
}

/// Removes the app and any set-up. Whether there was an app.
pub(crate) fn forget(tx: &mut Tx, user: &UserId) -> Result<bool> {
    forget_setup(tx, user)?;
    Ok(diesel::delete(totp::table.find(user)).execute(tx.conn)? == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, SHA-1; six digits are the last six of its eight.
    #[test]
    fn the_published_codes_are_ours() {
        let secret = SharedSecret::from_bytes(b"12345678901234567890");
        for (seconds, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(secret.code(seconds / STEP), &code[2..], "at {seconds}");
        }
    }

    /// RFC 4226, appendix D: the values under the clock.
    #[test]
    fn the_published_values_of_the_first_ten_steps_are_ours() {
        let secret = SharedSecret::from_bytes(b"12345678901234567890");
        let published = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
            "520489",
        ];
        for (step, code) in (0..).zip(published) {
            assert_eq!(secret.code(step), code, "step {step}");
        }
    }

    #[test]
    fn a_code_belongs_to_its_own_step_and_is_taken_one_step_early_or_late_case_60() {
        let secret = SharedSecret::from_bytes(b"12345678901234567890");
        // A step begins with its first second (RFC 6238 §4.2, T0 = 0).
        for seconds in [1_795_269_900, 1_795_269_929] {
            let step = 1_795_269_900 / STEP;
            let now = Timestamp::from_unix(seconds);
            for near in step - 1..=step + 1 {
                assert_eq!(secret.step_of(&secret.code(near), now), Some(near), "at {seconds}");
            }
            for far in [step - 2, step + 2, 0] {
                assert_eq!(secret.step_of(&secret.code(far), now), None, "at {seconds}");
            }
        }
        assert_eq!(1_795_269_929 / STEP + 1, 1_795_269_930 / STEP);
    }

    #[test]
    fn an_address_with_a_colon_does_not_break_the_label() {
        let secret = SharedSecret::from_bytes(b"12345678901234567890");
        let uri = secret.uri("A: B & C", "ada+x@example.com").unwrap();
        assert!(uri.starts_with("otpauth://totp/A%20%20B%20%26%20C:ada%2Bx%40example.com?"), "{}", *uri);
        assert!(uri.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{}", *uri);
        assert!(uri.contains("issuer=A%20%20B%20%26%20C"), "{}", *uri);
    }
}
