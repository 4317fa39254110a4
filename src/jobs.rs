//! What runs by itself. Each job is safe on many nodes at once and after a kill at any moment.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use crate::{
    app::App,
    error::Result,
    model::{
        factor_reset,
        outbox::{self, Due},
    },
};

/// The names of the jobs.
pub const NAMES: &[&str] = &["outbox", "factor-resets"];

// Letters sent side by side; also how far a slow mail server can hold up a stop.
const AT_ONCE: i64 = 4;

// Other nodes' letters, and pauses that end, are noticed at this pace.
const PACE: Duration = Duration::from_secs(2);

// How late, at most, a reset of second factors takes effect.
const RESET_PACE: Duration = Duration::from_secs(30);

/// Tells the jobs to stop, and waits until they have.
#[derive(Debug)]
pub struct Jobs {
    stop: watch::Sender<bool>,
    outbox: tokio::task::JoinHandle<()>,
    factor_resets: tokio::task::JoinHandle<()>,
}

/// Starts the jobs of this node.
pub fn start(app: &App) -> Jobs {
    let (stop, stopping) = watch::channel(false);
    let outbox = tokio::spawn(send_letters(app.clone(), stopping.clone()));
    let factor_resets = tokio::spawn(keep_resetting(app.clone(), stopping));
    Jobs { stop, outbox, factor_resets }
}

impl Jobs {
    /// Lets what is under way finish, and ends.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.outbox.await;
        let _ = self.factor_resets.await;
    }
}

async fn send_letters(app: App, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        match run_outbox(&app).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::error!(?error, "the outbox could not be read"),
        }
        tokio::select! {
            () = app.mail_posted() => {}
            () = tokio::time::sleep(PACE) => {}
            _ = stopping.changed() => {}
        }
    }
}

async fn keep_resetting(app: App, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        if let Err(error) = reset_factors(&app).await {
            tracing::error!(?error, "the resets of second factors could not be read");
        }
        tokio::select! {
            () = tokio::time::sleep(RESET_PACE) => {}
            _ = stopping.changed() => {}
        }
    }
}

/// Takes the second factors away from everybody whose reset has waited long enough and was not stopped. Returns from how
/// many. Safe on many nodes at once: a conditional update decides.
pub async fn reset_factors(app: &App) -> Result<usize> {
    let now = app.now();
    let due = app.read(move |conn| factor_reset::due(conn, now)).await?;
    let mut count = 0;
    for id in due {
        let user = id.clone();
        match app.write(move |tx| factor_reset::carry_out(tx, &user)).await {
            Ok(true) => {
                tracing::info!(user.id = %id, "second factors reset");
                count += 1;
            }
            Ok(false) => {}
            // One account that fails must not hold up the others.
            Err(error) => tracing::error!(user.id = %id, ?error, "second factors not reset"),
        }
    }
    Ok(count)
}

/// Sends the letters that are due now, a handful at a time. Returns how many were tried.
pub async fn run_outbox(app: &App) -> Result<usize> {
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
