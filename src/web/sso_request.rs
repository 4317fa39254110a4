//! On the way to an identity provider, by whatever protocol: asked first where somebody else began it, and sent there.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::{Method, header},
};
use askama::Template;
use serde::Serialize;

use super::{MaybeUser, Reply, local_path, negotiation::wants_html};
use crate::{error::Result, ids::ConnectionId};

/// Where a sign-in goes that comes back, and whether its device is remembered.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Destination {
    /// A path of this site.
    pub next: Option<String>,
    /// Whether "remember this device" was chosen.
    pub remember: bool,
}

impl Destination {
    /// `next` where it is a path of this site.
    pub(crate) fn new(next: Option<&str>, remember: bool) -> Self {
        Self { next: local_path(next), remember }
    }
}

/// Somebody is asked whether they want to sign in.
#[derive(Template, Serialize)]
#[template(path = "sso_ask.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct AskPage {
    /// The path that the form is posted to.
    #[serde(skip)]
    pub action: &'static str,
    /// The organisation's name.
    pub organisation: String,
    /// Its connection.
    pub connection: ConnectionId,
    /// The host of the identity provider's sign-in address.
    pub host: Option<String>,
    /// Who is to sign in there, for the identity provider to fill in.
    #[serde(skip)]
    pub login_hint: Option<String>,
    /// Where to go afterwards.
    #[serde(flatten)]
    pub to: Destination,
    /// The address of whoever is signed in here already.
    #[serde(skip)]
    pub signed_in_as: Option<String>,
}

impl AskPage {
    /// The address of whoever is signed in here already.
    pub(crate) fn signed_in_as(visitor: &MaybeUser) -> Option<String> {
        visitor.signed_in().map(|me| me.user.email.spelled().to_owned())
    }
}

/// What a browser is sent to an identity provider for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errand {
    /// To sign in.
    SignIn,
    /// To sign out there as well.
    SignOut,
    /// To say that this site has signed somebody out.
    Answer,
}

/// Somebody leaves for their identity provider by a link.
#[derive(Template, Serialize)]
#[template(path = "sso_redirect.html")]
pub(crate) struct RedirectPage {
    location: String,
    #[serde(skip)]
    errand: Errand,
    /// What people call a provider of this site.
    #[serde(skip)]
    provider: Option<String>,
}

/// Sends the browser to an address of the identity provider; a program gets `{"location"}`.
pub(crate) fn redirect(req: &HttpRequest, location: String, errand: Errand) -> Result<HttpResponse> {
    leave(req, location, errand, None)
}

/// The same to a provider of this site, which people know by its name.
pub(crate) fn redirect_to(req: &HttpRequest, location: String, provider: &str) -> Result<HttpResponse> {
    leave(req, location, Errand::SignIn, Some(provider.to_owned()))
}

fn leave(
    req: &HttpRequest,
    location: String,
    errand: Errand,
    provider: Option<String>,
) -> Result<HttpResponse> {
    let answer = match wants_html(req.headers()) {
        // Where a form was sent, a redirect to elsewhere would be held against the policy for forms (CSP 3 §6.4.1).
        true if req.method() == Method::POST => {
            Reply::page(RedirectPage { location, errand, provider }).respond_to(req)
        }
        true => return Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish()),
        false => Reply::go(location.as_str()).with("location", &location)?.respond_to(req),
    };
    Ok(answer.map_into_boxed_body())
}
