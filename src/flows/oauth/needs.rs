//! What keeps somebody who is signed in from giving an application what it asks for, where there is no request to come back to.

use crate::{
    accounts::{
        applications::{self, APPLICATION_SECOND_FACTOR},
        deletion::DELETION_SCHEDULED,
        email_verification::EMAIL_UNVERIFIED,
        factors,
        gate_needs::Missing,
    },
    app::App,
    error::{Error, Result},
    kinds::Strength,
    model::application::client::Client,
    web::Authenticated,
};

/// The refusal, as the guards of other pages say it.
pub(super) async fn stopped(
    missing: Missing,
    client: &Client,
    me: &Authenticated,
    app: &App,
) -> Result<Error> {
    Ok(match missing {
        Missing::Account => DELETION_SCHEDULED.error(),
        Missing::VerifiedEmail => EMAIL_UNVERIFIED.error(),
        Missing::Membership => applications::application_forbidden(client.name.clone()),
        Missing::Freshness => me.step_up_required(app, Strength::Full, None).await?,
        Missing::Acr(_) => {
            let user = me.user.id.clone();
            match app.read(move |conn| factors::of(conn, &user)).await?.is_second_due() {
                true => me.step_up_required(app, Strength::Full, None).await?,
                false => APPLICATION_SECOND_FACTOR.error(),
            }
        }
    })
}
