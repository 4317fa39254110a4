//! The one place where a refusal becomes a page or JSON.
//!
//! `ResponseError` sees no request, so it answers with a bare status; the middleware here fills it in.

use std::borrow::Cow;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header, uri::PathAndQuery},
    middleware::Next,
    web::Data,
};
use askama::Template;
use serde::Serialize;
use url::{Position, Url};

use super::{
    Layout, app_of,
    assets::Assets,
    dead_link,
    directory_path::is_of_directory,
    error_body::{self, status_of},
    flash, layout, local_path, matched,
    negotiation::wants_page,
    reply::{html, html_within},
    request_refused::{METHOD_NOT_ALLOWED, TIMEOUT, TOO_LARGE, UNSUPPORTED_MEDIA},
};
use crate::{
    app::App,
    error::{Error, Way},
    kinds::Strength,
    log, urls,
};

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        status_of(self)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

/// Where every answer has the form of RFC 6749 §5.2.
const BY_OAUTH: [&str; 5] =
    ["/oauth/device_authorization", "/oauth/introspect", "/oauth/revoke", "/oauth/token", "/oauth/userinfo"];

/// A refusal as a page.
#[derive(Template, Serialize)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage {
    status: u16,
    title: &'static str,
    message: String,
    request_id: Option<String>,
    href: String,
    label: &'static str,
    /// Whether what helps is a POST.
    is_form: bool,
    /// Whether it is about an organisation: a link leads to all of them.
    is_of_organisation: bool,
}

/// Turns every error into the face that was asked for, once.
pub(crate) async fn render_errors(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    let res = next.call(req).await?.map_into_boxed_body();
    let own = res.response().error().and_then(|error| error.as_error::<Error>());
    let is_fine = !res.status().is_client_error() && !res.status().is_server_error();
    if is_fine && own.is_none() {
        return Ok(res);
    }
    let answer = match own {
        Some(error) => render(res.request(), error),
        // Already said by a page of its own.
        None if has_body(&res) && res.response().error().is_none() => return Ok(res),
        None => render(res.request(), &by_status(res.status())),
    };
    let (req, _) = res.into_parts();
    Ok(ServiceResponse::new(req, answer))
}

fn has_body(res: &ServiceResponse<BoxBody>) -> bool {
    !matches!(res.response().body().size(), BodySize::None | BodySize::Sized(0))
}

/// What actix itself refuses, in our words.
fn by_status(status: StatusCode) -> Error {
    match status {
        StatusCode::NOT_FOUND => Error::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => METHOD_NOT_ALLOWED.error(),
        StatusCode::PAYLOAD_TOO_LARGE => TOO_LARGE.error(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => UNSUPPORTED_MEDIA.error(),
        StatusCode::REQUEST_TIMEOUT => TIMEOUT.error(),
        status if status.is_client_error() => {
            Error::Malformed("its address has a part in another shape".to_owned())
        }
        status => anyhow::anyhow!("an answer with status {status}").into(),
    }
}

/// The answer to a request that is refused.
pub(crate) fn render(req: &HttpRequest, error: &Error) -> HttpResponse {
    let request_id = matched::request_id();
    error_body::log(req, error);
    let shown = matches!(error, Error::Internal(_)).then_some(request_id);
    let mut answer = HttpResponse::build(status_of(error));
    error_body::put_headers(&mut answer, error);
    if BY_OAUTH.contains(&req.path()) {
        return error_body::oauth(&mut answer, error);
    }
    if is_of_directory(req.path()) {
        return error_body::scim(&mut answer, error);
    }
    let way = error.refusal().way;
    if way == Way::Moved {
        answer.insert_header((header::LOCATION, moved_to(req, &href_of(error))));
        if wants_page(req.path(), req.headers()) {
            return answer.finish();
        }
    }
    if !wants_page(req.path(), req.headers()) {
        return error_body::json(&mut answer, error, shown);
    }
    if let Some(to) = recovery_redirect(req, error) {
        if way == Way::RedirectSaying {
            flash::set(req, &error.to_string());
        }
        return HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish();
    }
    let page = ErrorPage::about(error, shown, req.path(), way_back(req));
    in_page(&mut answer, html(req, &page), page.message)
}

/// Where a refusal leads.
fn href_of(error: &Error) -> Cow<'_, str> {
    let own = error.particulars().and_then(|own| own.href.as_deref());
    own.unwrap_or(error.refusal().href).into()
}

/// The address of a request with the organisation's present one, `page`, in place of a former one.
fn moved_to(req: &HttpRequest, page: &str) -> String {
    let rest = req.path().strip_prefix("/organisations/").and_then(|rest| rest.split_once('/'));
    let path = rest.map_or_else(String::new, |(_, rest)| format!("/{rest}"));
    let query = if req.query_string().is_empty() { "" } else { "?" };
    format!("{page}{path}{query}{}", req.query_string())
}

/// Where a browser puts it right, and the way back from there.
fn recovery_redirect(req: &HttpRequest, error: &Error) -> Option<String> {
    let target = req.uri().path_and_query().map_or("/", |path| path.as_str());
    let is_read = matches!(*req.method(), Method::GET | Method::HEAD);
    let asked_for = Some(target).filter(|_| is_read);
    match error {
        Error::StepUp(step_up) => {
            let goes_on = match &step_up.resume {
                Some(secret) => Some(("resume", secret.clone())),
                // A form that was not kept is asked for again, on its own page.
                None => local_path(asked_for.or(Some(req.path()))).map(|next| ("next", next)),
            };
            // Else the page offers what is enough for everything.
            let strength = Some(("strength", "any".to_owned())).filter(|_| step_up.strength == Strength::Any);
            Some(urls::with_query("/auth/confirm", goes_on.into_iter().chain(strength)))
        }
        error => match error.refusal().way {
            Way::Redirect | Way::RedirectSaying => Some(href_of(error).into_owned()),
            Way::RedirectWithNext => {
                let next = local_path(asked_for).map(|next| ("next", next));
                Some(urls::with_query(&href_of(error), next))
            }
            _ => None,
        },
    }
}

/// Where the person was: at the page that they asked for, or at the one whose form they sent, which their browser names
/// (`Referer`; our policy lets it tell on this site). Always a path on this site.
fn way_back(req: &HttpRequest) -> Option<String> {
    if req.method().is_safe() {
        return local_path(req.uri().path_and_query().map(PathAndQuery::as_str));
    }
    let sent_from = Url::parse(req.headers().get(header::REFERER)?.to_str().ok()?).ok()?;
    let own = &app_of(req).ok()?.config().site.base_url;
    let path = local_path(Some(&sent_from[Position::BeforePath..Position::AfterQuery]));
    path.filter(|_| sent_from.host() == own.host())
}

/// What an answer takes where the request itself is gone: its handler, or a middleware, panicked.
pub(crate) struct AfterPanic {
    app: Data<App>,
    assets: Data<Assets>,
    path: String,
    wants_html: bool,
}

impl AfterPanic {
    /// Keeps it in mind, in case.
    pub(crate) fn of(req: &HttpRequest) -> crate::error::Result<Self> {
        let (app, assets) = layout::app_and_assets(req)?;
        let path = req.path().to_owned();
        let wants_html = wants_page(&path, req.headers());
        Ok(Self { app: app.clone(), assets: assets.clone(), path, wants_html })
    }

    /// The page or JSON of every 500.
    pub(crate) fn render(&self, request_id: &str) -> HttpResponse {
        let error = Error::internal(log::Panicked);
        let mut answer = HttpResponse::build(status_of(&error));
        if BY_OAUTH.contains(&self.path.as_str()) {
            return error_body::oauth(&mut answer, &error);
        }
        if is_of_directory(&self.path) {
            return error_body::scim(&mut answer, &error);
        }
        let request_id = Some(request_id.to_owned());
        if !self.wants_html {
            return error_body::json(&mut answer, &error, request_id);
        }
        let page = ErrorPage::about(&error, request_id, &self.path, None);
        let layout = Layout::bare(&self.app, &self.assets, &self.path);
        in_page(&mut answer, html_within(&layout, &page), page.message)
    }
}

fn in_page(
    answer: &mut HttpResponseBuilder,
    html: crate::error::Result<String>,
    message: String,
) -> HttpResponse {
    match html {
        Ok(text) => answer.content_type("text/html; charset=utf-8").body(text),
        // The page about the error has an error of its own: plain words, always.
        Err(_) => answer.content_type("text/plain; charset=utf-8").body(message),
    }
}

impl ErrorPage {
    /// About what came of `path`. `back`: where the person was, if that is known. What passes is tried again there.
    fn about(error: &Error, request_id: Option<String>, path: &str, back: Option<String>) -> Self {
        let kind = error.refusal();
        let (href, label) = match (kind.way, back) {
            (Way::OtherOrigin, back) => {
                (format!("{}{}", href_of(error), back.as_deref().unwrap_or("/")), kind.label)
            }
            (Way::Again, Some(back)) => (back, "Try again"),
            (Way::LinkWithNext | Way::FormWithNext, Some(back)) => {
                (urls::with_query(kind.href, [("next", back)]), kind.label)
            }
            _ => (href_of(error).into_owned(), kind.label),
        };
        let page = Self {
            status: kind.status,
            title: kind.title,
            message: error.to_string(),
            request_id,
            href,
            label,
            is_form: kind.way == Way::FormWithNext,
            is_of_organisation: kind.lists_organisations,
        };
        match error {
            Error::Invalid(errors) => {
                Self { message: errors.first().map_or(page.message, str::to_owned), ..page }
            }
            // Each kind of link has a way of its own to go on.
            Error::DeadLink => {
                let way_on = dead_link::way_on(path);
                let message = format!("{} {}", page.message, way_on.says).trim_end().to_owned();
                Self { message, href: way_on.href.to_owned(), label: way_on.label, ..page }
            }
            _ => page,
        }
    }
}
