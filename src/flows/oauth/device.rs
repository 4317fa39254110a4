//! A device without a browser asks to be let in, and its person does that from another one (RFC 8628).

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use askama::Template;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    client::{self, Told},
    consent::in_words,
    form::Form,
    needs::stopped,
    proceed::visitor_of,
};
use crate::{
    accounts::{device_grants, session_tokens},
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Errors, Result},
    model::{
        device::Device,
        device_request::{self, UserCode},
        network::{client_network, place},
    },
    oauth::{Code, Refused, Scopes, parameters},
    urls,
    web::{Client as Browser, Input, Query, Reply, VerifiedUser, forwarded, input::tick, negotiation},
};

/// `POST /oauth/device_authorization` (RFC 8628 §3.1, §3.2).
pub(crate) async fn authorization(req: HttpRequest, form: Form, app: Data<App>) -> Result<HttpResponse> {
    let told = match parameters(form.0) {
        Ok(form) => asked(&req, &form, &app).await?,
        Err(refused) => Err(refused),
    };
    Ok(match told {
        Ok(told) => HttpResponse::Ok().json(told),
        Err(refused) => client::refusal(refused),
    })
}

async fn asked(
    req: &HttpRequest,
    form: &BTreeMap<String, String>,
    app: &App,
) -> Result<Told<serde_json::Value>> {
    let client = match client::authenticated(app, req, form).await? {
        Ok(client) => client,
        Err(refused) => return Ok(Err(refused)),
    };
    let scopes = form.get("scope").map_or("openid", String::as_str);
    let Some(scopes) = Scopes::parse(scopes) else {
        return Ok(Err(Refused::new(Code::InvalidScope, "A scope has characters that none can have.")));
    };
    let resource = form.get("resource").cloned();
    let ip = forwarded::ip(req).map(|ip| ip.to_string()).unwrap_or_default();
    let from = (negotiation::user_agent(req), ip);
    let asked = move |tx: &mut Tx| device_grants::ask(tx, &client, (scopes, resource.as_deref()), from);
    let (device_code, user_code) = match app.write(asked).await? {
        Ok(codes) => codes,
        Err(refused) => return Ok(Err(refused)),
    };
    let (page, code) = (app.config().site.link("/device"), user_code.shown());
    Ok(Ok(json!({
        "device_code": device_code.reveal(), "user_code": code, "verification_uri": page,
        "verification_uri_complete": urls::with_query(&page, [("user_code", &code)]),
        "expires_in": device_request::LIFE.num_seconds(), "interval": device_request::SECONDS,
    })))
}

/// Where the code is typed that a device shows.
#[derive(Template, Serialize)]
#[template(path = "device.html")]
pub(crate) struct DevicePage {
    /// What came along in the address.
    #[serde(skip)]
    code: String,
    #[serde(skip)]
    linked: bool,
    #[serde(skip)]
    errors: Errors,
}

/// Which device asks, for what.
#[derive(Template, Serialize)]
#[template(path = "device_confirm.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfirmPage {
    application: String,
    /// What it may know, in words.
    allows: Vec<String>,
    /// What the device calls itself, in words.
    device_name: String,
    /// Where it is, in words.
    place: String,
    asked_at: Timestamp,
    email: String,
    third_party: bool,
    /// Whether the code has to be typed as the device shows it: it came by a link, and the device is somewhere else.
    asks_code: bool,
    #[serde(skip)]
    code: String,
    #[serde(skip)]
    errors: Errors,
}

/// A code in the address.
#[derive(Deserialize)]
pub(crate) struct Linked {
    #[serde(default)]
    user_code: String,
}

/// A code that was typed, and what is to become of the device.
#[derive(Deserialize)]
pub(crate) struct CodeForm {
    #[serde(default)]
    user_code: String,
    #[serde(default)]
    decision: String,
    #[serde(default, deserialize_with = "tick")]
    linked: bool,
}

/// `GET /device?user_code=`: a code in the address is put into the field, and looks nothing up.
pub(crate) async fn show(_: VerifiedUser, query: Query<Linked>) -> Result<Reply> {
    let code = query.into_inner().user_code.chars().take(20).collect::<String>();
    Ok(Reply::page(DevicePage { linked: !code.is_empty(), code, errors: Errors::default() }))
}

/// `POST /device`: `user_code` says which device asks; with `decision`, `allow` or `deny`, it is answered.
pub(crate) async fn create(
    me: VerifiedUser,
    browser: Browser,
    Input(form): Input<CodeForm>,
    app: Data<App>,
) -> Result<Reply> {
    let again = |errors: Errors| DevicePage { code: form.user_code.clone(), linked: form.linked, errors };
    let outcome = answered(&me, &browser, &form, &app).await;
    match outcome {
        Err(Error::Invalid(errors)) => Ok(Reply::refused(again(errors.clone()), Error::Invalid(errors))),
        outcome => Reply::or_again(outcome, again),
    }
}

async fn answered(me: &VerifiedUser, browser: &Browser, form: &CodeForm, app: &App) -> Result<Reply> {
    let wrong = || {
        let sentence = match form.user_code.trim() {
            "" => "Enter the code that your device shows.",
            _ => "That code is wrong or has expired. Check it, or start again on the device.",
        };
        Error::Invalid(Errors::one("user_code", sentence))
    };
    let (user, ip, code) = (me.user.id.clone(), browser.ip.clone(), UserCode::parse(&form.user_code));
    let found = app.write(move |tx| device_grants::typed(tx, &user, &ip, code.as_ref())).await?;
    let (found, client) = found.ok_or_else(wrong)?;
    let (actor, who) = (me.actor(), visitor_of(me));
    let denied = form.decision == "deny";
    if !denied {
        let (asking, asker) = (client.clone(), who.clone());
        let missing = app.read(move |conn| session_tokens::missing(conn, &asking, &asker)).await?;
        if let Some(missing) = missing {
            return Err(stopped(missing, &client, me, app).await?);
        }
    }
    let name = client.name.clone();
    match form.decision.as_str() {
        "" => {
            let is_elsewhere = client_network(&found.ip) != client_network(&browser.ip);
            let shown = UserCode::parse(&form.user_code).map(|code| code.shown()).unwrap_or_default();
            Ok(Reply::page(ConfirmPage {
                allows: in_words(&Scopes::parse(&found.scopes).unwrap_or_default(), &client),
                device_name: Device::of(&found.user_agent).name(),
                place: place(&found.ip),
                asked_at: found.created_at,
                email: me.user.email.spelled().to_owned(),
                third_party: !client.settings.is_first_party,
                asks_code: form.linked && is_elsewhere,
                code: shown,
                application: name,
                errors: Errors::default(),
            }))
        }
        "allow" => {
            let outcome =
                app.write(move |tx| device_grants::allow(tx, &actor, (&found, &client), &who)).await;
            // Somebody else answered meanwhile.
            outcome.map_err(|error| if matches!(error, Error::DeadLink) { wrong() } else { error })?;
            Ok(Reply::done("/me/sessions", format!("{name} is let in on that device. Go back to it.")))
        }
        "deny" => {
            let outcome = app.write(move |tx| device_grants::deny(tx, &actor, &found, &who.user.id)).await;
            outcome.map_err(|error| if matches!(error, Error::DeadLink) { wrong() } else { error })?;
            Ok(Reply::done("/me/sessions", "That device is not let in."))
        }
        _ => Err(Error::Invalid(Errors::one("decision", "Write allow or deny."))),
    }
}
