//! To the identity provider: asked first where somebody else began it, and bound to this browser.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    cookie::{Cookie, SameSite, time::Duration},
    http::{Method as Verb, header},
    web::{Data, Path},
};
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{Destination, SEAL, nonces_of};
use crate::{
    accounts::{setup_link, sso_policy},
    app::App,
    error::{Error, Errors, Result},
    ids::ConnectionId,
    mail::EmailAddress,
    model::{
        connection, domain, identity, network, organisation,
        rate_limit::{self, Limit},
        service_key,
        token::{self, AuthnRequestState, SamlRequest, SetUpConnection, SsoIntent},
    },
    saml::{self, AuthnRequestParams, BindingMessage, Reason},
    secret::{self, Secret},
    web::{
        Client, CurrentUser, Input, MaybeUser, Query, Reply, SteppedUpMember, cookies::Own,
        headers::policy_with_form_to, input::tick, member::SsoManage, negotiation::wants_html, origin,
    },
};

/// Somebody leaves for their identity provider by a form.
#[derive(Template, Serialize)]
#[template(path = "saml_post_binding.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct PostBindingPage {
    action: String,
    /// `SAMLRequest` or `SAMLResponse`.
    field: &'static str,
    message: String,
    relay_state: String,
    #[serde(skip)]
    errand: Errand,
}

/// Somebody leaves for their identity provider by a link.
#[derive(Template, Serialize)]
#[template(path = "saml_redirect.html")]
pub(crate) struct RedirectPage {
    location: String,
    #[serde(skip)]
    errand: Errand,
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

/// Somebody is asked whether they want to sign in.
#[derive(Template, Serialize)]
#[template(path = "saml_ask.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct AskPage {
    organisation: String,
    connection: ConnectionId,
    /// The host of the identity provider's sign-in address.
    host: Option<String>,
    #[serde(flatten)]
    to: Destination,
    #[serde(skip)]
    signed_in_as: Option<String>,
}

/// Who wants to sign in, and where to go afterwards.
#[derive(Deserialize)]
pub(crate) struct LoginQuery {
    email: Option<String>,
    connection: Option<ConnectionId>,
    next: Option<String>,
    #[serde(default, deserialize_with = "tick")]
    remember: bool,
}

/// The link by which a connection is set up.
#[derive(Deserialize)]
pub(crate) struct SetupLinkForm {
    #[serde(default)]
    token: Secret<SetUpConnection>,
}

/// Who said yes, to which connection.
#[derive(Deserialize)]
pub(crate) struct GoForm {
    #[serde(default)]
    connection: String,
    next: Option<String>,
    #[serde(default, deserialize_with = "tick")]
    remember: bool,
}

/// `GET /auth/saml/login?email=&next=&remember=`, or `?connection=`: to the identity provider.
///
/// The answer depends on the domain alone, never on whether there is such a person.
pub(crate) async fn login(
    client: Client,
    visitor: MaybeUser,
    req: HttpRequest,
    query: Query<LoginQuery>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let LoginQuery { email, connection, next, remember } = query.into_inner();
    let to = Destination::new(next.as_deref(), remember);
    let address = email.as_deref().and_then(|email| EmailAddress::parse(email).ok());
    let found = app
        .read(move |conn| match (&connection, &address) {
            (Some(id), _) => Ok(Some(id.clone())),
            (None, Some(address)) => domain::connection_for_email(conn, address),
            (None, None) => Ok(None),
        })
        .await?;
    let Some(id) = found else {
        let message = "That address does not sign in through an organisation. Sign in here.";
        return Ok(Reply::done("/login", message).respond_to(&req).map_into_boxed_body());
    };
    match origin::is_foreign(&req) || visitor.signed_in().is_some() {
        // Another site does not choose how long a device stays signed in.
        true => confirm_sso(&app, &visitor, &req, id, Destination { remember: false, ..to }).await,
        false => send_authn_request(&app, &client, &req, id, SsoIntent::SignIn, to).await,
    }
}

/// `POST /auth/saml/login`: the same for whoever was asked first, and said yes.
pub(crate) async fn go(
    client: Client,
    req: HttpRequest,
    Input(form): Input<GoForm>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let id = serde_json::from_value(form.connection.into())
        .map_err(|_| Error::Invalid(Errors::one("connection", "Say through which connection.")))?;
    let to = Destination::new(form.next.as_deref(), form.remember);
    send_authn_request(&app, &client, &req, id, SsoIntent::SignIn, to).await
}

/// Another site brought the browser here, or it is signed in already: its person says whether they want to sign in, and
/// where, before they do. Else any site could sign its visitors in to an account of its own.
pub(crate) async fn confirm_sso(
    app: &App,
    visitor: &MaybeUser,
    req: &HttpRequest,
    connection: ConnectionId,
    to: Destination,
) -> Result<HttpResponse> {
    let id = connection.clone();
    let now = app.now();
    let (organisation, host) = app
        .read(move |conn| {
            let connection = connection::by_id(conn, &id)?;
            let organisation = organisation::by_id(conn, &connection.organisation_id)?;
            Ok((organisation.name, connection.provider(now).ok().and_then(|provider| provider.host())))
        })
        .await?;
    let signed_in_as = visitor.signed_in().map(|me| me.user.email.spelled().to_owned());
    let page = AskPage { organisation, connection, host, to, signed_in_as };
    Ok(Reply::page(page).respond_to(req).map_into_boxed_body())
}

/// `GET /auth/saml/confirm?next=`: whoever has no password here confirms at their identity provider that it is them.
pub(crate) async fn step_up(
    me: CurrentUser,
    client: Client,
    req: HttpRequest,
    query: Query<LoginQuery>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let id = me.user.id.clone();
    let connection = app.read(move |conn| identity::newest_connection(conn, &id)).await?;
    let connection = connection.ok_or(Error::NotFound)?;
    let purpose = SsoIntent::StepUp { user: me.user.id.clone(), session: me.session.id.clone() };
    let to = Destination::new(query.next.as_deref(), false);
    send_authn_request(&app, &client, &req, connection, purpose, to).await
}

/// `POST /organisations/{slug}/sso/{connection}/test`: an owner tries a connection. Nobody is signed in by it.
pub(crate) async fn test(
    me: SteppedUpMember<SsoManage>,
    client: Client,
    req: HttpRequest,
    path: Path<(String, ConnectionId)>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (access, (_, id)) = (me.access(), path.into_inner());
    let connection = app
        .read(move |conn| {
            let organisation = access.decide(conn)?.organisation;
            connection::owned(conn, &organisation.id, &id)
        })
        .await?;
    let purpose = SsoIntent::Test { user: me.user.id.clone() };
    send_authn_request(&app, &client, &req, connection.id, purpose, Destination::default()).await
}

/// `POST /auth/saml/test`: the bearer of a set-up link tries its connection. Nobody is signed in by it.
pub(crate) async fn test_by_link(
    client: Client,
    req: HttpRequest,
    Input(form): Input<SetupLinkForm>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (actor, secret, now) = (client.actor(), form.token, app.now());
    let connection = app
        .write(move |tx| {
            let connection = setup_link::open(tx.conn, &secret, now)?.connection;
            match connection.is_blank() {
                true => Err(Error::Invalid(Errors::one("metadata", Reason::NoMetadata.sentence()))),
                false => setup_link::note_test(tx, &actor, &secret),
            }
        })
        .await?;
    send_authn_request(&app, &client, &req, connection, SsoIntent::TestByLink, Destination::default()).await
}

/// Sends the browser to the identity provider, bound to this browser by a nonce in a cookie.
async fn send_authn_request(
    app: &App,
    client: &Client,
    req: &HttpRequest,
    id: ConnectionId,
    purpose: SsoIntent,
    to: Destination,
) -> Result<HttpResponse> {
    let limit = Limit::new(
        "saml-request",
        &network::client_network(&client.ip),
        app.config().limits.login_per_network,
        TimeDelta::minutes(1),
    );
    let nonce = match nonces_of(req).into_iter().next() {
        Some(nonce) => nonce,
        None => secret::random_text(32)?,
    };
    let browser = secret::digest(&nonce);
    let force_authn = matches!(purpose, SsoIntent::StepUp { .. });
    let is_test = matches!(purpose, SsoIntent::Test { .. } | SsoIntent::TestByLink);
    let config = app.config().clone();
    // It may lead to an interrupted form, by its secret.
    let Destination { next, remember: remembered } = to;
    let next = next.map(|next| config.keys.seal(SEAL, &next)).transpose()?;
    let message = app
        .write(move |tx| {
            rate_limit::consume(tx, &limit)?;
            let connection = connection::by_id(tx.conn, &id)?;
            if !is_test && sso_policy::is_out_of_use(tx.conn, &connection)? {
                return Err(Error::SsoRefused);
            }
            let provider = connection.provider(tx.now).map_err(|_| Error::SsoRefused)?;
            let mut service = service_key::service(tx.conn, &config)?;
            if connection.sends_unsigned && !provider.wants_signed_requests {
                service.keys.clear();
            }
            let relay_state = Secret::<SamlRequest>::random()?;
            let ask = AuthnRequestParams {
                service: &service,
                provider: &provider,
                force_authn,
                name_policy: connection.name_policy,
                relay_state: relay_state.reveal(),
                now: tx.now,
            };
            let started = saml::start(&ask)?;
            let asked = AuthnRequestState {
                connection: connection.id,
                request: started.request.id,
                at: started.request.sent_at.unix(),
                browser,
                purpose,
                next,
                remembered,
            };
            token::store_unowned(tx, &relay_state, &asked)?;
            Ok(started.message)
        })
        .await?;
    let mut answer = send_message(req, message, Errand::SignIn)?;
    let cookie = nonce_cookie(app, nonce);
    answer.add_cookie(&cookie).map_err(Error::internal)?;
    Ok(answer)
}

/// Sends the browser to the identity provider with a message.
pub(crate) fn send_message(
    req: &HttpRequest,
    message: BindingMessage,
    errand: Errand,
) -> Result<HttpResponse> {
    Ok(match message {
        // Where a form was sent, a redirect to elsewhere would be held against the policy for forms (CSP 3 §6.4.1).
        BindingMessage::Redirect(location) if wants_html(req.headers()) && req.method() == Verb::POST => {
            Reply::page(RedirectPage { location, errand }).respond_to(req).map_into_boxed_body()
        }
        BindingMessage::Redirect(address) if wants_html(req.headers()) => {
            HttpResponse::SeeOther().insert_header((header::LOCATION, address)).finish()
        }
        BindingMessage::Redirect(address) => {
            let reply = Reply::go(address.as_str()).with("location", &address)?;
            reply.respond_to(req).map_into_boxed_body()
        }
        BindingMessage::Post { action, field, message, relay_state } => {
            let policy = url::Url::parse(&action).ok().and_then(|action| policy_with_form_to(&action));
            let page = PostBindingPage { action, field, message, relay_state, errand };
            let mut answer = Reply::page(page).respond_to(req).map_into_boxed_body();
            if let Some(policy) = policy {
                answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            }
            answer
        }
    })
}

// Over https it has to come along with the cross-site POST of the callback; browsers take `None` over https only. It
// outlives the request a little, so that a late answer is told to be late.
fn nonce_cookie(app: &App, nonce: String) -> Cookie<'static> {
    let is_https = app.config().site.is_https();
    let life = app.config().lifetimes.saml_request + TimeDelta::minutes(5);
    Cookie::build(Own::Saml.name(is_https), nonce)
        .path("/")
        .secure(is_https)
        .http_only(true)
        .same_site(if is_https { SameSite::None } else { SameSite::Lax })
        .max_age(Duration::seconds(life.num_seconds()))
        .finish()
}
