//! Deleting an organisation: asking for it, and two weeks to restore it.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{
        deletion::days_left,
        organisation_deletion::{self, Extent},
    },
    app::App,
    clock::{Timestamp, span_in_words},
    error::{Error, Errors, Result},
    model::organisation::Organisation,
    web::{Input, Member, Reply, SteppedUpMember, member::OrganisationDelete},
};

/// What an owner should know before they delete an organisation.
#[derive(Template, Serialize)]
#[template(path = "organisations_delete.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletePage {
    members: i64,
    connections: usize,
    keys: usize,
    delete_at: Timestamp,
    #[serde(skip)]
    organisation: Organisation,
    #[serde(skip)]
    grace: String,
    #[serde(skip)]
    kept_back: String,
    #[serde(skip)]
    typed: String,
    #[serde(skip)]
    errors: Errors,
}

/// The organisation's name once more: nobody deletes one with one press.
#[derive(Deserialize)]
pub(crate) struct NameForm {
    #[serde(default)]
    name: String,
}

/// Whether an organisation waits to be deleted, and until when it can be restored.
#[derive(Template, Serialize)]
#[template(path = "organisations_restore.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct RestorePage {
    scheduled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_remaining: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_at: Option<Timestamp>,
    #[serde(skip)]
    organisation: Organisation,
}

fn page(
    app: &App,
    (organisation, extent): (Organisation, Extent),
    typed: String,
    errors: Errors,
) -> DeletePage {
    let lifetimes = app.config().lifetimes;
    DeletePage {
        members: extent.members,
        connections: extent.connections,
        keys: extent.keys,
        delete_at: app.now() + lifetimes.organisation_grace,
        organisation,
        grace: span_in_words(lifetimes.organisation_grace),
        kept_back: span_in_words(lifetimes.former_slug),
        typed,
        errors,
    }
}

/// `GET /organisations/{slug}/delete`
pub(crate) async fn delete_form(me: SteppedUpMember<OrganisationDelete>, app: Data<App>) -> Result<Reply> {
    let access = me.access();
    let found = app
        .read(move |conn| {
            let organisation = access.decide(conn)?.organisation;
            let extent = organisation_deletion::extent(conn, &organisation.id)?;
            Ok((organisation, extent))
        })
        .await?;
    Ok(Reply::page(page(&app, found, String::new(), Errors::default())))
}

/// `POST /organisations/{slug}/delete`: `{name}` as it is typed.
pub(crate) async fn delete(
    me: SteppedUpMember<OrganisationDelete>,
    Input(form): Input<NameForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, typed) = (me.access(), form.name.clone());
    let grace = app.config().lifetimes.organisation_grace;
    let scheduled = app
        .write(move |tx| {
            let organisation = access.decide_locked(tx)?.organisation;
            if typed.trim() != organisation.name {
                let extent = organisation_deletion::extent(tx.conn, &organisation.id)?;
                return Ok(Err((organisation, extent)));
            }
            let delete_at = organisation_deletion::schedule(tx, &access.actor, &organisation.id, grace)?;
            Ok(Ok((organisation, delete_at)))
        })
        .await?;
    match scheduled {
        Ok((organisation, delete_at)) => {
            let name = organisation.name;
            let message = format!("{name} is deleted. You can restore it until {}.", delete_at.exact());
            Reply::done("/organisations", message).with("deleteAt", delete_at)
        }
        Err(found) => {
            let errors = Errors::one("name", "Enter the name of this organisation to confirm.");
            Ok(Reply::refused(page(&app, found, form.name, errors.clone()), Error::Invalid(errors)))
        }
    }
}

/// `GET /organisations/{slug}/restore`: all that an organisation shows that waits to be deleted.
pub(crate) async fn restore_form(me: Member<OrganisationDelete>, app: Data<App>) -> Result<Reply> {
    let (access, now) = (me.access(), me.now());
    let organisation = app.read(move |conn| Ok(access.decide_even_leaving(conn)?.organisation)).await?;
    let delete_at = organisation.deletes_at;
    Ok(Reply::page(RestorePage {
        scheduled: delete_at.is_some(),
        days_remaining: delete_at.map(|at| days_left(at, now)),
        delete_at,
        organisation,
    }))
}

/// `POST /organisations/{slug}/restore`. Without a step-up: it takes nothing from anybody.
pub(crate) async fn restore(me: Member<OrganisationDelete>, app: Data<App>) -> Result<Reply> {
    let access = me.access();
    let (organisation, was_leaving) = app
        .write(move |tx| {
            let organisation = access.decide_even_leaving_locked(tx)?.organisation;
            let was_leaving = organisation_deletion::restore(tx, &access.actor, &organisation.id)?;
            Ok((organisation, was_leaving))
        })
        .await?;
    let message = match was_leaving {
        true => format!("{} is restored.", organisation.name),
        false => format!("{} was not going to be deleted.", organisation.name),
    };
    Reply::done(super::path_of(&organisation.slug), message).with("scheduled", false)
}
