//! What an account can prove besides its first factor, and when it has to.
//!
//! An authenticator app or a passkey makes a second factor due at every sign-in. Recovery codes stand in for either, and
//! live only as long as there is something to stand in for.

use chrono::TimeDelta;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    containment::{self, Occasion},
    factors::Factors,
    recovery_codes, security_changes,
};
use crate::{
    db::Tx,
    error::Result,
    ids::UserId,
    kinds::Factor,
    mail::emails::{self, FactorChange},
    model::{
        audit::Actor,
        crockford,
        rate_limit::{self, Limit},
        recovery_code,
        security_change::Kind,
        session::{self, CurrentSession},
        totp,
        user::User,
    },
};

/// A code as somebody types it, of either kind, folded: see [`crockford::fold`].
#[derive(Debug, Clone, Default)]
pub(crate) enum Code {
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
    pub(crate) fn read(typed: &str) -> Self {
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
    pub(crate) fn factor(&self) -> Option<Factor> {
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

/// Uses a code of `user`, once, on a device; they are told of a recovery code by mail. `None` where it is not right, or was
/// used before.
pub(crate) fn take(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    code: &Code,
    device: &str,
) -> Result<Option<Factor>> {
    match code {
        Code::Totp(code) => Ok(totp::take(tx, &user.id, code)?.then_some(Factor::Totp)),
        Code::Recovery(code) => {
            let Some(left) = recovery_codes::take(tx, actor, &user.id, code)? else { return Ok(None) };
            let not_me = containment::way_back_from(tx, actor, user, "A recovery code was used", device)?;
            let (site, when) = (&tx.config.site, tx.now.exact());
            let email =
                emails::recovery_code_used(site, &user.email, &user.name, &when, left, not_me.reveal())?;
            tx.mail(Some(&user.id), email)?;
            Ok(Some(Factor::RecoveryCode))
        }
        Code::Other | Code::Nothing => Ok(None),
    }
}

/// Counts a guess at the codes of an account at a sign-in or a set-up, whichever kind, apart from those at its password. A
/// browser that was let in before has a counter of its own: nobody is locked out by others.
pub(crate) fn count_guess(tx: &mut Tx, user: &UserId, is_known_device: bool) -> Result<()> {
    let streak = guesses(tx, user, is_known_device);
    rate_limit::consume(tx, &streak)
}

/// The code was right: the guesses in a row are over.
pub(crate) fn clear_guesses(tx: &mut Tx, user: &UserId, is_known_device: bool) -> Result<()> {
    let streak = guesses(tx, user, is_known_device);
    rate_limit::clear(tx, &streak)
}

fn guesses(tx: &Tx, user: &UserId, is_known_device: bool) -> Limit {
    let limits = tx.config.limits;
    let kind = if is_known_device { "known" } else { "any" };
    Limit::new(&format!("code-streak-{kind}"), user.as_str(), limits.login_failures, TimeDelta::days(1))
        .cooling_down_for(limits.login_cool_down)
}

/// After a second factor was added in the session `here`. With the first one, every other device that came in with one
/// proof is signed out; where it took the place of another app, every other device that relied on that one.
pub(crate) fn added(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    here: &CurrentSession,
    before: Factors,
    factor: Factor,
) -> Result<()> {
    if !before.is_second_due() {
        containment::end_access(tx, actor, user, Occasion::SecondFactorAdded(&here.id))?;
    } else if factor == Factor::Totp && before.has_totp {
        let gone = Occasion::SecondFactorGone(&here.id, &[Factor::Totp]);
        containment::end_access(tx, actor, user, gone)?;
    }
    session::set_factor(tx, &here.id, factor)
}

/// Makes ten new recovery codes, as they are to be shown once. All older ones are dead.
pub(crate) fn make_codes(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<Vec<Zeroizing<String>>> {
    security_changes::note(tx, actor, user, Kind::CodesMade, None)?;
    recovery_codes::make(tx, actor, user)
}

/// Tells somebody by mail what became of their second factors, and on which device it was done, with the way back.
pub(crate) fn tell(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    change: FactorChange,
    device: &str,
) -> Result<()> {
    rate_limit::count_change(tx, "factor-changes", user.id.as_str())?;
    let not_me = containment::way_back_from(tx, actor, user, change.words(), device)?;
    let (site, when) = (&tx.config.site, tx.now.exact());
    let email =
        emails::factor_changed(site, &user.email, &user.name, change, &when, device, not_me.reveal())?;
    tx.mail(Some(&user.id), email)
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
}
