//! Every URL of the house on one page. Who may enter stands in the signature of each handler.

mod elsewhere;
mod entry;
mod of_applications;
mod of_directories;
mod of_organisations;

use std::{collections::BTreeMap, sync::OnceLock};

pub use self::entry::Entry;
use self::{
    elsewhere::nothing_here,
    entry::{any, delete, get, post, put},
};
use crate::{
    flows::{
        cancel_deletion, check, confirm, csp_reports, delete, email, export, factor_reset, forgot_password,
        front, gate, health, keys, link, login, login_passkey, logins, logout, magic_link, me, methods,
        metrics, not_me, oidc, passkeys, password, privacy_data, providers, put_back, recovery_codes,
        reset_password, saml, saved_request, second_factor, security, sessions, signup, sso_login, totp,
        use_address, verify_email, well_known,
    },
    web::{
        assets, error_response,
        listed_routes::{ListedRoute, ListedRoutes},
        request_refused::METHOD_NOT_ALLOWED,
        together::FirstReads,
    },
};
use actix_web::{
    HttpRequest, HttpResponse, Route,
    http::{Method, header},
    web::{self, ServiceConfig},
};

#[cfg(feature = "development")]
use crate::flows::{dev_idp, dev_mail, dev_oidc, dev_routes};

/// The whole house.
#[rustfmt::skip]
pub fn entries() -> Vec<Entry> {
    let mut entries = vec![
        get("/", "front page, in development with what runs here; signed in: on to `/me`", front::show),
        get("/signup", "the form for a new account", signup::form),
        post("/signup", "`{email, password, name}` → 201 `{user}` and a session", signup::create),
        get("/verify-email", "the link in the mail: a button, and elsewhere than in the account's own browser its password", verify_email::open),
        post("/verify-email", "`{token, keepIdentities?}` → `{emailVerified}`; a browser gives the password as well", verify_email::create),
        post("/verify-email/disown", "`{token}`: \"I did not make this account\" ends it", verify_email::disown),
        get("/verify-email/needed", "why a confirmed address is needed", verify_email::needed),
        post("/verify-email/resend", "a new link; older ones die", verify_email::resend),
        get("/use-address", "the link in a mail to an address that nobody confirmed: the form for an account with it", use_address::open),
        post("/use-address", "`{token, email, name, password}` → 201 `{user}` and a session; every other account that waits for the address ends", use_address::create),
        get("/login", "the form to sign in; `?email=` leads on where its domain does", login::form),
        post("/login", "`{email, password, remember?}` → `{user}` and a session, or `{twoFactorRequired, methods}`", login::create),
        get("/login/2fa", "the form for the second step: `{methods}`", second_factor::form),
        post("/login/2fa", "`{code}` or what a passkey signed → `{user}` and a session; five wrong ones end the sign-in", second_factor::create),
        post("/login/2fa/passkey/options", "the challenge for a passkey as the second step", second_factor::passkey::options),
        post("/login/passkey/options", "the challenge to sign in with a passkey", login_passkey::options),
        post("/login/passkey", "what the passkey signed → `{user, next}` and a session; no address is typed", login_passkey::create),
        get("/login/magic-link", "the form for a link to sign in", magic_link::form),
        post("/login/magic-link", "`{email, remember?, next?}`: emails a sign-in link; the same answer for every address", magic_link::create),
        get("/login/magic-link/sent", "where the browser that asked waits for the link's short code", magic_link::sent),
        get("/login/magic-link/verify", "the link in the mail: who asked; elsewhere also the short code", magic_link::verify::open),
        post("/login/magic-link/verify", "`{token}`, or `{code}` where it was asked for → `{user}` and a session, or `{twoFactorRequired, methods}`", magic_link::verify::create),
        post("/auth/methods", "`{email}` → `{methods}`: the same for every address", methods::show),
        post("/auth/check", "`{organisation, permission, owner?, activity?}` → `{allowed, why?, organisation, user, role}`; `{organisation, checks}` → `{results}`; with an API key `{key}`", check::create),
        post("/logout", "ends this session, or a sign-in that waits for its second step; `?next=`: where to go after signing in again", logout::create),
        get("/forgot-password", "the form for a reset link", forgot_password::form),
        post("/forgot-password", "`{email}`: emails a link; the same answer for every address", forgot_password::create),
        get("/reset-password", "the form behind the link", reset_password::open),
        post("/reset-password", "`{token, password}`: sets it and ends every session", reset_password::create),
        get("/not-me", "what the link in a mail tells of, and what the button takes back", not_me::open),
        post("/not-me", "`{token, trusted?, removeFactors?, password?}`: signs out everything, undoes what someone else changed, emails a reset link", not_me::create),
        post("/not-me/was-me", "`{token}`: that sign-in counts as one's own from now on", not_me::was_me),
        get("/factor-reset/stop", "the link in the mail about a reset of second factors", factor_reset::open),
        post("/factor-reset/stop", "`{token}`: stops it: `{stopped}`", factor_reset::stop_by_link),

        get("/auth/confirm", "step-up: `{methods}` that are strong enough; `?strength=any`: for the export", confirm::form),
        post("/auth/confirm", "`{password}`, `{code}` or what a passkey signed → `{confirmedUntil}` and a new session secret; the tenth wrong one ends the session", confirm::create),
        post("/auth/confirm/passkey/options", "the challenge for a passkey", confirm::passkey::options),
        get("/auth/continue", "the form that a step-up interrupted, once", saved_request::show),

        get("/me", "the account: `{user}`", me::show),
        put("/me/name", "`{name}`: what one wants to be called", me::rename),
        post("/me/name", "the same for forms", me::rename),
        get("/me/email", "the form for another address", email::form),
        put("/me/email", "`{email}`: a link to the new address; the old one is told", email::ask),
        post("/me/email", "the same for forms", email::ask),
        post("/me/email/cancel", "ends a change that waits for its link", email::cancel),
        get("/me/email/confirm", "the link sent to the new address", email::confirm::open),
        post("/me/email/confirm", "`{token, password?}`: moves the account; the password where the session is not its own", email::confirm::create),
        get("/me/email/undo", "the link sent to the old address", email::undo::open),
        post("/me/email/undo", "`{token}`: stops the change, or takes the address back", email::undo::create),
        get("/me/password", "the form for another password", password::form),
        put("/me/password", "`{newPassword, currentPassword?}`: rotates this session, ends all others; the current one unless the step-up was made with it", password::change),
        post("/me/password", "the same for forms", password::change),
        get("/me/2fa", "`{totp, recoveryCodesLeft, passkeys}`: the second factors", second_factor::settings::show),
        post("/me/2fa/totp", "a new app: `{secret, otpauthUri, qrSvg}`; one in use stays until the first code", totp::start),
        get("/me/2fa/totp/confirm", "the set-up that waits for its first code: the same", totp::form),
        post("/me/2fa/totp/confirm", "`{code}` → `{recoveryCodes}` with the first second factor, else `{message}`", totp::confirm),
        delete("/me/2fa/totp", "removes the app; ends the sessions that relied on it", totp::disable),
        post("/me/2fa/totp/disable", "the same for forms", totp::disable),
        post("/me/2fa/recovery-codes", "`{recoveryCodes}`: ten new ones, shown once; older ones die", recovery_codes::create),
        post("/me/2fa/recovery-codes/download", "`{codes}` → the codes that a page shows, as a text file", recovery_codes::download),
        get("/me/passkeys", "`{passkeys}`: those that one has", passkeys::index),
        post("/me/passkeys/options", "the challenge for a new passkey", passkeys::options),
        post("/me/passkeys", "the new passkey, `name?` → 201 `{passkey}`; with the first second factor `{recoveryCodes}`", passkeys::create),
        put("/me/passkeys/{id}", "`{name}`: what it is called", passkeys::rename),
        post("/me/passkeys/{id}/rename", "the same for forms", passkeys::rename),
        delete("/me/passkeys/{id}", "removes it, unless nothing else opens the account", passkeys::remove),
        post("/me/passkeys/{id}/remove", "the same for forms", passkeys::remove),
        get("/me/providers", "`{identities, providers}`: one's accounts elsewhere, and where one can connect others", providers::index),
        post("/me/providers/{id}", "`id` is a provider's key: connects an account there: `{location}` to go to", providers::connect),
        delete("/me/providers/{id}", "disconnects one, unless nothing else opens the account", providers::remove),
        post("/me/providers/{id}/remove", "the same for forms", providers::remove),
        get("/me/logins", "`{logins, next}`: who tried this account, newest first", logins::index),
        get("/me/security", "`{ways, sessions, logins, removed}`: the security settings", security::show),
        post("/me/security/removed/{id}/put-back", "puts a way in back that \"this wasn't me\" removed, for seven days", put_back::create),
        post("/me/factor-reset/stop", "stops a removal of second factors: `{stopped}`", factor_reset::stop),
        get("/me/sessions", "`{sessions, next}`: where one is signed in", sessions::index),
        delete("/me/sessions/{id}", "signs one device out", sessions::revoke),
        post("/me/sessions/{id}/revoke", "the same for forms", sessions::revoke),
        post("/me/sessions/{id}/was-me", "\"yes, this was me\", of a device that an alert told of and that signed in after this one", sessions::was_me),
        post("/me/sessions/revoke-all", "signs out everywhere else: `{revoked}`", sessions::revoke_all),
        get("/me/keys", "`{keys, catalogue}`: one's own API keys, and what they can hold", keys::index),
        post("/me/keys", "`{name, permissions, organisation?, expiresIn?}` → 201 `{key, secret}`; the secret is shown this once", keys::create),
        post("/me/keys/suspend-all", "suspends all of them: `{suspended}`", keys::suspend_all),
        delete("/me/keys/{id}", "ends one at once", keys::revoke),
        post("/me/keys/{id}/revoke", "the same for forms", keys::revoke),
        post("/me/keys/{id}/roll", "`{overlap?}`, such as `24h` or `none`: another secret → `{key, secret}`; the one before works on so long", keys::roll),
        post("/me/keys/{id}/resume", "takes one up again that was suspended", keys::resume),
        post("/keys/found", "`{secret}` of an API key that someone found: ends it, and its owner hears of it; the same answer for everything", keys::found::create),
        get("/me/export", "everything that is held about the account, as one JSON document", export::show),
        get("/me/delete", "what a deletion removes and what stays, and the button", delete::form),
        post("/me/delete", "→ `{scheduled, daysRemaining, deleteAt}`; every other session and every link ends", delete::create),
        get("/me/delete/status", "`{scheduled, daysRemaining, deleteAt}`; all that such an account shows", delete::status),
        post("/me/delete/cancel", "the account stays: `{scheduled}`", delete::cancel),
        get("/cancel-deletion", "the link in the mail about a deletion", cancel_deletion::open),
        post("/cancel-deletion", "`{token}`: the account stays; nobody is signed in", cancel_deletion::create),
        get("/privacy/data", "what is held about people, why, and what becomes of it; `?mine=on`: only what is held about oneself", privacy_data::show),


        get("/auth/sso/login", "`?email=&next=`: to the identity provider of the address's domain", sso_login::login),
        get("/auth/link", "an account is here already: sign in to it once the old way", link::form),
        post("/auth/link", "connects it with the organisation's sign-in", link::create),
        get("/auth/oidc/login", "`?provider=&next=` or `?connection=`: to a provider that people sign in with; from another site, or signed in already, it asks first", oidc::login),
        post("/auth/oidc/login", "`{provider or connection, next?}`: the same, after being asked", oidc::go),
        get("/auth/oidc/callback/{key}", "a provider's answer, `?code&state&iss` or `?error&state` → `{user}` and a session, or `{twoFactorRequired, methods}`", oidc::authorization_response::open),
        post("/auth/oidc/callback/{key}", "the same as a form across sites: kept until its browser comes for it", oidc::authorization_response::park),
        get("/auth/oidc/finish", "the browser comes for it", oidc::authorization_response::finish),
        get("/auth/oidc/initiate", "`?iss=&login_hint=&target_link_uri=`: a sign-in that begins at the provider; it asks first", oidc::initiate::by_link),
        post("/auth/oidc/initiate", "the same as a form across sites; it changes nothing", oidc::initiate::by_form),
        post("/auth/oidc/logout/{key}", "`{logout_token}`: a provider signed someone out, whose sessions from there end; 400 `{error}` where it is not its own", oidc::logout::logout),
        get("/auth/oidc/complete", "where the provider shared no address: it is asked for", oidc::complete::form),
        post("/auth/oidc/complete", "`{email}` → `{user}` and a session; the address is to be confirmed", oidc::complete::create),
        get("/auth/saml/metadata", "this site as a SAML service provider", saml::metadata),
        post("/auth/saml/test", "`{token}` of a set-up link → a test sign-in: `{location}`; signs nobody in", saml::test_by_link),
        post("/auth/saml/login", "`{connection, next?}`: to its identity provider, after being asked first", saml::go),
        get("/auth/saml/login", "the older address of `/auth/sso/login`", sso_login::login),
        post("/auth/saml/callback", "the assertion consumer service", saml::assertion_consumer_service),
        get("/auth/saml/arrive", "completes SSO in the browser that started it", saml::complete),
        get("/auth/saml/certificate", "the certificate that our requests are signed with, as PEM", saml::certificate),
        get("/auth/saml/logout", "a signed logout request ends the sessions that came from the one there", saml::logout),
        post("/auth/saml/logout", "the same by a form", saml::logout_by_post),
        get("/auth/saml/sign-out", "offered after `/logout` to people who came by an identity provider that ends sessions: `{host}`", saml::offer_sign_out),
        post("/auth/saml/sign-out", "asks it to end the session there: `{location}` to go to", saml::sign_out),
        get("/auth/saml/refused", "why signing in did not work", saml::say_refused),
        get("/auth/saml/link", "the older address of `/auth/link`", link::form),
        post("/auth/saml/link", "the same", link::create),
        get("/auth/saml/confirm", "step-up at the identity provider", confirm::sso::go),
        get("/auth/oidc/confirm", "the same, where the identity provider speaks OpenID Connect", confirm::sso::go),

        get("/gate/verify", "for nginx: whether a request to the host of an application goes through: 200, 401 or 403, and who it is", gate::verify),
        get("/gate/refused", "what a visitor sees whom that turned away", gate::refused),
        any("/gate/check", "both in one, for Caddy, Traefik and Apache, and by any method for Envoy", gate::check),
        get("/gate/enter", "`?host=&nonce=&to=`: meets what the application needs, and hands the browser over", gate::enter::show),
        get("/gate/trouble", "`?host=&code=`: why someone does not come in: `{application, code, message, location}`", gate::trouble::show),
        post("/gate/trouble", "`{host, to?}`: signs out here, to come back with another account", gate::trouble::switch),
        get("/gate/logout", "`?host=`: the button that signs out here and of every application", gate::trouble::ask_logout),
        get("/.vestibule/start", "at the host of an application: off to sign in, and back to `?to=`", gate::host::start),
        get("/.vestibule/callback", "there: lets the browser in when it comes back", gate::host::complete),
        get("/.vestibule/me", "there: `{user, session}`, for scripts of the application", gate::host::me),
        get("/.vestibule/logout", "there: leads to the page that asks", gate::host::ask_logout),
        post("/.vestibule/logout", "there: `{scope?}`: ends the session, or with `here` what it opens at this host", gate::host::logout),

        get("/healthz", "the process is alive", health::alive),
        get("/readyz", "a row can be written; else 503 with the `reason`", health::ready),
        get("/metrics", "Prometheus text, for `METRICS_FROM`", metrics::show),
        get("/.well-known/change-password", "where password managers send people: to `/me/password`", well_known::change_password),
        get("/.well-known/openid-configuration", "this site as an OpenID provider (OpenID Connect Discovery 1.0)", well_known::openid_configuration),
        get("/.well-known/oauth-authorization-server", "the same (RFC 8414)", well_known::openid_configuration),
        get("/.well-known/passkey-endpoints", "where password managers send people: `{enroll, manage}`", well_known::passkey_endpoints),
        post("/csp-reports", "browsers tell what a page's policy forbade: `{counted}`", csp_reports::create),
        get("/static/{name}", "stylesheet, script, logo", assets::serve),
    ];
    entries.extend(of_applications::entries());
    entries.extend(of_directories::entries());
    entries.extend(of_organisations::entries());
    entries.extend(development());
    entries
}

/// The parts that are there for development.
#[cfg(feature = "development")]
fn development() -> Vec<Entry> {
    vec![
        get("/dev/mail", "caught mail; development, on this machine only", dev_mail::index),
        get("/dev/mail/{id}", "one caught email; the same", dev_mail::show),
        get("/dev/mail/{id}/html", "its HTML, for a frame", dev_mail::html),
        get("/dev/mail/{id}/source", "its source: headers and all, as it came", dev_mail::source),
        get("/dev/routes", "`{routes}`: this list; the same", dev_routes::show),
        get("/dev/idp", "a demonstration identity provider; the same", dev_idp::show),
        get("/dev/idp/metadata", "its metadata; the same", dev_idp::metadata),
        get("/dev/oidc/.well-known/openid-configuration", "its metadata; the same", dev_oidc::metadata),
        get("/dev/oidc/authorize", "there: `{people}` that one can be; the same", dev_oidc::authorize),
        post("/dev/oidc/token", "there: a code becomes tokens; the same", dev_oidc::token),
        post("/dev/oidc/sign-out", "there: `{person}` signs out everywhere; the same", dev_oidc::sign_out),
        get("/dev/oidc/userinfo", "there: who a token is about; the same", dev_oidc::userinfo),
        get("/dev/oidc/jwks", "there: its key; the same", dev_oidc::keys),
    ]
}

#[cfg(not(feature = "development"))]
fn development() -> Vec<Entry> {
    Vec::new()
}

/// What pages read together with their visitor.
pub(crate) const FIRST_READS: FirstReads = FirstReads(&[("/me/sessions", sessions::first_read)]);

/// Every route, for pages that list them.
pub(crate) fn listed() -> ListedRoutes {
    let listed = entries().into_iter().map(|entry| ListedRoute {
        method: entry.method.to_string(),
        path: entry.path,
        who: entry.access,
        needs: entry.needs,
        does: entry.does,
    });
    ListedRoutes(listed.collect())
}

/// Hangs every route into an actix application. A GET answers HEAD as well, without a body.
pub(crate) fn configure(service: &mut ServiceConfig) {
    let mut by_path: BTreeMap<&'static str, Vec<Route>> = BTreeMap::new();
    for entry in entries() {
        by_path.entry(entry.path).or_default().push(entry.route);
    }
    // A literal path goes before a pattern that would take it as well: `revoke-all` is nobody's id.
    let (patterns, literals): (Vec<_>, Vec<_>) =
        by_path.into_iter().partition(|(path, _)| path.contains('{'));
    for (path, routes) in literals.into_iter().chain(patterns) {
        let resource = web::resource(of_directories::patterns(path));
        let resource = routes.into_iter().fold(resource, actix_web::Resource::route);
        service.service(resource.default_service(web::to(wrong_method)));
    }
    service.default_service(web::to(nothing_here));
}

/// 405 with the methods that there are (RFC 9110 §15.5.6).
async fn wrong_method(req: HttpRequest) -> HttpResponse {
    static ALLOWED: OnceLock<BTreeMap<&'static str, String>> = OnceLock::new();
    let allowed = ALLOWED.get_or_init(|| {
        let mut methods: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for entry in entries() {
            let head = (entry.method == Method::GET).then(|| "HEAD".to_owned());
            methods.entry(entry.path).or_default().extend(head.into_iter().chain([entry.method.to_string()]));
        }
        methods.into_iter().map(|(path, methods)| (path, methods.join(", "))).collect()
    });
    let mut answer = error_response::render(&req, &METHOD_NOT_ALLOWED.error());
    let pattern = req.match_pattern().unwrap_or_default();
    let pattern = pattern.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(&pattern);
    if let Some(value) = allowed.get(pattern).and_then(|methods| methods.parse().ok()) {
        answer.headers_mut().insert(header::ALLOW, value);
    }
    answer
}
