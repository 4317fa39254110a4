//! The response that comes back to the redirect address (RFC 6749 §4.1.2, RFC 9207). Nothing of it is signed.

use serde::{Deserialize, Serialize};

use super::{Reason, Refusal, check::shown, microsoft};

// Longer than any code that was seen.
const MAX_CODE: usize = 4096;

/// The parameters of a response, as a query or as a form. A provider may send others besides, which say nothing to us.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AuthorizationResponse {
    /// What the request said.
    pub state: Option<String>,
    /// What is exchanged for tokens: good once, by us only.
    pub code: Option<String>,
    /// Who answers.
    pub iss: Option<String>,
    /// Why it did not work.
    pub error: Option<String>,
    /// The same in words of the provider's.
    pub error_description: Option<String>,
    /// Apple's JSON about the person, at their first sign-in only. Unsigned: see [`super::apple::name`].
    pub user: Option<String>,
}

impl AuthorizationResponse {
    /// The code, where the response comes from the provider that was asked, and well. [`Reason::AnotherIssuer`] and
    /// [`Reason::NoIssuer`] by what it says of its issuer, [`Reason::Cancelled`] where the person did not go on there,
    /// [`Reason::ErrorResponse`] with the error in [`Refusal::found`], [`Reason::NoCode`].
    ///
    /// `issuer` is what the provider calls itself, and `names_issuer` whether its metadata promises to say so.
    pub(crate) fn code(&self, issuer: &str, names_issuer: bool) -> Result<&str, Box<Refusal>> {
        match filled(&self.iss) {
            Some(named) if !is_issuer(named, issuer) => {
                return Err(Refusal::with(Reason::AnotherIssuer, named));
            }
            None if names_issuer => return Err(Reason::NoIssuer.into()),
            _ => {}
        }
        if let Some(error) = filled(&self.error) {
            return Err(refusal_for(error, filled(&self.error_description)));
        }
        filled(&self.code).filter(|code| code.len() <= MAX_CODE).ok_or_else(|| Reason::NoCode.into())
    }
}

/// What an error of the provider's means here.
fn refusal_for(error: &str, description: Option<&str>) -> Box<Refusal> {
    let is_cancelled = matches!(error, "access_denied" | "login_required" | "consent_required")
        || error.starts_with("user_cancelled_");
    let reason = if is_cancelled { Reason::Cancelled } else { Reason::ErrorResponse };
    error_found(reason, error, description)
}

/// A refusal with an error of OAuth and its description: `access_denied: The user went away.` A code that is none is left out.
pub(super) fn error_found(reason: Reason, error: &str, description: Option<&str>) -> Box<Refusal> {
    let is_code = error.len() <= 64 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let error = if is_code { error } else { "?" };
    let found = description.map_or_else(|| error.to_owned(), |told| format!("{error}: {}", shown(told)));
    Refusal::with(reason, &found)
}

fn is_issuer(named: &str, issuer: &str) -> bool {
    match issuer == microsoft::ANY_TENANT {
        true => microsoft::is_tenants_issuer(named),
        false => named == issuer,
    }
}

/// A parameter without a value is as good as not there (RFC 6749 §3.1).
fn filled(parameter: &Option<String>) -> Option<&str> {
    parameter.as_deref().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://id.example";

    fn outcome(query: &str, issuer: &str, names_issuer: bool) -> Result<String, (Reason, Option<String>)> {
        let parameters: AuthorizationResponse = serde_urlencoded::from_str(query).unwrap();
        let code = parameters.code(issuer, names_issuer).map(str::to_owned);
        code.map_err(|refusal| (refusal.reason, refusal.found))
    }

    #[test]
    fn a_response_brings_a_code_or_a_reason() {
        let long = format!("code={}", "c".repeat(MAX_CODE + 1));
        for (query, names_issuer, expected) in [
            ("code=c&state=s&session_state=x&scope=openid", false, Ok("c")),
            ("code=c&iss=", false, Ok("c")),
            ("code=c&iss=https%3A%2F%2Fid.example", true, Ok("c")),
            ("code=c", true, Err((Reason::NoIssuer, None))),
            ("error=access_denied", true, Err((Reason::NoIssuer, None))),
            (
                "code=c&iss=https%3A%2F%2Fid.example%2F",
                true,
                Err((Reason::AnotherIssuer, Some("https://id.example/"))),
            ),
            (
                "error=access_denied&iss=https%3A%2F%2Fevil.example",
                false,
                Err((Reason::AnotherIssuer, Some("https://evil.example"))),
            ),
            ("error=access_denied&code=c", false, Err((Reason::Cancelled, Some("access_denied")))),
            (
                "error=user_cancelled_authorize",
                false,
                Err((Reason::Cancelled, Some("user_cancelled_authorize"))),
            ),
            ("error=login_required", false, Err((Reason::Cancelled, Some("login_required")))),
            ("error=consent_required", false, Err((Reason::Cancelled, Some("consent_required")))),
            (
                "error=server_error&error_description=Down%0Anow",
                false,
                Err((Reason::ErrorResponse, Some("server_error: Down now"))),
            ),
            ("error=%3Cb%3E", false, Err((Reason::ErrorResponse, Some("?")))),
            ("error=&code=", false, Err((Reason::NoCode, None))),
            ("", false, Err((Reason::NoCode, None))),
            (&long, false, Err((Reason::NoCode, None))),
        ] {
            let expected =
                expected.map(str::to_owned).map_err(|(reason, found)| (reason, found.map(str::to_owned)));
            assert_eq!(outcome(query, ISSUER, names_issuer), expected, "{query}");
        }
    }

    #[test]
    fn any_tenant_of_microsofts_may_answer_for_all() {
        let tenant = "https%3A%2F%2Flogin.microsoftonline.com%2F72f988bf-86f1-41af-91ab-2d7cd011db47%2Fv2.0";
        assert!(outcome(&format!("code=c&iss={tenant}"), microsoft::ANY_TENANT, true).is_ok());
        for other in [tenant.replace("v2.0", "v1.0"), tenant.replace("72f988bf", "common"), "a".to_owned()] {
            let refused = outcome(&format!("code=c&iss={other}"), microsoft::ANY_TENANT, true);
            assert!(matches!(refused, Err((Reason::AnotherIssuer, _))), "{other}");
        }
    }
}
