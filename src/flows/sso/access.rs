//! Who may manage single sign-on: an organisation's owners.

use chrono::TimeDelta;

use crate::{
    app::App,
    db::Tx,
    error::{Error, Result},
    ids::{ConnectionId, OrganisationId},
    model::{
        audit::Actor,
        connection::{self, Connection},
        organisation::Organisation,
        rate_limit::{self, Limit},
        session,
    },
    urls,
    web::{SteppedUpMember, member::SsoManage},
};

// Questions to the world that one owner, or one set-up link, may have asked in an hour: the DNS and other people's servers answer them.
const MOST_QUESTIONS: i32 = 60;

/// Who manages single sign-on.
pub(super) type SsoAdmin = SteppedUpMember<SsoManage>;

/// The organisation, for those who may manage its single sign-on.
pub(super) async fn owned(me: &SsoAdmin, app: &App) -> Result<Organisation> {
    let access = me.access();
    Ok(app.read(move |conn| access.decide(conn)).await?.organisation)
}

/// A write of one of them, in their session: whoever was signed out meanwhile, or may no more, changes nothing.
pub(super) async fn write<T, F>(
    me: &SsoAdmin,
    organisation: &OrganisationId,
    app: &App,
    change: F,
) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(&mut Tx, &Actor) -> Result<T> + Send + 'static,
{
    let (access, here, of) = (me.access(), me.person()?.session.id.clone(), organisation.clone());
    app.write(move |tx| {
        session::hold(tx, &here)?;
        match access.decide(tx.conn)?.organisation.id == of {
            true => change(tx, &access.actor),
            false => Err(Error::NotFound),
        }
    })
    .await
}

/// Counts a question to the world that an owner, or the bearer of a connection's set-up link, has asked, by the id of
/// either.
pub(super) async fn count_question(asker: &str, app: &App) -> Result<()> {
    let limit = Limit::new("sso-question", asker, MOST_QUESTIONS, TimeDelta::hours(1));
    app.write(move |tx| rate_limit::consume(tx, &limit)).await
}

pub(super) fn path_of(organisation: &Organisation) -> String {
    urls::organisation_page(&organisation.slug, "sso")
}

/// One of its connections, with the organisation.
pub(super) async fn find(
    me: &SsoAdmin,
    (_, id): (String, ConnectionId),
    app: &App,
) -> Result<(Organisation, Connection)> {
    let organisation = owned(me, app).await?;
    let of = organisation.id.clone();
    let connection = app.read(move |conn| connection::owned(conn, &of, &id)).await?;
    Ok((organisation, connection))
}

/// The same where it has metadata of its own to give: a connection of SAML.
pub(super) async fn find_saml(
    me: &SsoAdmin,
    path: (String, ConnectionId),
    app: &App,
) -> Result<(Organisation, Connection)> {
    let found = find(me, path, app).await?;
    if found.1.is_oidc() { Err(Error::NotFound) } else { Ok(found) }
}
