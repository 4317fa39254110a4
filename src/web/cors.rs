//! Scripts of applications ask from their own origins (Fetch standard, CORS protocol), without cookies: those that are registered, on
//! errors as well; what is everybody's, from any.

use actix_web::{
    HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap, HeaderValue},
    middleware::Next,
};

use super::{app_of, negotiation::header_text};
use crate::model::application::client;

const OF_APPLICATIONS: [&str; 3] = ["/oauth/token", "/oauth/userinfo", "/oauth/revoke"];

const OF_EVERYBODY: [&str; 3] =
    ["/oauth/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

/// Lets scripts read the answer, whatever it is.
pub(crate) async fn allow<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> actix_web::Result<ServiceResponse<B>> {
    let mut res = next.call(req).await?;
    if OF_EVERYBODY.contains(&res.request().path()) {
        let any = HeaderValue::from_static("*");
        res.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    } else if OF_APPLICATIONS.contains(&res.request().path()) {
        let origin = registered(res.request()).await;
        let headers = res.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            allow_origin(headers, origin);
        }
    }
    Ok(res)
}

fn allow_origin(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let exposed = HeaderValue::from_static("www-authenticate");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

/// The origin of the script that asks, where an application has it. Where the database does not tell, none has.
async fn registered(req: &HttpRequest) -> Option<HeaderValue> {
    let origin = header_text(req, header::ORIGIN)?;
    let asked = origin.clone();
    let is_registered = app_of(req).ok()?.read(move |conn| client::is_origin_of_any(conn, &asked)).await;
    HeaderValue::from_str(&origin).ok().filter(|_| is_registered.is_ok_and(|is| is))
}
