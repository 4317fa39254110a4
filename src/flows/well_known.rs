//! Addresses that programs know beforehand (RFC 8615): where password managers send people, and what applications need to know.

use actix_web::{HttpResponse, http::header, web::Data};
use serde_json::json;

use crate::{
    app::App,
    error::Result,
    oauth::{Scopes, SigningAlgorithm},
};

/// `GET /.well-known/change-password`: for people whose password is known to others (W3C, A Well-Known URL for Changing
/// Passwords).
pub(crate) async fn change_password() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/me/password")).finish()
}

/// `GET /.well-known/passkey-endpoints`: for people who add or remove a passkey (W3C, Passkey Endpoints).
pub(crate) async fn passkey_endpoints(app: Data<App>) -> Result<HttpResponse> {
    app.relying_party().id()?;
    let page = app.config().site.link("/me/passkeys");
    Ok(HttpResponse::Ok().json(json!({ "enroll": page, "manage": page })))
}

/// `GET /.well-known/openid-configuration` and `…/oauth-authorization-server` (OpenID Connect Discovery 1.0 §3, RFC 8414 §2).
pub(crate) async fn openid_configuration(app: Data<App>) -> HttpResponse {
    let at = |path: &str| app.config().site.link(path);
    let methods = ["client_secret_basic", "client_secret_post"];
    let with_public = ["client_secret_basic", "client_secret_post", "none"];
    let document = json!({
        "issuer": app.config().site.origin(),
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "userinfo_endpoint": at("/oauth/userinfo"),
        "jwks_uri": at("/oauth/jwks"),
        "introspection_endpoint": at("/oauth/introspect"),
        "revocation_endpoint": at("/oauth/revoke"),
        "end_session_endpoint": at("/oauth/logout"),
        "scopes_supported": Scopes::KNOWN.map(|(scope, _)| scope),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "device_authorization_endpoint": at("/oauth/device_authorization"),
        "grant_types_supported": [
            "authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": SigningAlgorithm::ALL,
        "token_endpoint_auth_methods_supported": with_public,
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": with_public,
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": ["1fa", "2fa", "phr"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", "nonce", "at_hash", "email", "email_verified",
            "name", "organisations",
        ],
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
    });
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=3600")).json(document)
}
