//! Back from an identity provider, by whatever protocol: what the browser is told.

use actix_session::SessionExt;
use actix_web::HttpRequest;
use askama::Template;
use serde::Serialize;

use super::{Reply, pending, views::UserView};
use crate::{
    accounts::{authn_request::SSO_REFUSED, sso_sign_in::SsoResult},
    app::App,
    error::Result,
    kinds::AuthMethod,
    urls,
};

/// Somebody could not be signed in; why is for their administrator.
#[derive(Template, Serialize)]
#[template(path = "saml_refused.html")]
pub(crate) struct RefusedPage {
    reference: Option<String>,
}

impl RefusedPage {
    /// With the number to read out.
    pub(crate) fn reply(reference: Option<String>) -> Reply {
        Reply::refused(Self { reference }, SSO_REFUSED.error())
    }
}

/// Hands the browser its session, or leads it to the next step; `next` is where it wanted to go.
pub(crate) fn reply(app: &App, req: &HttpRequest, result: SsoResult, next: Option<String>) -> Result<Reply> {
    Ok(match result {
        SsoResult::SignedIn { user, outcome } => {
            let view = UserView::from(&*user);
            Reply::on(next).with("user", view)?.sign_in(outcome)
        }
        SsoResult::SteppedUp(issued) => {
            Reply::go(next.unwrap_or_else(|| "/me/security".to_owned())).signed_in(issued)
        }
        SsoResult::Refused(reference) => {
            app.metrics().sign_in(AuthMethod::Sso, false);
            RefusedPage::reply(Some(reference))
        }
        SsoResult::Unlinked(secret) => {
            pending::set_linking(&req.get_session(), Some(&secret));
            Reply::go(urls::LINK)
        }
    })
}
