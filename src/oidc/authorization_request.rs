//! The request that a browser carries to the provider (OpenID Connect Core 1.0 §3.1.2.1, RFC 6749 §4.1.1), with PKCE always:
//! a provider that does not know it ignores it (RFC 7636 §5).

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use sha2::{Digest, Sha256};
use url::Url;

use super::Reason;

/// A request. What is `None` is not asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuthorizationRequest<'a> {
    /// The provider's authorization endpoint. What it has in its query stays, but for the names used here.
    pub endpoint: &'a str,
    /// What the provider calls us.
    pub client_id: &'a str,
    /// Where the browser comes back.
    pub redirect_uri: &'a str,
    /// What is asked for: see [`scopes`] for OpenID Connect.
    pub scope: &'a str,
    /// 256 random bits that come back in the response.
    pub state: &'a str,
    /// 256 random bits that come back in the ID token; none for GitHub.
    pub nonce: Option<&'a str>,
    /// The verifier of PKCE: 43 to 128 characters (RFC 7636 §4.1). Only its digest leaves.
    pub verifier: &'a str,
    /// What the provider is to ask the person.
    pub prompt: Option<Prompt>,
    /// The address that the person typed here.
    pub login_hint: Option<&'a str>,
    /// How the response comes back.
    pub response_mode: ResponseMode,
    /// Google's `hd`: whose accounts are offered. A hint, to be checked in the token.
    pub hosted_domain: Option<&'a str>,
}

/// What the provider is to ask the person (OpenID Connect Core §3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// `prompt=login` and `max_age=0`: to sign in again, for step-up.
    Login,
    /// `prompt=select_account`: which account it is to be.
    SelectAccount,
}

/// How a response comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseMode {
    /// In the query of the redirect address.
    Query,
    /// In a form that the browser posts (OAuth 2.0 Form Post Response Mode), as Apple wants it.
    FormPost,
}

impl AuthorizationRequest<'_> {
    /// The address to send the browser to. [`Reason::BadEndpoint`] where the endpoint is none.
    pub(crate) fn url(&self) -> Result<String, Reason> {
        let mut url = Url::parse(self.endpoint).map_err(|_| Reason::BadEndpoint)?;
        let challenge = BASE64.encode(Sha256::digest(self.verifier));
        let prompt = self.prompt.map(|prompt| match prompt {
            Prompt::Login => "login",
            Prompt::SelectAccount => "select_account",
        });
        let parameters = [
            ("response_type", Some("code")),
            ("client_id", Some(self.client_id)),
            ("redirect_uri", Some(self.redirect_uri)),
            ("scope", Some(self.scope)),
            ("state", Some(self.state)),
            ("nonce", self.nonce),
            ("code_challenge", Some(challenge.as_str())),
            ("code_challenge_method", Some("S256")),
            ("prompt", prompt),
            ("max_age", (self.prompt == Some(Prompt::Login)).then_some("0")),
            ("login_hint", self.login_hint),
            ("response_mode", (self.response_mode == ResponseMode::FormPost).then_some("form_post")),
            ("hd", self.hosted_domain),
        ];
        let kept = url.query_pairs().into_owned();
        let kept: Vec<(String, String)> =
            kept.filter(|(name, _)| !parameters.iter().any(|(ours, _)| ours == name)).collect();
        let set = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
        url.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(set);
        Ok(url.into())
    }
}

/// The scopes of a request: those that are set, always with `openid`, and never with `offline_access`: no refresh token is
/// asked for, as none is kept.
pub(crate) fn scopes(set: &str) -> String {
    let others = set.split_ascii_whitespace().filter(|scope| !["openid", "offline_access"].contains(scope));
    ["openid"].into_iter().chain(others).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: AuthorizationRequest<'_> = AuthorizationRequest {
        endpoint: "https://id.example/authorize?tenant=a%20b&state=theirs&prompt=none",
        client_id: "one & two",
        redirect_uri: "https://app.example/auth/oidc/callback/acme",
        scope: "openid email",
        state: "s",
        nonce: Some("n"),
        // RFC 7636 appendix B.
        verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        prompt: None,
        login_hint: None,
        response_mode: ResponseMode::Query,
        hosted_domain: None,
    };

    #[test]
    fn a_request_says_all_that_is_checked_later() {
        let plain = "https://id.example/authorize?tenant=a+b&response_type=code&client_id=one+%26+two\
                     &redirect_uri=https%3A%2F%2Fapp.example%2Fauth%2Foidc%2Fcallback%2Facme&scope=openid+email&state=s&nonce=n\
                     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
        assert_eq!(REQUEST.url().as_deref(), Ok(plain));
        let step_up = AuthorizationRequest {
            prompt: Some(Prompt::Login),
            login_hint: Some("ada+1@example.com"),
            response_mode: ResponseMode::FormPost,
            hosted_domain: Some("*"),
            ..REQUEST
        };
        let more = "&prompt=login&max_age=0&login_hint=ada%2B1%40example.com&response_mode=form_post&hd=*";
        assert_eq!(step_up.url(), Ok(format!("{plain}{more}")));
        let choosing = AuthorizationRequest { prompt: Some(Prompt::SelectAccount), nonce: None, ..REQUEST }
            .url()
            .unwrap();
        assert!(choosing.ends_with("&prompt=select_account") && !choosing.contains("nonce"), "{choosing}");
        assert_eq!(
            AuthorizationRequest { endpoint: "/authorize", ..REQUEST }.url(),
            Err(Reason::BadEndpoint)
        );
    }

    #[test]
    fn no_refresh_token_is_asked_for() {
        assert_eq!(scopes(""), "openid");
        assert_eq!(scopes(" email  offline_access openid groups"), "openid email groups");
    }
}
