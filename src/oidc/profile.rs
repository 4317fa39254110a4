//! What a provider says about a person, and how much of it is believed.

use serde_json::Value;

use super::claims::Claims;
use crate::mail::EmailAddress;

/// Whose word for an address counts, and in which words. It counts for a new account only, and never where an organisation
/// verified the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressTrust {
    /// `email_verified` is JSON's true.
    Google,
    /// `email_verified` as [`super::github::read_user`] has it.
    GitHub,
    /// `xms_edov` is true: the owner of the domain verified it. `email` alone is what the owner of some tenant entered.
    Microsoft,
    /// `email_verified` is true, or the text `"true"`; `"false"` is false.
    Apple,
    /// As for Apple: any other provider, where the settings say nothing else.
    Stated,
    /// Every address counts: the settings trust the provider, or one tenant of Microsoft's.
    Always,
    /// No address counts.
    Never,
}

/// An address that a provider named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedAddress {
    /// The address.
    pub address: EmailAddress,
    /// Whether the provider's word for it counts.
    pub is_verified: bool,
}

/// The address in the claim `email`, and whether it counts as verified; none where it is no address.
pub(crate) fn email(claims: &Claims, trust: AddressTrust) -> Option<NamedAddress> {
    let address = EmailAddress::parse(claims.text("email")?).ok()?;
    let is_verified = match trust {
        AddressTrust::Google | AddressTrust::GitHub => {
            claims.get("email_verified") == Some(&Value::Bool(true))
        }
        AddressTrust::Microsoft => {
            let is_one = claims.get("xms_edov").is_some_and(|value| *value == 1 || *value == "1");
            is_one || claims.is_true("xms_edov")
        }
        AddressTrust::Apple | AddressTrust::Stated => claims.is_true("email_verified"),
        AddressTrust::Always => true,
        AddressTrust::Never => false,
    };
    Some(NamedAddress { address, is_verified })
}

/// The name of a new account, if the provider says one, whole or in its parts (OpenID Connect Core §5.1).
pub(crate) fn name(claims: &Claims) -> Option<String> {
    let parts = || {
        let parts: Vec<_> =
            ["given_name", "family_name"].into_iter().filter_map(|part| claims.text(part)).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    claims.text("name").map(str::to_owned).or_else(parts).map(|name| name.trim().to_owned())
}

/// What the person knows the account there by: its address, or its login.
pub(crate) fn known_as(claims: &Claims) -> Option<&str> {
    ["email", "preferred_username"].into_iter().find_map(|claim| claims.text(claim))
}

#[cfg(test)]
mod tests;
