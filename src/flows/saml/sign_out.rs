//! Signing out at the identity provider as well, offered to whoever has just signed out here.

use actix_session::SessionExt;
use actix_web::{HttpRequest, HttpResponse, Responder, http::header, web::Data};
use askama::Template;
use serde::Serialize;

use crate::{
    accounts::provider_logout,
    app::App,
    error::{Error, Result},
    model::token::{self, LogoutSent},
    saml::{self, LogoutMessage},
    secret::Secret,
    web::{Reply, pending, saml_request::send_message, sso_request::Errand},
};

/// Whoever signed out here is asked whether to sign out there.
#[derive(Template, Serialize)]
#[template(path = "saml_sign_out.html")]
pub(crate) struct SignOutPage {
    /// The host of the identity provider.
    host: String,
}

/// `GET /auth/saml/sign-out`
pub(crate) async fn offer_sign_out(req: HttpRequest, app: Data<App>) -> Result<Reply> {
    let Some(secret) = pending::signing_out(&req.get_session()) else { return Ok(Reply::go("/")) };
    let now = app.now();
    match app.read(move |conn| provider_logout::host(conn, &secret, now)).await {
        Ok(Some(host)) => Ok(Reply::page(SignOutPage { host })),
        Ok(None) | Err(Error::DeadLink) => Ok(Reply::go("/")),
        Err(error) => Err(error),
    }
}

/// `POST /auth/saml/sign-out`
pub(crate) async fn sign_out(req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let taken = pending::signing_out(&req.get_session());
    pending::set_signing_out(&req.get_session(), None);
    let message = match taken {
        None => None,
        Some(secret) => match app.write(move |tx| provider_logout::ask(tx, &secret)).await {
            Err(Error::DeadLink) => None,
            asked => asked?,
        },
    };
    match message {
        Some(message) => send_message(&req, message, Errand::SignOut),
        None => {
            let reply =
                Reply::done("/", "You are signed out here. There is nothing to sign out of elsewhere.");
            Ok(reply.respond_to(&req).map_into_boxed_body())
        }
    }
}

/// The identity provider answers. Its answer changes nothing here; it is told to whoever asked.
pub(crate) async fn read_answer(
    app: &App,
    req: &HttpRequest,
    message: LogoutMessage,
    relay_state: &str,
) -> Result<HttpResponse> {
    let secret = Secret::<LogoutSent>::from_text(relay_state);
    let asked = app.write(move |tx| token::redeem_unowned(tx, &secret)).await;
    let answer = saml::read_logout_answer(&message);
    let message = match (asked, answer) {
        (Ok(id), Ok(answer)) if answer.in_response_to == id && answer.succeeded => {
            "You are signed out here and at your identity provider."
        }
        (Ok(_), _) => {
            "You are signed out here. Your identity provider did not confirm that you are signed out there: close your \
             browser."
        }
        (Err(Error::DeadLink), _) => {
            return Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, "/login")).finish());
        }
        (Err(error), _) => return Err(error),
    };
    let reply = Reply::done("/login", message);
    Ok(reply.respond_to(req).map_into_boxed_body())
}
