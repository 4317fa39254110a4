//! An application sends a browser here to sign out (OpenID Connect RP-Initiated Logout 1.0).

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, Responder, web::Data};
use askama::Template;
use serde::Serialize;
use url::form_urlencoded;

use super::{
    answer::{self, ContinuePage, see_other},
    client,
    form::Form,
};
use crate::{
    accounts::sessions::Event,
    app::App,
    error::Result,
    ids::{GrantId, Id},
    jobs::signing_keys,
    model::{application::client::Client, audit, grant, session},
    oauth::read_hint,
    urls,
    web::{Client as Browser, MaybeUser, Reply, origin},
};

const LOGOUT: &str = "/oauth/logout";
const CONFIRMED: &str = "confirmed";

/// The question whether to sign out.
#[derive(Template, Serialize)]
#[template(path = "oauth_logout.html")]
pub(crate) struct LogoutPage {
    /// The application that asks, where it said who it is.
    application: Option<String>,
    #[serde(skip)]
    fields: BTreeMap<String, String>,
}

/// What an application asks.
struct Asked {
    client: Option<Client>,
    /// The application's session here, as its ID token says.
    sid: Option<GrantId>,
    /// Where the browser goes afterwards: only where that is registered.
    location: Option<String>,
}

/// `GET /oauth/logout`: with an ID token of this very session nothing is asked.
pub(crate) async fn show(
    visitor: MaybeUser,
    browser: Browser,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let pairs = form_urlencoded::parse(req.query_string().as_bytes()).into_owned();
    let fields = first_of(pairs);
    let asked = read(&fields, &app).await?;
    let Some(me) = visitor.signed_in() else { return Ok(gone(&req, asked, false)) };
    let is_here = match asked.sid.clone() {
        None => false,
        Some(sid) => {
            let here = me.session.id.clone();
            app.read(move |conn| grant::is_of_session(conn, &sid, &here)).await?
        }
    };
    // A preview of the address signs nobody out.
    if !is_here || !browser.is_navigation {
        let application = asked.client.map(|client| client.name);
        return Ok(Reply::page(LogoutPage { application, fields }).respond_to(&req).map_into_boxed_body());
    }
    end(&visitor, &app).await?;
    Ok(gone(&req, asked, false))
}

/// `POST /oauth/logout`: from another site, gone on with by a GET; from the page here, done.
pub(crate) async fn create(
    visitor: MaybeUser,
    req: HttpRequest,
    form: Form,
    app: Data<App>,
) -> Result<HttpResponse> {
    let mut fields = first_of(form.0);
    let is_confirmed = fields.remove(CONFIRMED).is_some() && !origin::is_foreign(&req);
    if !is_confirmed {
        return Ok(see_other(&urls::with_query(
            LOGOUT,
            fields.iter().map(|(name, value)| (name.as_str(), value)),
        )));
    }
    let asked = read(&fields, &app).await?;
    end(&visitor, &app).await?;
    Ok(gone(&req, asked, true))
}

fn first_of(pairs: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for (name, value) in pairs {
        fields.entry(name).or_insert(value);
    }
    let read = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", CONFIRMED];
    fields.retain(|name, value| read.contains(&name.as_str()) && !value.is_empty());
    fields
}

async fn read(fields: &BTreeMap<String, String>, app: &App) -> Result<Asked> {
    let hint = match fields.get("id_token_hint") {
        Some(token) => {
            let ring = signing_keys::ring(app).await?;
            read_hint(token, &ring.known, &app.config().site.origin())
        }
        None => None,
    };
    let named = fields.get("client_id");
    // What they say has to be the same (§2).
    let hint = hint.filter(|hint| named.is_none_or(|named| *named == hint.aud));
    let client_id = hint.as_ref().map(|hint| &hint.aud).or(named);
    // A hint that is wrong is no word of the application's.
    let is_spoilt = fields.contains_key("id_token_hint") && hint.is_none();
    let client = match client_id.filter(|_| !is_spoilt) {
        Some(id) => client::in_use(app, id).await?,
        None => None,
    };
    let asked = fields.get("post_logout_redirect_uri");
    let location = client.as_ref().zip(asked).and_then(|(client, asked)| {
        let state = fields.get("state").map(|state| ("state", state.clone()));
        let is_registered = client.settings.logout_uris.contains(asked);
        is_registered.then(|| answer::with_more(asked, state.into_iter().collect()))
    });
    let sid = hint.filter(|_| client.is_some()).map(|hint| Id::from_text(hint.sid));
    Ok(Asked { client, sid, location })
}

async fn end(visitor: &MaybeUser, app: &App) -> Result<()> {
    let Some(me) = visitor.signed_in() else { return Ok(()) };
    let (actor, user, id) = (me.actor(), me.user.id.clone(), me.session.id.clone());
    app.write(move |tx| {
        session::end(tx, &id)?;
        audit::record(tx, &actor, &user, Event::SignedOut {})
    })
    .await
}

/// On, signed out. `is_form`: the browser comes from the form here.
fn gone(req: &HttpRequest, asked: Asked, is_form: bool) -> HttpResponse {
    let reply = match (asked.location, asked.client) {
        (Some(location), Some(client)) if is_form => {
            Reply::page(ContinuePage { location, name: client.name, heading: "You are signed out" })
        }
        (Some(location), _) => Reply::go(location),
        (None, _) => Reply::done("/login", "You are signed out on this device."),
    };
    reply.signed_out().respond_to(req).map_into_boxed_body()
}
