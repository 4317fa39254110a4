//! What runs by itself. Each job is safe on many nodes at once and after a kill at any moment.
//!
//! Letters are sent by every node, each letter by one. Everything else is a [`Chore`]: it runs on one node at a time, which
//! holds a lease in the database, in steps of a transaction each. Whoever finds a lease that ran out goes on where the
//! other node stopped.

mod accounts;
mod chore;
mod outbox;
mod run;
pub mod sso;
mod sweep;

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::{sync::watch, task::JoinHandle};

pub use chore::Chore;
pub use outbox::run as run_outbox;

use crate::{
    app::App,
    error::Result,
    ids::NodeId,
    jobs::run::{Run, Stop, Stopping},
    model::job,
};

/// The name of the job that sends letters.
pub const OUTBOX: &str = "outbox";

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did all there was. Holds how much.
    Done(usize),
    /// It was not due, or another node has it.
    NotOurs,
    /// It was told to stop, or lost its lease, in the middle. Holds how much it did.
    Interrupted(usize),
}

// How often a node looks whether something is due.
const PACE: Duration = Duration::from_secs(2);

/// Tells the jobs to stop, and waits until they have.
#[derive(Debug)]
pub struct Jobs {
    stop: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 2],
}

/// Starts the jobs of this node.
pub fn start(app: &App) -> Jobs {
    let (stop, stopping) = watch::channel(false);
    let (app, sender) = (app.clone(), (app.clone(), stopping.clone()));
    let outbox = move || outbox::send_letters(sender.0.clone(), sender.1.clone());
    let chores = move || do_chores(app.clone(), stopping.clone());
    let outbox = tokio::spawn(in_spite_of_panics(PACE, outbox));
    let chores = tokio::spawn(in_spite_of_panics(PACE, chores));
    Jobs { stop, tasks: [outbox, chores] }
}

/// Starts work again after it panicked: one email or account that nobody thought of must not stop all others.
async fn in_spite_of_panics<F: Future<Output = ()>>(pause: Duration, work: impl Fn() -> F) {
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() {
        tokio::time::sleep(pause).await;
    }
}

impl Jobs {
    /// Lets what is under way finish, and ends.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

async fn do_chores(app: App, mut stopping: Stopping) {
    // A process that was killed may have left something in the log.
    let mut is_log_clean = false;
    while !*stopping.borrow() {
        for chore in Chore::ALL {
            match run(&app, chore, &stopping, false).await {
                Ok(Outcome::Done(0) | Outcome::NotOurs) => {}
                Ok(_) => is_log_clean = false,
                Err(error) => tracing::error!(cause = error.cause(), job = chore.name(), "a job failed"),
            }
        }
        if !is_log_clean {
            is_log_clean = app.db().empty_log().await.unwrap_or_else(|error| {
                tracing::warn!(cause = error.cause(), "the log still holds what was deleted");
                false
            });
        }
        tokio::select! {
            () = tokio::time::sleep(PACE) => {}
            _ = stopping.changed() => {}
        }
    }
}

/// Runs a job once, due or, where `even_early`, not; nothing where another node has it.
pub async fn run_once(app: &App, chore: Chore, even_early: bool) -> Result<Outcome> {
    let (_stop, stopping) = watch::channel(false);
    run(app, chore, &stopping, even_early).await
}

async fn run(app: &App, chore: Chore, stopping: &Stopping, even_early: bool) -> Result<Outcome> {
    let (name, node, now) = (chore.name(), NodeId::random()?, app.now());
    // A look costs nobody anything; taking it holds up whoever writes.
    let (lifetimes, pause) = (app.config().lifetimes, chore.pause());
    if !even_early && !app.read(move |conn| job::is_due(conn, name, &lifetimes, pause, now)).await? {
        return Ok(Outcome::NotOurs);
    }
    let Some(lease) = app.write(move |tx| job::take(tx, name, &node, pause, even_early)).await? else {
        return Ok(Outcome::NotOurs);
    };
    let mut run = Run { app, lease: lease.clone(), stopping, done: 0, failed: 0 };
    let ended = steps(chore, &mut run).await;
    let (done, failed) = (run.done, run.failed);
    let (outcome, word) = match ended {
        Err(Stop) => (Outcome::Interrupted(done), "interrupted"),
        Ok(()) if failed > 0 => (Outcome::Done(done), "failed"),
        Ok(()) => (Outcome::Done(done), "done"),
    };
    app.metrics().job_run(name, word);
    app.write(move |tx| match outcome {
        Outcome::Interrupted(_) => job::lay_down(tx, &lease),
        _ => {
            let told = (failed > 0).then(|| format!("{failed} of them failed; the log says why"));
            job::finish(tx, &lease, done, told.as_deref(), pause)
        }
    })
    .await?;
    if done > 0 {
        tracing::info!(job = name, done, "a job ran");
    }
    Ok(outcome)
}

async fn steps(chore: Chore, run: &mut Run<'_>) -> Result<(), Stop> {
    match chore {
        Chore::Deletions => accounts::deletions(run).await,
        Chore::Unconfirmed => accounts::unconfirmed(run).await,
        Chore::FactorResets => accounts::factor_resets(run).await,
        Chore::Sso => look_after_sso(run).await,
        Chore::Sweep => sweep::all(run).await,
        Chore::Scrub => scrub(run).await,
    }
}

/// Looks after single sign-on: the network is asked between transactions, and a conditional update takes each turn.
async fn look_after_sso(run: &mut Run<'_>) -> Result<(), Stop> {
    match sso::run(run.app).await {
        Ok(count) => run.done += count,
        Err(error) => run.fail(&error),
    }
    Ok(())
}

/// Writes a SQLite file anew.
async fn scrub(run: &mut Run<'_>) -> Result<(), Stop> {
    match run.app.db().scrub().await {
        Ok(_) => run.done += 1,
        Err(error) => run.fail(&error),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[actix_web::test]
    async fn work_that_panics_is_taken_up_again() {
        let began = Cell::new(0);
        in_spite_of_panics(Duration::ZERO, async || {
            began.set(began.get() + 1);
            assert!(began.get() > 2, "not yet");
        })
        .await;
        assert_eq!(began.get(), 3);
    }
}
