//! Whose single sign-on it is: its organisation's owners'.

use chrono::TimeDelta;

use crate::{
    app::App,
    error::Result,
    ids::ConnectionId,
    model::{
        connection::{self, Connection},
        organisation::{self, Organisation},
        rate_limit::{self, Limit},
    },
    web::SteppedUpVerifiedUser,
};

// Questions to the world that one owner may have asked in an hour: the DNS and other people's servers answer them.
const MOST_QUESTIONS: i32 = 60;

/// The organisation, for its owners; see [`organisation::owned_by`].
pub(super) async fn owned(me: &SteppedUpVerifiedUser, slug: &str, app: &App) -> Result<Organisation> {
    let (slug, id) = (slug.to_owned(), me.user.id.clone());
    app.read(move |conn| organisation::owned_by(conn, &slug, &id)).await
}

/// Counts a question to the world.
pub(super) async fn count_question(me: &SteppedUpVerifiedUser, app: &App) -> Result<()> {
    let limit = Limit::new("sso-question", me.user.id.as_str(), MOST_QUESTIONS, TimeDelta::hours(1));
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
