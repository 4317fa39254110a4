//! How an application says who it is (RFC 6749 §2.3, §3.2.1).

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD as BASE64, Engine};
use url::form_urlencoded;

use super::{Code, Refused};
use crate::secret::Secret;

/// What opens an application.
#[derive(Debug)]
pub(crate) enum ClientSecret {}

/// What an application shows.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// Who it says it is.
    pub client_id: String,
    /// Its secret, where it shows one.
    pub secret: Option<Secret<ClientSecret>>,
}

impl Credentials {
    /// What stands in `Authorization` or in the form. [`Code::InvalidRequest`] where in both, [`Code::InvalidClient`] where in
    /// neither.
    pub(crate) fn read(
        authorization: Option<&str>,
        form: &BTreeMap<String, String>,
    ) -> Result<Self, Refused> {
        let in_form = form.get("client_secret");
        let named = form.get("client_id");
        if form.contains_key("client_assertion") || form.contains_key("client_assertion_type") {
            return Err(Refused::new(Code::InvalidClient, "Assertions are not read. Send the secret."));
        }
        let Some(text) = authorization else {
            return match named {
                Some(client_id) => Ok(Self {
                    client_id: client_id.clone(),
                    secret: in_form.map(|secret| Secret::from_text(secret.clone())),
                }),
                None => Err(Refused::new(Code::InvalidClient, "Nothing says which application this is.")),
            };
        };
        if in_form.is_some() {
            return Err(Refused::new(Code::InvalidRequest, "The secret is there in two places."));
        }
        let Some((client_id, secret)) = basic(text) else {
            return Err(Refused::new(
                Code::InvalidClient,
                "Authorization is not Basic with an id and a secret.",
            ));
        };
        if named.is_some_and(|named| *named != client_id) {
            return Err(Refused::new(Code::InvalidRequest, "Two applications are named."));
        }
        // An empty one is none (RFC 6749 §2.3.1).
        let secret = Some(secret).filter(|secret| !secret.is_empty());
        Ok(Self { client_id, secret: secret.map(Secret::from_text) })
    }
}

/// Id and secret of HTTP Basic (RFC 7617 §2), both form-encoded.
fn basic(text: &str) -> Option<(String, String)> {
    let (scheme, value) = text.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(value.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| {
        let pair = form_urlencoded::parse(text.as_bytes()).next();
        pair.map(|(name, _)| name.into_owned()).unwrap_or_default()
    };
    Some((decoded(id), decoded(secret))).filter(|(id, _)| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_says_once_who_it_is() {
        let basic = |text: &str| format!("Basic {}", BASE64.encode(text));
        let read = |authorization: Option<String>, form: &[(&str, &str)]| {
            let form = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let read = Credentials::read(authorization.as_deref(), &form).map_err(|refused| refused.code);
            read.map(|found| (found.client_id, found.secret.map(|secret| secret.reveal().to_owned())))
        };
        let both = ("a-1".to_owned(), Some("s_1".to_owned()));
        for right in ["a-1:s_1", "a%2D1:s%5F1"] {
            assert_eq!(read(Some(basic(right)), &[]), Ok(both.clone()));
        }
        assert_eq!(read(None, &[("client_id", "a-1"), ("client_secret", "s_1")]), Ok(both.clone()));
        assert_eq!(read(Some(basic("a-1:s_1")), &[("client_id", "a-1")]), Ok(both));
        assert_eq!(read(None, &[("client_id", "a-1")]), Ok(("a-1".to_owned(), None)));
        assert_eq!(read(Some(basic("a-1:")), &[]), Ok(("a-1".to_owned(), None)));
        for (authorization, form, code) in [
            (None, vec![], Code::InvalidClient),
            (Some("Bearer x".to_owned()), vec![("client_id", "a-1")], Code::InvalidClient),
            (Some(basic("a-1")), vec![], Code::InvalidClient),
            (Some(basic(":s_1")), vec![], Code::InvalidClient),
            (Some("Basic ***".to_owned()), vec![], Code::InvalidClient),
            (Some(basic("a-1:s_1")), vec![("client_secret", "s_1")], Code::InvalidRequest),
            (Some(basic("a-1:s_1")), vec![("client_id", "b-2")], Code::InvalidRequest),
            (None, vec![("client_id", "a-1"), ("client_assertion", "x")], Code::InvalidClient),
        ] {
            assert_eq!(read(authorization.clone(), &form), Err(code), "{authorization:?} {form:?}");
        }
    }
}
