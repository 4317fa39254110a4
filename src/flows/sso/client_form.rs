//! What a form of a connection of OpenID Connect comes to: checked, the issuer looked at, and made.

use super::{
    access::{SsoAdmin, count_question, write},
    form::Form,
};
use crate::{
    accounts::connections,
    app::App,
    error::{Error, Errors, Result},
    ids::{ConnectionId, Id, OrganisationId},
    jobs::issuers,
    model::connection::{Connection, upkeep::Settings},
    secret::Keys,
};

const SEAL: &str = "reserved_connection";

/// What a form of a connection of OpenID Connect comes to, or everything that is wrong with it.
pub(super) fn check(form: &Form, before: Option<&Connection>, app: &App) -> Result<Settings, Errors> {
    match (form.check(), form.client.check(form.later, before, app)) {
        (Ok(settings), Ok(client)) => Ok(Settings { client: Some(client), ..settings }),
        (settings, client) => {
            let mut all = settings.err().unwrap_or_default();
            for (field, sentences) in client.err().unwrap_or_default().iter() {
                sentences.iter().for_each(|sentence| all.add(field.to_owned(), sentence));
            }
            Err(all)
        }
    }
}

/// Makes the connection that a form describes. [`Error::Invalid`] with everything that is wrong with it.
pub(super) async fn make(
    me: &SsoAdmin,
    organisation: &OrganisationId,
    form: &Form,
    app: &App,
) -> Result<Connection> {
    let settings = check(form, None, app).map_err(Error::Invalid)?;
    examine(me.person()?.user.id.as_str(), &settings, None, app).await?;
    let id = match reserved(&app.config().keys, organisation, &form.client.reserved) {
        Some(id) => id,
        None => ConnectionId::random()?,
    };
    let of = organisation.clone();
    write(me, organisation, app, move |tx, actor| connections::make_oidc(tx, actor, &of, id, settings)).await
}

/// What a form makes of a connection. [`Error::Invalid`] with everything that is wrong with it.
pub(super) async fn settle(
    me: &SsoAdmin,
    form: &Form,
    connection: &Connection,
    app: &App,
) -> Result<Settings> {
    let settings = check(form, Some(connection), app).map_err(Error::Invalid)?;
    // Of another issuer than the one that is there nobody needs to ask: it is refused.
    if connection.known_issuer().is_none() {
        examine(me.person()?.user.id.as_str(), &settings, Some(connection), app).await?;
    }
    Ok(settings)
}

/// Reads what the issuer says of itself, where it is not the one that is there already. `asker` is the id of whoever gave it.
/// [`Error::Invalid`] with the reason where it is none, or calls itself otherwise.
pub(super) async fn examine(
    asker: &str,
    settings: &Settings,
    before: Option<&Connection>,
    app: &App,
) -> Result<()> {
    let Some(client) = &settings.client else { return Ok(()) };
    let is_known = before.is_some_and(|before| before.issuer == client.issuer);
    if client.issuer.is_empty() || is_known {
        return Ok(());
    }
    count_question(asker, app).await?;
    match issuers::examine(app, &client.issuer).await? {
        Ok(_) => Ok(()),
        Err(why) => Err(Error::Invalid(Errors::one("issuer", why))),
    }
}

/// An id for a connection that is being made, sealed: its addresses can be copied before there is anything else of it, and
/// nobody else, nor another organisation, chooses it.
pub(super) fn reserve(keys: &Keys, organisation: &OrganisationId) -> Result<(String, ConnectionId)> {
    let id = ConnectionId::random()?;
    Ok((keys.seal(SEAL, &format!("{organisation} {id}"))?, id))
}

/// The id that was reserved for the organisation, where this is one.
pub(super) fn reserved(keys: &Keys, organisation: &OrganisationId, sealed: &str) -> Option<ConnectionId> {
    let opened = keys.open(SEAL, sealed).ok()?;
    let (of, id) = opened.split_once(' ')?;
    (of == organisation.as_str()).then(|| Id::from_text(id))
}
