//! The browser comes for what was proved, with its cookies.

use actix_session::SessionExt;
use actix_web::{HttpRequest, HttpResponse, Responder, web::Data};
use serde::Deserialize;

use super::{Arrived, Fault, Linking, SEAL, is_asking_browser, name_of, nonces_of, note, refused};
use crate::{
    accounts::{
        provisioning::{self, Resolution},
        sso_policy, step_up,
    },
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Result},
    kinds::{AuthMethod, StepUpMethod},
    mail::EmailAddress,
    model::{
        attempt::{self, Detail},
        connection::{self, Connection, Person},
        identity, session,
        token::{self, AskedFor, LinkIdentity, SamlArrival},
        user,
    },
    secret::Secret,
    web::{Anybody, Client, Query, Reply, door, pending, views::UserView},
};

/// The secret of a response that passed.
#[derive(Deserialize)]
pub struct Ticket {
    #[serde(default)]
    ticket: Secret<SamlArrival>,
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
    let nonces = nonces_of(&req);
    let ticket = query.into_inner().ticket;
    let held = visitor.signed_in().map(|me| me.session.clone());
    let came = app
        .write(move |tx| {
            let sealed = token::redeem_unowned(tx, &ticket).map_err(refused)?;
            let arrived: Arrived = serde_json::from_str(&tx.config.keys.open(SEAL, &sealed)?)?;
            let connection = connection::by_id(tx.conn, &arrived.asked.connection).map_err(refused)?;
            if !is_asking_browser(&nonces, &arrived.asked) {
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
            app.metrics().sign_in(AuthMethod::Sso, false);
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
        let way = owner
            .as_ref()
            .map(|owner| sso_policy::required_connection(tx.conn, owner))
            .transpose()?
            .flatten();
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
        step_up::passed(tx, &client.actor(), user, here, StepUpMethod::Sso)?;
        return Ok(Came::Confirmed { ticket: door::rotate(tx, here)?, next });
    }
    let person = Person {
        email: arrived.email.as_deref().and_then(|email| EmailAddress::parse(email).ok()),
        name: arrived.shown.as_deref().and_then(|name| user::Name::parse(name).ok()),
        role: arrived.role,
        groups: Vec::new(),
    };
    let created_from = client.device().name();
    match provisioning::resolve(tx, &client.actor(), &connection, &name, &person, &created_from)? {
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
