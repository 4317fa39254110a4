//! Tells applications what they are to be told, a few at once: the network is asked between transactions, and whoever is killed
//! leaves what was under way to the next.

use futures_util::future::join_all;

use super::{
    run::{Run, Stop},
    signing_keys,
};
use crate::{
    accounts::back_channel,
    app::App,
    error::Result,
    model::delivery::{self, Delivery, Tried},
    outbound::guard::NamedBy,
};

// Sessions whose applications are noted in one transaction; a few milliseconds.
const AT_ONCE: i64 = 100;

// Applications that are told side by side: one that is slow holds up three others for ten seconds at most.
const SIDE_BY_SIDE: i64 = 4;

/// Notes whom to tell, and tells them.
pub(super) async fn run(run: &mut Run<'_>) -> Result<(), Stop> {
    while run.step(|tx| back_channel::queue_ended(tx, AT_ONCE)).await?.is_some_and(|count| count > 0) {}
    loop {
        let due = run.step(|tx| delivery::take_due(tx, SIDE_BY_SIDE)).await?.unwrap_or_default();
        if due.is_empty() {
            return Ok(());
        }
        let app = run.app;
        let tried = join_all(due.iter().map(|one| tell(app, one))).await;
        for (one, tried) in due.into_iter().zip(tried) {
            let tried = tried.unwrap_or_else(|error| Tried::Failed(error.cause()));
            if let Tried::Failed(why) = &tried {
                tracing::warn!(application.id = %one.application_id, why, "an application was not told of a sign-out");
            }
            let is_told = matches!(tried, Tried::Told);
            run.step(move |tx| delivery::note(tx, &one, &tried)).await?;
            run.count("deliveries", usize::from(is_told));
        }
    }
}

async fn tell(app: &App, due: &Delivery) -> Result<Tried> {
    let asked = due.clone();
    let Some(client) = app.read(move |conn| back_channel::listener(conn, &asked)).await? else {
        return Ok(Tried::Told);
    };
    let Some(address) = &client.settings.backchannel_uri else { return Ok(Tried::Told) };
    let ring = signing_keys::ring(app).await?;
    let token =
        back_channel::logout_token(&ring, app.config().site.origin(), &client, due, app.now().unix())?;
    // Its address was typed by an operator.
    let form = [("logout_token", token.as_str())];
    Ok(match app.outbound().post_form(NamedBy::Operator, address, &form, None).await {
        Ok(answer) if matches!(answer.status, 200 | 204) => Tried::Told,
        Ok(answer) if answer.status == 400 => Tried::Refused(400),
        Ok(answer) => Tried::Failed(format!("It answered {}.", answer.status)),
        Err(error) => Tried::Failed(error.to_string()),
    })
}
