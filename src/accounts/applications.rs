//! What an operator does to applications, each on record.

use serde::Serialize;
use url::form_urlencoded;

use super::organisation_names;
use crate::{
    db::{Conn, Tx},
    error::{Error, Result, refusals},
    ids::ApplicationId,
    model::{
        application::{self, Application, GateSettings, Needs},
        audit::{self, Actor, audit_events},
        token::{self, AuthorizeRequest},
    },
    secret::Secret,
};

refusals! {
    /// Somebody who is signed in and may not use the application.
    APPLICATION_FORBIDDEN = (
        "application_forbidden", 403, "You may not use {}. Ask the people who run it to let you."
    );
    /// A host that no application in use is at.
    APPLICATION_UNKNOWN = (
        "application_unknown", 403, "No application is registered at this address. Its operator can add it."
    );
    /// The application asks for a stronger sign-in.
    APPLICATION_SECOND_FACTOR = (
        "second_factor_required", 403,
        "This application asks for two-step verification. Confirm it's you with a second step."
    ).page("Two-step verification is needed", "/me/2fa", "Set up two-step verification");
}

/// [`APPLICATION_FORBIDDEN`] of this name.
pub(crate) fn application_forbidden(application: String) -> Error {
    APPLICATION_FORBIDDEN.about(application)
}

/// The name of the application in use that `next`, a path here, leads to: by way of its gate, or by a request of its own.
pub(crate) fn destination(conn: &mut Conn, next: &str, scheme: &str) -> Result<Option<String>> {
    let Some((path, query)) = next.split_once('?') else { return Ok(None) };
    let given = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(one, _)| one == name)
            .map(|(_, value)| value.into_owned())
    };
    match path {
        "/gate/enter" => {
            let Some(host) = given("host").and_then(|host| application::parse_host(&host, scheme)) else {
                return Ok(None);
            };
            let found = application::of_host(conn, &host)?;
            Ok(found.filter(|found| found.disabled_at.is_none()).map(|found| found.name))
        }
        "/oauth/continue" => {
            let Some(request) = given("request").map(Secret::<AuthorizeRequest>::from_text) else {
                return Ok(None);
            };
            let Some(kept) = token::claim(conn, &request)? else { return Ok(None) };
            let found = application::client::called(conn, &kept.request.client_id)?;
            Ok(found.filter(|found| found.disabled_at.is_none()).map(|found| found.name))
        }
        _ => Ok(None),
    }
}

audit_events! {
    /// An operator added an application.
    ApplicationAdded { application: ApplicationId, host: String } => of("application_added"),
    /// An operator changed what it is called, what it asks for or how it behaves.
    ApplicationChanged {
        application: ApplicationId,
        host: String,
        before: Box<ApplicationState>,
        after: Box<ApplicationState>,
    } => of("application_changed"),
    /// An operator took it out of use.
    ApplicationDisabled { application: ApplicationId, host: String } => of("application_disabled"),
    /// An operator put it back into use.
    ApplicationEnabled { application: ApplicationId, host: String } => of("application_enabled"),
    /// An operator removed it.
    ApplicationRemoved { application: ApplicationId, host: String } => of("application_removed"),
}

/// What an application asks for, and how it behaves, at one moment.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ApplicationState {
    name: String,
    needs: Needs,
    settings: GateSettings,
}

impl ApplicationState {
    fn of(one: &Application) -> Self {
        Self { name: one.name.clone(), needs: one.needs.clone(), settings: one.settings.clone() }
    }
}

/// Adds an application. [`Error::Conflict`] where there is one at its host.
pub(crate) fn add(tx: &mut Tx, actor: &Actor, new: &Application) -> Result<()> {
    if !application::insert(tx, new)? {
        return Err(Error::Conflict);
    }
    organisation_names::keep_for_good(tx, &new.needs)?;
    let event = Event::ApplicationAdded { application: new.id.clone(), host: new.host.clone() };
    audit::record(tx, actor, None, event)
}

/// Keeps what was changed of an application. Says whether that is anything.
pub(crate) fn change(tx: &mut Tx, actor: &Actor, before: &Application, after: &Application) -> Result<bool> {
    if (&before.name, &before.needs, &before.settings) == (&after.name, &after.needs, &after.settings) {
        return Ok(false);
    }
    application::update(tx, after)?;
    organisation_names::keep_for_good(tx, &after.needs)?;
    let event = Event::ApplicationChanged {
        application: after.id.clone(),
        host: after.host.clone(),
        before: Box::new(ApplicationState::of(before)),
        after: Box::new(ApplicationState::of(after)),
    };
    audit::record(tx, actor, None, event)?;
    Ok(true)
}

/// Takes an application out of use, or back into it. Says whether that changed anything.
pub(crate) fn set_disabled(
    tx: &mut Tx,
    actor: &Actor,
    found: &Application,
    is_disabled: bool,
) -> Result<bool> {
    if !application::set_disabled(tx, &found.id, is_disabled)? {
        return Ok(false);
    }
    let (application, host) = (found.id.clone(), found.host.clone());
    let event = match is_disabled {
        true => Event::ApplicationDisabled { application, host },
        false => Event::ApplicationEnabled { application, host },
    };
    audit::record(tx, actor, None, event)?;
    Ok(true)
}

/// Removes an application: everybody who came in at its host is out.
pub(crate) fn remove(tx: &mut Tx, actor: &Actor, found: &Application) -> Result<bool> {
    if !application::delete(tx, &found.id)? {
        return Ok(false);
    }
    let event = Event::ApplicationRemoved { application: found.id.clone(), host: found.host.clone() };
    audit::record(tx, actor, None, event)?;
    Ok(true)
}
