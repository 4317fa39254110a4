//! The answer to an application, by way of the browser (RFC 6749 §4.1.2, RFC 9207).

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::{StatusCode, header},
};
use askama::Template;
use serde::Serialize;

use crate::{
    app::App,
    error::Result,
    oauth::{AuthorizationRequest, Refused, ResponseMode},
    urls,
    web::{Reply, headers::policy_with_form_elsewhere},
};

/// The last page here. Behind a form, a redirect to another site would be held against the policy for forms of its page (CSP 3
/// §6.4.1): this page leads on by itself.
#[derive(Template, Serialize)]
#[template(path = "oauth_continue.html")]
pub(crate) struct ContinuePage {
    pub(super) location: String,
    #[serde(skip)]
    pub(super) name: String,
    #[serde(skip)]
    pub(super) heading: &'static str,
}

/// The same as a form (OAuth 2.0 Form Post Response Mode).
#[derive(Template, Serialize)]
#[template(path = "oauth_form_post.html")]
pub(crate) struct FormPostPage {
    action: String,
    fields: Vec<(&'static str, String)>,
    #[serde(skip)]
    name: String,
}

/// Whether something was asked on the way, so that the way on is a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The browser comes straight from the application.
    Redirect,
    /// It may come from a form of this site.
    Page,
    /// The same, and its person said no.
    Back,
}

/// What an answer says beside `state` and `iss`.
pub(super) fn refused(refused: Refused) -> Vec<(&'static str, String)> {
    vec![("error", refused.code.to_string()), ("error_description", refused.description.to_owned())]
}

/// Everything that an answer says.
fn fields(
    app: &App,
    request: &AuthorizationRequest,
    says: Vec<(&'static str, String)>,
) -> Vec<(&'static str, String)> {
    let state = request.state.clone().map(|state| ("state", state));
    says.into_iter().chain(state).chain([("iss", app.config().site.origin())]).collect()
}

/// Where a browser goes with an answer in the query.
pub(super) fn location(
    app: &App,
    request: &AuthorizationRequest,
    says: Vec<(&'static str, String)>,
) -> String {
    with_more(&request.redirect_uri, fields(app, request, says))
}

/// An address of another site with more in its query; what is there stays as it is written.
pub(super) fn with_more(address: &str, fields: Vec<(&'static str, String)>) -> String {
    let query = urls::with_query("", fields.iter().map(|(name, value)| (*name, value)));
    match address.contains('?') {
        true => format!("{address}&{}", query.trim_start_matches('?')),
        false => format!("{address}{query}"),
    }
}

/// Sends the browser on with an answer. `name` is what the application is called.
pub(super) fn send(
    req: &HttpRequest,
    app: &App,
    request: &AuthorizationRequest,
    says: Vec<(&'static str, String)>,
    (name, way): (&str, Way),
) -> Result<HttpResponse> {
    let name = name.to_owned();
    if request.response_mode == ResponseMode::FormPost {
        let page =
            FormPostPage { action: request.redirect_uri.clone(), fields: fields(app, request, says), name };
        let mut answer = Reply::page(page).respond_to(req).map_into_boxed_body();
        answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy_with_form_elsewhere());
        return Ok(answer);
    }
    let location = location(app, request, says);
    Ok(match way {
        Way::Redirect => see_other(&location),
        Way::Page | Way::Back => {
            let heading = if way == Way::Page { "You are signed in" } else { "You go back" };
            Reply::page(ContinuePage { location, name, heading }).respond_to(req).map_into_boxed_body()
        }
    })
}

/// 303.
pub(super) fn see_other(location: &str) -> HttpResponse {
    HttpResponse::build(StatusCode::SEE_OTHER).insert_header((header::LOCATION, location)).finish()
}
