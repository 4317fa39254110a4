//! What an application sends to the token endpoint (RFC 6749 §4.1.3, §4.4.2, §6; RFC 7636 §4.5).

use std::collections::BTreeMap;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use sha2::{Digest, Sha256};

use super::{Code, Refused, Scopes};

/// What it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenRequest {
    /// Tokens for a code.
    Code {
        /// The code.
        code: String,
        /// Where it came back.
        redirect_uri: Option<String>,
        /// The secret behind the code challenge.
        verifier: Option<String>,
    },
    /// Tokens for a refresh token.
    Refresh {
        /// It.
        token: String,
        /// What of the scopes, where not all.
        scope: Option<Scopes>,
    },
    /// Tokens for a device that its person lets in (RFC 8628 §3.4).
    Device {
        /// What the device holds.
        code: String,
    },
    /// A token for the application itself.
    Client {
        /// What it asks for, where not all that it may.
        scope: Option<Scopes>,
    },
}

impl TokenRequest {
    /// Reads a form.
    pub(crate) fn read(form: &BTreeMap<String, String>) -> Result<Self, Refused> {
        let invalid = |description| Refused::new(Code::InvalidRequest, description);
        let scope = match form.get("scope").map(|text| Scopes::parse(text)) {
            Some(None) => {
                return Err(Refused::new(Code::InvalidScope, "A scope has characters that none can have."));
            }
            Some(Some(scopes)) => Some(scopes),
            None => None,
        };
        match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") => Ok(Self::Code {
                code: form.get("code").cloned().ok_or_else(|| invalid("code is missing."))?,
                redirect_uri: form.get("redirect_uri").cloned(),
                verifier: form.get("code_verifier").cloned(),
            }),
            Some("refresh_token") => Ok(Self::Refresh {
                token: form
                    .get("refresh_token")
                    .cloned()
                    .ok_or_else(|| invalid("refresh_token is missing."))?,
                scope,
            }),
            Some("urn:ietf:params:oauth:grant-type:device_code") => Ok(Self::Device {
                code: form.get("device_code").cloned().ok_or_else(|| invalid("device_code is missing."))?,
            }),
            Some("client_credentials") => Ok(Self::Client { scope }),
            Some(_) => Err(Refused::new(Code::UnsupportedGrantType, "There is no such grant here.")),
            None => Err(invalid("grant_type is missing.")),
        }
    }
}

/// The code challenge of a verifier (RFC 7636 §4.2); nothing where it cannot be one (§4.1).
pub(crate) fn challenge_of(verifier: &str) -> Option<String> {
    let is_one = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    is_one.then(|| BASE64.encode(Sha256::digest(verifier)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_the_one_of_the_standard() {
        // RFC 7636 appendix B.
        let challenge = challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge.as_deref(), Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        for wrong in ["", "short", &"x".repeat(129), &"é".repeat(43), &" ".repeat(43)] {
            assert_eq!(challenge_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_form_is_one_of_three_questions() {
        let read = |form: &[(&str, &str)]| {
            let form = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            TokenRequest::read(&form).map_err(|refused| refused.code)
        };
        assert!(matches!(
            read(&[("grant_type", "authorization_code"), ("code", "c")]),
            Ok(TokenRequest::Code { verifier: None, .. })
        ));
        for (form, code) in [
            (vec![], Code::InvalidRequest),
            (vec![("grant_type", "password")], Code::UnsupportedGrantType),
            (vec![("grant_type", "authorization_code")], Code::InvalidRequest),
            (vec![("grant_type", "refresh_token")], Code::InvalidRequest),
            (vec![("grant_type", "client_credentials"), ("scope", "\"")], Code::InvalidScope),
        ] {
            assert_eq!(read(&form), Err(code), "{form:?}");
        }
    }
}
