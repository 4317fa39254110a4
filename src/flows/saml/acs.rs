//! What an identity provider sends is judged and noted; nobody is signed in by it yet.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::header,
    web::{Data, Payload},
};
use serde::Deserialize;

use super::{Handoff, SEAL, attributes, checks, may_be_of_another_key};
use crate::{
    accounts::{
        authn_request::SSO_REFUSED,
        sso_attempts::{self, ANOTHER_BROWSER, Fault, Noted, Tester},
    },
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Result},
    jobs,
    kinds::{AuthMethod, Protocol},
    model::{
        assertion,
        connection::{self, Connection, Mapping, upkeep},
        service_key,
        sso_attempt::Detail,
        sso_session::SsoSession,
        token::{self, AuthnRequestState, SamlRequest, SsoHandoff, SsoIntent},
    },
    saml::{self, Presented, ProviderSession, Refusal, Request, Service, Statement},
    secret::Secret,
    urls,
    web::{
        Client, MaybeUser, Query, Reply,
        cookies::Own,
        input,
        request_binding::RequestBinding,
        request_refused::{TIMEOUT, UNSUPPORTED_MEDIA},
        saml_request::confirm_sso,
        sso_request::Destination,
        sso_result::RefusedPage,
    },
};

// A response is base64 of at most this much, in a form (saml-bindings §3.5.4).
const ACS_LIMIT: usize = 256 * 1024;

/// Where a browser goes that brings the answer to a request for a second time, as when a page is loaded again.
const ANSWERED: &str = "/auth/saml/refused?answered=true";

/// What an identity provider sends.
#[derive(Deserialize)]
struct AcsForm {
    #[serde(rename = "SAMLResponse", default)]
    response: String,
    #[serde(rename = "RelayState", default)]
    relay_state: String,
}

/// `POST /auth/saml/callback`, the assertion consumer service (saml-profiles §4.1.4).
pub(crate) async fn assertion_consumer_service(
    client: Client,
    visitor: MaybeUser,
    req: HttpRequest,
    body: Payload,
    app: Data<App>,
) -> Result<HttpResponse> {
    let whole = input::collect(body.into_inner(), ACS_LIMIT);
    let bytes =
        tokio::time::timeout(app.config().body_timeout, whole).await.map_err(|_| TIMEOUT.error())??;
    if !req.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(UNSUPPORTED_MEDIA.error());
    }
    let AcsForm { response, relay_state } = input::from_form(&bytes)?;
    let secret = Secret::<SamlRequest>::from_text(relay_state.clone());
    let (now, looked_up, config) = (app.now(), secret.clone(), app.config().clone());
    let found = app
        .read(move |conn| {
            let asked = token::peek_unowned(conn, &looked_up, now)?;
            let connection = connection::by_id(conn, &asked.connection)?;
            Ok((asked, connection, service_key::service(conn, &config)?))
        })
        .await;
    let (asked, connection, service) = match found {
        Ok(found) => found,
        // The request is answered or over or was never ours, or its connection is gone.
        Err(Error::DeadLink | Error::NotFound) => {
            return match app.read(move |conn| token::is_used(conn, &secret)).await? {
                true => Ok(see_other(ANSWERED)),
                false => unsolicited(&app, &visitor, &req, response, &relay_state).await,
            };
        }
        Err(error) => return Err(error),
    };
    // One request is answered once: however much a response costs to read, nobody has it read twice.
    match app.write(move |tx| token::redeem_unowned(tx, &secret)).await {
        Ok(_) => {}
        Err(Error::DeadLink) => return Ok(see_other(ANSWERED)),
        Err(error) => return Err(error),
    }
    // Over https the cookie comes along with the cross-site POST; on plain http it is looked at when the browser comes
    // for what was proved.
    let is_another_browser =
        app.config().site.is_https() && !RequestBinding::of(&req, Own::Saml).is_of(&asked.browser);
    let (connection, read) = match is_another_browser {
        true => (connection, Err(Fault::new(ANOTHER_BROWSER.0, false, ANOTHER_BROWSER.1))),
        false => read(&app, &service, &asked, connection, &response).await?,
    };
    let mapping = connection.mapping()?;
    let to = app.write(move |tx| consume_response(tx, &client, &connection, &mapping, asked, read)).await?;
    if to.starts_with(urls::SSO_REFUSED) {
        app.metrics().sign_in(AuthMethod::Sso, false);
    }
    Ok(see_other(&to))
}

fn see_other(to: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
}

/// Reads a response. Where no certificate fits, the metadata may be older than the identity provider's keys: it is read
/// again, at most once an hour, and the response with it.
async fn read(
    app: &App,
    service: &Service,
    asked: &AuthnRequestState,
    connection: Connection,
    response: &str,
) -> Result<(Connection, Result<Statement, Fault>)> {
    let first = read_once(app, service, asked, &connection, response).await?;
    let is_due = connection.metadata_url.is_some() && upkeep::may_be_read_again(&connection, app.now());
    match first {
        Err(fault) if is_due && may_be_of_another_key(&fault) => {
            let id = connection.id.clone();
            jobs::sso::read_now(app, connection).await?;
            let connection = app.read(move |conn| connection::by_id(conn, &id)).await?;
            let second = read_once(app, service, asked, &connection, response).await?;
            Ok((connection, second))
        }
        first => Ok((connection, first)),
    }
}

async fn read_once(
    app: &App,
    service: &Service,
    asked: &AuthnRequestState,
    connection: &Connection,
    response: &str,
) -> Result<Result<Statement, Fault>> {
    let now = app.now();
    let provider = match connection.provider(now) {
        Ok(provider) => provider,
        Err(reason) => return Ok(Err(Fault::from(Box::new(Refusal::from(reason))))),
    };
    let request = Request {
        id: asked.request.clone(),
        sent_at: Timestamp::from_unix(asked.at),
        force_authn: matches!(asked.purpose, SsoIntent::StepUp { .. }),
    };
    let presented = Presented {
        response: response.to_owned(),
        provider,
        service: service.clone(),
        request,
        identifier: connection.identifier(),
        identity_attributes: connection.mapping()?.identity_attributes(),
        now,
    };
    Ok(app.saml_pool().read(presented).await.map_err(Fault::from))
}

/// Uses the assertion up, notes what came, and says where the browser goes on.
fn consume_response(
    tx: &mut Tx,
    client: &Client,
    connection: &Connection,
    mapping: &Mapping,
    asked: AuthnRequestState,
    read: Result<Statement, Fault>,
) -> Result<String> {
    let tester = Tester::of(&asked.purpose);
    let statement = match read {
        Ok(statement) => statement,
        Err(fault) => return sso_attempts::note_fault(tx, client, connection, tester.as_ref(), &fault),
    };
    if !assertion::spend(tx, &connection.id, &statement.assertion_id, statement.remember_until)? {
        let fault =
            Fault::new("replayed", true, "This assertion was used before. Each is good for one sign-in.");
        return sso_attempts::note_fault(tx, client, connection, tester.as_ref(), &fault);
    }
    let profile = mapping.profile(&statement);
    let identity = (&statement.name, &profile);
    let detail = attempt_detail(&statement);
    let attempt =
        match sso_attempts::note_verified(tx, client, connection, tester.as_ref(), identity, detail)? {
            Noted::Test(to) => return Ok(to),
            Noted::Verified(attempt) => attempt,
        };
    let there = statement
        .name_id
        .as_ref()
        .map(|name| ProviderSession { name_id: name.clone(), index: statement.session_index.clone() });
    let handoff = Handoff {
        asked,
        attempt,
        identifier: connection.identifier.clone(),
        name: statement.name.clone(),
        email: profile.email.as_ref().map(|email| email.spelled().to_owned()),
        shown: profile.name.as_ref().map(|name| name.as_str().to_owned()),
        role: profile.role,
        session_ends_at: statement.session_ends_at.map(|at| at.unix()),
        sso: there.map(|there| SsoSession::sealed(&connection.id, &there, &tx.config.keys)).transpose()?,
    };
    let sealed = tx.config.keys.seal(SEAL, &serde_json::to_string(&handoff)?)?;
    let secret = token::issue_unowned::<SsoHandoff>(tx, &sealed)?;
    Ok(urls::with_query("/auth/saml/arrive", [("handoff", secret.reveal())]))
}

fn attempt_detail(statement: &Statement) -> Detail {
    let name_id = statement.name_id.as_ref();
    Detail {
        name_id: name_id.map(|name| name.value.clone()),
        name_format: name_id.map(|name| name.format.clone()),
        checks: checks(&statement.checks),
        attributes: attributes(&statement.attributes),
        ..Detail::default()
    }
}

/// A sign-in that began at the identity provider is never trusted as it is: where the connection takes those, it is
/// answered with a request of our own. Its RelayState may say where on this site it is to lead (saml-profiles §4.1.5).
async fn unsolicited(
    app: &App,
    visitor: &MaybeUser,
    req: &HttpRequest,
    response: String,
    relay_state: &str,
) -> Result<HttpResponse> {
    let origin =
        tokio::task::spawn_blocking(move || saml::read_origin(&response)).await.map_err(Error::internal)?;
    let refuse = |reason: &str| {
        tracing::warn!(reason, "a SAML response is refused");
        SSO_REFUSED.error()
    };
    let origin = origin.map_err(|reason| refuse(reason.code()))?;
    let Some(issuer) = origin.issuer.filter(|_| origin.in_response_to.is_none()) else {
        return Err(refuse("answers_nothing"));
    };
    let found = app.read(move |conn| connection::unsolicited_from(conn, Protocol::Saml, &issuer)).await?;
    match found {
        Some(connection) => {
            let here = app.config().site.link("/");
            let path = relay_state.strip_prefix(here.trim_end_matches('/')).unwrap_or(relay_state);
            confirm_sso(app, visitor, req, connection.id, Destination::new(Some(path), false)).await
        }
        None => Err(refuse("unsolicited")),
    }
}

/// What the page for a refused sign-in is about.
#[derive(Deserialize)]
pub(crate) struct RefusedQuery {
    reference: Option<String>,
    #[serde(default, deserialize_with = "input::tick")]
    answered: bool,
}

/// `GET /auth/saml/refused`: why signing in did not work; the reason is for their administrator. Whoever
/// only loaded a page again, and is signed in, goes on.
pub(crate) async fn say_refused(visitor: MaybeUser, query: Query<RefusedQuery>) -> Result<Reply> {
    let RefusedQuery { reference, answered } = query.into_inner();
    if answered && visitor.signed_in().is_some() {
        return Ok(Reply::on(None));
    }
    let is_number = |one: &String| one.len() <= 16 && one.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    Ok(RefusedPage::reply(reference.filter(is_number)))
}
