//! What an operator does to applications that sign people in here by OpenID Connect, each on record.

use chrono::TimeDelta;

use crate::{
    db::Tx,
    error::{Error, Result, refusals},
    ids::ApplicationId,
    model::{
        application::{
            self,
            client::{self, Client, ClientSecret},
        },
        audit::{self, Actor, audit_events},
        grant,
    },
    secret::Secret,
};

refusals! {
    /// Nobody asks by that name.
    CLIENT_UNKNOWN = (
        "client_unknown", 400, "No application has the client_id {}. Check it with the people who run the application."
    ).titled("Unknown application");
    /// It was taken out of use.
    CLIENT_DISABLED = ("client_disabled", 403, "{} is turned off here. Ask the people who run it.")
        .titled("This application is turned off");
    /// An answer would go where the application is not known to be.
    REDIRECT_URI_UNKNOWN = (
        "redirect_uri_unknown", 400,
        "The redirect_uri {} is not registered for {}. `vestibule app set {} --redirect URI` registers one."
    ).titled("Unknown redirect address");
    /// A sign-in for an application that was answered, or waited for too long.
    SIGN_IN_OVER = ("sign_in_over", 422, "This sign-in is over. Go back to {} and start again.")
        .page("This sign-in is over", "/me", "Continue");
}

/// As much of a parameter as a page shows.
pub(crate) fn shown(value: &str) -> String {
    value.chars().take(200).collect()
}

/// [`CLIENT_UNKNOWN`] of this name.
pub(crate) fn unknown(client_id: &str) -> Error {
    CLIENT_UNKNOWN.about(shown(client_id))
}

audit_events! {
    /// An operator added an application that signs people in here.
    ClientAdded { application: ApplicationId, client_id: String } => of("client_added"),
    /// An operator changed what it is called, what it asks for or where it is.
    ClientChanged { application: ApplicationId, client_id: String } => of("client_changed"),
    /// An operator gave it another secret.
    ClientSecretRotated { application: ApplicationId, client_id: String } => of("client_secret_rotated"),
    /// An operator took it out of use.
    ClientDisabled { application: ApplicationId, client_id: String } => of("client_disabled"),
    /// An operator put it back into use.
    ClientEnabled { application: ApplicationId, client_id: String } => of("client_enabled"),
    /// An operator removed it.
    ClientRemoved { application: ApplicationId, client_id: String } => of("client_removed"),
}

/// Adds an application; its secret, where its kind has one.
pub(crate) fn add(tx: &mut Tx, actor: &Actor, new: &Client) -> Result<Option<Secret<ClientSecret>>> {
    let secret = client::insert(tx, new)?;
    let (application, client_id) = (new.id.clone(), new.client_id.clone());
    audit::record(tx, actor, None, Event::ClientAdded { application, client_id })?;
    Ok(secret)
}

/// Keeps what was changed of an application. Says whether that is anything.
pub(crate) fn change(tx: &mut Tx, actor: &Actor, before: &Client, after: &Client) -> Result<bool> {
    if (&before.name, &before.needs, &before.settings) == (&after.name, &after.needs, &after.settings) {
        return Ok(false);
    }
    client::update(tx, after)?;
    let (application, client_id) = (after.id.clone(), after.client_id.clone());
    audit::record(tx, actor, None, Event::ClientChanged { application, client_id })?;
    Ok(true)
}

/// Gives an application another secret; the one before works for `overlap` more.
pub(crate) fn rotate_secret(
    tx: &mut Tx,
    actor: &Actor,
    found: &Client,
    overlap: TimeDelta,
) -> Result<Secret<ClientSecret>> {
    let secret = client::rotate_secret(tx, found, overlap)?;
    let (application, client_id) = (found.id.clone(), found.client_id.clone());
    audit::record(tx, actor, None, Event::ClientSecretRotated { application, client_id })?;
    Ok(secret)
}

/// Takes an application out of use, with all that it had of anybody, or back into it. Says whether that changed anything.
pub(crate) fn set_disabled(tx: &mut Tx, actor: &Actor, found: &Client, is_disabled: bool) -> Result<bool> {
    if !application::set_disabled(tx, &found.id, is_disabled)? {
        return Ok(false);
    }
    // Both times: a code that was on its way when it went out of use brings nothing back either.
    grant::end_all_of(tx, &found.id)?;
    let (application, client_id) = (found.id.clone(), found.client_id.clone());
    let event = match is_disabled {
        true => Event::ClientDisabled { application, client_id },
        false => Event::ClientEnabled { application, client_id },
    };
    audit::record(tx, actor, None, event)?;
    Ok(true)
}

/// Removes an application, with all that people allowed it.
pub(crate) fn remove(tx: &mut Tx, actor: &Actor, found: &Client) -> Result<bool> {
    if !application::delete(tx, &found.id)? {
        return Ok(false);
    }
    let (application, client_id) = (found.id.clone(), found.client_id.clone());
    audit::record(tx, actor, None, Event::ClientRemoved { application, client_id })?;
    Ok(true)
}
