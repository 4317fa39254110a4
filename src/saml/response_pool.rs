//! Where responses are read: off the threads that answer requests, few at a time, within a time budget.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Semaphore, task, time};

use super::{
    Reason,
    response::{Presented, Refusal, Statement, read_response},
};

/// A few permits for reading responses.
///
/// A thread in C cannot be stopped. One that exceeds its budget keeps its permit until it is done, so the worst that
/// a document can do is to hold the permits, and never the program.
#[derive(Debug, Clone)]
pub struct ResponsePool {
    permits: Arc<Semaphore>,
    budget: Duration,
    panics: Arc<AtomicU64>,
}

impl ResponsePool {
    /// A pool of so many permits, with so much time for each response, waiting for a permit included.
    pub fn new(permits: usize, budget: Duration) -> Self {
        Self { permits: Arc::new(Semaphore::new(permits)), budget, panics: Arc::default() }
    }

    /// Reads a response as [`read_response`] does. Refuses with [`Reason::Busy`] where no permit became free in time,
    /// [`Reason::TookTooLong`], and [`Reason::Broken`] where reading panicked.
    pub async fn read(&self, presented: Presented) -> Result<Statement, Box<Refusal>> {
        let read = move || read_response(&presented);
        self.run(read).await.unwrap_or_else(|reason| Err(Box::new(reason.into())))
    }

    /// How often reading has panicked since the start.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Reason> {
        let until = time::Instant::now() + self.budget;
        let permit = time::timeout_at(until, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| Reason::Busy)?.map_err(|_| Reason::Broken)?;
        let panics = Arc::clone(&self.panics);
        let reading = task::spawn_blocking(move || {
            let _place = permit;
            // Counted here and not where it is waited for: there nobody may wait any more.
            panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
                panics.fetch_add(1, Ordering::Relaxed);
                tracing::error!("reading a SAML response panicked");
                Reason::Broken
            })
        });
        match time::timeout_at(until, reading).await {
            Ok(read) => read.map_err(|_| Reason::Broken)?,
            Err(_) => Err(Reason::TookTooLong),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[actix_web::test]
    async fn a_panic_is_caught_counted_and_over() {
        let pool = ResponsePool::new(1, Duration::from_secs(5));
        assert_eq!(
            pool.run(|| panic!("as the library does at short texts")).await,
            Err::<(), _>(Reason::Broken)
        );
        assert_eq!(pool.panics(), 1);
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }

    #[actix_web::test]
    async fn reading_that_never_ends_keeps_its_place_and_nothing_else() {
        let pool = ResponsePool::new(2, Duration::from_millis(50));
        let (finish, stuck) = mpsc::channel::<()>();
        assert_eq!(pool.run(move || stuck.recv().is_ok()).await, Err(Reason::TookTooLong));
        assert_eq!(pool.run(|| 7).await, Ok(7), "the other place is free");

        let (finish_too, stuck) = mpsc::channel::<()>();
        assert_eq!(pool.run(move || stuck.recv().is_ok()).await, Err(Reason::TookTooLong));
        assert_eq!(pool.run(|| 7).await, Err(Reason::Busy));

        drop((finish, finish_too));
        let patient = ResponsePool { budget: Duration::from_secs(5), ..pool };
        assert_eq!(patient.run(|| 7).await, Ok(7));
    }
}
