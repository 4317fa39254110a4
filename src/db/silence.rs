//! A PostgreSQL that takes what is sent and answers nothing: frozen, cut off, or waiting itself.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::error::{Error, Outage, Result};

// Longer than a lock is waited for.
const LONGEST: Duration = Duration::from_secs(15);
// A server that is there answers such a question at once.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
// Who is silent is asked again after so long, and not by every request.
const SILENCE_LASTS: Duration = Duration::from_secs(5);

/// When the server was found to be silent, if it is.
#[derive(Default)]
pub(crate) struct Silence(Mutex<Option<Instant>>);

impl Silence {
    fn lasted(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }

    /// What a server that hangs keeps waiting is not waited for: frozen, cut off, or itself waiting for a standby. The thread
    /// and its connection come back when it answers; whether a write happened is not known until then. Once it answers not even
    /// `question`, requests are refused at once, but for one now and then.
    pub(super) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T>>,
        question: impl Future<Output = Result<()>>,
    ) -> Result<T> {
        let lasted = self.lasted();
        let longest = match lasted {
            Some(lasted) if lasted < SILENCE_LASTS => return Err(silent(Duration::ZERO)),
            Some(_) => ANSWERED_WITHIN,
            None => LONGEST,
        };
        if lasted.is_some() {
            self.hear(false);
        }
        if let Ok(outcome) = tokio::time::timeout(longest, work).await {
            if lasted.is_some() {
                self.hear(true);
            }
            return outcome;
        }
        // It may only be this that takes long.
        self.hear(tokio::time::timeout(ANSWERED_WITHIN, question).await.is_ok());
        Err(silent(longest))
    }

    /// Refuses where the server was silent a moment ago, and waits for `probe` a little longer than it answers within.
    pub(super) async fn shortly<T>(&self, probe: impl Future<Output = Result<T>>) -> Result<T> {
        match self.lasted() {
            Some(lasted) if lasted < SILENCE_LASTS => Err(silent(Duration::ZERO)),
            _ => {
                let answered = tokio::time::timeout(ANSWERED_WITHIN * 2, probe).await;
                answered.unwrap_or_else(|_| Err(silent(ANSWERED_WITHIN * 2)))
            }
        }
    }

    /// Remembers whether the server answered just now.
    fn hear(&self, has_answered: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (!has_answered).then(Instant::now);
    }
}

fn silent(waited: Duration) -> Error {
    let cause = match waited.as_secs() {
        0 => "the database has not answered for a while".to_owned(),
        seconds => format!("the database has not answered for {seconds} s"),
    };
    Error::Unavailable(Outage::lost(cause))
}
