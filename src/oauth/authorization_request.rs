//! What a browser brings to the authorization endpoint (RFC 6749 §4.1.1, RFC 7636 §4.3, OpenID Connect Core 1.0 §3.1.2.1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Code, Refused, Scopes};
use crate::text_enum;

text_enum! {
    /// How the answer comes back.
    ResponseMode {
        /// In the query of the redirect address.
        Query => "query",
        /// In a form that the browser posts (OAuth 2.0 Form Post Response Mode).
        FormPost => "form_post",
    }
}

text_enum! {
    /// What the person is to be asked, or not.
    Prompt {
        /// Nothing.
        None => "none",
        /// To show anew who they are.
        Login => "login",
        /// To allow it, also where they did before.
        Consent => "consent",
        /// Which account it is to be.
        SelectAccount => "select_account",
    }
}

/// A request that can be answered. Unknown parameters are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    /// Who asks.
    pub client_id: String,
    /// Where the answer goes: one of the registered ones.
    pub redirect_uri: String,
    /// How.
    pub response_mode: ResponseMode,
    /// What is asked for, between blanks.
    pub scope: String,
    /// What comes back as it is.
    pub state: Option<String>,
    /// What comes back in the ID token.
    pub nonce: Option<String>,
    /// The SHA-256 of a secret that the code is exchanged with; none where the application need not have one.
    pub code_challenge: Option<String>,
    /// What the person is to be asked.
    pub prompts: Vec<Prompt>,
    /// How many seconds ago at most they showed who they are.
    pub max_age: Option<i64>,
    /// How strongly, the best first.
    pub acr_values: Vec<String>,
    /// The address of the person that is meant.
    pub login_hint: Option<String>,
    /// The id of the person that is meant, as an ID token of ours says that came along.
    pub subject: Option<String>,
    /// For whom the access token is to be (RFC 8707).
    pub resource: Option<String>,
}

impl AuthorizationRequest {
    /// Whether `prompt` is asked for.
    pub(crate) fn has(&self, prompt: Prompt) -> bool {
        self.prompts.contains(&prompt)
    }

    /// What is asked for.
    pub(crate) fn scopes(&self) -> Scopes {
        Scopes::parse(&self.scope).unwrap_or_default()
    }

    /// As much of a request that is wrong as its answer needs.
    pub(crate) fn to_answer(
        client_id: String,
        redirect_uri: String,
        response_mode: ResponseMode,
        state: Option<String>,
    ) -> Self {
        Self {
            client_id,
            redirect_uri,
            response_mode,
            scope: String::new(),
            state,
            nonce: None,
            code_challenge: None,
            prompts: Vec::new(),
            max_age: None,
            acr_values: Vec::new(),
            login_hint: None,
            subject: None,
            resource: None,
        }
    }

    /// Reads a request whose application and redirect address were found to belong together. What is wrong otherwise is told to
    /// the application. `is_bound`: without a code challenge it is refused.
    pub(crate) fn read(parameters: &BTreeMap<String, String>, is_bound: bool) -> Result<Self, Refused> {
        let text = |name: &str| parameters.get(name).cloned();
        let invalid = |description| Err(Refused::new(Code::InvalidRequest, description));
        match parameters.get("response_type").map(String::as_str) {
            Some("code") => {}
            None => return invalid("response_type is missing."),
            Some(_) => {
                return Err(Refused::new(
                    Code::UnsupportedResponseType,
                    "Only response_type=code is answered.",
                ));
            }
        }
        if parameters.contains_key("request") {
            return Err(Refused::new(Code::RequestNotSupported, "Request objects are not read."));
        }
        if parameters.contains_key("request_uri") {
            return Err(Refused::new(Code::RequestUriNotSupported, "Request objects are not read."));
        }
        let Some(response_mode) = response_mode(parameters) else {
            return invalid("response_mode is neither query nor form_post.");
        };
        let scope = match Scopes::parse(parameters.get("scope").map_or("", String::as_str)) {
            Some(scopes) => scopes.text(),
            None => {
                return Err(Refused::new(Code::InvalidScope, "A scope has characters that none can have."));
            }
        };
        let challenge = text("code_challenge");
        match (&challenge, parameters.get("code_challenge_method").map(String::as_str)) {
            // Something has to tell a code of another browser (RFC 9700 §2.1.1).
            (None, None) if !is_bound => {
                if !parameters.contains_key("nonce") || !scope.split(' ').any(|one| one == "openid") {
                    return invalid("Without code_challenge, nonce and the scope openid are needed.");
                }
            }
            (None, _) => return invalid("code_challenge is missing: PKCE is asked of every application."),
            (Some(challenge), Some("S256")) if is_challenge(challenge) => {}
            (Some(_), Some("S256")) => return invalid("code_challenge is no SHA-256 in base64url."),
            (Some(_), _) => return invalid("code_challenge_method is not S256."),
        }
        let words = |name: &str| -> Vec<String> {
            let words = parameters.get(name).map_or("", String::as_str).split(' ');
            words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let prompts: Option<Vec<Prompt>> =
            words("prompt").iter().map(|word| Prompt::from_word(word)).collect();
        let Some(prompts) = prompts else { return invalid("prompt has a word that is not known.") };
        if prompts.contains(&Prompt::None) && prompts.len() > 1 {
            return invalid("prompt=none stands alone.");
        }
        let max_age = match parameters.get("max_age").map(|text| text.parse::<i64>()) {
            None => None,
            Some(Ok(seconds)) if seconds >= 0 => Some(seconds),
            Some(_) => return invalid("max_age is no number of seconds."),
        };
        let longest = |name: &str, most: usize| parameters.get(name).is_some_and(|text| text.len() > most);
        if longest("state", 8_192) || longest("nonce", 1_024) {
            return invalid("state or nonce is too long.");
        }
        if longest("login_hint", 320) || longest("acr_values", 1_024) || longest("resource", 2_000) {
            return invalid("login_hint, acr_values or resource is too long.");
        }
        Ok(Self {
            client_id: text("client_id").unwrap_or_default(),
            redirect_uri: text("redirect_uri").unwrap_or_default(),
            response_mode,
            scope,
            state: text("state"),
            nonce: text("nonce"),
            code_challenge: challenge,
            prompts,
            max_age,
            acr_values: words("acr_values"),
            login_hint: text("login_hint"),
            subject: None,
            resource: text("resource"),
        })
    }
}

/// How an answer is to come back, also to a request that is wrong otherwise.
fn response_mode(parameters: &BTreeMap<String, String>) -> Option<ResponseMode> {
    match parameters.get("response_mode") {
        None => Some(ResponseMode::Query),
        Some(word) => ResponseMode::from_word(word),
    }
}

/// 32 bytes in base64url (RFC 7636 §4.2).
fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn read(more: &[(&str, &str)]) -> Result<AuthorizationRequest, Code> {
        let usual = [
            ("response_type", "code"),
            ("client_id", "notes-x"),
            ("redirect_uri", "https://a.example/cb"),
            ("scope", "openid"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let pairs = usual.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut parameters: BTreeMap<String, String> = pairs.collect();
        parameters.retain(|_, value| !value.is_empty());
        AuthorizationRequest::read(&parameters, true).map_err(|refused| refused.code)
    }

    #[test]
    fn a_request_is_read_and_what_is_wrong_has_the_code_of_the_standard() {
        use Code::{InvalidRequest, InvalidScope, RequestNotSupported, UnsupportedResponseType};
        let fine =
            read(&[("prompt", "login consent"), ("max_age", "0"), ("acr_values", "phr 2fa"), ("x", "y")]);
        let fine = fine.unwrap();
        assert_eq!(fine.prompts, [Prompt::Login, Prompt::Consent]);
        assert_eq!((fine.max_age, fine.acr_values.len()), (Some(0), 2));
        for (name, value, code) in [
            ("response_type", "", InvalidRequest),
            ("response_type", "token", UnsupportedResponseType),
            ("response_type", "code id_token", UnsupportedResponseType),
            ("response_mode", "fragment", InvalidRequest),
            ("code_challenge", "", InvalidRequest),
            ("code_challenge", "short", InvalidRequest),
            ("code_challenge_method", "plain", InvalidRequest),
            ("code_challenge_method", "", InvalidRequest),
            ("prompt", "none login", InvalidRequest),
            ("prompt", "dance", InvalidRequest),
            ("max_age", "-1", InvalidRequest),
            ("max_age", "soon", InvalidRequest),
            ("scope", "openid \"x\"", InvalidScope),
            ("request", "eyJ", RequestNotSupported),
            ("login_hint", &"y".repeat(321), InvalidRequest),
            ("acr_values", &"y".repeat(1_025), InvalidRequest),
            ("resource", &"y".repeat(2_001), InvalidRequest),
        ] {
            assert_eq!(read(&[(name, value)]), Err(code), "{name}={value}");
        }
        assert!(read(&[("state", &"é".repeat(2_048))]).is_ok());
    }
}
