//! Addresses on this site in which something is filled in: how, is said here once.
//!
//! A short name and an id stand in a path as they are: neither has a character that would have to be escaped.

use url::form_urlencoded::Serializer;

use crate::ids::ConnectionId;

/// `path`, with these fields as its query where there are any.
pub(crate) fn with_query<'a>(
    path: &str,
    fields: impl IntoIterator<Item = (&'a str, impl AsRef<str>)>,
) -> String {
    match Serializer::new(String::new()).extend_pairs(fields).finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// An organisation.
pub(crate) fn organisation(slug: &str) -> String {
    format!("/organisations/{slug}")
}

/// A connection of it.
pub(crate) fn connection(slug: &str, id: &ConnectionId) -> String {
    format!("/organisations/{slug}/sso/{id}")
}

/// A page of an organisation, by what comes after its short name.
pub(crate) fn organisation_page(slug: &str, page: &str) -> String {
    format!("/organisations/{slug}/{page}")
}

/// Where people sign in through their organisation.
pub(crate) const SSO_LOGIN: &str = "/auth/sso/login";

/// Where somebody connects what is known of them there with the account that they have here.
pub(crate) const LINK: &str = "/auth/link";

/// Where somebody learns that it did not work.
pub(crate) const SSO_REFUSED: &str = "/auth/saml/refused";

/// Where somebody with this address signs in through their organisation.
pub(crate) fn sso_login(email: &str) -> String {
    with_query(SSO_LOGIN, [("email", email)])
}

/// Where a provider sends people back to, by its key or a connection's id: the redirect address that is registered there
/// (RFC 6749 §3.1.2).
pub(crate) fn oidc_redirect(key: &str) -> String {
    format!("/auth/oidc/callback/{key}")
}

/// Where a sign-in begins that begins at a provider (OpenID Connect Core §4).
pub(crate) const OIDC_INITIATE: &str = "/auth/oidc/initiate";

/// Where a provider says that it ended a session (OpenID Connect Back-Channel Logout §2.2).
pub(crate) fn oidc_logout(key: &str) -> String {
    format!("/auth/oidc/logout/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_into_a_query_stays_one_value() {
        for (value, filled) in [
            ("ada@example.com", "ada%40example.com"),
            ("a+b&c=d#e", "a%2Bb%26c%3Dd%23e"),
            ("/me?x=1", "%2Fme%3Fx%3D1"),
            ("ä b\r\n", "%C3%A4+b%0D%0A"),
        ] {
            assert_eq!(with_query("/login", [("next", value)]), format!("/login?next={filled}"));
        }
        assert_eq!(with_query("/login", [("a", "1"), ("b", "")]), "/login?a=1&b=");
        assert_eq!(with_query("/login", Vec::<(&str, &str)>::new()), "/login");
    }
}
