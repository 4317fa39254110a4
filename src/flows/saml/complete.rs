//! The browser comes for what was proved, with its cookies.

use actix_session::SessionExt;
use actix_web::{HttpRequest, HttpResponse, Responder, web::Data};
use serde::Deserialize;

use super::{
    ANOTHER_BROWSER, Handoff, Linking, RefusedPage, SEAL, is_asking_browser, nonces_of, record_refusal,
    refused,
};
use crate::{
    accounts::{
        authentication, identity_links,
        provisioning::{self, Resolution},
        sso_policy, step_up,
    },
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Result},
    ids::AttemptId,
    kinds::{AuthMethod, StepUpMethod},
    mail::EmailAddress,
    model::{
        connection::{self, Connection, MappedProfile},
        session, sso_attempt,
        token::{self, LinkIdentity, SsoHandoff, SsoIntent},
        user,
    },
    secret::Secret,
    web::{Client, MaybeUser, Query, Reply, pending, views::UserView},
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
        return Err(Error::MethodNotAllowed);
    }
    let nonces = nonces_of(&req);
    let secret = query.into_inner().handoff;
    let held = visitor.signed_in().map(|me| me.session.clone());
    let came = app
        .write(move |tx| {
            let sealed = token::redeem_unowned(tx, &secret).map_err(refused)?;
            let handoff: Handoff = serde_json::from_str(&tx.config.keys.open(SEAL, &sealed)?)?;
            let connection = connection::by_id(tx.conn, &handoff.asked.connection).map_err(refused)?;
            if !is_asking_browser(&nonces, &handoff.asked) {
                return refuse(tx, &client, &connection, &handoff.attempt, ANOTHER_BROWSER);
            }
            if sso_policy::is_out_of_use(tx.conn, &connection)? {
                let why = ("paused", "An owner has to turn the connection on first.");
                return refuse(tx, &client, &connection, &handoff.attempt, why);
            }
            if handoff.identifier != connection.identifier {
                let why = ("settings_changed", "What identifies people was changed during the sign-in.");
                return refuse(tx, &client, &connection, &handoff.attempt, why);
            }
            complete_sso(tx, &client, held.as_ref(), connection, handoff)
        })
        .await;
    let came = match came {
        // Loaded again by whoever is in already.
        Err(Error::SsoRefused) if visitor.signed_in().is_some() => {
            return Ok(Reply::go("/me").respond_to(&req).map_into_boxed_body());
        }
        came => came?,
    };
    let next = |next: Option<String>| next.unwrap_or_else(|| "/me".to_owned());
    let reply = match came {
        SsoResult::In { user, outcome, next: to } => {
            let view = UserView::from(&*user);
            Reply::go(next(to)).with("user", view)?.sign_in(outcome)
        }
        SsoResult::Confirmed { issued, next: to } => {
            Reply::go(to.unwrap_or_else(|| "/me/security".to_owned())).signed_in(issued)
        }
        SsoResult::Refused(reference) => {
            app.metrics().sign_in(AuthMethod::Sso, false);
            RefusedPage::reply(Some(reference))
        }
        SsoResult::Unlinked(secret) => {
            pending::set_linking(&req.get_session(), Some(&secret));
            Reply::go("/auth/saml/link")
        }
    };
    Ok(reply.respond_to(&req).map_into_boxed_body())
}

enum SsoResult {
    In {
        user: Box<user::User>,
        outcome: authentication::SignInOutcome,
        next: Option<String>,
    },
    Confirmed {
        issued: authentication::IssuedSession,
        next: Option<String>,
    },
    Unlinked(Secret<LinkIdentity>),
    /// With its number.
    Refused(String),
}

/// The response that passed lets nobody in after all.
fn refuse(
    tx: &mut Tx,
    client: &Client,
    connection: &Connection,
    attempt: &AttemptId,
    (code, reason): (&str, &str),
) -> Result<SsoResult> {
    sso_attempt::refuse(tx, attempt, code, reason)?;
    record_refusal(tx, client, connection, code)?;
    // Kept by the commit: the attempt is for the owners to see.
    Ok(SsoResult::Refused(sso_attempt::reference(attempt)))
}

fn complete_sso(
    tx: &mut Tx,
    client: &Client,
    held: Option<&session::CurrentSession>,
    connection: Connection,
    handoff: Handoff,
) -> Result<SsoResult> {
    let name = handoff.name.clone();
    let next = handoff.asked.next.map(|sealed| tx.config.keys.open(SEAL, &sealed)).transpose()?;
    if let SsoIntent::StepUp { user, session } = &handoff.asked.purpose {
        let owner = identity_links::owner_of(tx.conn, &connection.id, &name)?;
        let owner = owner.filter(|owner| owner.id == *user);
        // Their domain may be led elsewhere since they left.
        let way = owner
            .as_ref()
            .map(|owner| sso_policy::required_connection(tx.conn, owner))
            .transpose()?
            .flatten();
        let is_same = owner.is_some() && way.is_none_or(|way| way == connection.id);
        let here = held.filter(|held| held.id == *session);
        let (true, Some(here)) = (is_same, here) else {
            let sentence = "Someone else signed in there than the person who was asked to confirm.";
            return refuse(tx, client, &connection, &handoff.attempt, ("another_person", sentence));
        };
        sso_attempt::set_user(tx, &handoff.attempt, user)?;
        step_up::passed(tx, &client.actor(), user, here, StepUpMethod::Sso)?;
        return Ok(SsoResult::Confirmed { issued: authentication::rotate(tx, here)?, next });
    }
    let profile = MappedProfile {
        email: handoff.email.as_deref().and_then(|email| EmailAddress::parse(email).ok()),
        name: handoff.shown.as_deref().and_then(|name| user::Name::parse(name).ok()),
        role: handoff.role,
        groups: Vec::new(),
    };
    let created_from = client.device().name();
    match provisioning::resolve(tx, &client.actor(), &connection, &name, &profile, &created_from)? {
        Resolution::Known(user) => {
            sso_attempt::set_user(tx, &handoff.attempt, &user.id)?;
            // Who came in by it has tested it.
            if connection.tested_at.is_none() {
                connection::note_test(tx, &connection)?;
            }
            let ends_at = handoff.session_ends_at.map(Timestamp::from_unix);
            let asks = connection.asks_second_factor
                || !step_up::stands_in(tx.conn, &connection.organisation_id, &user)?;
            let there = (handoff.sso, ends_at);
            let remembered = handoff.asked.remembered;
            let outcome = authentication::complete_sso(tx, client, &user, there, asks, remembered)?;
            Ok(SsoResult::In { user: Box::new(user), outcome, next })
        }
        Resolution::Unlinked(owner) => {
            sso_attempt::set_user(tx, &handoff.attempt, &owner.id)?;
            let linking = Linking { connection: connection.id, name, role: handoff.role };
            let sealed = tx.config.keys.seal(SEAL, &serde_json::to_string(&linking)?)?;
            token::issue::<LinkIdentity>(tx, &owner.id, &sealed).map(SsoResult::Unlinked)
        }
        Resolution::Refused(refused) => {
            refuse(tx, client, &connection, &handoff.attempt, (refused.code(), refused.sentence()))
        }
    }
}
