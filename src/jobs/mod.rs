//! What runs by itself. Each job is safe on many nodes at once and after a kill at any moment.
//!
//! Letters are sent by every node, each letter by one. Everything else is a [`Chore`]: it runs on one node at a time, which
//! holds a lease in the database, in steps of a transaction each. Whoever finds a lease that ran out goes on where the
//! other node stopped.

mod accounts;
mod outbox;
pub mod sso;
mod sweep;

use std::{panic::AssertUnwindSafe, time::Duration};

use chrono::TimeDelta;
use futures_util::FutureExt;
use tokio::{sync::watch, task::JoinHandle};

pub use outbox::run as run_outbox;

use crate::{
    app::App,
    db::{Conn, Id, Tx},
    error::{Error, Result},
    model::{
        job::{self, Lease, Node},
        user::{self, Place, User},
    },
};

/// Says when to stop.
pub type Stopping = watch::Receiver<bool>;

/// The name of the job that sends letters.
pub const OUTBOX: &str = "outbox";

/// A job that runs on one node at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chore {
    /// Reminds people whose account is about to be deleted, and purges those whose time is up.
    Deletions,
    /// Warns and ends accounts whose address nobody confirms.
    Unconfirmed,
    /// Takes the second factors away from those who lost everything, after the delay.
    FactorResets,
    /// Reads the metadata of identity providers anew, looks at the records of domains, and warns owners.
    Sso,
    /// Removes rows whose time is up.
    Sweep,
    /// Writes a SQLite file anew after a purge. Due when somebody was purged.
    Scrub,
}

impl Chore {
    /// All of them.
    pub const ALL: [Chore; 6] =
        [Chore::Deletions, Chore::Unconfirmed, Chore::FactorResets, Chore::Sso, Chore::Sweep, Chore::Scrub];

    /// Its name, for operators and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Chore::Deletions => "deletions",
            Chore::Unconfirmed => "unconfirmed",
            Chore::FactorResets => "factor-resets",
            Chore::Sso => "sso",
            Chore::Sweep => "sweep",
            Chore::Scrub => "scrub",
        }
    }

    /// What it does, in a few words.
    pub fn does(self) -> &'static str {
        match self {
            Chore::Deletions => "reminds who is about to be deleted, and purges whose time is up",
            Chore::Unconfirmed => "warns and ends accounts whose address nobody confirms",
            Chore::FactorResets => {
                "takes the second factors away from those who lost everything, after the delay"
            }
            Chore::Sso => "reads metadata of identity providers, looks at records of domains, warns owners",
            Chore::Sweep => "removes sessions, links, counters, sign-ins and letters whose time is up",
            Chore::Scrub => "writes a SQLite file anew after a purge, so that nothing is left in it",
        }
    }

    /// From one run to the next.
    fn pause(self) -> TimeDelta {
        match self {
            Chore::Deletions => TimeDelta::minutes(1),
            Chore::Unconfirmed => TimeDelta::hours(1),
            Chore::FactorResets => TimeDelta::seconds(30),
            Chore::Sso => TimeDelta::minutes(5),
            Chore::Sweep => TimeDelta::minutes(10),
            // Until it is asked for.
            Chore::Scrub => TimeDelta::days(36_500),
        }
    }

    async fn steps(self, run: &mut Run<'_>) -> Result<(), Stop> {
        match self {
            Chore::Deletions => accounts::deletions(run).await,
            Chore::Unconfirmed => accounts::unconfirmed(run).await,
            Chore::FactorResets => accounts::factor_resets(run).await,
            Chore::Sso => run.look_after_sso().await,
            Chore::Sweep => sweep::all(run).await,
            Chore::Scrub => run.scrub().await,
        }
    }
}

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
    let (name, node, now) = (chore.name(), Id::<Node>::random()?, app.now());
    // A look costs nobody anything; taking it holds up whoever writes.
    let (lifetimes, pause) = (app.config().lifetimes, chore.pause());
    if !even_early && !app.read(move |conn| job::is_due(conn, name, &lifetimes, pause, now)).await? {
        return Ok(Outcome::NotOurs);
    }
    let Some(lease) = app.write(move |tx| job::take(tx, name, &node, pause, even_early)).await? else {
        return Ok(Outcome::NotOurs);
    };
    let mut run = Run { app, lease: lease.clone(), stopping, done: 0, failed: 0 };
    let ended = chore.steps(&mut run).await;
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

/// A run of a job, step by step.
struct Run<'a> {
    app: &'a App,
    lease: Lease,
    stopping: &'a Stopping,
    done: usize,
    failed: usize,
}

/// The run ends here: it was told to, or another node has the job by now.
struct Stop;

impl Run<'_> {
    /// One step: a transaction, in which the lease is renewed as well. What fails is logged, and the next step may go
    /// better: `None`.
    async fn step<T, F>(&mut self, change: F) -> Result<Option<T>, Stop>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx) -> Result<T> + Send + 'static,
    {
        if *self.stopping.borrow() {
            return Err(Stop);
        }
        let lease = self.lease.clone();
        let held = move |tx: &mut Tx| match job::keep(tx, &lease)? {
            true => change(tx).map(Some),
            false => Ok(None),
        };
        match self.app.write(held).await {
            Ok(Some(value)) => Ok(Some(value)),
            Ok(None) => Err(Stop),
            Err(error) => {
                self.fail(&error);
                Ok(None)
            }
        }
    }

    /// Looks after single sign-on: the network is asked between transactions, and a conditional update takes each turn.
    async fn look_after_sso(&mut self) -> Result<(), Stop> {
        match sso::run(self.app).await {
            Ok(count) => self.done += count,
            Err(error) => self.fail(&error),
        }
        Ok(())
    }

    /// Writes a SQLite file anew.
    async fn scrub(&mut self) -> Result<(), Stop> {
        match self.app.db().scrub().await {
            Ok(_) => self.done += 1,
            Err(error) => self.fail(&error),
        }
        Ok(())
    }

    /// Does `step` for everyone that `find` finds after a place, a page at a time, each in a transaction of its own. `step`
    /// says whether there was something to do.
    async fn for_each<F, S>(&mut self, what: &str, find: F, step: S) -> Result<(), Stop>
    where
        F: Fn(&mut Conn, &Place) -> Result<Vec<Place>> + Copy + Send + 'static,
        S: Fn(&mut Tx, &Id<User>) -> Result<bool> + Copy + Send + 'static,
    {
        let mut after = user::beginning();
        loop {
            let page = self.app.read(move |conn| find(conn, &after)).await;
            let found = page.map_err(|error| {
                self.fail(&error);
                Stop
            })?;
            let Some(last) = found.last().cloned() else { return Ok(()) };
            for (_, id) in found {
                if self.step(move |tx| step(tx, &id)).await? == Some(true) {
                    self.count(what, 1);
                }
            }
            after = last;
        }
    }

    fn count(&mut self, what: &str, count: usize) {
        self.done += count;
        self.app.metrics().chores(what, count);
    }

    fn fail(&mut self, error: &Error) {
        self.failed += 1;
        tracing::error!(cause = error.cause(), "a step of a job failed");
    }
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
