//! A code is exchanged for tokens (RFC 6749 §4.1.3, §5; OpenID Connect Core 1.0 §3.1.3).

use std::collections::BTreeMap;

use serde_json::Value;
use url::form_urlencoded;

use super::{ClientAuthentication, Reason, Refusal, authorization_response::error_found, json};
use crate::secret::Secret;

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// What says that somebody may ask the provider about a person. It lives for one request, and is never kept.
#[derive(Debug)]
pub(crate) enum AccessToken {}

/// What is posted to a token endpoint.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TokenRequest<'a> {
    /// The fields of the form, in the order of the standard.
    pub form: Vec<(&'static str, &'a str)>,
    /// Our id and secret for HTTP Basic, as they are: both are still to be form-encoded (RFC 6749 §2.3.1).
    pub basic: Option<(&'a str, &'a str)>,
}

/// What is known when a code came back.
#[derive(Clone, Copy)]
pub(crate) struct Exchange<'a> {
    /// The code.
    pub code: &'a str,
    /// The redirect address of the request.
    pub redirect_uri: &'a str,
    /// The verifier of the request's challenge (RFC 7636 §4.5).
    pub verifier: &'a str,
    /// What the provider calls us.
    pub client_id: &'a str,
    /// What shows that it is us.
    pub client_secret: &'a str,
}

/// What is posted to exchange a code.
pub(crate) fn token_request<'a>(
    exchange: Exchange<'a>,
    authentication: ClientAuthentication,
) -> TokenRequest<'a> {
    let Exchange { code, redirect_uri, verifier, client_id, client_secret } = exchange;
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ];
    if authentication == ClientAuthentication::Basic {
        return TokenRequest { form, basic: Some((client_id, client_secret)) };
    }
    form.extend([("client_id", client_id), ("client_secret", client_secret)]);
    TokenRequest { form, basic: None }
}

/// What a provider handed out for a code. A refresh token, where one came, is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    /// For user information.
    pub access_token: Secret<AccessToken>,
    /// Who the person is; GitHub sends none.
    pub id_token: Option<String>,
}

/// Reads the answer of a token endpoint: its status, its media type without parameters, its body. JSON, or a form as GitHub
/// sends it, and errors whatever the status. [`Reason::BadSecret`], [`Reason::BadCode`], [`Reason::ErrorResponse`] with the
/// error in [`Refusal::found`]; [`Reason::NoAnswer`] for anything else that is no answer.
pub(crate) fn read_token_response(
    status: u16,
    media_type: Option<&str>,
    body: &str,
) -> Result<Tokens, Box<Refusal>> {
    let fields = if body.len() <= MAX_ANSWER { fields(media_type, body) } else { None };
    let field = |name: &str| fields.as_ref()?.get(name).map(String::as_str).filter(|text| !text.is_empty());
    if let Some(error) = field("error") {
        let reason = match error {
            "invalid_client" | "unauthorized_client" | "incorrect_client_credentials" => Reason::BadSecret,
            "invalid_grant" | "bad_verification_code" => Reason::BadCode,
            _ => Reason::ErrorResponse,
        };
        return Err(error_found(reason, error, field("error_description")));
    }
    let is_bearer = field("token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    match field("access_token") {
        Some(access_token) if status == 200 && is_bearer => Ok(Tokens {
            access_token: Secret::from_text(access_token),
            id_token: field("id_token").map(str::to_owned),
        }),
        _ if status == 401 => Err(Reason::BadSecret.into()),
        _ => Err(Refusal::with(Reason::NoAnswer, &format!("HTTP status {status}"))),
    }
}

/// The texts of an answer. A name that comes twice makes it none (RFC 6749 §3.2).
fn fields(media_type: Option<&str>, body: &str) -> Option<BTreeMap<String, String>> {
    if media_type != Some("application/x-www-form-urlencoded") {
        let object = json::object(body.trim().as_bytes())?;
        let texts = object.into_iter().filter_map(|(name, value)| match value {
            Value::String(text) => Some((name, text)),
            _ => None,
        });
        return Some(texts.collect());
    }
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body.as_bytes()).into_owned() {
        if fields.insert(name, value).is_some() {
            return None;
        }
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXCHANGE: Exchange<'_> = Exchange {
        code: "c",
        redirect_uri: "https://app.example/cb",
        verifier: "v",
        client_id: "a:b",
        client_secret: "+/=%: s",
    };

    #[test]
    fn the_secret_goes_where_the_provider_wants_it() {
        let basic = token_request(EXCHANGE, ClientAuthentication::Basic);
        assert_eq!(basic.basic, Some(("a:b", "+/=%: s")));
        let names: Vec<_> = basic.form.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["grant_type", "code", "redirect_uri", "code_verifier"]);
        let post = token_request(EXCHANGE, ClientAuthentication::Post);
        assert_eq!((post.basic, &post.form[..4]), (None, &basic.form[..]));
        assert_eq!(post.form[4..], [("client_id", "a:b"), ("client_secret", "+/=%: s")]);
    }

    #[test]
    fn an_answer_brings_tokens_or_a_reason() {
        let (json, form) = (Some("application/json"), Some("application/x-www-form-urlencoded"));
        let large = format!("{{\"access_token\":\"{}\"}}", "a".repeat(MAX_ANSWER));
        for (status, kind, body, expected) in [
            (
                200,
                json,
                r#"{"access_token":"a","token_type":"Bearer","id_token":"i","expires_in":3600}"#,
                Ok(Some("i")),
            ),
            (
                200,
                json,
                r#"{"access_token":"a","token_type":"bearer","refresh_token":"r","id_token":null}"#,
                Ok(None),
            ),
            (200, None, "\n{\"access_token\":\"a\"}\n", Ok(None)),
            (200, form, "access_token=a&scope=user%3Aemail&token_type=bearer", Ok(None)),
            (200, json, r#"{"access_token":"a","token_type":"DPoP"}"#, Err(Reason::NoAnswer)),
            (200, json, r#"{"access_token":"a","access_token":"b"}"#, Err(Reason::NoAnswer)),
            (200, json, r#"{"access_token":["a"]}"#, Err(Reason::NoAnswer)),
            (200, json, r#"{"access_token":""}"#, Err(Reason::NoAnswer)),
            (200, json, &large, Err(Reason::NoAnswer)),
            (200, form, "access_token=a&access_token=b", Err(Reason::NoAnswer)),
            (200, Some("text/html"), "<html><body>Sign in</body></html>", Err(Reason::NoAnswer)),
            (200, json, "", Err(Reason::NoAnswer)),
            (200, json, "[]", Err(Reason::NoAnswer)),
            (302, json, r#"{"access_token":"a"}"#, Err(Reason::NoAnswer)),
            (500, json, r#"{"access_token":"a"}"#, Err(Reason::NoAnswer)),
            (401, Some("text/plain"), "Unauthorized", Err(Reason::BadSecret)),
            (401, json, r#"{"error":"invalid_client"}"#, Err(Reason::BadSecret)),
            (400, json, r#"{"error":"unauthorized_client"}"#, Err(Reason::BadSecret)),
            (200, form, "error=incorrect_client_credentials&error_description=No", Err(Reason::BadSecret)),
            (200, form, "error=bad_verification_code", Err(Reason::BadCode)),
            (400, json, r#"{"error":"invalid_grant","access_token":"a"}"#, Err(Reason::BadCode)),
            (200, json, r#"{"error":"redirect_uri_mismatch"}"#, Err(Reason::ErrorResponse)),
        ] {
            let read = read_token_response(status, kind, body);
            let read = read.map(|tokens| (tokens.access_token.reveal().to_owned(), tokens.id_token));
            let expected = expected.map(|id_token| ("a".to_owned(), id_token.map(str::to_owned)));
            assert_eq!(read.map_err(|refusal| refusal.reason), expected, "{status} {body}");
        }
        let refusal =
            read_token_response(400, json, r#"{"error":"invalid_grant","error_description":"Used"}"#);
        assert_eq!(refusal.unwrap_err().found.as_deref(), Some("invalid_grant: Used"));
    }
}
