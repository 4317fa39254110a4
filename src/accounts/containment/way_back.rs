//! The link "this wasn't me", which every email about how an account is held carries.

use diesel::prelude::*;

use crate::{
    accounts::factors,
    clock::Timestamp,
    db::{Conn, Tx, schema::sessions},
    error::Result,
    ids::{SessionId, UserId},
    mail::emails::{self, FactorChange, KeptCredentials},
    model::{
        api_key::{self, Of},
        audit::Actor,
        device::Device,
        identity, passkey, provider_identity,
        security_change::{self, Kind, SecurityChange},
        token::{self, BeganWith, ReportSignIn, ReportedEvent},
        user::User,
    },
    secret::Secret,
};

/// Makes the link for an email that tells of `what` (nothing: a sign-in) in `session`, from `device`.
pub(crate) fn way_back(
    tx: &mut Tx,
    user: &User,
    session: Option<SessionId>,
    what: Option<&str>,
    device: &str,
    ip: &str,
) -> Result<Secret<ReportSignIn>> {
    let began = match (&session, what) {
        (Some(session), None) => security_change::session_of(tx.conn, session)?,
        _ => None,
    };
    let began_with = began.map(|began| BeganWith {
        browser_known_since: began.browser_known_since.map(|since| since.unix()),
        passkey: began.passkey_id,
        method: began.method,
        second_factor: began.second_factor,
        connection: began.connection_id,
    });
    let told = ReportedEvent {
        at: tx.now.unix(),
        device: device.to_owned(),
        ip: ip.to_owned(),
        what: what.map(str::to_owned),
        session,
        told_to: Some(user.email.normalized()),
        began_with,
    };
    token::issue_with::<ReportSignIn>(tx, &user.id, &told, ReportSignIn::LIFE)
}

/// Makes the link for an email that tells of what `actor` did in their session.
pub(crate) fn way_back_from(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    what: &str,
    device: &str,
) -> Result<Secret<ReportSignIn>> {
    let ip = actor.ip.as_deref().unwrap_or_default();
    way_back(tx, user, actor.session.clone(), Some(what), device, ip)
}

/// What told of the newest second factor of an account that got a new password by mail since, while the way back in that
/// email works: a reset leaves every factor, and perhaps somebody else added this one.
pub(crate) fn newest_factor(conn: &mut Conn, user: &UserId, now: Timestamp) -> Result<Option<ReportedEvent>> {
    let added = [FactorChange::AppAdded, FactorChange::AppReplaced, FactorChange::PasskeyAdded];
    let told = token::all_outstanding::<ReportSignIn>(conn, user, now)?;
    let is_added = |what: &str| added.iter().any(|change| change.words() == what);
    let newest = told.into_iter().rfind(|told| told.what.as_deref().is_some_and(is_added));
    let Some(newest) = newest else { return Ok(None) };
    let changes = security_change::list(conn, user)?;
    let was_reset = |one: &SecurityChange| one.kind == Kind::PasswordReset && one.at.unix() >= newest.at;
    Ok(changes.iter().any(was_reset).then_some(newest))
}

/// The device of the session that `actor` acts in, in words; empty where there is none.
pub(crate) fn device_of(conn: &mut Conn, actor: &Actor) -> Result<String> {
    let Some(session) = &actor.session else { return Ok(String::new()) };
    let row = sessions::table.find(session).select((sessions::browser, sessions::os));
    let found: Option<(String, String)> = row.first(conn).optional()?;
    Ok(found.map(|(browser, os)| Device::name_of(&browser, &os)).unwrap_or_default())
}

/// Tells somebody that their password is a new one, with the way back.
pub(crate) fn tell_of_password(tx: &mut Tx, actor: &Actor, user: &User, device: &str) -> Result<()> {
    let not_me = way_back_from(tx, actor, user, "Your password was changed", device)?;
    let passkeys = passkey::list(tx.conn, &user.id)?.into_iter().map(|one| one.name).collect();
    let organisations = identity::list(tx.conn, &user.id)?.into_iter().map(|(by, _)| by).collect();
    let mut providers = provider_identity::list(tx.conn, &user.id)?;
    providers.retain(|one| one.provider_in(tx.config).is_some());
    let providers = providers.iter().map(|one| one.provider_name(tx.config).to_owned()).collect();
    let has_app = factors::of(tx.conn, &user.id)?.has_totp;
    let keys = api_key::list(tx.conn, Of::Person(&user.id))?;
    let keys = keys.iter().map(|key| emails::key_in_words(&key.name, &key.shown())).collect();
    let kept = KeptCredentials { passkeys, organisations, providers, has_app, keys };
    let (site, when) = (&tx.config.site, tx.now.exact());
    let email =
        emails::password_changed(site, &user.email, &user.name, (&when, device), &kept, not_me.reveal())?;
    tx.mail(Some(&user.id), email)
}
