//! What an account can prove besides its first factor, and when it has to.
//!
//! An authenticator app or a passkey makes a second factor due at every sign-in. Recovery codes stand in for either, and
//! live only as long as there is something to stand in for.

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    config::Config,
    db::{
        Conn,
        schema::{passkeys, recovery_codes, totp as apps, users},
    },
    error::{Result, refusals},
    ids::{PasskeyId, UserId},
    kinds::Factor,
    model::{audit::audit_events, provider_identity, recovery_code},
};

refusals! {
    /// What is to be removed is the only way into the account.
    LAST_CREDENTIAL = (
        "last_credential", 409, "This is the only way into your account. Set a password or add another passkey first."
    ).page("That would lock you out", "/me/passkeys", "Go to your passkeys");
}

audit_events! {
    /// A second factor was added.
    SecondFactorAdded { factor: Factor, passkey: Option<PasskeyId> } => of("second_factor_added"),
    /// A second factor was removed.
    SecondFactorRemoved { factor: Factor, passkey: Option<PasskeyId> } => of("second_factor_removed"),
    /// Every second factor was removed, after an operator's reset or by containment.
    SecondFactorsReset {} => of("second_factors_reset"),
}

/// What an account can prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Factors {
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
    /// When a reset takes second factors away, where one is under way.
    pub reset_at: Option<Timestamp>,
    /// Whether it takes only some of them away.
    pub is_partial_reset: bool,
}

impl Factors {
    /// Whether a first factor is not enough.
    pub(crate) fn is_second_due(&self) -> bool {
        self.has_totp || self.passkeys > 0
    }

    /// Whether a second factor is due, and there is one that is neither a recovery code nor a copied passkey.
    pub(crate) fn has_usable_second(&self) -> bool {
        self.has_totp || self.usable_passkeys > 0
    }

    /// Whether a password or a passkey opens the account. There may be identities at providers that do: see [`has_way_in`].
    pub(crate) fn can_sign_in(&self) -> bool {
        self.has_password || self.usable_passkeys > 0
    }

    /// Whether it is time for new recovery codes.
    pub(crate) fn is_running_out(&self) -> bool {
        self.is_second_due() && self.recovery_codes <= recovery_code::FEW
    }

    /// What the second factor may be.
    pub(crate) fn second(&self) -> Vec<&'static str> {
        let offers = [
            (self.has_totp, Factor::Totp),
            (self.usable_passkeys > 0, Factor::Passkey),
            (self.is_second_due() && self.recovery_codes > 0, Factor::RecoveryCode),
        ];
        offers.iter().filter(|(has, _)| *has).map(|(_, factor)| factor.as_str()).collect()
    }

    /// What a step-up may be. A link by mail is never one.
    pub(crate) fn step_up(&self) -> Vec<&'static str> {
        self.has_password.then_some("password").into_iter().chain(self.second()).collect()
    }
}

/// What `user` can prove.
pub(crate) fn of(conn: &mut Conn, user: &UserId) -> Result<Factors> {
    let has_password = users::password_hash.is_not_null().and(users::password_blocked_at.is_null());
    let own = passkeys::table.filter(passkeys::user_id.eq(user));
    let usable = own.filter(passkeys::copied_at.is_null());
    let (has_password, has_totp, passkeys, usable_passkeys, recovery_codes, (reset_at, is_partial_reset)) =
        users::table
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
                (users::factors_reset_at, users::factors_reset_only.is_not_null()),
            ))
            .get_result(conn)?;
    Ok(Factors {
        has_password,
        has_totp,
        passkeys,
        usable_passkeys,
        recovery_codes,
        reset_at,
        is_partial_reset,
    })
}

/// Whether anything opens the account by itself, an email to its address aside: a password, a passkey, or an identity at a
/// provider that is in the settings.
pub(crate) fn has_way_in(conn: &mut Conn, config: &Config, user: &UserId) -> Result<bool> {
    if of(conn, user)?.can_sign_in() {
        return Ok(true);
    }
    let identities = provider_identity::list(conn, user)?;
    Ok(identities.iter().any(|identity| identity.provider_in(config).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_alone_are_no_second_factor() {
        let none = Factors {
            has_password: true,
            has_totp: false,
            passkeys: 0,
            usable_passkeys: 0,
            recovery_codes: 10,
            reset_at: None,
            is_partial_reset: false,
        };
        assert!(!none.is_second_due());
        assert_eq!(none.second(), [""; 0]);
        let app = Factors { has_totp: true, ..none };
        assert_eq!(app.second(), ["totp", "recovery_code"]);
        let all = Factors { has_totp: true, passkeys: 2, usable_passkeys: 2, ..none };
        assert_eq!(all.second(), ["totp", "passkey", "recovery_code"]);
        assert_eq!(all.step_up(), ["password", "totp", "passkey", "recovery_code"]);
        let passkey = Factors { passkeys: 1, usable_passkeys: 1, ..none };
        assert_eq!(passkey.step_up(), ["password", "passkey", "recovery_code"]);
        let copied = Factors { usable_passkeys: 0, ..passkey };
        assert!(copied.is_second_due(), "whoever has a copy must not be spared the second proof");
        assert_eq!(copied.second(), ["recovery_code"]);
    }
}
