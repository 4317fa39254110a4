//! Tokens for clients of whoever runs this site, out of a session: a grant as any other, without the way through a browser. What
//! comes after it is what comes after any grant.

use std::cmp::Reverse;

use diesel::prelude::*;

use super::{
    authorization::{self, Visitor},
    gate_needs::{self, Candidate, Missing, Raised},
    token_exchange,
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::sessions},
    error::{Error, Errors, Result, refusals},
    ids::{Id, UserId},
    model::{
        application::{
            Kind,
            client::{self, Client},
        },
        audit::{self, Actor, audit_events},
        device::Device,
        grant::{self, Grant, GrantKind, ListedAs},
        refresh_token::{self, RefreshSecret},
        session::{self, Authentication, Listed},
        user::{self, User},
    },
    oauth::Scopes,
    secret::Secret,
};

refusals! {
    /// A refresh token opens nothing.
    REFRESH_TOKEN_INVALID = (
        "invalid_grant", 400, "This refresh token does not work. It is unknown, used, expired or revoked. Sign in again."
    );
}

audit_events! {
    /// A session became tokens that go on without it.
    SessionExchanged { application: crate::ids::ApplicationId, grant: crate::ids::GrantId } => of("session_exchanged"),
}

/// What the client of this site itself calls itself. No other can: those end in six random characters.
const BUILT_IN: &str = "vestibule";

/// What tokens rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rests {
    /// The session, with which they end.
    OnSession,
    /// Nothing; the session goes on beside them.
    OnNothing,
    /// Nothing, and they take the place of the session in the list of devices.
    InsteadOfSession,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What the client calls itself, where it is not that of this site.
    pub application: Option<String>,
    /// What it is to be allowed, where that is not all that it may have.
    pub scopes: Option<Scopes>,
    /// What it rests on.
    pub rests: Rests,
}

fn wrong(field: &'static str, sentence: impl Into<String>) -> Error {
    Error::Invalid(Errors::one(field, sentence))
}

/// The client that is meant, where it may have tokens so; [`Error::Invalid`] otherwise. That of this site is made when it is first
/// needed: an operator turns it off as any other.
pub(crate) fn client_of(tx: &mut Tx, wanted: &Wanted) -> Result<Client> {
    let found = match &wanted.application {
        Some(asked) => client::called(tx.conn, asked)?,
        None => Some(built_in(tx)?),
    };
    let found = found.filter(|found| found.disabled_at.is_none());
    let found = found.ok_or_else(|| wrong("application", "No application in use has this client_id."))?;
    let traits = found.kind.traits();
    if !found.settings.is_first_party || traits.has_secret || traits.signs_in.is_none() {
        let sentence =
            "Tokens are given so to applications of kind browser or native that are this site's own.";
        return Err(wrong("application", sentence));
    }
    if wanted.rests != Rests::OnSession && !traits.may_be_offline {
        return Err(wrong("offline", "What an application of kind browser has ends with the session."));
    }
    Ok(found)
}

fn built_in(tx: &mut Tx) -> Result<Client> {
    if let Some(found) = client::called(tx.conn, BUILT_IN)? {
        return Ok(found);
    }
    // Of two at once one makes it.
    tx.lock(BUILT_IN)?;
    if let Some(found) = client::called(tx.conn, BUILT_IN)? {
        return Ok(found);
    }
    let name = tx.config.site.name.clone();
    let mut new = Client::new(Kind::Native, name, tx.now)?;
    new.client_id = BUILT_IN.to_owned();
    client::insert(tx, &new)?;
    Ok(new)
}

/// What the client asks of people and `who` does not have.
pub(crate) fn missing(conn: &mut Conn, client: &Client, who: &Visitor) -> Result<Option<Missing>> {
    let authentication = Authentication::of(conn, &who.session.id)?;
    let candidate = Candidate {
        user: &who.user.id,
        is_verified: who.user.is_verified(),
        is_leaving: who.user.is_leaving(),
        authentication: &authentication,
        through: (&who.session, who.ip),
    };
    gate_needs::missing(conn, &client.needs, &Raised::default(), candidate, who.now)
}

/// What tokens are made of: the grant, and the first refresh token with its end.
pub(crate) type Issued = (Grant, (Secret<RefreshSecret>, Timestamp));

/// Gives a client that misses nothing a grant. [`Error::Invalid`] where nothing is left of the scopes.
pub(crate) fn issue(
    tx: &mut Tx,
    actor: &Actor,
    client: &Client,
    who: &Visitor,
    (wanted, device): (&Wanted, String),
) -> Result<Issued> {
    let asked = match &wanted.scopes {
        Some(scopes) => scopes.clone(),
        None => {
            let of_site = Scopes::OF_SITE.iter().map(|(scope, _)| *scope);
            let own = client.settings.scopes.iter().map(String::as_str);
            let all: Vec<&str> = ["openid"].into_iter().chain(of_site).chain(own).collect();
            Scopes::parse(&all.join(" ")).unwrap_or_default()
        }
    };
    let mut scopes = client.allowed(asked).without("offline_access");
    if scopes.iter().next().is_none() {
        return Err(wrong("scope", "No scope that this application may have is there."));
    }
    if wanted.rests != Rests::OnSession {
        scopes = Scopes::parse(&format!("{} offline_access", scopes.text())).unwrap_or_default();
    }
    let through = authorization::session_grant(tx, client, who, (&scopes, None), device)?;
    let grant = match wanted.rests {
        Rests::OnSession => {
            let id = grant::keep_for_session(tx, through.clone())?;
            Grant { id, ..through }
        }
        Rests::OnNothing => {
            let offline = offline(tx, through, &scopes);
            token_exchange::keep_offline(tx, actor, client, &who.user, offline.clone())?;
            offline
        }
        Rests::InsteadOfSession => exchange(tx, actor, client, who, (through, &scopes))?,
    };
    let refresh = token_exchange::first_refresh_token(tx, &grant)?;
    Ok((grant, refresh))
}

fn offline(tx: &Tx, through: Grant, scopes: &Scopes) -> Grant {
    Grant {
        made_in: through.session_id,
        session_id: None,
        kind: GrantKind::Offline,
        scopes: scopes.text(),
        expires_at: tx.now + tx.config.lifetimes.refresh,
        ..through
    }
}

/// The session ends, and its row in the list of devices is that of the grant.
fn exchange(
    tx: &mut Tx,
    actor: &Actor,
    client: &Client,
    who: &Visitor,
    (through, scopes): (Grant, &Scopes),
) -> Result<Grant> {
    let row = sessions::table.find(&who.session.id).select(Listed::as_select());
    let Listed { browser, os, device_type, method, created_at, ip, .. } = row.first(tx.conn)?;
    let device = Device::name_of(&browser, &os);
    let listed_as = serde_json::to_string(&ListedAs { browser, os, device_type, method })?;
    let grant = Grant {
        id: Id::from_text(who.session.id.as_str()),
        listed_as: Some(listed_as),
        created_at,
        device,
        ip,
        ..offline(tx, through, scopes)
    };
    token_exchange::keep_offline(tx, actor, client, &who.user, grant.clone())?;
    session::end(tx, &who.session.id)?;
    let (application, id) = (grant.application_id.clone(), grant.id.clone());
    audit::record(tx, actor, &who.user.id, Event::SessionExchanged { application, grant: id })?;
    Ok(grant)
}

/// The client of a refresh token that needs nothing but that: it has no secret.
pub(crate) fn client_of_token(
    conn: &mut Conn,
    secret: &Secret<RefreshSecret>,
) -> Result<Option<(Client, User)>> {
    let Some(found) = refresh_token::find(conn, &secret.digest())? else { return Ok(None) };
    let Some((application, owner)) = grant::parties(conn, &found.grant_id)? else { return Ok(None) };
    let client = client::by_id(conn, &application)?.filter(|client| !client.kind.traits().has_secret);
    let user: Option<User> = user::find(conn, &owner)?;
    Ok(client.zip(user))
}

/// Ends what a refresh token rests on. Whoever has it may; whatever else it is, nothing happens.
pub(crate) fn revoke(tx: &mut Tx, secret: &Secret<RefreshSecret>) -> Result<()> {
    let Some((client, _)) = client_of_token(tx.conn, secret)? else { return Ok(()) };
    let Some(found) = refresh_token::find(tx.conn, &secret.digest())? else { return Ok(()) };
    token_exchange::revoke(tx, &client, &found.grant_id)
}

/// The devices of a user, the most recently used first: those with a session, and those with tokens.
#[derive(Debug, Clone)]
pub(crate) struct ListedDevice {
    /// As the list shows it.
    pub listed: Listed,
    /// What the application is called that it has tokens for, where it has no session.
    pub application: Option<String>,
}

/// Every device of a user at `now`, the most recently used first.
pub(crate) fn devices(conn: &mut Conn, owner: &UserId, now: Timestamp) -> Result<Vec<ListedDevice>> {
    let sessions = session::list(conn, owner, now)?.into_iter();
    let mut all: Vec<_> = sessions.map(|listed| ListedDevice { listed, application: None }).collect();
    for (grant, application) in grant::devices(conn, owner, now)? {
        let Some(text) = &grant.listed_as else { continue };
        let ListedAs { browser, os, device_type, method } = serde_json::from_str(text)?;
        let listed = Listed {
            id: Id::from_text(grant.id.as_str()),
            method,
            second_factor: grant.second_factor,
            remembered: false,
            browser,
            os,
            device_type,
            ip: grant.ip,
            locked_by: None,
            created_at: grant.created_at,
            last_active_at: grant.last_used_at,
            expires_at: grant.expires_at,
        };
        all.push(ListedDevice { listed, application: Some(application) });
    }
    // Only where there is something to sort in: sessions come sorted.
    if all.iter().any(|one| one.application.is_some()) {
        all.sort_by_key(|one| Reverse(one.listed.last_active_at));
    }
    Ok(all)
}
