//! Google: whose accounts may sign in.

use super::{Reason, claims::Claims};

/// Who vouches.
pub(crate) const ISSUER: &str = "https://accounts.google.com";

/// What is sent as `hd`, so that the right accounts are offered: the one domain, or any of Workspace. Anybody can take it out
/// of the request.
pub(crate) fn hosted_domain(domains: &[String]) -> Option<&str> {
    match domains {
        [] => None,
        [only] => Some(only),
        _ => Some("*"),
    }
}

/// Whether an account belongs to one of the domains that may sign in: any may where none is named.
/// [`Reason::AnotherDomain`], also where the token names none, as for every personal account.
pub(crate) fn check_domain(claims: &Claims, domains: &[String]) -> Result<(), Reason> {
    let of = claims.text("hd");
    let is_named = || domains.iter().any(|domain| of.is_some_and(|of| of.eq_ignore_ascii_case(domain)));
    if domains.is_empty() || is_named() { Ok(()) } else { Err(Reason::AnotherDomain) }
}
