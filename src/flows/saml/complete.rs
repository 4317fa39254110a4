//! The browser comes for what was proved, with its cookies.

use actix_web::{HttpRequest, HttpResponse, Responder, web::Data};
use serde::Deserialize;

use super::{Handoff, SEAL, refused};
use crate::{
    accounts::{
        authn_request::{self, SSO_REFUSED},
        sso_attempts::{self, ANOTHER_BROWSER},
        sso_policy,
        sso_sign_in::{self, SsoResult, VerifiedIdentity},
    },
    app::App,
    clock::Timestamp,
    error::{Error, Result},
    mail::EmailAddress,
    model::{
        connection::{self, MappedProfile},
        token::{self, SsoHandoff},
        user,
    },
    secret::Secret,
    web::{
        Client, MaybeUser, Query, Reply, cookies::Own, request_binding::RequestBinding,
        request_refused::METHOD_NOT_ALLOWED, sso_result,
    },
};

/// The secret of a response that passed.
#[derive(Deserialize)]
pub(crate) struct HandoffQuery {
    #[serde(default)]
    handoff: Secret<SsoHandoff>,
}

/// `GET /auth/saml/arrive?handoff=`: the browser comes for what was proved, with its cookies.
pub(crate) async fn complete(
    client: Client,
    visitor: MaybeUser,
    req: HttpRequest,
    query: Query<HandoffQuery>,
    app: Data<App>,
) -> Result<HttpResponse> {
    if !client.is_navigation {
        return Err(METHOD_NOT_ALLOWED.error());
    }
    let binding = RequestBinding::of(&req, Own::Saml);
    let secret = query.into_inner().handoff;
    let held = visitor.signed_in().map(|me| me.session.clone());
    let came = app
        .write(move |tx| {
            let sealed = token::redeem_unowned(tx, &secret).map_err(refused)?;
            let handoff: Handoff = serde_json::from_str(&tx.config.keys.open(SEAL, &sealed)?)?;
            let connection = connection::by_id(tx.conn, &handoff.asked.connection).map_err(refused)?;
            let why = if !binding.is_of(&handoff.asked.browser) {
                Some(ANOTHER_BROWSER)
            } else if sso_policy::is_out_of_use(tx.conn, &connection)? {
                Some(("paused", "An owner has to turn the connection on first."))
            } else if handoff.identifier != connection.identifier {
                Some(("settings_changed", "What identifies people was changed during the sign-in."))
            } else {
                None
            };
            if let Some(why) = why {
                let reference = sso_attempts::refuse(tx, &client, &connection, &handoff.attempt, why)?;
                return Ok((SsoResult::Refused(reference), None));
            }
            let next = authn_request::next(&tx.config.keys, &handoff.asked)?;
            let came = sso_sign_in::complete_sso(tx, &client, held.as_ref(), &connection, handoff.into())?;
            Ok((came, next))
        })
        .await;
    let (came, next) = match came {
        // Loaded again by whoever is in already.
        Err(Error::Refused(SSO_REFUSED, _)) if visitor.signed_in().is_some() => {
            return Ok(Reply::on(None).respond_to(&req).map_into_boxed_body());
        }
        came => came?,
    };
    Ok(sso_result::reply(&app, &req, came, next)?.respond_to(&req).map_into_boxed_body())
}

impl From<Handoff> for VerifiedIdentity {
    fn from(handoff: Handoff) -> Self {
        let profile = MappedProfile {
            email: handoff.email.as_deref().and_then(|email| EmailAddress::parse(email).ok()),
            name: handoff.shown.as_deref().and_then(|name| user::Name::parse(name).ok()),
            role: handoff.role,
            groups: Vec::new(),
            keeps_role: false,
        };
        Self {
            attempt: handoff.attempt,
            intent: handoff.asked.purpose,
            remembered: handoff.asked.remembered,
            name: handoff.name,
            profile,
            sso: handoff.sso,
            session_ends_at: handoff.session_ends_at.map(Timestamp::from_unix),
        }
    }
}
