//! Whose single sign-on it is: its organisation's owners'.

use chrono::TimeDelta;

use crate::{
    app::App,
    db::Tx,
    error::{Error, Result},
    ids::{ConnectionId, OrganisationId},
    kinds::Role,
    model::{
        audit::Actor,
        connection::{self, Connection},
        membership,
        organisation::{self, Organisation},
        rate_limit::{self, Limit},
        session,
    },
    web::SteppedUpVerifiedUser,
};

// Questions to the world that one owner, or one set-up link, may have asked in an hour: the DNS and other people's servers answer them.
const MOST_QUESTIONS: i32 = 60;

/// The organisation, for its owners; see [`organisation::owned_by`].
pub(super) async fn owned(me: &SteppedUpVerifiedUser, slug: &str, app: &App) -> Result<Organisation> {
    let (slug, id) = (slug.to_owned(), me.user.id.clone());
    app.read(move |conn| organisation::owned_by(conn, &slug, &id)).await
}

/// A write of one of its owners, in their session: whoever was signed out meanwhile, or owns it no more, changes nothing.
pub(super) async fn write<T, F>(
    me: &SteppedUpVerifiedUser,
    organisation: &OrganisationId,
    app: &App,
    change: F,
) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(&mut Tx, &Actor) -> Result<T> + Send + 'static,
{
    let (actor, here, owner, of) =
        (me.actor(), me.session.id.clone(), me.user.id.clone(), organisation.clone());
    app.write(move |tx| {
        session::hold(tx, &here)?;
        match membership::role_of(tx.conn, &of, &owner)? {
            Some(Role::Owner) => change(tx, &actor),
            _ => Err(Error::NotFound),
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
    format!("/organisations/{}/sso", organisation.slug)
}

/// One of its connections, with the organisation.
pub(super) async fn find(
    me: &SteppedUpVerifiedUser,
    (slug, id): (String, ConnectionId),
    app: &App,
) -> Result<(Organisation, Connection)> {
    let organisation = owned(me, &slug, app).await?;
    let of = organisation.id.clone();
    let connection = app.read(move |conn| connection::owned(conn, &of, &id)).await?;
    Ok((organisation, connection))
}
