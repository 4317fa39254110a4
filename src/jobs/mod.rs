//! What runs by itself. Each job is safe on many nodes at once and after a kill at any moment.
//!
//! Emails are sent by every node, each email by one. Everything else is a [`Job`]: it runs on one node at a time, which
//! holds a lease in the database, in steps of a transaction each. Whoever finds a lease that ran out goes on where the
//! other node stopped.

mod accounts;
mod deliveries;
pub(crate) mod issuers;
mod outbox;
mod run;
mod schedule;
pub(crate) mod signing_keys;
pub mod sso;
mod sweep;

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::{sync::watch, task::JoinHandle};

pub use self::{outbox::run as run_outbox, schedule::Job};

use crate::{
    app::App,
    error::{Error, Result},
    ids::NodeId,
    jobs::run::{Run, Stop, Stopping},
    model::job,
};

/// The name of the job that sends emails.
pub(crate) const OUTBOX: &str = "outbox";

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
    let outbox = move || outbox::send_emails(sender.0.clone(), sender.1.clone());
    let due_jobs = move || run_due_jobs(app.clone(), stopping.clone());
    let outbox = tokio::spawn(in_spite_of_panics(PACE, outbox));
    let due_jobs = tokio::spawn(in_spite_of_panics(PACE, due_jobs));
    Jobs { stop, tasks: [outbox, due_jobs] }
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

async fn run_due_jobs(app: App, mut stopping: Stopping) {
    // A process that was killed may have left something in the log.
    let mut is_log_clean = false;
    let mut is_database_away = false;
    while !*stopping.borrow() {
        for job in Job::ALL {
            let ended = run(&app, job, &stopping, false).await;
            if is_database_away && ended.is_ok() {
                is_database_away = false;
                tracing::info!("the database is back, and the jobs run again");
            }
            match ended {
                Ok(Outcome::Done(0) | Outcome::NotOurs) => {}
                Ok(_) => is_log_clean = false,
                // All of them need it: one line tells of an outage, and the next look is after the pause.
                Err(Error::Unavailable(outage)) => {
                    if !is_database_away {
                        tracing::error!(
                            cause = format!("{:#}", outage.cause),
                            "the jobs wait for the database"
                        );
                    }
                    is_database_away = true;
                    break;
                }
                Err(error) => tracing::error!(cause = error.cause(), job = job.name(), "a job failed"),
            }
        }
        if !is_log_clean && !is_database_away {
            is_log_clean = app.db().truncate_wal().await.unwrap_or_else(|error| {
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

/// Runs a job once, due or, where `force`, not; nothing where another node has it.
pub async fn run_once(app: &App, job: Job, force: bool) -> Result<Outcome> {
    let (_stop, stopping) = watch::channel(false);
    run(app, job, &stopping, force).await
}

async fn run(app: &App, kind: Job, stopping: &Stopping, force: bool) -> Result<Outcome> {
    let (name, node, now) = (kind.name(), NodeId::random()?, app.now());
    // A look costs nobody anything; taking it holds up whoever writes.
    let (lifetimes, pause) = (app.config().lifetimes, kind.pause());
    if !force && !app.read(move |conn| job::is_due(conn, name, &lifetimes, pause, now)).await? {
        return Ok(Outcome::NotOurs);
    }
    let Some(lease) = app.write(move |tx| job::acquire(tx, name, &node, pause, force)).await? else {
        return Ok(Outcome::NotOurs);
    };
    let mut run = Run { app, lease: lease.clone(), stopping, done: 0, failed: 0 };
    let ended = steps(kind, &mut run).await;
    let (done, failed) = (run.done, run.failed);
    let (outcome, word) = match ended {
        Err(Stop) => (Outcome::Interrupted(done), "interrupted"),
        Ok(()) if failed > 0 => (Outcome::Done(done), "failed"),
        Ok(()) => (Outcome::Done(done), "done"),
    };
    app.metrics().job_run(name, word);
    app.write(move |tx| match outcome {
        Outcome::Interrupted(_) => job::release(tx, &lease),
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

async fn steps(job: Job, run: &mut Run<'_>) -> Result<(), Stop> {
    match job {
        Job::Deletions => accounts::deletions(run).await,
        Job::Unconfirmed => accounts::unconfirmed(run).await,
        Job::FactorResets => accounts::factor_resets(run).await,
        Job::ApiKeys => accounts::api_keys(run).await,
        Job::Deliveries => deliveries::run(run).await,
        Job::SigningKeys => signing_keys::turn(run).await,
        Job::Sso => look_after_sso(run).await,
        Job::Sweep => sweep::all(run).await,
        Job::Vacuum => vacuum(run).await,
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
async fn vacuum(run: &mut Run<'_>) -> Result<(), Stop> {
    match run.app.db().vacuum().await {
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
