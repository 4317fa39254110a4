//! The URLs of applications: what they send people to, what they ask themselves, and what their users see of them.

use super::entry::{Entry, delete, get, options, post};
use crate::flows::{
    applications, oauth,
    oauth::{device, session_token as token},
};

/// All of them.
#[rustfmt::skip]
#[expect(unused_qualifications, reason = "each route names its flow by a part of its own address")]
pub(super) fn entries() -> Vec<Entry> {
    vec![
        get("/oauth/authorize", "where an application sends a browser to sign in: back to it with a `code`, or on to what is asked first", oauth::authorize::show),
        post("/oauth/authorize", "the same as a form across sites", oauth::authorize::park),
        get("/oauth/continue", "`?request=`: where that comes back to; → `{location}` of the application", oauth::proceed::show),
        get("/oauth/consent", "`?request=`: what the application may know: `{application, allows, email}`", oauth::consent::show),
        post("/oauth/consent", "`{request, decision}`: `allow`, `deny`, or `switch` to another account", oauth::consent::create),
        post("/oauth/cancel", "`{request}`: back to the application with `access_denied`, signed in or not; → `{location}`", oauth::consent::cancel),
        post("/oauth/token", "a form with a code, a refresh token or the application's own credentials → tokens (RFC 6749 §3.2)", oauth::token::create),
        options("/oauth/token", "which scripts may ask", oauth::cors::preflight),
        get("/oauth/userinfo", "who an access token is about", oauth::userinfo::show),
        post("/oauth/userinfo", "the same; `access_token` may stand in a form", oauth::userinfo::create),
        options("/oauth/userinfo", "which scripts may ask", oauth::cors::preflight),
        get("/oauth/jwks", "the keys that tokens are signed with", oauth::jwks::show),
        options("/oauth/jwks", "which scripts may ask", oauth::cors::preflight),
        options("/.well-known/openid-configuration", "the same", oauth::cors::preflight),
        options("/.well-known/oauth-authorization-server", "the same", oauth::cors::preflight),
        post("/oauth/introspect", "a form with `token` → whether it is good now (RFC 7662); API keys as well", oauth::introspect::create),
        post("/oauth/revoke", "a form with `token`: ends what it rests on (RFC 7009)", oauth::revoke::create),
        options("/oauth/revoke", "which scripts may ask", oauth::cors::preflight),
        get("/oauth/logout", "where an application sends a browser to sign out", oauth::logout::show),
        post("/oauth/logout", "the same as a form, or the answer to the page that asks", oauth::logout::create),
        post("/oauth/device_authorization", "a form of a device without a browser → its two codes (RFC 8628)", oauth::device::authorization),
        get("/device", "the form for the code that such a device shows; `?user_code=` fills it in", device::show),
        post("/device", "`{user_code}` → `{application, allows, deviceName, place, askedAt}`; with `decision`, `allow` or `deny`, it is answered", device::create),
        post("/auth/token", "`{application?, scope?, offline?, exchange?}` → 201 `{accessToken, tokenType, expiresIn, refreshToken, refreshExpiresIn, scope}`; `offline` and `exchange` take a step-up", token::create),
        post("/auth/token/refresh", "`{refreshToken}` → the next tokens, the same keys", token::refresh),
        post("/auth/token/revoke", "`{refreshToken}`: ends what it stands for; the same answer for everything", token::revoke),
        get("/me/applications", "`{applications}`: those that one signed in to with this account, and what each may know", applications::index),
        delete("/me/applications/{id}", "ends the access of one, and what was allowed it", applications::revoke),
        post("/me/applications/{id}/revoke", "the same for forms", applications::revoke),
    ]
}
