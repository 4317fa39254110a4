//! What this site answers at the host of an application, below a path that its proxy passes on.

use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};
use serde::Deserialize;
use serde_json::json;

use super::{answer::refusal_body, enter::of_host, look_up, query, query::Way, refusal};
use crate::{
    accounts::{
        gate_handover,
        gate_needs::Raised,
        gates::{self, Judgement},
        sessions::Event,
    },
    app::App,
    error::{Error, Result},
    model::{
        application::Application,
        audit::{self, Actor},
        gate_session, session,
    },
    secret::Secret,
    web::{
        GateHost, Input, forwarded,
        gate_cookies::{self, Started},
        origin::CROSS_ORIGIN,
    },
};

/// `GET /.vestibule/start?to=`: sends a browser off to sign in.
pub(crate) async fn start(at: GateHost, req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let way = Way::of(&req)?;
    let application = of_host(Some(&at.host), &app).await?;
    let keys = &app.config().keys;
    let mut started = Started::presented(&req, keys);
    let nonce = started.begin(app.now())?;
    let to = app.config().site.link(&query::enter(&application.host, &nonce, &way));
    Ok(HttpResponse::SeeOther()
        .insert_header((header::LOCATION, to))
        .cookie(started.cookie(&req, keys)?)
        .finish())
}

/// `GET /.vestibule/callback?code=`: lets it in when it comes back.
pub(crate) async fn complete(at: GateHost, req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let application = of_host(Some(&at.host), &app).await?;
    let code = Way::of(&req)?.code.unwrap_or_default();
    let (keys, now) = (app.config().keys.clone(), app.now());
    let (scheme, mut started) = (app.config().site.base_url.scheme(), Started::presented(&req, &keys));
    let presented = Secret::from_text(code);
    let (opener, sought) = (keys.clone(), presented.clone());
    let known = app.read(move |conn| gate_handover::look_up(conn, &opener, &sought)).await?;
    let (to, is_retry) = known.unwrap_or_else(|| ("/".to_owned(), false));
    let lost = || {
        let pairs = [("host", application.host.as_str()), ("code", "cookie_not_kept"), ("to", to.as_str())];
        see_other(app.config().site.link(&format!("/gate/trouble?{}", query::text(pairs.into_iter()))))
    };
    if started.has_just_entered(now) && at.secrets.is_empty() {
        return Ok(lost());
    }
    let (id, nonces) = (application.id.clone(), started.nonces(now));
    let redeemed = app.write(move |tx| gate_handover::redeem(tx, &id, &nonces, &presented)).await;
    match redeemed {
        Ok((secret, to, nonce)) => {
            started.enter(&nonce, now);
            let mut answer = HttpResponse::SeeOther();
            answer.cookie(gate_cookies::entrance(&req, &secret)).cookie(started.cookie(&req, &keys)?);
            Ok(answer.insert_header((header::LOCATION, to)).finish())
        }
        // Used, late, of another browser, or its session has ended: once more, without a word, and no third time.
        Err(Error::DeadLink | Error::Unauthenticated) if !is_retry => {
            Ok(see_other(query::start(&application, scheme, &to, &Raised::default(), true)))
        }
        Err(Error::DeadLink | Error::Unauthenticated) => Ok(lost()),
        Err(error) => Err(error),
    }
}

/// `GET /.vestibule/me`: who is there, for the scripts of the application.
pub(crate) async fn me(at: GateHost, req: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let (application, visitor, judgement) = look_up(&at, Raised::default(), &app).await?;
    let start =
        query::start(&application, app.config().site.base_url.scheme(), "/", &Raised::default(), false);
    let (visitor, identity) = match (visitor, judgement) {
        (Some(visitor), Judgement::Allowed(identity)) => (visitor, identity),
        (_, Judgement::Refused(missing)) => {
            return Ok(refusal_body(&req, &refusal(missing, &application), &start));
        }
        _ => return Ok(refusal_body(&req, &Error::Unauthenticated, &start)),
    };
    let (shown, user) = (application.clone(), visitor.user.id.clone());
    let groups = app.read(move |conn| gates::groups(conn, &shown, &user, None)).await?;
    let body = json!({
        "user": { "id": visitor.user.id, "email": identity.email, "name": identity.name, "groups": groups },
        "session": {
            "acr": identity.acr,
            "authTime": identity.authenticated_at,
            "expiresAt": visitor.authentication.expires_at,
        },
    });
    Ok(HttpResponse::Ok().content_type("application/json; charset=utf-8").body(body.to_string()))
}

/// `GET /.vestibule/logout`: leads to the page that asks.
pub(crate) async fn ask_logout(at: GateHost, app: Data<App>) -> Result<HttpResponse> {
    let application = of_host(Some(&at.host), &app).await?;
    let query = query::text([("host", application.host.as_str())].into_iter());
    Ok(see_other(app.config().site.link(&format!("/gate/logout?{query}"))))
}

/// How far somebody signs out.
#[derive(Deserialize)]
pub(crate) struct LogoutForm {
    scope: Option<String>,
}

/// `POST /.vestibule/logout`: ends the whole session, or with `scope=here` what it opens at this host.
pub(crate) async fn logout(
    at: GateHost,
    form: Option<Input<LogoutForm>>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let application = of_host(Some(&at.host), &app).await?;
    let scheme = app.config().site.base_url.scheme();
    if at.is_foreign(&application.origin(scheme), &[]) {
        return Err(CROSS_ORIGIN.error());
    }
    let is_here = form.is_some_and(|Input(form)| form.scope.as_deref() == Some("here"));
    end(&application, &at, is_here, &req, &app).await?;
    let mut answer = match at.wants_html {
        true => see_other(app.config().site.link("/login")),
        false => {
            let message = "You are signed out.";
            let body = json!({ "message": message }).to_string();
            HttpResponse::Ok().content_type("application/json; charset=utf-8").body(body)
        }
    };
    for cookie in gate_cookies::removals(&req) {
        answer.add_cookie(&cookie).map_err(Error::internal)?;
    }
    Ok(answer)
}

async fn end(
    application: &Application,
    at: &GateHost,
    is_here: bool,
    req: &HttpRequest,
    app: &App,
) -> Result<()> {
    let (host, secrets, now) = (application.host.clone(), at.secrets.clone(), app.now());
    let ip = forwarded::ip(req).map(|ip| ip.to_string()).unwrap_or_default();
    app.write(move |tx| {
        let Some((_, Some(visitor))) = gates::at_host(tx.conn, &host, &secrets, now)? else { return Ok(()) };
        if is_here {
            return gate_session::end(tx, &visitor.secret);
        }
        let (user, id) = (visitor.user.id, visitor.session.id);
        session::end(tx, &id)?;
        let actor = Actor { session: Some(id), ip: Some(ip), ..Actor::user(&user) };
        audit::record(tx, &actor, &user, Event::SignedOut {})
    })
    .await
}

fn see_other(to: String) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
}
