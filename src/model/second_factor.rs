//! What an account can prove besides its first proof, and when it has to.
//!
//! An authenticator app or a passkey makes a second proof due at every sign-in. Recovery codes stand in for either, and
//! live only as long as there is something to stand in for.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde::Deserialize;

use super::{
    audit::{self, Actor, Event},
    crockford, domain, passkey, recovery_code, session,
    session::Current,
    throttle::{self, Limit},
    totp,
    user::User,
};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Id, Tx,
        schema::{passkeys, recovery_codes, totp as apps, users},
    },
    error::{Error, Result},
    mail::letters::{self, FactorChange},
    text_enum,
};

text_enum! {
    /// A kind of second proof.
    Factor {
        /// A code from an authenticator app (RFC 6238).
        Totp => "totp",
        /// One of the ten codes on paper.
        RecoveryCode => "recovery_code",
        /// A passkey (WebAuthn).
        Passkey => "passkey",
    }
}

/// What an account can prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factors {
    /// Whether a password opens it.
    pub has_password: bool,
    /// Whether an authenticator app is set up.
    pub has_totp: bool,
    /// How many passkeys there are.
    pub passkeys: i64,
    /// How many of them open the account: those that nobody has a copy of.
    pub usable_passkeys: i64,
    /// How many recovery codes were not used yet.
    pub recovery_codes: i64,
    /// When an operator's reset takes every second factor away, where one is under way.
    pub reset_at: Option<Timestamp>,
}

impl Factors {
    /// Whether a first proof is not enough.
    pub fn is_second_due(&self) -> bool {
        self.has_totp || self.passkeys > 0
    }

    /// Whether a second proof is due, and there is one that is neither a recovery code nor a copied passkey.
    pub fn has_usable_second(&self) -> bool {
        self.has_totp || self.usable_passkeys > 0
    }

    /// Whether anything opens the account by itself, a letter to its address aside.
    pub fn has_way_in(&self) -> bool {
        self.has_password || self.usable_passkeys > 0
    }

    /// Whether it is time for new recovery codes.
    pub fn is_running_out(&self) -> bool {
        self.is_second_due() && self.recovery_codes <= recovery_code::FEW
    }

    /// What the second proof may be.
    pub fn second(&self) -> Vec<&'static str> {
        let offers = [
            (self.has_totp, Factor::Totp),
            (self.usable_passkeys > 0, Factor::Passkey),
            (self.is_second_due() && self.recovery_codes > 0, Factor::RecoveryCode),
        ];
        offers.iter().filter(|(has, _)| *has).map(|(_, factor)| factor.as_str()).collect()
    }

    /// What a step-up may be. A link by mail is never one.
    pub fn step_up(&self) -> Vec<&'static str> {
        self.has_password.then_some("password").into_iter().chain(self.second()).collect()
    }
}

/// What `user` can prove.
pub fn of(conn: &mut Conn, user: &Id<User>) -> Result<Factors> {
    let has_password = users::password_hash.is_not_null().and(users::password_blocked_at.is_null());
    let own = passkeys::table.filter(passkeys::user_id.eq(user));
    let usable = own.filter(passkeys::copied_at.is_null());
    let (has_password, has_totp, passkeys, usable_passkeys, recovery_codes, reset_at) = users::table
        .find(user)
        .select((
            has_password,
            diesel::dsl::exists(apps::table.filter(apps::user_id.eq(user))),
            own.count().single_value().assume_not_null(),
            usable.count().single_value().assume_not_null(),
            recovery_codes::table
                .filter(recovery_codes::user_id.eq(user))
                .filter(recovery_codes::used_at.is_null())
                .count()
                .single_value()
                .assume_not_null(),
            users::factors_reset_at,
        ))
        .get_result(conn)?;
    Ok(Factors { has_password, has_totp, passkeys, usable_passkeys, recovery_codes, reset_at })
}

/// A code as somebody types it, of either kind, folded: see [`crockford::fold`].
#[derive(Debug, Clone, Default)]
pub enum Code {
    /// Six digits from an authenticator app.
    Totp(String),
    /// A recovery code.
    Recovery(String),
    /// Neither.
    Other,
    /// Nothing was typed.
    #[default]
    Nothing,
}

impl Code {
    /// Reads a code; what has the shape of neither is [`Code::Other`].
    pub fn read(typed: &str) -> Self {
        let folded = crockford::fold(typed);
        if folded.is_empty() {
            return Code::Nothing;
        }
        if folded.len() == totp::DIGITS && folded.bytes().all(|b| b.is_ascii_digit()) {
            return Code::Totp(folded);
        }
        recovery_code::read(&folded).map_or(Code::Other, Code::Recovery)
    }

    /// What it would prove, by its shape.
    pub fn factor(&self) -> Option<Factor> {
        match self {
            Code::Totp(_) => Some(Factor::Totp),
            Code::Recovery(_) => Some(Factor::RecoveryCode),
            Code::Other | Code::Nothing => None,
        }
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|typed| Self::read(&typed))
    }
}

/// Uses a code of `user`, once. `None` where it is not right, or was used before.
pub fn take(tx: &mut Tx, actor: &Actor, user: &User, code: &Code) -> Result<Option<Factor>> {
    match code {
        Code::Totp(code) => Ok(totp::take(tx, &user.id, code)?.then_some(Factor::Totp)),
        Code::Recovery(code) => {
            Ok(recovery_code::take(tx, actor, user, code)?.then_some(Factor::RecoveryCode))
        }
        Code::Other | Code::Nothing => Ok(None),
    }
}

/// Counts a guess at the codes of an account, whichever kind and wherever it is asked for, apart from those at its
/// password. A browser that was let in before has a counter of its own: nobody is locked out by others.
pub fn admit_guess(tx: &mut Tx, user: &Id<User>, is_known_browser: bool) -> Result<()> {
    let streak = guesses(tx, user, is_known_browser);
    throttle::admit(tx, &streak)
}

/// The code was right: the guesses in a row are over.
pub fn clear_guesses(tx: &mut Tx, user: &Id<User>, is_known_browser: bool) -> Result<()> {
    let streak = guesses(tx, user, is_known_browser);
    throttle::clear(tx, &streak)
}

fn guesses(tx: &Tx, user: &Id<User>, is_known_browser: bool) -> Limit {
    let limits = tx.config.limits;
    let door = if is_known_browser { "known" } else { "any" };
    Limit::new(&format!("code-streak-{door}"), user.as_str(), limits.login_failures, TimeDelta::days(1))
        .cooling_down_for(limits.login_cool_down)
}

/// After a second factor was added in the session `here`. With the first one, every other device that came in with one
/// proof is signed out; where it took the place of another app, every other device that relied on that one.
pub fn added(
    tx: &mut Tx,
    actor: &Actor,
    user: &Id<User>,
    here: &Current,
    before: Factors,
    factor: Factor,
) -> Result<()> {
    if !before.is_second_due() {
        session::revoke_single_factor(tx, actor, user, &here.id)?;
    } else if factor == Factor::Totp && before.has_totp {
        session::revoke_relying_on(tx, actor, user, &here.id, &[Factor::Totp])?;
    }
    session::set_factor(tx, &here.id, factor)
}

/// After a second factor was removed: recovery codes go with the last one, there being nothing left to recover.
/// [`Error::SpareKey`] where an organisation relies on it.
pub fn removed(tx: &mut Tx, actor: &Actor, user: &Id<User>, here: &Current, factor: Factor) -> Result<()> {
    let left = of(tx.conn, user)?;
    keep_spare_key(tx, user, &left)?;
    let gone: &[Factor] = match left.is_second_due() {
        true => &[factor],
        false => {
            recovery_code::forget(tx, user)?;
            &[Factor::Totp, Factor::RecoveryCode, Factor::Passkey]
        }
    };
    session::revoke_relying_on(tx, actor, user, &here.id, gone)
}

/// [`Error::SpareKey`] where an organisation relies on a second factor and none is `left` that works.
pub fn keep_spare_key(tx: &mut Tx, user: &Id<User>, left: &Factors) -> Result<()> {
    match !left.has_usable_second() && domain::is_spare_key(tx.conn, user, None)? {
        true => Err(Error::SpareKey),
        false => Ok(()),
    }
}

/// Takes away what was added since `moment`, when somebody else had the account: their passkey or app must not open it
/// any more, nor keep its owner out. What was there before stays.
pub fn remove_since(tx: &mut Tx, actor: &Actor, user: &Id<User>, moment: Timestamp) -> Result<()> {
    let keys = passkeys::table.filter(passkeys::user_id.eq(user)).filter(passkeys::created_at.ge(moment));
    let keys = diesel::delete(keys).execute(tx.conn)?;
    let app = diesel::delete(apps::table.find(user).filter(apps::created_at.ge(moment))).execute(tx.conn)?;
    totp::forget_setup(tx, user)?;
    let codes = recovery_codes::table.filter(recovery_codes::user_id.eq(user));
    let codes = diesel::delete(codes.filter(recovery_codes::created_at.ge(moment))).execute(tx.conn)?;
    if keys + app + codes == 0 {
        return Ok(());
    }
    if !of(tx.conn, user)?.is_second_due() {
        recovery_code::forget(tx, user)?;
    }
    audit::record(tx, actor, user, Event::SecondFactorsReset {})
}

/// Takes every second factor away, and every session. What an operator's reset comes to.
pub fn remove_all(tx: &mut Tx, actor: &Actor, user: &Id<User>) -> Result<()> {
    passkey::forget(tx, user)?;
    totp::forget(tx, user)?;
    recovery_code::forget(tx, user)?;
    session::revoke_others(tx, actor, user, None)?;
    audit::record(tx, actor, user, Event::SecondFactorsReset {})
}

/// Tells somebody by mail what became of their second factors, and on which device it was done.
pub fn tell(tx: &mut Tx, user: &User, change: FactorChange, device: &str) -> Result<()> {
    let when = tx.now.exact();
    let letter = letters::factor_changed(&tx.config.site, &user.email, &user.name, change, &when, device)?;
    tx.mail(Some(&user.id), letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        assert!(matches!(Code::read(" 123 456 "), Code::Totp(code) if code == "123456"));
        assert!(matches!(Code::read("ABCD-efgh-0123"), Code::Recovery(code) if code == "abcdefgh0123"));
        assert!(matches!(Code::read(" - "), Code::Nothing));
        for other in ["12345", "1234567", "12345x", "ABCD-efgh-012", "ABCD-efgh-012!", "ABCD-efgh-012u"] {
            assert!(matches!(Code::read(other), Code::Other), "{other}");
        }
    }

    #[test]
    fn recovery_codes_alone_are_no_second_factor() {
        let none = Factors {
            has_password: true,
            has_totp: false,
            passkeys: 0,
            usable_passkeys: 0,
            recovery_codes: 10,
            reset_at: None,
        };
        assert!(!none.is_second_due());
        assert_eq!(none.second(), [""; 0]);
        let app = Factors { has_totp: true, ..none };
        assert_eq!(app.second(), ["totp", "recovery_code"]);
        let passkey = Factors { passkeys: 1, usable_passkeys: 1, ..none };
        assert_eq!(passkey.step_up(), ["password", "passkey", "recovery_code"]);
        let copied = Factors { usable_passkeys: 0, ..passkey };
        assert!(copied.is_second_due(), "whoever has a copy must not be spared the second proof");
        assert_eq!(copied.second(), ["recovery_code"]);
    }
}
