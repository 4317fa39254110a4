//! Signing in through one's organisation (SAML 2.0 web browser single sign-on, saml-profiles §4.1).
//!
//! The callback is a cross-site POST: it reads nothing from the Lax cookies and signs nobody in. It leaves what was
//! proved under a one-time secret, and the browser comes for it by itself, with its cookies.

use actix_session::SessionExt;
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse, Responder,
    cookie::{Cookie, SameSite, time::Duration},
    http::{Method as Verb, header},
    web::{Data, Path, Payload, Query},
};
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    clock::Timestamp,
    db::{Id, Tx},
    error::{Error, Errors, Result},
    mail::EmailAddress,
    model::{
        assertion,
        attempt::{self, Attempt, Detail},
        audit::{self, Event},
        connection::{self, Connection, Mapping, Person},
        domain,
        identity::{self, Refused, Resolution},
        membership::{self, Role},
        organisation, service_key,
        session::{self, Method},
        throttle::{self, Limit},
        token::{self, Asked, AskedFor, LinkIdentity, SamlArrival, SamlRequest},
        user,
    },
    secret::{self, Secret},
    sso::{self, Ask, Departure, Presented, Refusal, Request, Statement},
    web::{
        Anybody, Client, CurrentUser, Input, RecentAuth, Reply, door, headers::policy_with_form_to, input,
        local_path, origin, pending, reply::wants_html, views::UserView,
    },
};

// A response is base64 of at most this much, in a form (saml-bindings §3.5.4).
const CALLBACK_LIMIT: usize = 256 * 1024;

const SEAL: &str = "saml_arrival";

const REFUSED: &str = "/auth/saml/refused";

/// Somebody leaves for their identity provider by a form.
#[derive(Template, Serialize)]
#[template(path = "saml_leave.html")]
pub struct LeavePage {
    action: String,
    saml_request: String,
    relay_state: String,
}

/// Somebody leaves for their identity provider by a link.
#[derive(Template, Serialize)]
#[template(path = "saml_go.html")]
pub struct GoPage {
    location: String,
}

/// Somebody is asked whether they want to sign in.
#[derive(Template, Serialize)]
#[template(path = "saml_ask.html")]
#[serde(rename_all = "camelCase")]
pub struct AskPage {
    organisation: String,
    connection: Id<Connection>,
    next: Option<String>,
    #[serde(skip)]
    signed_in_as: Option<String>,
}

/// Somebody has an account here already.
#[derive(Template, Serialize)]
#[template(path = "saml_link.html")]
#[serde(rename_all = "camelCase")]
pub struct LinkPage {
    organisation: String,
    email: String,
    signed_in: bool,
}

/// Who wants to sign in, and where to go afterwards.
#[derive(Deserialize)]
pub struct Whither {
    email: Option<String>,
    connection: Option<Id<Connection>>,
    next: Option<String>,
}

/// Who said yes, to which connection.
#[derive(Deserialize)]
pub struct GoForm {
    #[serde(default)]
    connection: String,
    next: Option<String>,
}

/// What an identity provider sends.
#[derive(Deserialize)]
struct Callback {
    #[serde(rename = "SAMLResponse", default)]
    response: String,
    #[serde(rename = "RelayState", default)]
    relay_state: String,
}

/// The secret of a response that passed.
#[derive(Deserialize)]
pub struct Ticket {
    #[serde(default)]
    ticket: Secret<SamlArrival>,
}

/// A response that passed, while its browser comes for it.
#[derive(Serialize, Deserialize)]
struct Arrived {
    asked: Asked,
    attempt: Id<Attempt>,
    format: String,
    name: String,
    email: Option<String>,
    shown: Option<String>,
    role: Role,
    session_ends_at: Option<i64>,
}

/// An identity that waits for its person to sign in the old way.
#[derive(Serialize, Deserialize)]
struct Linking {
    connection: Id<Connection>,
    format: String,
    name: String,
    role: Role,
}

/// Why a response lets nobody in, for the owners of its connection.
struct Fault {
    code: &'static str,
    detail: Detail,
}

impl Fault {
    fn new(code: &'static str, sentence: &str) -> Self {
        Self { code, detail: Detail { reason: Some(sentence.to_owned()), ..Detail::default() } }
    }

    fn another_browser() -> Self {
        Self::new("another_browser", "Another browser brought the response than the one that asked for it.")
    }
}

impl From<Box<Refusal>> for Fault {
    fn from(refusal: Box<Refusal>) -> Self {
        let detail = Detail {
            reason: Some(refusal.reason.sentence().to_owned()),
            checks: checks(&refusal.checks),
            attributes: attributes(&refusal.attributes),
            ..Detail::default()
        };
        Self { code: refusal.reason.code(), detail }
    }
}

/// `GET /auth/saml/metadata`
pub async fn metadata(app: Data<App>) -> Result<HttpResponse> {
    let config = app.config().clone();
    let service = app.read(move |conn| service_key::service(conn, &config)).await?;
    let document = tokio::task::spawn_blocking(move || sso::metadata(&service)).await;
    let document = document.map_err(Error::internal)??;
    Ok(HttpResponse::Ok().content_type("application/samlmetadata+xml").body(document))
}

/// `GET /auth/saml/login?email=&next=`, or `?connection=`: to the identity provider.
///
/// The answer depends on the domain alone, never on whether there is such a person.
pub async fn login(
    client: Client,
    visitor: Anybody,
    req: HttpRequest,
    query: Query<Whither>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let Whither { email, connection, next } = query.into_inner();
    let next = local_path(next.as_deref()).map(str::to_owned);
    let address = email.as_deref().and_then(|email| EmailAddress::parse(email).ok());
    let found = app
        .read(move |conn| match (connection, address) {
            (Some(id), _) => Ok(Some(id)),
            (None, Some(address)) => domain::leads_to(conn, &address),
            (None, None) => Ok(None),
        })
        .await?;
    let Some(id) = found else {
        let message = "That address does not sign in through an organisation. Sign in here.";
        return Ok(Reply::done("/login", message).respond_to(&req).map_into_boxed_body());
    };
    match origin::is_foreign(&req) || visitor.signed_in().is_some() {
        true => ask_first(&app, &visitor, &req, id, next).await,
        false => depart(&app, &client, &req, id, AskedFor::SignIn, next).await,
    }
}

/// `POST /auth/saml/login`: the same for whoever was asked first, and said yes.
pub async fn go(
    client: Client,
    req: HttpRequest,
    Input(form): Input<GoForm>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let id = serde_json::from_value(form.connection.into())
        .map_err(|_| Error::Invalid(Errors::one("connection", "Say through which connection.")))?;
    let next = local_path(form.next.as_deref()).map(str::to_owned);
    depart(&app, &client, &req, id, AskedFor::SignIn, next).await
}

/// Another site brought the browser here, or it is signed in already: its person says whether they want to sign in, and
/// where, before they do. Else any site could sign its visitors in to an account of its own.
async fn ask_first(
    app: &App,
    visitor: &Anybody,
    req: &HttpRequest,
    connection: Id<Connection>,
    next: Option<String>,
) -> Result<HttpResponse> {
    let id = connection.clone();
    let organisation = app.read(move |conn| {
        let connection = connection::by_id(conn, &id)?;
        organisation::by_id(conn, &connection.organisation_id)
    });
    let organisation = organisation.await?.name;
    let signed_in_as = visitor.signed_in().map(|me| me.user.email.spelled().to_owned());
    let page = AskPage { organisation, connection, next, signed_in_as };
    Ok(Reply::page(page).respond_to(req).map_into_boxed_body())
}

/// `GET /auth/saml/confirm?next=`: whoever has no password here confirms at their identity provider that it is them.
pub async fn step_up(
    me: CurrentUser,
    client: Client,
    req: HttpRequest,
    query: Query<Whither>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let id = me.user.id.clone();
    let connection = app.read(move |conn| identity::newest_connection(conn, &id)).await?;
    let connection = connection.ok_or(Error::NotFound)?;
    let purpose = AskedFor::StepUp { user: me.user.id.clone(), session: me.session.id.clone() };
    let next = local_path(query.next.as_deref()).map(str::to_owned);
    depart(&app, &client, &req, connection, purpose, next).await
}

/// `POST /organisations/{slug}/sso/{connection}/test`: an owner tries a connection. Nobody is signed in by it.
pub async fn test(
    me: RecentAuth,
    client: Client,
    req: HttpRequest,
    path: Path<(String, Id<Connection>)>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (slug, id) = path.into_inner();
    let user = me.user.id.clone();
    let connection = app
        .read(move |conn| {
            let organisation = organisation::owned_by(conn, &slug, &user)?;
            connection::owned(conn, &organisation.id, &id)
        })
        .await?;
    let purpose = AskedFor::Test { user: me.user.id.clone() };
    depart(&app, &client, &req, connection.id, purpose, None).await
}

/// Sends the browser to the identity provider, bound to this browser by a nonce in a cookie.
pub async fn depart(
    app: &App,
    client: &Client,
    req: &HttpRequest,
    id: Id<Connection>,
    purpose: AskedFor,
    next: Option<String>,
) -> Result<HttpResponse> {
    let limit = Limit::new(
        "saml-request",
        &throttle::client_network(&client.ip),
        app.config().limits.login_per_network,
        TimeDelta::minutes(1),
    );
    let nonce = match nonce_of(req) {
        Some(nonce) => nonce,
        None => secret::random_text(32)?,
    };
    let browser = secret::digest(&nonce);
    let force_authn = matches!(purpose, AskedFor::StepUp { .. });
    let config = app.config().clone();
    // It may lead to an interrupted form, by its secret.
    let next = next.map(|next| config.keys.seal(SEAL, &next)).transpose()?;
    let departure = app
        .write(move |tx| {
            throttle::admit(tx, &limit)?;
            let connection = connection::by_id(tx.conn, &id)?;
            let provider = connection.provider(tx.now).map_err(|_| Error::SsoRefused)?;
            let mut service = service_key::service(tx.conn, &config)?;
            if !connection.signs_requests && !provider.wants_signed_requests {
                service.keys.clear();
            }
            let relay_state = Secret::<SamlRequest>::random()?;
            let ask = Ask {
                service: &service,
                provider: &provider,
                force_authn,
                name_format: None,
                relay_state: relay_state.reveal(),
                now: tx.now,
            };
            let started = sso::start(&ask)?;
            let asked = Asked {
                connection: connection.id,
                request: started.request.id,
                at: started.request.sent_at.unix(),
                browser,
                purpose,
                next,
            };
            token::keep_unowned(tx, &relay_state, &asked)?;
            Ok(started.departure)
        })
        .await?;
    let mut answer = match departure {
        // Where a form was sent, a redirect to elsewhere would be held against the policy for forms (CSP 3 §6.4.1).
        Departure::Redirect(location) if wants_html(req.headers()) && req.method() == Verb::POST => {
            Reply::page(GoPage { location }).respond_to(req).map_into_boxed_body()
        }
        Departure::Redirect(address) if wants_html(req.headers()) => {
            HttpResponse::SeeOther().insert_header((header::LOCATION, address)).finish()
        }
        Departure::Redirect(address) => {
            let reply = Reply::go(address.as_str()).with("location", &address)?;
            reply.respond_to(req).map_into_boxed_body()
        }
        Departure::Post { action, saml_request, relay_state } => {
            let policy = url::Url::parse(&action).ok().and_then(|action| policy_with_form_to(&action));
            let page = LeavePage { action, saml_request, relay_state };
            let mut answer = Reply::page(page).respond_to(req).map_into_boxed_body();
            if let Some(policy) = policy {
                answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            }
            answer
        }
    };
    answer.add_cookie(&nonce_cookie(req, nonce)).map_err(Error::internal)?;
    Ok(answer)
}

/// `POST /auth/saml/callback`, the assertion consumer service (saml-profiles §4.1.4).
pub async fn callback(
    client: Client,
    visitor: Anybody,
    req: HttpRequest,
    body: Payload,
    app: Data<App>,
) -> Result<HttpResponse> {
    let whole = input::collect(body.into_inner(), CALLBACK_LIMIT);
    let bytes =
        tokio::time::timeout(app.config().body_timeout, whole).await.map_err(|_| Error::Timeout)??;
    if !req.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Error::UnsupportedMedia);
    }
    let Callback { response, relay_state } = input::from_form(&bytes)?;
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
    let mapping = connection.mapping()?;
    // Over https the cookie comes along with the cross-site POST; on plain http it is looked at when the browser comes
    // for what was proved.
    let is_another_browser = app.config().site.is_https()
        && nonce_of(&req).is_none_or(|nonce| secret::digest(&nonce) != asked.browser);
    let read = match (is_another_browser, connection.provider(now)) {
        (true, _) => Err(Fault::another_browser()),
        (false, Err(reason)) => Err(Fault::from(Box::new(Refusal::from(reason)))),
        (false, Ok(provider)) => {
            let request = Request {
                id: asked.request.clone(),
                sent_at: Timestamp::from_unix(asked.at),
                force_authn: matches!(asked.purpose, AskedFor::StepUp { .. }),
            };
            let identity_attributes = mapping.identity_attributes();
            let presented = Presented { response, provider, service, request, identity_attributes, now };
            app.saml_desk().read(presented).await.map_err(Fault::from)
        }
    };
    let to =
        app.write(move |tx| judge(tx, &client, &relay_state, &connection, &mapping, asked, read)).await?;
    if to == REFUSED {
        app.metrics().sign_in(Method::Sso, false);
    }
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish())
}

/// Uses the request and the assertion up, notes what came, and says where the browser goes on.
fn judge(
    tx: &mut Tx,
    client: &Client,
    relay_state: &Secret<SamlRequest>,
    connection: &Connection,
    mapping: &Mapping,
    asked: Asked,
    read: Result<Statement, Fault>,
) -> Result<String> {
    token::redeem_unowned(tx, relay_state).map_err(refused)?;
    let test = match &asked.purpose {
        AskedFor::Test { user } => Some(user.clone()),
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
    let person = mapping.person(&statement);
    let foreseen = identity::foresee(tx.conn, connection, &statement.name, &person)?;
    let detail = told(foreseen, &statement, &person);
    if test.is_some() {
        // A test that would leave its person outside is none that went through; but a domain may be about to be led here.
        if let Some(refused) = foreseen.err().filter(|refused| *refused != Refused::AnotherConnection) {
            return note(tx, client, connection, test, refused.code(), &detail);
        }
        connection::note_test(tx, connection)?;
        return note(tx, client, connection, test, "success", &detail);
    }
    let attempt = attempt::note(tx, &connection.id, None, false, "success", &detail)?;
    let arrived = Arrived {
        asked,
        attempt,
        format: statement.name.format.uri().to_owned(),
        name: statement.name.value.clone(),
        email: person.email.as_ref().map(|email| email.spelled().to_owned()),
        shown: person.name.as_ref().map(|name| name.as_str().to_owned()),
        role: person.role,
        session_ends_at: statement.session_ends_at.map(|at| at.unix()),
    };
    let sealed = tx.config.keys.seal(SEAL, &serde_json::to_string(&arrived)?)?;
    let ticket = token::issue_unowned::<SamlArrival>(tx, &sealed)?;
    let query = serde_urlencoded::to_string([("ticket", ticket.reveal())]).unwrap_or_default();
    Ok(format!("/auth/saml/arrive?{query}"))
}

/// Notes a response; a test is shown to its owner, anything else is told in general words.
fn note(
    tx: &mut Tx,
    client: &Client,
    connection: &Connection,
    test: Option<Id<user::User>>,
    outcome: &str,
    detail: &Detail,
) -> Result<String> {
    let id = attempt::note(tx, &connection.id, test.as_ref(), test.is_some(), outcome, detail)?;
    if outcome != "success" {
        tracing::warn!(connection.id = %connection.id, reason = outcome, "a SAML response is refused");
        let event = Event::SsoRefused { connection: connection.id.clone(), reason: outcome.to_owned() };
        audit::record(tx, &client.actor(), None, event)?;
    }
    Ok(match test {
        Some(_) => {
            let slug = organisation::slug_of(tx.conn, &connection.organisation_id)?;
            format!("/organisations/{slug}/sso/{}/attempts/{id}", connection.id)
        }
        None => REFUSED.to_owned(),
    })
}

fn told(foreseen: Result<&'static str, Refused>, statement: &Statement, person: &Person) -> Detail {
    let reason = foreseen.err().map(|refused| refused.sentence().to_owned());
    if foreseen == Err(Refused::AnotherDomain) {
        // Whoever copied the metadata of somebody else's identity provider is not shown what it says of its people.
        return Detail { reason, ..Detail::default() };
    }
    Detail {
        reason,
        subject: Some(statement.name.value.clone()),
        email: person.email.as_ref().map(|email| email.spelled().to_owned()),
        name: person.name.as_ref().map(|name| name.as_str().to_owned()),
        role: Some(person.role.words().to_owned()),
        account: foreseen.ok().map(str::to_owned),
        checks: checks(&statement.checks),
        attributes: attributes(&statement.attributes),
    }
}

fn checks(checks: &[sso::Check]) -> Vec<(String, Option<String>)> {
    let failed = |check: &sso::Check| check.failed.map(|reason| reason.sentence().to_owned());
    checks.iter().map(|check| (check.says.to_owned(), failed(check))).collect()
}

fn attributes(attributes: &[sso::Attribute]) -> Vec<(String, Vec<String>)> {
    attributes.iter().map(|one| (one.name.clone(), one.values.clone())).collect()
}

/// A sign-in that began at the identity provider is never trusted as it is: where the connection takes those, it is
/// answered with a request of our own.
async fn unsolicited(
    app: &App,
    visitor: &Anybody,
    req: &HttpRequest,
    response: String,
) -> Result<HttpResponse> {
    let claim = tokio::task::spawn_blocking(move || sso::claim(&response)).await.map_err(Error::internal)?;
    let refuse = |reason: &str| {
        tracing::warn!(reason, "a SAML response is refused");
        Error::SsoRefused
    };
    let claim = claim.map_err(|reason| refuse(reason.code()))?;
    let Some(issuer) = claim.issuer.filter(|_| claim.in_response_to.is_none()) else {
        return Err(refuse("answers_nothing"));
    };
    let found = app.read(move |conn| connection::unsolicited_from(conn, &issuer)).await?;
    match found {
        Some(connection) => ask_first(app, visitor, req, connection.id, None).await,
        None => Err(refuse("unsolicited")),
    }
}

/// `GET /auth/saml/refused`: what is told to whoever could not be signed in; the reason is for their administrator.
pub async fn say_refused() -> Result<Reply> {
    Err(Error::SsoRefused)
}

/// `GET /auth/saml/arrive?ticket=`: the browser comes for what was proved, with its cookies.
pub async fn arrive(
    client: Client,
    visitor: Anybody,
    req: HttpRequest,
    query: Query<Ticket>,
    app: Data<App>,
) -> Result<HttpResponse> {
    if !client.is_navigation {
        return Err(Error::MethodNotAllowed);
    }
    let nonce = nonce_of(&req);
    let ticket = query.into_inner().ticket;
    let held = visitor.signed_in().map(|me| me.session.clone());
    let came = app
        .write(move |tx| {
            let sealed = token::redeem_unowned(tx, &ticket).map_err(refused)?;
            let arrived: Arrived = serde_json::from_str(&tx.config.keys.open(SEAL, &sealed)?)?;
            let connection = connection::by_id(tx.conn, &arrived.asked.connection).map_err(refused)?;
            if nonce.is_none_or(|nonce| arrived.asked.browser != secret::digest(&nonce)) {
                let fault = Fault::another_browser();
                note(tx, &client, &connection, None, fault.code, &fault.detail)?;
                return Ok(Came::Refused);
            }
            come_in(tx, &client, held.as_ref(), connection, arrived)
        })
        .await?;
    let next = |next: Option<String>| next.unwrap_or_else(|| "/me".to_owned());
    let reply = match came {
        Came::In { user, arrival, next: to } => {
            let view = UserView::from(&*user);
            Reply::go(next(to)).with("user", view)?.arrived(arrival)
        }
        Came::Confirmed { ticket, next: to } => {
            Reply::go(to.unwrap_or_else(|| "/me/security".to_owned())).signed_in(ticket)
        }
        Came::Refused => {
            app.metrics().sign_in(Method::Sso, false);
            return Err(Error::SsoRefused);
        }
        Came::Unlinked(secret) => {
            pending::set_linking(&req.get_session(), Some(&secret));
            Reply::go("/auth/saml/link")
        }
    };
    Ok(reply.respond_to(&req).map_into_boxed_body())
}

enum Came {
    In { user: Box<user::User>, arrival: door::Arrival, next: Option<String> },
    Confirmed { ticket: door::Ticket, next: Option<String> },
    Unlinked(Secret<LinkIdentity>),
    Refused,
}

fn come_in(
    tx: &mut Tx,
    client: &Client,
    held: Option<&session::Current>,
    connection: Connection,
    arrived: Arrived,
) -> Result<Came> {
    let name = name_of(&arrived.format, &arrived.name)?;
    let next = arrived.asked.next.map(|sealed| tx.config.keys.open(SEAL, &sealed)).transpose()?;
    if let AskedFor::StepUp { user, session } = &arrived.asked.purpose {
        let owner = identity::find(tx.conn, &connection.id, &name)?;
        let owner = owner.filter(|owner| owner.id == *user);
        // Their domain may be led elsewhere since they left.
        let way = owner.as_ref().map(|owner| domain::closes(tx.conn, owner)).transpose()?.flatten();
        let is_same = owner.is_some() && way.is_none_or(|way| way == connection.id);
        let here = held.filter(|held| held.id == *session);
        let (true, Some(here)) = (is_same, here) else {
            let fault = Fault::new(
                "another_person",
                "Somebody else came back than the person who was to confirm that it is them.",
            );
            note(tx, client, &connection, None, fault.code, &fault.detail)?;
            return Ok(Came::Refused);
        };
        attempt::is_of(tx, &arrived.attempt, user)?;
        session::prove(tx, &here.id)?;
        audit::record(tx, &client.actor(), user, Event::SteppedUp { with: Method::Sso.as_str() })?;
        return Ok(Came::Confirmed { ticket: door::rotate(tx, here)?, next });
    }
    let person = Person {
        email: arrived.email.as_deref().and_then(|email| EmailAddress::parse(email).ok()),
        name: arrived.shown.as_deref().and_then(|name| user::Name::parse(name).ok()),
        role: arrived.role,
        groups: Vec::new(),
    };
    let created_from = client.device().name();
    match identity::resolve(tx, &client.actor(), &connection, &name, &person, &created_from)? {
        Resolution::Known(user) => {
            attempt::is_of(tx, &arrived.attempt, &user.id)?;
            let ends_at = arrived.session_ends_at.map(Timestamp::from_unix);
            let asks = connection.asks_second_factor;
            let arrival = door::arrive_by_sso(tx, client, &user, ends_at, asks)?;
            Ok(Came::In { user: Box::new(user), arrival, next })
        }
        Resolution::Unlinked(owner) => {
            attempt::is_of(tx, &arrived.attempt, &owner.id)?;
            let Arrived { format, name, role, .. } = arrived;
            let linking = Linking { connection: connection.id, format, name, role };
            let sealed = tx.config.keys.seal(SEAL, &serde_json::to_string(&linking)?)?;
            token::issue::<LinkIdentity>(tx, &owner.id, &sealed).map(Came::Unlinked)
        }
        Resolution::Refused(refused) => {
            let detail = Detail {
                reason: Some(refused.sentence().to_owned()),
                subject: Some(name.value.clone()),
                ..Detail::default()
            };
            note(tx, client, &connection, None, refused.code(), &detail)?;
            // Kept by the commit: the attempt is for the owners to see.
            Ok(Came::Refused)
        }
    }
}

/// `GET /auth/saml/link`: somebody has an account here already, and signs in to it once the old way.
pub async fn link_form(client: Client, visitor: Anybody, app: Data<App>) -> Result<Reply> {
    let secret = client.linking.clone().ok_or(Error::DeadLink)?;
    let now = app.now();
    let (user, organisation) = app
        .read(move |conn| {
            let waiting = token::peek(conn, &secret)?;
            if !waiting.is_live(now) {
                return Err(Error::DeadLink);
            }
            let user = user::by_id(conn, &waiting.user_id)?;
            Ok((user, waiting.claim))
        })
        .await?;
    let linking: Linking = serde_json::from_str(&app.config().keys.open(SEAL, &organisation)?)?;
    let connection = app.read(move |conn| connection::by_id(conn, &linking.connection)).await?;
    let signed_in = visitor.signed_in().is_some_and(|me| me.user.id == user.id);
    let email = user.email.spelled().to_owned();
    Ok(Reply::page(LinkPage { organisation: connection.name, email, signed_in }))
}

/// `POST /auth/saml/link`: connects the two.
pub async fn link(me: CurrentUser, client: Client, req: HttpRequest, app: Data<App>) -> Result<Reply> {
    let secret = client.linking.clone().ok_or(Error::DeadLink)?;
    let (actor, user) = (me.actor(), me.user.clone());
    app.write(move |tx| {
        tx.lock(&user.email.normalized())?;
        let (owner, sealed) = token::redeem(tx, &secret)?;
        if owner != user.id {
            return Err(Error::DeadLink);
        }
        let linking: Linking = serde_json::from_str(&tx.config.keys.open(SEAL, &sealed)?)?;
        let connection = connection::by_id(tx.conn, &linking.connection)?;
        let name = name_of(&linking.format, &linking.name)?;
        identity::link(tx, &actor, &connection, &name, &user.id)?;
        membership::add(tx, &actor, &connection.organisation_id, &user.id, linking.role).map(drop)
    })
    .await?;
    pending::set_linking(&req.get_session(), None);
    Ok(Reply::done("/me", "The two are connected. From now on you can sign in through your organisation."))
}

fn name_of(format: &str, value: &str) -> Result<sso::Name> {
    let format = sso::NameFormat::from_uri(format).ok_or(Error::SsoRefused)?;
    Ok(sso::Name { format, value: value.to_owned() })
}

fn refused(error: Error) -> Error {
    match error {
        Error::DeadLink | Error::NotFound => Error::SsoRefused,
        other => other,
    }
}

// Over https it has to come along with the cross-site POST of the callback; browsers take `None` over https only.
fn nonce_cookie(req: &HttpRequest, nonce: String) -> Cookie<'static> {
    let is_https = req.app_data::<Data<App>>().is_some_and(|app| app.config().site.is_https());
    Cookie::build(nonce_name(is_https), nonce)
        .path("/")
        .secure(is_https)
        .http_only(true)
        .same_site(if is_https { SameSite::None } else { SameSite::Lax })
        .max_age(Duration::minutes(15))
        .finish()
}

fn nonce_of(req: &HttpRequest) -> Option<String> {
    let is_https = req.app_data::<Data<App>>().is_some_and(|app| app.config().site.is_https());
    let cookie = req.cookie(nonce_name(is_https))?;
    (cookie.value().len() == 43).then(|| cookie.value().to_owned())
}

fn nonce_name(is_https: bool) -> &'static str {
    if is_https { "__Host-saml" } else { "saml" }
}
