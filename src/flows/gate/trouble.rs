//! Why somebody does not come in at the host of an application, in words, and what to do about it.

use actix_web::{HttpRequest, web::Data};
use askama::Template;
use serde::{Deserialize, Serialize};

use super::{
    enter::of_host,
    query::{self, Way},
};
use crate::{
    accounts::{
        applications::{self, APPLICATION_UNKNOWN},
        sessions::Event,
    },
    app::App,
    error::{Error, Errors, Result},
    model::{audit, session},
    web::{CurrentUser, Input, MaybeUser, Reply},
};

/// What is wrong.
#[derive(Template, Serialize)]
#[template(path = "gate_trouble.html")]
pub(crate) struct TroublePage {
    application: Named,
    code: &'static str,
    message: String,
    /// Where it is tried again.
    location: String,
    #[serde(skip)]
    to: String,
    #[serde(skip)]
    you: Option<String>,
}

#[derive(Serialize)]
struct Named {
    name: String,
    host: String,
}

/// Where somebody was going.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    host: String,
    #[serde(default)]
    to: String,
}

/// `GET /gate/trouble?host=&code=&to=`
pub(crate) async fn show(visitor: MaybeUser, req: HttpRequest, app: Data<App>) -> Result<Reply> {
    let way = Way::of(&req)?;
    let application = of_host(way.host.as_deref(), &app).await?;
    let name = &application.name;
    let (code, message) = match way.code.as_deref() {
        Some("application_forbidden") => {
            ("application_forbidden", applications::application_forbidden(name.clone()).to_string())
        }
        Some("second_factor_required") => (
            "second_factor_required",
            format!("{name} asks for two-step verification. Turn it on, then come back."),
        ),
        Some("send_again") => (
            "send_again",
            format!(
                "You were signed out of {name} in the meantime, so your form did not arrive. Sign in, then send it again."
            ),
        ),
        Some("cookie_not_kept") => (
            "cookie_not_kept",
            format!(
                "Your browser did not keep the cookie that {name} needs. Allow cookies for {}, then try again.",
                application.host
            ),
        ),
        _ => ("trouble", format!("Something went wrong on the way to {name}. Try again.")),
    };
    let scheme = app.config().site.base_url.scheme();
    Ok(Reply::page(TroublePage {
        location: query::start(&application, scheme, &way.to, &way.raised, false),
        you: visitor.signed_in().map(|me| me.user.email.spelled().to_owned()),
        application: Named { name: application.name, host: application.host },
        code,
        message,
        to: way.to,
    }))
}

/// `POST /gate/trouble`: signs this browser out, and leads on to the application as whoever signs in next.
pub(crate) async fn switch(me: CurrentUser, Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    let application = match of_host(Some(&form.host), &app).await {
        Err(Error::Refused(APPLICATION_UNKNOWN, _)) => {
            let sentence = "Send the host of an application that is registered here.";
            return Err(Error::Invalid(Errors::one("host", sentence)));
        }
        found => found?,
    };
    let (actor, user, id) = (me.actor(), me.user.id.clone(), me.session.id.clone());
    app.write(move |tx| {
        session::end(tx, &id)?;
        audit::record(tx, &actor, &user, Event::SignedOut {})
    })
    .await?;
    let back = [("host", application.host.as_str()), ("to", form.to.as_str())];
    let back = format!("/gate/enter?{}", query::text(back.into_iter()));
    Ok(Reply::go(format!("/login?{}", query::text([("next", back.as_str())].into_iter()))).signed_out())
}

/// The question whether to sign out.
#[derive(Template, Serialize)]
#[template(path = "gate_logout.html")]
pub(crate) struct LogoutPage {
    application: Named,
}

/// `GET /gate/logout?host=`
pub(crate) async fn ask_logout(_: CurrentUser, req: HttpRequest, app: Data<App>) -> Result<Reply> {
    let application = of_host(Way::of(&req)?.host.as_deref(), &app).await?;
    Ok(Reply::page(LogoutPage { application: Named { name: application.name, host: application.host } }))
}
