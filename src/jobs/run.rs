//! A run of a job, step by step.

use tokio::sync::watch;

use crate::{
    app::App,
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::Id,
    model::job::{self, Lease},
};

/// Says when to stop.
pub(crate) type Stopping = watch::Receiver<bool>;

/// A run of a job, step by step.
pub(crate) struct Run<'a> {
    pub app: &'a App,
    pub lease: Lease,
    pub stopping: &'a Stopping,
    pub done: usize,
    pub failed: usize,
}

/// The run ends here: it was told to, or another node has the job by now.
pub(crate) struct Stop;

impl Run<'_> {
    /// One step: a transaction, in which the lease is renewed as well. What fails is logged, and the next step may go
    /// better: `None`.
    pub(crate) async fn step<T, F>(&mut self, change: F) -> Result<Option<T>, Stop>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx) -> Result<T> + Send + 'static,
    {
        if *self.stopping.borrow() {
            return Err(Stop);
        }
        let lease = self.lease.clone();
        let held = move |tx: &mut Tx| match job::renew(tx, &lease)? {
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

    /// Does `step` for everyone that `find` finds after a place, a page at a time, each in a transaction of its own. `step`
    /// says whether there was something to do.
    pub(crate) async fn for_each<T, F, S>(&mut self, what: &str, find: F, step: S) -> Result<(), Stop>
    where
        T: 'static,
        F: Fn(&mut Conn, &(Timestamp, Id<T>)) -> Result<Vec<(Timestamp, Id<T>)>> + Copy + Send + 'static,
        S: Fn(&mut Tx, &Id<T>) -> Result<bool> + Copy + Send + 'static,
    {
        let mut after = (Timestamp::from_unix(0), Id::from_text(""));
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

    pub(crate) fn count(&mut self, what: &str, count: usize) {
        self.done += count;
        self.app.metrics().job_items(what, count);
    }

    pub(crate) fn fail(&mut self, error: &Error) {
        self.failed += 1;
        tracing::error!(cause = error.cause(), "a step of a job failed");
    }
}
