//! The stable name of each error, and its HTTP status.

use super::Error;

impl Error {
    /// Every code with its HTTP status: the closed list that docs/errors.md explains.
    pub const CODES: &'static [(&'static str, u16)] = &[
        ("account_locked", 403),
        ("address_reserved", 409),
        ("already_confirmed", 409),
        ("application_forbidden", 403),
        ("application_unknown", 403),
        ("break_glass_owner", 409),
        ("busy", 503),
        ("confirm_by_post", 405),
        ("conflict", 409),
        ("cross_origin", 403),
        ("dead_invitation", 422),
        ("dead_link", 422),
        ("dead_magic_link", 422),
        ("dead_reset_link", 422),
        ("deletion_scheduled", 403),
        ("domain_in_force", 409),
        ("domain_not_invited", 403),
        ("domain_taken", 409),
        ("email_unverified", 403),
        ("forbidden", 403),
        ("gate_untrusted", 403),
        ("https_required", 403),
        ("identity_taken", 409),
        ("insufficient_user_authentication", 401),
        ("internal", 500),
        ("invalid", 422),
        ("invalid_token", 401),
        ("invitation_for_another", 403),
        ("key_limit", 409),
        ("last_credential", 409),
        ("last_owner", 409),
        ("link_missing", 400),
        ("malformed", 400),
        ("method_not_allowed", 405),
        ("network_not_allowed", 403),
        ("not_found", 404),
        ("not_ready", 503),
        ("organisation_leaving", 403),
        ("organisation_moved", 308),
        ("organisations_by_operators", 403),
        ("passkey_expired", 422),
        ("passkey_refused", 422),
        ("passkey_taken", 409),
        ("person_required", 403),
        ("provider_refused", 403),
        ("provider_silent", 503),
        ("reauthentication_required", 403),
        ("role_in_use", 409),
        ("second_factor_required", 403),
        ("session_locked", 401),
        ("session_too_old", 403),
        ("sign_in_ended", 401),
        ("sign_in_method_not_allowed", 403),
        ("sign_in_required", 401),
        ("sso_refused", 403),
        ("sso_required", 403),
        ("timeout", 408),
        ("too_large", 413),
        ("too_many_attempts", 429),
        ("unavailable", 503),
        ("unknown_passkey", 401),
        ("unsupported_media", 415),
        ("wrong_credentials", 401),
    ];

    /// The stable name of this error.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Error::SignIn => "sign_in_required",
            Error::SessionLocked => "session_locked",
            Error::EmailUnverified => "email_unverified",
            Error::DeletionScheduled => "deletion_scheduled",
            Error::AccountLocked => "account_locked",
            Error::StepUp(_) => "reauthentication_required",
            Error::TooManyAttempts(_) => "too_many_attempts",
            Error::WrongCredentials => "wrong_credentials",
            Error::CrossOrigin => "cross_origin",
            Error::PlainHttp(_) => "https_required",
            Error::Forbidden(_) | Error::KeyForbidden(_) => "forbidden",
            Error::KeyLimit(_) => "key_limit",
            Error::InvalidToken => "invalid_token",
            Error::PersonRequired => "person_required",
            Error::InsufficientAuthentication(..) => "insufficient_user_authentication",
            Error::ApplicationForbidden(_) => "application_forbidden",
            Error::ApplicationUnknown => "application_unknown",
            Error::GateUntrusted(_) => "gate_untrusted",
            Error::ApplicationSecondFactor => "second_factor_required",
            Error::InvitationForAnother(_) => "invitation_for_another",
            Error::DeadInvitation(..) => "dead_invitation",
            Error::RoleInUse(_) => "role_in_use",
            Error::OrganisationLeaving(_) => "organisation_leaving",
            Error::OrganisationMoved(_) => "organisation_moved",
            Error::NetworkNotAllowed(_) => "network_not_allowed",
            Error::SignInMethodNotAllowed(..) => "sign_in_method_not_allowed",
            Error::SessionTooOld(_) => "session_too_old",
            Error::SecondFactorRequired(..) => "second_factor_required",
            Error::DomainNotInvited(_) => "domain_not_invited",
            Error::OrganisationsByOperators => "organisations_by_operators",
            Error::DomainInForce => "domain_in_force",
            Error::LastOwner => "last_owner",
            Error::BreakGlassOwner => "break_glass_owner",
            Error::Conflict => "conflict",
            Error::DomainTaken => "domain_taken",
            Error::ProviderRefused(_) | Error::ProviderUnknown(_) => "provider_refused",
            Error::ProviderSilent(_) => "provider_silent",
            Error::IdentityTaken(_) => "identity_taken",
            Error::SsoRefused => "sso_refused",
            Error::SsoRequired(_) => "sso_required",
            Error::NotFound => "not_found",
            Error::MethodNotAllowed => "method_not_allowed",
            Error::ConfirmByPost => "confirm_by_post",
            Error::Timeout => "timeout",
            Error::Malformed(_) => "malformed",
            Error::TooLarge => "too_large",
            Error::UnsupportedMedia => "unsupported_media",
            Error::Invalid(_) => "invalid",
            Error::DeadLink => "dead_link",
            Error::AddressReserved => "address_reserved",
            Error::LinkMissing => "link_missing",
            Error::DeadMagicLink => "dead_magic_link",
            Error::DeadResetLink => "dead_reset_link",
            Error::AlreadyConfirmed => "already_confirmed",
            Error::SignInExpired | Error::StepUpsExhausted => "sign_in_ended",
            Error::UnknownPasskey => "unknown_passkey",
            Error::PasskeyRefused => "passkey_refused",
            Error::PasskeyTaken => "passkey_taken",
            Error::PasskeyExpired => "passkey_expired",
            Error::LastCredential => "last_credential",
            Error::Busy => "busy",
            Error::Unavailable(_) => "unavailable",
            Error::NotReady(_) => "not_ready",
            Error::Internal(_) => "internal",
        }
    }

    /// The HTTP status of this error (RFC 9110 §15).
    pub(crate) fn status(&self) -> u16 {
        let code = self.code();
        Self::CODES.iter().find(|(name, _)| *name == code).map_or(500, |(_, status)| *status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Errors;

    #[test]
    fn every_error_has_a_documented_code() {
        for error in
            [Error::SignIn, Error::Busy, Error::Malformed(String::new()), Error::Invalid(Errors::default())]
        {
            assert!(Error::CODES.iter().any(|(code, _)| *code == error.code()), "{}", error.code());
        }
        assert!(Error::CODES.is_sorted(), "the list is kept in order");
    }
}
