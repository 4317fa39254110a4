//! How a session was authenticated, as an application asks (OpenID Connect Core §2: `acr`, `auth_time`).

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{Conn, schema::sessions},
    error::Result,
    ids::{PasskeyId, SessionId},
    kinds::{AuthMethod, Factor, StepUpMethod},
    text_enum,
};

text_enum! {
    /// How strongly somebody showed who they are, the weakest first.
    Acr {
        /// With one factor, or nobody here knows with what.
        OneFactor => "1fa",
        /// With two.
        TwoFactors => "2fa",
        /// With a passkey, which no other site can have asked for.
        PhishingResistant => "phr",
    }
}

impl Acr {
    /// Whether it is at least as strong.
    pub(crate) fn reaches(self, other: Self) -> bool {
        let rank = |acr: Self| Self::ALL.iter().position(|one| *one == acr);
        rank(self) >= rank(other)
    }
}

/// What was shown at the sign-in of a session, and since.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(crate) struct Authentication {
    method: AuthMethod,
    second_factor: Option<Factor>,
    passkey_id: Option<PasskeyId>,
    stepped_up_at: Option<Timestamp>,
    stepped_up_with: Option<StepUpMethod>,
    created_at: Timestamp,
    /// When the session ends at the latest.
    pub expires_at: Timestamp,
}

impl Authentication {
    /// Of a session.
    pub(crate) fn of(conn: &mut Conn, id: &SessionId) -> Result<Self> {
        Ok(sessions::table.find(id).select(Self::as_select()).get_result(conn)?)
    }

    /// How strong the strongest of it was.
    pub(crate) fn acr(&self) -> Acr {
        let has_passkey = self.passkey_id.is_some()
            || self.method == AuthMethod::Passkey
            || self.second_factor == Some(Factor::Passkey)
            || self.stepped_up_with == Some(StepUpMethod::Passkey);
        let has_second =
            self.second_factor.is_some() || self.stepped_up_with.is_some_and(StepUpMethod::is_second_factor);
        match (has_passkey, has_second) {
            (true, _) => Acr::PhishingResistant,
            (false, true) => Acr::TwoFactors,
            (false, false) => Acr::OneFactor,
        }
    }

    /// What was given after the first factor.
    pub(crate) fn second_factor(&self) -> Option<Factor> {
        self.second_factor
    }

    /// With what somebody showed who they are (RFC 8176 §2); nothing where another site did.
    pub(crate) fn amr(&self) -> Vec<&'static str> {
        let acr = self.acr();
        let given = |factor: Factor, with: StepUpMethod| {
            self.second_factor == Some(factor) || self.stepped_up_with == Some(with)
        };
        let has_password =
            self.method == AuthMethod::Password || self.stepped_up_with == Some(StepUpMethod::Password);
        let has_code = given(Factor::Totp, StepUpMethod::Totp)
            || given(Factor::RecoveryCode, StepUpMethod::RecoveryCode);
        let words = [
            (has_password, "pwd"),
            (has_code, "otp"),
            (acr == Acr::PhishingResistant, "hwk"),
            (acr == Acr::PhishingResistant, "user"),
            (acr != Acr::OneFactor, "mfa"),
        ];
        words.into_iter().filter(|(is_so, _)| *is_so).map(|(_, word)| word).collect()
    }

    /// When somebody last showed who they are in it.
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        let stepped_up_at = self.stepped_up_at.filter(|at| *at <= now.latest_start());
        stepped_up_at.map_or(self.created_at, |at| at.max(self.created_at))
    }
}
