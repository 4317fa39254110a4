//! A device without a browser is let in from another one (RFC 8628). What it gets is a grant without a session, a row of its own in
//! the list of devices, and ends there.

use chrono::TimeDelta;

use super::{
    authorization::{self, Visitor},
    grants,
    token_exchange::{self, Redeemed},
};
use crate::{
    db::Tx,
    error::{Error, Result},
    ids::UserId,
    model::{
        application::client::{self, Client},
        audit::{self, Actor, audit_events},
        device::Device,
        device_request::{self, DeviceCode, DeviceRequest, NewDeviceRequest, State, UserCode},
        grant::{self, Grant, GrantKind, ListedAs},
        network::client_network,
        rate_limit::{self, Limit},
    },
    oauth::{Code, Refused, Scopes},
    secret::Secret,
};

audit_events! {
    /// A user did not let a device in that asked for it.
    DeviceDenied { application: crate::ids::ApplicationId } => of("device_denied"),
}

/// How many codes somebody types in a minute.
pub(crate) const CODES_A_MINUTE: i32 = 10;

const NOT_SO: Refused = Refused::new(
    Code::UnauthorizedClient,
    "This application is not registered for devices: app set --device on.",
);
const UNKNOWN: Refused = Refused::new(
    Code::InvalidGrant,
    "The device code is unknown, used, or was given to another application.",
);

/// Lets a device wait for its person; its two codes. [`Error::TooManyAttempts`] where its network asks too often.
pub(crate) fn ask(
    tx: &mut Tx,
    client: &Client,
    (scopes, resource): (Scopes, Option<&str>),
    (user_agent, ip): (String, String),
) -> Result<std::result::Result<(Secret<DeviceCode>, UserCode), Refused>> {
    if !client.settings.serves_devices {
        return Ok(Err(NOT_SO));
    }
    let scopes = client.allowed(scopes).without("offline_access");
    if scopes.iter().next().is_none() {
        let description = "No scope that this application may ask for is there.";
        return Ok(Err(Refused::new(Code::InvalidScope, description)));
    }
    let Some(audience) = client.audience(resource, &tx.config.site.origin()) else {
        return Ok(Err(Refused::new(Code::InvalidTarget, "This application may not ask for that resource.")));
    };
    let most = tx.config.limits.login_per_network;
    let limit = Limit::new("device-request", &client_network(&ip), most, TimeDelta::minutes(1));
    rate_limit::consume(tx, &limit)?;
    // It goes on without the session in which it is allowed, and its person is told so.
    let scopes = format!("{} offline_access", scopes.text());
    let application = client.id.clone();
    let new = NewDeviceRequest { application, scopes, audience, user_agent, ip };
    device_request::insert(tx, new).map(Ok)
}

/// The device whose code somebody typed at this address on the network, and its application; nothing where none waits that shows it.
/// Each is counted, right or wrong: [`Error::TooManyAttempts`].
pub(crate) fn typed(
    tx: &mut Tx,
    user: &UserId,
    ip: &str,
    code: Option<&UserCode>,
) -> Result<Option<(DeviceRequest, Client)>> {
    let minute = TimeDelta::minutes(1);
    rate_limit::consume(tx, &Limit::new("device-code", user.as_str(), CODES_A_MINUTE, minute))?;
    let (network, most) = (client_network(ip), tx.config.limits.login_per_network);
    rate_limit::consume(tx, &Limit::new("device-code-network", &network, most, minute))?;
    let Some(code) = code else { return Ok(None) };
    let Some(found) = device_request::typed(tx.conn, code, tx.now)? else { return Ok(None) };
    let client = client::by_id(tx.conn, &found.application_id)?;
    let client = client.filter(|client| client.disabled_at.is_none() && client.settings.serves_devices);
    Ok(client.map(|client| (found, client)))
}

/// Lets a device in, for a person who misses nothing that its application asks for. [`Error::DeadLink`] where it waits no longer.
pub(crate) fn allow(
    tx: &mut Tx,
    actor: &Actor,
    (found, client): (&DeviceRequest, &Client),
    who: &Visitor,
) -> Result<()> {
    let scopes = Scopes::parse(&found.scopes).unwrap_or_default();
    let Device { browser, os, kind } = Device::of(&found.user_agent);
    let asked = (&scopes, Some(found.audience.as_str()));
    let through = authorization::session_grant(tx, client, who, asked, Device::name_of(&browser, &os))?;
    let device_type = kind.as_str().to_owned();
    let listed_as = ListedAs { browser, os, device_type, method: who.session.method };
    let grant = Grant {
        made_in: through.session_id,
        session_id: None,
        kind: GrantKind::Offline,
        scopes: scopes.text(),
        ip: found.ip.clone(),
        // Where the device does not come for it, that is all.
        expires_at: found.expires_at,
        listed_as: Some(serde_json::to_string(&listed_as)?),
        ..through
    };
    if !device_request::answer(tx, &found.hash, &who.user.id, Some(&grant.id))? {
        return Err(Error::DeadLink);
    }
    if !client.settings.is_first_party {
        grants::allow(tx, actor, &who.user.id, &client.id, &scopes)?;
    }
    token_exchange::keep_offline(tx, actor, client, &who.user, grant)
}

/// Does not let a device in. [`Error::DeadLink`] where it waits no longer.
pub(crate) fn deny(tx: &mut Tx, actor: &Actor, found: &DeviceRequest, user: &UserId) -> Result<()> {
    if !device_request::answer(tx, &found.hash, user, None)? {
        return Err(Error::DeadLink);
    }
    audit::record(tx, actor, user, Event::DeviceDenied { application: found.application_id.clone() })
}

/// What a device is told that asks whether it may come in (RFC 8628 §3.5). Of many at once one gets the tokens.
pub(crate) fn poll(
    tx: &mut Tx,
    client: &Client,
    secret: &Secret<DeviceCode>,
) -> Result<std::result::Result<Redeemed, Refused>> {
    if !client.settings.serves_devices {
        return Ok(Err(NOT_SO));
    }
    let found = device_request::held(tx, secret)?.filter(|found| found.application_id == client.id);
    let Some(found) = found else { return Ok(Err(UNKNOWN)) };
    match found.state {
        State::Redeemed => return Ok(Err(UNKNOWN)),
        State::Denied => return Ok(Err(Refused::new(Code::AccessDenied, "They said no."))),
        State::Waiting | State::Allowed if found.expires_at <= tx.now => {
            return Ok(Err(Refused::new(Code::ExpiredToken, "Nobody answered in time. Start again.")));
        }
        State::Waiting => {
            return Ok(Err(match device_request::note_question(tx, &found)? {
                true => Refused::new(Code::SlowDown, "Wait for five seconds more between two questions."),
                false => Refused::new(Code::AuthorizationPending, "Nobody has answered yet."),
            }));
        }
        State::Allowed => {}
    }
    device_request::redeem(tx, &found)?;
    // Whoever allowed it may have ended it since.
    const OVER: Refused = Refused::new(Code::AccessDenied, "What was allowed has ended.");
    let Some(id) = found.grant_id else { return Ok(Err(OVER)) };
    if !grant::prolong(tx, &id, tx.now + tx.config.lifetimes.refresh)? {
        return Ok(Err(OVER));
    }
    let site = tx.config.site.origin();
    let Some((grant, user)) = grants::held(tx.conn, &id, tx.now)? else { return Ok(Err(OVER)) };
    let Some((grant, user)) = grants::judged(tx.conn, grant, user, &site, tx.now)? else {
        return Ok(Err(OVER));
    };
    let scopes = grant.scopes();
    let refresh = Some(token_exchange::first_refresh_token(tx, &grant)?);
    Ok(Ok(Redeemed { grant, user, scopes, nonce: None, refresh }))
}
