//! Sending letters.

use std::time::Duration;

use futures_util::future::join_all;

use super::Stopping;
use crate::{
    app::App,
    error::Result,
    model::outbox::{self, Due},
};

// Letters sent side by side; also how far a slow mail server can hold up a stop.
const AT_ONCE: i64 = 4;

// Other nodes' letters, and pauses that end, are noticed at this pace.
const PACE: Duration = Duration::from_secs(2);

/// Sends letters until it is told to stop.
pub async fn send_letters(app: App, mut stopping: Stopping) {
    while !*stopping.borrow() {
        match run(&app).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::error!(cause = error.cause(), "the outbox could not be read"),
        }
        tokio::select! {
            () = app.mail_posted() => {}
            () = tokio::time::sleep(PACE) => {}
            _ = stopping.changed() => {}
        }
    }
}

/// Sends the letters that are due now, a handful at a time. Returns how many were tried.
pub async fn run(app: &App) -> Result<usize> {
    let due = app.write(|tx| outbox::take_due(tx, AT_ONCE)).await?;
    let outcomes = join_all(due.iter().map(|letter| send(app, letter))).await;
    for outcome in outcomes {
        outcome?;
    }
    Ok(due.len())
}

async fn send(app: &App, due: &Due) -> Result<()> {
    let outcome = match due.open(&app.config().keys) {
        // The same Message-ID every time, so that a mail server can tell a second attempt from a second letter.
        Ok(letter) => {
            app.mailer().send(&letter, due.id.as_str()).await.map_err(|no| (no.permanent, no.reason))
        }
        // Sealed with a key that is gone, or damaged: nobody else can read it either.
        Err(_) => Err((true, "the letter does not open with today's keys".to_owned())),
    };
    let due = due.clone();
    match outcome {
        Ok(()) => {
            app.metrics().letter("sent");
            app.write(move |tx| outbox::sent(tx, &due.id)).await
        }
        Err((is_permanent, reason)) => {
            app.metrics().letter(if is_permanent { "parked" } else { "deferred" });
            tracing::warn!(letter.id = %due.id, is_permanent, reason, "a letter was not sent");
            app.write(move |tx| outbox::failed(tx, &due, is_permanent, &reason)).await
        }
    }
}
