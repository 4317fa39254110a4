//! What the gate says: to an application of its visitor, and to a visitor who is turned away.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderName, HeaderValue},
};
use serde_json::json;

use super::query;
use crate::{
    accounts::{
        applications::{APPLICATION_FORBIDDEN, APPLICATION_SECOND_FACTOR},
        email_verification::EMAIL_UNVERIFIED,
        gates::Identity,
    },
    app::App,
    error::Error,
    model::application::{Application, GateSettings, Style},
    web::{
        GateRequest,
        error_body::{self, status_of},
        origin::CROSS_ORIGIN,
    },
};

// Together: nginx reads four kibibytes of headers.
const LONGEST_GROUPS: usize = 1_024;

/// The headers that an application reads, in the order of [`values`]: every one of the style each time, for a proxy that gets
/// none passes the visitor's own on, or text of its own.
pub(crate) fn header_names(settings: &GateSettings) -> Vec<&'static str> {
    let own: &[&str] = match settings.style {
        Style::Remote => &["remote-user", "remote-email", "remote-groups", "remote-name"],
        Style::XAuthRequest => &[
            "x-auth-request-user",
            "x-auth-request-email",
            "x-auth-request-groups",
            "x-auth-request-preferred-username",
        ],
        Style::XForwarded => &["x-forwarded-user", "x-forwarded-email", "x-forwarded-groups"],
        Style::None => &[],
    };
    let signed: &[&str] = if settings.signs { &["vestibule-assertion"] } else { &[] };
    [&["vestibule-acr", "vestibule-auth-time"], signed, own].concat()
}

fn values(identity: &Identity, assertion: Option<String>) -> Vec<String> {
    let acr = identity.acr.map(|acr| acr.to_string()).unwrap_or_default();
    let at = identity.authenticated_at.map(|at| at.unix().to_string()).unwrap_or_default();
    let own = [identity.user.clone(), identity.email.clone(), groups(identity), identity.name.clone()];
    [acr, at].into_iter().chain(assertion).chain(own).collect()
}

/// The headers, and what is in them: nothing where nobody is known. Names are UTF-8. What is no text in a header is left
/// out, never cut.
pub(super) fn header_pairs(
    settings: &GateSettings,
    known: Option<(&Identity, Option<String>)>,
) -> Vec<(HeaderName, HeaderValue)> {
    let names = header_names(settings).into_iter().map(HeaderName::from_static);
    let mut values =
        known.map(|(identity, assertion)| values(identity, assertion)).unwrap_or_default().into_iter();
    let mut value = || HeaderValue::from_bytes(values.next()?.as_bytes()).ok();
    names.map(|name| (name, value().unwrap_or(HeaderValue::from_static("")))).collect()
}

/// Empty where it would be too long: part of a list reads like the whole.
fn groups(identity: &Identity) -> String {
    let groups = identity.groups.join(",");
    if groups.len() <= LONGEST_GROUPS {
        return groups;
    }
    tracing::warn!(
        user.id = identity.user,
        "the groups of a user are too many for a header and are left out"
    );
    String::new()
}

/// A refusal, and where it can be put right.
pub(super) struct Told<'a> {
    application: &'a Application,
    asked: &'a GateRequest,
    start: String,
    trouble: String,
}

impl<'a> Told<'a> {
    pub(super) fn new(application: &'a Application, asked: &'a GateRequest, app: &App) -> Self {
        let site = &app.config().site;
        let start = query::start(application, site.base_url.scheme(), &asked.uri, &asked.raised, false);
        Self { application, asked, start, trouble: site.link("/gate/trouble") }
    }

    /// In words, for whoever waits for a page; else as JSON.
    pub(super) fn to_visitor(&self, req: &HttpRequest, error: &Error) -> HttpResponse {
        let to = match (error, self.asked.is_page, &self.asked.form_of) {
            (Error::Refused(CROSS_ORIGIN, _), ..) | (_, false, None) => return self.refusal(req, error),
            // A program has shown a key, and reads no page.
            _ if self.is_by_key() => return self.refusal(req, error),
            (Error::Refused(APPLICATION_FORBIDDEN, _), ..) => self.trouble_with(error.code(), None),
            // What was sent is lost, and its page is still there.
            (_, _, Some(page)) => self.trouble_with("send_again", Some(page)),
            (..) => self.start.clone(),
        };
        error_body::log(req, error);
        HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
    }

    fn is_by_key(&self) -> bool {
        self.application.settings.takes_keys && self.asked.visitor.key.is_some()
    }

    /// As JSON, with the status.
    pub(super) fn refusal(&self, req: &HttpRequest, error: &Error) -> HttpResponse {
        refusal_body(req, error, &self.start)
    }

    fn trouble_with(&self, code: &str, to: Option<&String>) -> String {
        let host = ("host", self.application.host.as_str());
        let pairs = [host, ("code", code)].into_iter().chain(to.map(|to| ("to", to.as_str())));
        format!("{}?{}", self.trouble, query::text(pairs))
    }
}

/// A refusal as JSON, with its status; `start` is where it is put right.
pub(super) fn refusal_body(req: &HttpRequest, error: &Error, start: &str) -> HttpResponse {
    error_body::log(req, error);
    let mut body = json!({ "error": error.to_string(), "code": error.code() });
    match error {
        Error::Unauthenticated => body["signIn"] = start.into(),
        Error::StepUp(_) | Error::Refused(APPLICATION_SECOND_FACTOR | EMAIL_UNVERIFIED, _) => {
            body["confirm"] = start.into()
        }
        _ => {}
    }
    for (key, value) in error.particulars().iter().flat_map(|own| &own.details) {
        body[key] = value.clone();
    }
    let mut answer = HttpResponse::build(status_of(error));
    error_body::put_headers(&mut answer, error);
    if matches!(error, Error::Unauthenticated) {
        answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    answer.content_type("application/json; charset=utf-8").body(body.to_string())
}
