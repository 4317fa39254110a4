//! Every URL of the house on one page, with who may enter.

use std::{collections::BTreeMap, sync::OnceLock};

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route, guard,
    http::{Method, header},
    web::{self, ServiceConfig},
};
use serde_json::json;

use crate::{
    error::Error,
    flows::{
        account, activity, connections, deletion, dev_idp, dev_mail, email, export, factor_reset, front,
        health, login, logout, magic_link, methods, not_me, organisations, passkey_login, passkeys, password,
        password_reset, put_back, recovery_codes, saml, second_factor, sessions, signup, step_up, totp,
        use_address, verify_email,
    },
    web::{assets, error_response, local_path, negotiation::wants_html, together::FirstReads},
};

/// Who may enter a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody.
    Anyone,
    /// Whoever gave a first factor, and a second is due.
    Pending,
    /// Whoever is signed in, the address confirmed or not.
    SignedIn,
    /// Whoever is signed in, also while the account waits to be deleted.
    IncludingScheduledDeletion,
    /// Whoever is signed in, having confirmed within the step-up window that it is them.
    SteppedUp,
    /// Whoever is signed in with a confirmed address.
    Verified,
    /// Signed in, the address confirmed, and recently proved.
    VerifiedSteppedUp,
    /// The same, where a step-up by any method is enough.
    VerifiedSteppedUpByAny,
}

/// A route: its method and path, who may enter, and what it does.
pub struct Entry {
    /// The method.
    pub method: Method,
    /// The path's pattern.
    pub path: &'static str,
    /// Who may enter.
    pub who: Who,
    /// What it does, in a few words.
    pub does: &'static str,
    route: Route,
}

/// The whole house.
#[rustfmt::skip]
pub fn entries() -> Vec<Entry> {
    use Who::{Anyone, IncludingScheduledDeletion, Pending, SteppedUp, SignedIn, Verified, VerifiedSteppedUp, VerifiedSteppedUpByAny};
    vec![
        get("/", Anyone, "front page; signed in: on to `/me`", front::show),
        get("/signup", Anyone, "the form for a new account", signup::form),
        post("/signup", Anyone, "`{email, password, name}` → 201 `{user}` and a session", signup::create),
        get("/verify-email", Anyone, "the link in the mail: a button, and elsewhere than in the account's own browser its password", verify_email::open),
        post("/verify-email", Anyone, "`{token, keepIdentities?}` → `{emailVerified}`; a browser gives the password as well", verify_email::create),
        post("/verify-email/disown", Anyone, "`{token}`: \"I did not make this account\" ends it", verify_email::disown),
        get("/verify-email/needed", SignedIn, "why it does not go on without a confirmed address", verify_email::needed),
        post("/verify-email/resend", SignedIn, "a new link; older ones die", verify_email::resend),
        get("/use-address", Anyone, "the link in a mail to an address that nobody confirmed: the form for an account with it", use_address::open),
        post("/use-address", Anyone, "`{token, email, name, password}` → 201 `{user}` and a session; every other account that waits for the address ends", use_address::create),
        get("/login", Anyone, "the form to sign in; `?email=` leads on where its domain does", login::form),
        post("/login", Anyone, "`{email, password, remember?}` → `{user}` and a session, or `{twoFactorRequired, methods}`", login::create),
        get("/login/2fa", Pending, "the form for the second proof: `{methods}`", second_factor::form),
        post("/login/2fa", Pending, "`{code}` or what a passkey signed → `{user}` and a session; five wrong ones end the sign-in", second_factor::create),
        post("/login/2fa/passkey/options", Pending, "the challenge for a passkey as the second proof", second_factor::passkey::options),
        post("/login/passkey/options", Anyone, "the challenge to sign in with a passkey", passkey_login::options),
        post("/login/passkey", Anyone, "what the passkey signed → `{user, next}` and a session; no address is typed", passkey_login::create),
        get("/login/magic-link", Anyone, "the form for a link to sign in", magic_link::form),
        post("/login/magic-link", Anyone, "`{email, remember?, next?}`: a link by mail; the same answer for every address", magic_link::create),
        get("/login/magic-link/sent", Anyone, "where the browser that asked waits for the link's short code", magic_link::sent),
        get("/login/magic-link/verify", Anyone, "the link in the mail: who asked; elsewhere also the short code", magic_link::verify::open),
        post("/login/magic-link/verify", Anyone, "`{token}`, or `{code}` where it was asked for → `{user}` and a session, or `{twoFactorRequired, methods}`", magic_link::verify::create),
        post("/auth/methods", Anyone, "`{email}` → `{methods}`: the same for every address", methods::show),
        post("/logout", Anyone, "ends this session, or a sign-in that waits for its second proof", logout::create),
        get("/forgot-password", Anyone, "the form for a reset link", password_reset::form),
        post("/forgot-password", Anyone, "`{email}`: a link by mail; the same answer for every address", password_reset::create),
        get("/reset-password", Anyone, "the form behind the link", password_reset::open),
        post("/reset-password", Anyone, "`{token, password}`: sets it and ends every session", password_reset::reset),
        get("/not-me", Anyone, "what the link in a mail tells of, and what the button takes back", not_me::open),
        post("/not-me", Anyone, "`{token, trusted?, removeFactors?}`: signs out everything, takes back what somebody else changed, mails a reset link", not_me::create),
        post("/not-me/was-me", Anyone, "`{token}`: that sign-in counts as one's own from now on", not_me::was_me),
        get("/factor-reset/stop", Anyone, "the link in the mail about a reset of second factors", factor_reset::open),
        post("/factor-reset/stop", Anyone, "`{token}`: stops it: `{stopped}`", factor_reset::stop_by_link),

        get("/auth/confirm", SignedIn, "step-up: `{methods}` that are strong enough; `?strength=any`: for the export", step_up::form),
        post("/auth/confirm", SignedIn, "`{password}`, `{code}` or what a passkey signed → `{confirmedUntil}` and a new session secret; the tenth wrong one ends the session", step_up::create),
        post("/auth/confirm/passkey/options", SignedIn, "the challenge for a passkey as the proof", step_up::passkey::options),
        get("/auth/continue", SignedIn, "the form that a step-up interrupted, once", step_up::resume),

        get("/me", SignedIn, "the account: `{user}`", account::show),
        put("/me/name", SignedIn, "`{name}`: what one wants to be called", account::rename),
        post("/me/name", SignedIn, "the same for forms", account::rename),
        get("/me/email", VerifiedSteppedUp, "the form for another address", email::form),
        put("/me/email", VerifiedSteppedUp, "`{email}`: a link to the new address; the old one is told", email::ask),
        post("/me/email", VerifiedSteppedUp, "the same for forms", email::ask),
        get("/me/email/confirm", Anyone, "the link in the new mailbox", email::confirm::open),
        post("/me/email/confirm", Anyone, "`{token, password?}`: moves the account; the password where the session is not its own", email::confirm::create),
        get("/me/email/undo", Anyone, "the link in the old mailbox", email::undo::open),
        post("/me/email/undo", Anyone, "`{token}`: stops the change, or takes the address back", email::undo::create),
        get("/me/password", SteppedUp, "the form for another password", password::form),
        put("/me/password", SteppedUp, "`{newPassword, currentPassword?}`: rotates this session, ends all others; the current one unless the step-up was made with it", password::change),
        post("/me/password", SteppedUp, "the same for forms", password::change),
        get("/me/2fa", SignedIn, "`{totp, recoveryCodesLeft, passkeys}`: the second factors", totp::index),
        post("/me/2fa/totp", VerifiedSteppedUp, "a new app: `{secret, otpauthUri, qrSvg}`; one in use stays until the first code", totp::start),
        get("/me/2fa/totp/confirm", VerifiedSteppedUp, "the set-up that waits for its first code: the same", totp::form),
        post("/me/2fa/totp/confirm", VerifiedSteppedUp, "`{code}` → `{recoveryCodes}` with the first second factor, else `{message}`", totp::confirm),
        delete("/me/2fa/totp", VerifiedSteppedUp, "removes the app; ends the sessions that relied on it", totp::disable),
        post("/me/2fa/totp/disable", VerifiedSteppedUp, "the same for forms", totp::disable),
        post("/me/2fa/recovery-codes", VerifiedSteppedUp, "`{recoveryCodes}`: ten new ones, shown once; older ones die", recovery_codes::create),
        post("/me/2fa/recovery-codes/download", SignedIn, "`{codes}` → the codes that a page shows, as a text file", recovery_codes::download),
        get("/me/passkeys", SignedIn, "`{passkeys}`: those that one has", passkeys::index),
        post("/me/passkeys/options", VerifiedSteppedUp, "the challenge for a new passkey", passkeys::options),
        post("/me/passkeys", VerifiedSteppedUp, "the new passkey, `name?` → 201 `{passkey}`; with the first second factor `{recoveryCodes}`", passkeys::create),
        put("/me/passkeys/{id}", SignedIn, "`{name}`: what it is called", passkeys::rename),
        post("/me/passkeys/{id}/rename", SignedIn, "the same for forms", passkeys::rename),
        delete("/me/passkeys/{id}", VerifiedSteppedUp, "removes it, unless nothing else opens the account", passkeys::remove),
        post("/me/passkeys/{id}/remove", VerifiedSteppedUp, "the same for forms", passkeys::remove),
        get("/me/logins", SignedIn, "`{logins, next}`: who tried this account, newest first", activity::index),
        get("/me/security", SignedIn, "`{ways, sessions, logins, removed}`: the security settings", sessions::security),
        post("/me/security/removed/{id}/put-back", VerifiedSteppedUp, "puts a way in back that \"this wasn't me\" removed, for seven days", put_back::create),
        post("/me/factor-reset/stop", SignedIn, "stops a removal of second factors: `{stopped}`", factor_reset::stop),
        get("/me/sessions", SignedIn, "`{sessions, next}`: where one is signed in", sessions::index),
        delete("/me/sessions/{id}", SignedIn, "signs one device out", sessions::revoke),
        post("/me/sessions/{id}/revoke", SignedIn, "the same for forms", sessions::revoke),
        post("/me/sessions/{id}/was-me", SteppedUp, "\"yes, this was me\", of a device that an alert told of and that signed in after this one", sessions::was_me),
        post("/me/sessions/revoke-all", SignedIn, "signs out everywhere else: `{revoked}`", sessions::revoke_all),
        get("/me/export", VerifiedSteppedUpByAny, "everything that is held about the account, as one JSON document", export::show),
        get("/me/delete", SteppedUp, "what a deletion removes and what stays, and the button", deletion::form),
        post("/me/delete", SteppedUp, "→ `{scheduled, daysRemaining, deleteAt}`; every other session and every link ends", deletion::create),
        get("/me/delete/status", IncludingScheduledDeletion, "`{scheduled, daysRemaining, deleteAt}`; all that such an account shows", deletion::status),
        post("/me/delete/cancel", IncludingScheduledDeletion, "the account stays: `{scheduled}`", deletion::cancel),
        get("/cancel-deletion", Anyone, "the link in the mail about a deletion", deletion::open),
        post("/cancel-deletion", Anyone, "`{token}`: the account stays; nobody is signed in", deletion::cancel_by_link),
        get("/privacy/data", Anyone, "what is held about people, why, and what becomes of it", deletion::privacy_data),

        get("/organisations", Verified, "`{organisations}`: where one belongs", organisations::index),
        post("/organisations", Verified, "`{name, slug?}` → 201 `{organisation}`; its maker owns it", organisations::create),
        get("/organisations/{slug}", Verified, "`{organisation, members, next}`, for its members", organisations::show),
        post("/organisations/{slug}/leave", Verified, "ends one's own membership; not the last owner's", organisations::leave),
        put("/organisations/{slug}/members/{member}", VerifiedSteppedUp, "`{role}`: an owner gives a member another role", organisations::set_role),
        post("/organisations/{slug}/members/{member}/role", VerifiedSteppedUp, "the same for forms", organisations::set_role),
        delete("/organisations/{slug}/members/{member}", VerifiedSteppedUp, "an owner takes a member out", organisations::remove),
        post("/organisations/{slug}/members/{member}/remove", VerifiedSteppedUp, "the same for forms", organisations::remove),

        get("/organisations/{slug}/sso", VerifiedSteppedUp, "single sign-on for its owners: `{service, connections, domains, owners, attempts}`", connections::overview),
        post("/organisations/{slug}/sso", VerifiedSteppedUp, "`{name, metadata or metadataUrl, …}` → 201 `{connection}`; up to 1 MiB", connections::create),
        get("/organisations/{slug}/sso/new", VerifiedSteppedUp, "the form for a connection; `?like=okta` fills names in", connections::new),
        get("/organisations/{slug}/sso/{connection}", VerifiedSteppedUp, "`{connection, settings, certificates, attempts}`", connections::show),
        put("/organisations/{slug}/sso/{connection}", VerifiedSteppedUp, "other settings; it has to be tested again", connections::save),
        post("/organisations/{slug}/sso/{connection}", VerifiedSteppedUp, "the same for forms", connections::save),
        delete("/organisations/{slug}/sso/{connection}", VerifiedSteppedUp, "ends it, and every identity it vouched for", connections::remove_connection),
        post("/organisations/{slug}/sso/{connection}/remove", VerifiedSteppedUp, "the same for forms", connections::remove_connection),
        get("/organisations/{slug}/sso/{connection}/metadata", VerifiedSteppedUp, "the form for other metadata", connections::metadata_form),
        post("/organisations/{slug}/sso/{connection}/metadata", VerifiedSteppedUp, "`{metadata or metadataUrl}` of the same identity provider; up to 1 MiB", connections::replace_metadata),
        post("/organisations/{slug}/sso/{connection}/test", VerifiedSteppedUp, "a test sign-in: `{location}` to go to; signs nobody in", saml::test),
        get("/organisations/{slug}/sso/{connection}/attempts/{attempt}", VerifiedSteppedUp, "all that a response said, and each check", connections::attempt),
        post("/organisations/{slug}/sso/domains", VerifiedSteppedUp, "`{domain}` → 201 `{domain}` with the TXT record to set", connections::add),
        delete("/organisations/{slug}/sso/domains/{domain}", VerifiedSteppedUp, "takes it off the list", connections::remove_domain),
        post("/organisations/{slug}/sso/domains/{domain}/remove", VerifiedSteppedUp, "the same for forms", connections::remove_domain),
        post("/organisations/{slug}/sso/domains/{domain}/check", VerifiedSteppedUp, "looks for the record; proved by one organisation only", connections::check),
        post("/organisations/{slug}/sso/domains/{domain}/connection", VerifiedSteppedUp, "`{connection}`: where its people are led", connections::choose),
        post("/organisations/{slug}/sso/domains/{domain}/enforce", VerifiedSteppedUp, "`{breakGlass}`: its people sign in there only, but for this owner", connections::enforce),
        post("/organisations/{slug}/sso/domains/{domain}/release", VerifiedSteppedUp, "they may sign in otherwise again", connections::release),

        get("/auth/saml/metadata", Anyone, "this house as a SAML service provider", saml::metadata),
        post("/auth/saml/login", Anyone, "`{connection, next?}`: the same for whoever was asked first, and said yes", saml::go),
        get("/auth/saml/login", Anyone, "`?email=`: to the identity provider of the address's domain", saml::login),
        post("/auth/saml/callback", Anyone, "the assertion consumer service", saml::assertion_consumer_service),
        get("/auth/saml/arrive", Anyone, "completes SSO in the browser that started it", saml::complete),
        get("/auth/saml/refused", Anyone, "what is told to whoever could not be signed in", saml::say_refused),
        get("/auth/saml/link", Anyone, "an account is here already: sign in to it once the old way", saml::link_form),
        post("/auth/saml/link", SignedIn, "connects it with the organisation's sign-in", saml::link),
        get("/auth/saml/confirm", SignedIn, "step-up at the identity provider", saml::step_up),

        get("/healthz", Anyone, "the process is alive", health::alive),
        get("/readyz", Anyone, "a row can be written; else 503 with the `reason`", health::ready),
        get("/metrics", Anyone, "Prometheus text, for `METRICS_FROM`", health::metrics),
        get("/.well-known/change-password", Anyone, "where password managers send people: to `/me/password`", change_password),
        get("/.well-known/passkey-endpoints", Anyone, "where password managers send people: `{enroll, manage}`", passkeys::endpoints),
        get("/static/{name}", Anyone, "stylesheet, script, logo", assets::serve),
        get("/dev/mail", Anyone, "caught mail; development, on this machine only", dev_mail::index),
        get("/dev/mail/{id}", Anyone, "one caught letter; the same", dev_mail::show),
        get("/dev/idp", Anyone, "a demonstration identity provider; the same", dev_idp::show),
        get("/dev/idp/metadata", Anyone, "its metadata; the same", dev_idp::metadata),
    ]
}

fn entry<F, Args>(method: Method, path: &'static str, who: Who, does: &'static str, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let route = match method {
        Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
        _ => web::method(method.clone()),
    };
    Entry { route: route.to(handler), method, path, who, does }
}

macro_rules! verbs {
    ($($name:ident => $method:ident),+) => {
        $(fn $name<F, Args>(path: &'static str, who: Who, does: &'static str, handler: F) -> Entry
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            entry(Method::$method, path, who, does, handler)
        })+
    };
}

verbs!(get => GET, post => POST, put => PUT, delete => DELETE);

/// What pages read together with their visitor.
pub const FIRST_READS: FirstReads = FirstReads(&[("/me/sessions", sessions::first_read)]);

/// Hangs every route into an actix application. A GET answers HEAD as well, without a body.
pub fn configure(service: &mut ServiceConfig) {
    let mut by_path: BTreeMap<&'static str, Vec<Route>> = BTreeMap::new();
    for entry in entries() {
        by_path.entry(entry.path).or_default().push(entry.route);
    }
    // A literal path goes before a pattern that would take it as well: `revoke-all` is nobody's id.
    let (patterns, literals): (Vec<_>, Vec<_>) =
        by_path.into_iter().partition(|(path, _)| path.contains('{'));
    for (path, routes) in literals.into_iter().chain(patterns) {
        let resource = routes.into_iter().fold(web::resource(path), actix_web::Resource::route);
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
    let mut answer = error_response::render(&req, &Error::MethodNotAllowed);
    let pattern = req.match_pattern().unwrap_or_default();
    if let Some(value) = allowed.get(pattern.as_str()).and_then(|methods| methods.parse().ok()) {
        answer.headers_mut().insert(header::ALLOW, value);
    }
    answer
}

// Pages that moved: what links to the old address still arrives (RFC 9110 §15.4.9).
const MOVED: [(&str, &str); 1] = [("/what-we-hold", "/privacy/data")];

/// 404; but the address of a page that moved leads to the new one, and one with a slash too many at its end to the one
/// without, for every method and with its query.
async fn nothing_here(req: HttpRequest) -> Result<HttpResponse, Error> {
    let moved = MOVED.iter().find(|(from, _)| *from == req.path()).map(|(_, to)| *to);
    let is_there = |path: &&str| !["", "/"].contains(path) && req.resource_map().has_resource(path);
    let path = moved.or_else(|| req.path().strip_suffix('/').filter(is_there)).ok_or(Error::NotFound)?;
    let whole = if req.query_string().is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", req.query_string())
    };
    let location = local_path(Some(&whole)).ok_or(Error::NotFound)?;
    let mut answer = HttpResponse::PermanentRedirect();
    answer.insert_header((header::LOCATION, location.as_str()));
    match wants_html(req.headers()) {
        true => Ok(answer.finish()),
        false => {
            let body = json!({ "location": location }).to_string();
            Ok(answer.content_type("application/json; charset=utf-8").body(body))
        }
    }
}

/// Where password managers send people whose password is known to others (W3C, A Well-Known URL for Changing Passwords).
async fn change_password() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/me/password")).finish()
}
