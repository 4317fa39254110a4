//! What an identity provider sends is judged and noted; nobody is signed in by it yet.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::header,
    web::{Data, Payload},
};
use serde::Deserialize;

use super::{
    Fault, Handoff, REFUSED, SEAL, attributes, authn_request::confirm_sso, checks, is_asking_browser,
    nonces_of, note, refused,
};
use crate::{
    accounts::provisioning::{self, ProvisioningError},
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Result},
    kinds::AuthMethod,
    model::{
        assertion,
        connection::{self, Connection, MappedProfile, Mapping},
        service_key,
        sso_attempt::{self, Detail},
        token::{self, AuthnRequestState, SamlRequest, SsoHandoff, SsoIntent},
    },
    saml::{self, Presented, Refusal, Request, Statement},
    secret::Secret,
    web::{Client, MaybeUser, Reply, input},
};

// A response is base64 of at most this much, in a form (saml-bindings §3.5.4).
const ACS_LIMIT: usize = 256 * 1024;

/// What an identity provider sends.
#[derive(Deserialize)]
struct AcsForm {
    #[serde(rename = "SAMLResponse", default)]
    response: String,
    #[serde(rename = "RelayState", default)]
    relay_state: String,
}

/// `POST /auth/saml/callback`, the assertion consumer service (saml-profiles §4.1.4).
pub async fn assertion_consumer_service(
    client: Client,
    visitor: MaybeUser,
    req: HttpRequest,
    body: Payload,
    app: Data<App>,
) -> Result<HttpResponse> {
    let whole = input::collect(body.into_inner(), ACS_LIMIT);
    let bytes =
        tokio::time::timeout(app.config().body_timeout, whole).await.map_err(|_| Error::Timeout)??;
    if !req.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Error::UnsupportedMedia);
    }
    let AcsForm { response, relay_state } = input::from_form(&bytes)?;
    let relay_state = Secret::<SamlRequest>::from_text(relay_state);
    let (now, looked_up, config) = (app.now(), relay_state.clone(), app.config().clone());
    let found = app
        .read(move |conn| {
            let asked = token::peek_unowned(conn, &looked_up, now)?;
            let connection = connection::by_id(conn, &asked.connection)?;
            Ok((asked, connection, service_key::service(conn, &config)?))
        })
        .await;
    let (asked, connection, service) = match found {
        Ok(found) => found,
        // The request is over or was never ours, or its connection is gone.
        Err(Error::DeadLink | Error::NotFound) => return unsolicited(&app, &visitor, &req, response).await,
        Err(error) => return Err(error),
    };
    // One request is answered once: however much a response costs to read, nobody has it read twice.
    let answered = relay_state.clone();
    app.write(move |tx| token::redeem_unowned(tx, &answered)).await.map_err(refused)?;
    let mapping = connection.mapping()?;
    // Over https the cookie comes along with the cross-site POST; on plain http it is looked at when the browser comes
    // for what was proved.
    let is_another_browser = app.config().site.is_https() && !is_asking_browser(&nonces_of(&req), &asked);
    let read = match (is_another_browser, connection.provider(now)) {
        (true, _) => Err(Fault::another_browser()),
        (false, Err(reason)) => Err(Fault::from(Box::new(Refusal::from(reason)))),
        (false, Ok(provider)) => {
            let request = Request {
                id: asked.request.clone(),
                sent_at: Timestamp::from_unix(asked.at),
                force_authn: matches!(asked.purpose, SsoIntent::StepUp { .. }),
            };
            let identity_attributes = mapping.identity_attributes();
            let presented = Presented { response, provider, service, request, identity_attributes, now };
            app.saml_pool().read(presented).await.map_err(Fault::from)
        }
    };
    let to = app.write(move |tx| consume_response(tx, &client, &connection, &mapping, asked, read)).await?;
    if to == REFUSED {
        app.metrics().sign_in(AuthMethod::Sso, false);
    }
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish())
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
    let test = match &asked.purpose {
        SsoIntent::Test { user } => Some(user.clone()),
        _ => None,
    };
    let statement = match read {
        Ok(statement) => statement,
        Err(fault) => return note(tx, client, connection, test, fault.code, &fault.detail),
    };
    if !assertion::spend(tx, &connection.id, &statement.assertion_id, statement.remember_until)? {
        let fault = Fault::new("replayed", "This assertion was used before. Each is good for one sign-in.");
        return note(tx, client, connection, test, fault.code, &fault.detail);
    }
    let profile = mapping.profile(&statement);
    let foreseen = provisioning::dry_run(tx.conn, connection, &statement.name, &profile)?;
    let detail = attempt_detail(foreseen, &statement, &profile);
    if test.is_some() {
        // A test that would leave its person outside is none that went through; but a domain may be about to be led here.
        if let Some(refused) =
            foreseen.err().filter(|refused| *refused != ProvisioningError::AnotherConnection)
        {
            return note(tx, client, connection, test, refused.code(), &detail);
        }
        connection::note_test(tx, connection)?;
        return note(tx, client, connection, test, "success", &detail);
    }
    let attempt = sso_attempt::note(tx, &connection.id, None, false, "success", &detail)?;
    let handoff = Handoff {
        asked,
        attempt,
        format: statement.name.format.uri().to_owned(),
        name: statement.name.value.clone(),
        email: profile.email.as_ref().map(|email| email.spelled().to_owned()),
        shown: profile.name.as_ref().map(|name| name.as_str().to_owned()),
        role: profile.role,
        session_ends_at: statement.session_ends_at.map(|at| at.unix()),
    };
    let sealed = tx.config.keys.seal(SEAL, &serde_json::to_string(&handoff)?)?;
    let secret = token::issue_unowned::<SsoHandoff>(tx, &sealed)?;
    let query = serde_urlencoded::to_string([("handoff", secret.reveal())]).unwrap_or_default();
    Ok(format!("/auth/saml/arrive?{query}"))
}

fn attempt_detail(
    foreseen: Result<&'static str, ProvisioningError>,
    statement: &Statement,
    profile: &MappedProfile,
) -> Detail {
    let reason = foreseen.err().map(|refused| refused.sentence().to_owned());
    if foreseen == Err(ProvisioningError::AnotherDomain) {
        // Whoever copied the metadata of somebody else's identity provider is not shown what it says of its people.
        return Detail { reason, ..Detail::default() };
    }
    Detail {
        reason,
        subject: Some(statement.name.value.clone()),
        email: profile.email.as_ref().map(|email| email.spelled().to_owned()),
        name: profile.name.as_ref().map(|name| name.as_str().to_owned()),
        role: Some(profile.role.words().to_owned()),
        account: foreseen.ok().map(str::to_owned),
        checks: checks(&statement.checks),
        attributes: attributes(&statement.attributes),
    }
}

/// A sign-in that began at the identity provider is never trusted as it is: where the connection takes those, it is
/// answered with a request of our own.
async fn unsolicited(
    app: &App,
    visitor: &MaybeUser,
    req: &HttpRequest,
    response: String,
) -> Result<HttpResponse> {
    let origin =
        tokio::task::spawn_blocking(move || saml::read_origin(&response)).await.map_err(Error::internal)?;
    let refuse = |reason: &str| {
        tracing::warn!(reason, "a SAML response is refused");
        Error::SsoRefused
    };
    let origin = origin.map_err(|reason| refuse(reason.code()))?;
    let Some(issuer) = origin.issuer.filter(|_| origin.in_response_to.is_none()) else {
        return Err(refuse("answers_nothing"));
    };
    let found = app.read(move |conn| connection::unsolicited_from(conn, &issuer)).await?;
    match found {
        Some(connection) => confirm_sso(app, visitor, req, connection.id, None).await,
        None => Err(refuse("unsolicited")),
    }
}

/// `GET /auth/saml/refused`: what is told to whoever could not be signed in; the reason is for their administrator.
pub async fn say_refused() -> Result<Reply> {
    Err(Error::SsoRefused)
}
