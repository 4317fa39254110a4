//! An API key or an access token in `Authorization: Bearer` (RFC 6750 §2.1). It counts alone: no cookie beside it says who asks, and nothing is read
//! of a query. Any other `Authorization` is none of ours, and is as if it were not there.

use actix_web::{HttpRequest, http::header, web::Data};

use crate::{
    app::App, config::TOKEN_PREFIX, model::api_key::ApiKeySecret, oauth::is_issued_by, secret::Secret,
};

/// The key that a request presents, right or wrong, where it is meant to be one of ours.
pub(crate) fn presented(req: &HttpRequest) -> Option<Secret<ApiKeySecret>> {
    let own = req.app_data::<Data<App>>().map_or(TOKEN_PREFIX, |app| &app.config().token_prefix);
    let lines = || req.headers().get_all(header::AUTHORIZATION);
    let found = lines().find_map(|line| read(&String::from_utf8_lossy(line.as_bytes()), own))?;
    // It is there once (RFC 9110 §11.6.2). Of two, each program takes the one that it likes: then none of ours is right.
    Some(if lines().nth(1).is_none() { found } else { Secret::from_text(String::new()) })
}

/// The access token that a request presents, right or wrong, where it is meant to be one of ours.
pub(crate) fn access_token(req: &HttpRequest) -> Option<String> {
    let issuer = req.app_data::<Data<App>>()?.config().site.origin();
    let lines = || req.headers().get_all(header::AUTHORIZATION);
    let found = lines().find_map(|line| {
        let text = String::from_utf8_lossy(line.as_bytes()).into_owned();
        let (scheme, token) = text.trim().split_once(' ')?;
        let token = token.trim();
        (scheme.eq_ignore_ascii_case("bearer") && is_issued_by(token, &issuer)).then(|| token.to_owned())
    })?;
    Some(if lines().nth(1).is_none() { found } else { String::new() })
}

fn read(text: &str, own: &str) -> Option<Secret<ApiKeySecret>> {
    let (scheme, token) = text.trim().split_once(' ')?;
    let secret = Secret::<ApiKeySecret>::from_text(token.trim());
    (scheme.eq_ignore_ascii_case("bearer") && secret.is_meant(own)).then_some(secret)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_key_is_read_as_programs_write_it_and_nothing_else_is() {
        let read = |value: &str| {
            let req = TestRequest::default().insert_header((header::AUTHORIZATION, value)).to_http_request();
            presented(&req).map(|secret| secret.reveal().to_owned())
        };
        for value in ["Bearer vstp_x", "bearer vstp_x", "BEARER  vstp_x ", "Bearer vstp_x\t"] {
            assert_eq!(read(value).as_deref(), Some("vstp_x"), "{value:?}");
        }
        for value in ["vstp_x", "Basic vstp_x", "Bearer", "Bearer ", "Bearer eyJhbGciOi", "Token vstp_x"] {
            assert_eq!(read(value), None, "{value:?}");
        }
        let in_query = TestRequest::with_uri("/me?access_token=vstp_x").to_http_request();
        assert!(presented(&in_query).is_none());
    }
}
