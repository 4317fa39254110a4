//! The domains of an organisation: named, proved by a TXT record, led to a connection, and closed to other ways in.

use actix_web::{
    http::StatusCode,
    web::{Data, Path},
};
use serde::Deserialize;

use super::{
    DomainView, OverviewPage,
    access::{SsoAdmin, count_question, owned, path_of, write},
    owners,
};
use crate::{
    accounts::{domains, sso_policy},
    app::App,
    db::Tx,
    error::{Error, Errors, Result},
    ids::{ConnectionId, DomainId, Id, UserId},
    model::{
        audit::Actor,
        connection,
        domain::{self, DOMAIN_TAKEN, Domain},
        organisation::Organisation,
    },
    web::{Input, Reply},
};

/// A domain as it is typed.
#[derive(Deserialize)]
pub(crate) struct NewForm {
    #[serde(default)]
    domain: String,
}

/// A connection to lead a domain's people to; empty for none.
#[derive(Deserialize)]
pub(crate) struct ChoiceForm {
    #[serde(default)]
    connection: String,
}

/// The owner who comes in when the identity provider does not work.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnforceForm {
    #[serde(default)]
    break_glass: String,
}

/// `POST /organisations/{slug}/sso/domains`
pub(crate) async fn add(me: SsoAdmin, Input(form): Input<NewForm>, app: Data<App>) -> Result<Reply> {
    let organisation = owned(&me, &app).await?;
    let (id, typed) = (organisation.id.clone(), form.domain.clone());
    let added = write(&me, &organisation.id, &app, move |tx, actor| {
        let name = domain::parse(&typed).map_err(|problem| Error::Invalid(Errors::one("domain", problem)))?;
        // Where there is one connection only, there is nothing to choose.
        let connections = connection::of(tx.conn, &id)?;
        let only = if let [only] = connections.as_slice() { Some(&only.id) } else { None };
        domains::add(tx, actor, &id, only, &name)
    })
    .await;
    match added {
        Ok(domain) => {
            let message = format!("Now set the TXT record for {}, then look for it here.", domain.name);
            let reply = Reply::done(path_of(&organisation), message).status(StatusCode::CREATED);
            reply.with("domain", view(&app, &organisation, domain.id).await?)
        }
        Err(error) => refuse(&app, organisation, form.domain, error).await,
    }
}

/// Single inputs at fault, and domains that are taken, are told on the page that they came from.
async fn refuse(app: &App, organisation: Organisation, typed: String, error: Error) -> Result<Reply> {
    match error {
        Error::Invalid(_) | Error::Refused(DOMAIN_TAKEN, _) => {
            OverviewPage::refuse(app, organisation, typed, error).await
        }
        error => Err(error),
    }
}

async fn view(app: &App, organisation: &Organisation, id: DomainId) -> Result<DomainView> {
    let of = organisation.id.clone();
    app.read(move |conn| {
        let domain = domain::owned(conn, &of, &id)?;
        Ok(DomainView::new(domain, &connection::of(conn, &of)?, &owners(conn, &of)?))
    })
    .await
}

async fn find(me: &SsoAdmin, (_, id): (String, DomainId), app: &App) -> Result<(Organisation, Domain)> {
    let organisation = owned(me, app).await?;
    let of = organisation.id.clone();
    let domain = app.read(move |conn| domain::owned(conn, &of, &id)).await?;
    Ok((organisation, domain))
}

/// `POST /organisations/{slug}/sso/domains/{domain}/check`: looks for the TXT record now.
pub(crate) async fn check(me: SsoAdmin, path: Path<(String, DomainId)>, app: Data<App>) -> Result<Reply> {
    let (organisation, domain) = find(&me, path.into_inner(), &app).await?;
    let id = domain.id.clone();
    let message = format!("{} is verified: it belongs to {}.", domain.name, organisation.name);
    let verified = async {
        look(&me, &domain, &app).await?;
        write(&me, &organisation.id, &app, move |tx, actor| {
            match domain::owned(tx.conn, &domain.organisation_id, &domain.id)?.verified_at {
                Some(_) => domain::note_found(tx, &domain),
                None => domains::verify(tx, actor, &domain, "dns"),
            }
        })
        .await
    };
    answer(verified.await, &app, organisation, id, message).await
}

/// The domain as it is now, or why it stays as it was.
async fn answer(
    outcome: Result<()>,
    app: &App,
    organisation: Organisation,
    id: DomainId,
    message: String,
) -> Result<Reply> {
    if let Err(error) = outcome {
        return refuse(app, organisation, String::new(), error).await;
    }
    let view = view(app, &organisation, id).await?;
    Reply::done(path_of(&organisation), message).with("domain", view)
}

/// Looks for a domain's record. [`Error::Invalid`] where it is not there.
async fn look(me: &SsoAdmin, domain: &Domain, app: &App) -> Result<()> {
    count_question(me.person()?.user.id.as_str(), app).await?;
    let found = app.outbound().lookup_txt(&domain.record_name()).await;
    let (outcome, sentence) = match found {
        Ok(texts) if domain.is_verified_by(&texts) => ("found", None),
        Ok(_) => {
            let record = domain.record_name();
            let sentence = format!(
                "The record {record} is not there yet, or says something else. A new one can take an hour to be seen."
            );
            ("gone", Some(sentence))
        }
        Err(no_answer) => ("unknown", Some(no_answer.to_string())),
    };
    app.metrics().domain(outcome);
    sentence.map_or(Ok(()), |sentence| Err(Error::Invalid(Errors::one("form", sentence))))
}

/// `POST /organisations/{slug}/sso/domains/{domain}/connection`: where its people sign in. The record of a proved domain is
/// looked for again: what it was set for years ago is not what it is used for now.
pub(crate) async fn choose(
    me: SsoAdmin,
    path: Path<(String, DomainId)>,
    Input(form): Input<ChoiceForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, domain) = find(&me, path.into_inner(), &app).await?;
    let chosen: Option<ConnectionId> = match form.connection.as_str() {
        "" => None,
        text => Some(Id::parse(text).ok_or(Error::NotFound)?),
    };
    let id = domain.id.clone();
    let led = async {
        if domain.verified_by.as_deref() == Some("dns") && chosen.is_some() {
            look(&me, &domain, &app).await?;
        }
        write(&me, &organisation.id, &app, move |tx, actor| {
            domains::set_connection(tx, actor, &domain.organisation_id, &domain.id, chosen.as_ref())
        })
        .await
    };
    answer(led.await, &app, organisation, id, "Saved.".to_owned()).await
}

/// `POST /organisations/{slug}/sso/domains/{domain}/enforce`: from now on its people sign in there only.
pub(crate) async fn enforce(
    me: SsoAdmin,
    path: Path<(String, DomainId)>,
    Input(form): Input<EnforceForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (organisation, domain) = find(&me, path.into_inner(), &app).await?;
    let (access, id, here) = (me.access(), domain.id.clone(), me.person()?.session.id.clone());
    let message = format!("People of {} sign in through {} only.", domain.name, organisation.name);
    let enforced = async {
        let Some(owner) = UserId::parse(&form.break_glass) else {
            return Err(Error::Invalid(Errors::one("breakGlass", "Choose one of the owners.")));
        };
        // It locks an address before it touches a session, as everything does.
        app.write(move |tx| {
            let of = access.decide(tx.conn)?.organisation.id;
            sso_policy::enforce(tx, &access.actor, &of, &domain.id, &owner, &here).map(drop)
        })
        .await
    };
    answer(enforced.await, &app, organisation, id, message).await
}

/// `POST /organisations/{slug}/sso/domains/{domain}/release`: its people may sign in otherwise again.
pub(crate) async fn release(me: SsoAdmin, path: Path<(String, DomainId)>, app: Data<App>) -> Result<Reply> {
    let (organisation, domain) = find(&me, path.into_inner(), &app).await?;
    let id = domain.id.clone();
    let message = format!("People at {} can sign in with other methods again.", domain.name);
    let change = move |tx: &mut Tx, actor: &Actor| sso_policy::release(tx, actor, &domain);
    let released = write(&me, &organisation.id, &app, change).await;
    answer(released, &app, organisation, id, message).await
}

/// `DELETE /organisations/{slug}/sso/domains/{domain}` and `POST …/remove`
pub(crate) async fn remove(me: SsoAdmin, path: Path<(String, DomainId)>, app: Data<App>) -> Result<Reply> {
    let (organisation, domain) = find(&me, path.into_inner(), &app).await?;
    let (to, of) = (path_of(&organisation), organisation.id.clone());
    let change = move |tx: &mut Tx, actor: &Actor| domains::remove(tx, actor, &of, &domain.id);
    let removed = write(&me, &organisation.id, &app, change).await?;
    Ok(Reply::done(to, format!("{} is no longer in your list.", removed.name)))
}
