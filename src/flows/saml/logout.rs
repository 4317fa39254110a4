//! Signing out where it began at the identity provider: its signed request ends the sessions here that came from the one
//! there (saml-profiles §4.4.3), and is answered. A request that is not its own, or was seen before, changes nothing.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::{Method, header},
    web::{Data, Payload},
};
use chrono::TimeDelta;
use serde::Deserialize;

use super::sign_out::read_answer;
use crate::{
    accounts::sessions,
    app::App,
    db::Tx,
    error::{Error, Result},
    log,
    model::{
        assertion,
        connection::{self, Connection},
        network,
        rate_limit::{self, Limit},
        service_key,
        sso_session::SsoSession,
    },
    saml::{self, BindingMessage, Logout, LogoutMessage, UnprovedLogout},
    web::{
        Client, Reply, input,
        request_refused::{METHOD_NOT_ALLOWED, TIMEOUT},
        saml_request::send_message,
        sso_request::Errand,
    },
};

// More than any request, as a form.
const LIMIT: usize = 64 * 1024;

// Whoever copied the metadata of an identity provider has a connection of its name as well.
const MOST_CONNECTIONS: i64 = 50;

#[derive(Deserialize)]
struct LogoutForm {
    #[serde(rename = "SAMLRequest", default)]
    request: String,
    /// The answer to a request of ours.
    #[serde(rename = "SAMLResponse", default)]
    response: String,
    #[serde(rename = "RelayState", default)]
    relay_state: String,
}

/// `GET /auth/saml/logout`: a request in the address (saml-bindings §3.4), or the answer to one of ours.
pub(crate) async fn logout(client: Client, req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    if req.method() != Method::GET {
        return Err(METHOD_NOT_ALLOWED.error());
    }
    let form: LogoutForm = input::from_form(req.query_string().as_bytes())?;
    let message = LogoutMessage::Redirect(req.query_string().to_owned());
    count(&app, &client).await?;
    match form.response.is_empty() {
        true => end_sessions(&app, &client, &req, message, &form.relay_state).await,
        false => read_answer(&app, &req, message, &form.relay_state).await,
    }
}

/// `POST /auth/saml/logout`: a request in a form (saml-bindings §3.5), or the answer to one of ours.
pub(crate) async fn logout_by_post(
    client: Client,
    req: HttpRequest,
    body: Payload,
    app: Data<App>,
) -> Result<HttpResponse> {
    let whole = input::collect(body.into_inner(), LIMIT);
    let bytes =
        tokio::time::timeout(app.config().body_timeout, whole).await.map_err(|_| TIMEOUT.error())??;
    let LogoutForm { request, response, relay_state } = input::from_form(&bytes)?;
    count(&app, &client).await?;
    match response.is_empty() {
        true => end_sessions(&app, &client, &req, LogoutMessage::Post(request), &relay_state).await,
        false => read_answer(&app, &req, LogoutMessage::Post(response), &relay_state).await,
    }
}

/// Counts a message of a client, whatever it is worth.
async fn count(app: &App, client: &Client) -> Result<()> {
    let network = network::client_network(&client.ip);
    let most = app.config().limits.login_per_network;
    let limit = Limit::new("saml-logout", &network, most, TimeDelta::minutes(1));
    app.write(move |tx| rate_limit::consume(tx, &limit)).await
}

async fn end_sessions(
    app: &App,
    client: &Client,
    req: &HttpRequest,
    message: LogoutMessage,
    relay_state: &str,
) -> Result<HttpResponse> {
    let refuse = |reason: &str| {
        tracing::warn!(reason, "a SAML logout is refused");
        Error::Malformed(
            "this is no logout request of an identity provider that is connected here".to_owned(),
        )
    };

    let issuer = UnprovedLogout::read(&message).map(|unproved| unproved.issuer().to_owned());
    let issuer = issuer.map_err(|reason| refuse(reason.code()))?;
    let (config, now) = (app.config().clone(), app.now());
    let (connections, service) = app
        .read(move |conn| {
            let connections = connection::by_issuer(conn, &issuer, MOST_CONNECTIONS)?;
            Ok((connections, service_key::service(conn, &config)?))
        })
        .await?;
    let verified = log::spawn_blocking(move || {
        let verify = |connection: Connection| {
            let provider = connection.provider(now)?;
            let logout = UnprovedLogout::read(&message)?.verify(&provider, &service, now)?;
            Ok((connection, provider, logout))
        };
        let outcomes: Vec<std::result::Result<_, saml::Reason>> =
            connections.into_iter().map(verify).collect();
        (outcomes, service)
    });
    let (outcomes, service) = verified.await.map_err(Error::internal)?;
    let (verified, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(std::result::Result::is_ok);
    let verified: Vec<_> = verified.into_iter().flatten().collect();
    let Some((_, provider, first)) = verified.first() else {
        let reasons: Vec<_> = refused.into_iter().filter_map(std::result::Result::err).collect();
        return Err(refuse(reasons.first().map_or("unknown_issuer", |reason| reason.code())));
    };
    let answer = saml::answer_logout(&service, provider, &first.id, relay_state, now)?;

    let actor = client.actor();
    let is_fresh = app
        .write(move |tx| {
            let mut is_fresh = false;
            for (connection, _, logout) in &verified {
                if spend(tx, connection, logout)? {
                    is_fresh = true;
                    sessions::end_sso(tx, &actor, &sessions_of(connection, logout))?;
                }
            }
            Ok(is_fresh)
        })
        .await?;
    if !is_fresh {
        return Err(refuse("replayed"));
    }
    match answer {
        Some(BindingMessage::Redirect(location)) => {
            Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish())
        }
        Some(message) => send_message(req, message, Errand::Answer),
        None => {
            let reply = Reply::done("/login", "You are signed out.");
            Ok(reply.respond_to(req).map_into_boxed_body())
        }
    }
}

/// Uses a request up: each is good once, on whichever node it arrives.
fn spend(tx: &mut Tx, connection: &Connection, logout: &Logout) -> Result<bool> {
    assertion::spend(tx, &connection.id, &format!("logout {}", logout.id), logout.remember_until)
}

fn sessions_of(connection: &Connection, logout: &Logout) -> Vec<SsoSession> {
    let session = |index: Option<&str>| SsoSession::new(&connection.id, &logout.name_id.value, index);
    match logout.session_indexes.as_slice() {
        [] => vec![session(None)],
        indexes => indexes.iter().map(|index| session(Some(index))).collect(),
    }
}
