//! bcrypt on its own low-priority threads behind a bounded queue.
//!
//! One hash costs a quarter of a second of a core. On the threads that answer pages a flood of sign-ins would
//! stop everything; here pages go first, and no sign-in is lost until the queue is full, or so long that people would
//! wait for more than a few seconds.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    Password, PasswordHash,
    lanes::{Full, KnownDevice, Lanes},
};
use crate::{
    error::{Error, Result},
    log,
    secret::Keys,
};

/// Nobody is let into the queue who would probably stand in it for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What came of offering a password to some hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Which of the hashes it belongs to.
    pub matched: Option<usize>,
    /// Whether that hash is weaker than what would be made today.
    pub is_outdated: bool,
}

/// How busy the hashing threads are.
#[derive(Debug, Clone, Default)]
pub(crate) struct HasherGauge(Arc<Busy>);

#[derive(Debug, Default)]
struct Busy {
    common: AtomicUsize,
    known: AtomicUsize,
    lately: AtomicU64,
}

impl HasherGauge {
    /// Jobs that wait or run.
    pub(crate) fn in_hand(&self) -> usize {
        self.lane(true).load(Ordering::Relaxed) + self.lane(false).load(Ordering::Relaxed)
    }

    fn lane(&self, is_known: bool) -> &AtomicUsize {
        if is_known { &self.0.known } else { &self.0.common }
    }

    /// Those that are probably done before one more of this lane: as many of the other lane as of its own at the most.
    fn before(&self, is_known: bool) -> usize {
        let [own, other] = [is_known, !is_known].map(|lane| self.lane(lane).load(Ordering::Relaxed));
        own + other.min(own.max(1))
    }

    /// How long a job took lately, once it ran: each new one counts for an eighth. Nothing before the first.
    fn lately(&self) -> Duration {
        Duration::from_micros(self.0.lately.load(Ordering::Relaxed))
    }

    /// Threads that note at once may lose one another's, which changes little.
    fn note(&self, took: Duration) {
        let before = self.lately();
        let lately = if before.is_zero() { took } else { (before * 7 + took) / 8 };
        self.0.lately.store(u64::try_from(lately.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Closes the lanes when the last clone of the hasher is dropped.
struct Entry(Arc<Lanes>);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The hashing threads. They end when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Hasher {
    entry: Arc<Entry>,
    threads: usize,
    gauge: HasherGauge,
    keys: Keys,
    cost: u32,
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Hasher(cost {})", self.cost)
    }
}

impl Hasher {
    /// Starts `threads` threads with room for `waiting` jobs before them, and as many for browsers that are known.
    pub(crate) fn start(threads: usize, waiting: usize, cost: u32, keys: Keys) -> Result<Self> {
        let lanes = Arc::new(Lanes::new(threads, waiting));
        let entry = Arc::new(Entry(Arc::clone(&lanes)));
        for number in 0..threads {
            let lanes = Arc::clone(&lanes);
            let name = format!("hash-{number}");
            thread::Builder::new().name(name).spawn(move || run(&lanes)).map_err(Error::internal)?;
        }
        Ok(Self { entry, threads, gauge: HasherGauge::default(), keys, cost })
    }

    /// How busy the threads are.
    pub(crate) fn gauge(&self) -> HasherGauge {
        self.gauge.clone()
    }

    /// Hashes a new password. [`Error::Busy`] where the queue is full or too slow.
    pub(crate) async fn hash(&self, password: Password) -> Result<PasswordHash> {
        let (keys, cost) = (self.keys.clone(), self.cost);
        self.run(None, move || {
            let id = keys.current_id();
            let peppered =
                keys.pepper(id, password.reveal()).ok_or_else(|| anyhow::anyhow!("there is no key"))?;
            let hash = bcrypt::hash(peppered.as_bytes(), cost).map_err(Error::internal)?;
            Ok(PasswordHash(format!("{id}:{hash}")))
        })
        .await
    }

    /// Offers a password to several hashes in turn, up to the first that fits. Where there is no hash the same
    /// work is done on a dummy, so a refusal costs the same whoever exists.
    pub(crate) async fn verify<const N: usize>(
        &self,
        password: Password,
        hashes: [Option<PasswordHash>; N],
    ) -> Result<Verdict> {
        self.verify_known(None, password, hashes).await
    }

    /// The same for a device that the account knows for which it asks: it does not stand behind strangers. One at a time for
    /// each account, its devices in turns, on half of the threads at most.
    pub(crate) async fn verify_known<const N: usize>(
        &self,
        known: Option<KnownDevice>,
        password: Password,
        hashes: [Option<PasswordHash>; N],
    ) -> Result<Verdict> {
        let (keys, cost) = (self.keys.clone(), self.cost);
        self.run(known, move || {
            for (index, hash) in hashes.into_iter().enumerate() {
                if let Some(is_outdated) = fits(&keys, cost, &password, hash.as_ref()) {
                    return Ok(Verdict { matched: Some(index), is_outdated });
                }
            }
            Ok(Verdict { matched: None, is_outdated: false })
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        known: Option<KnownDevice>,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let is_known = known.is_some();
        if probable_wait(self.gauge.before(is_known), self.threads, self.gauge.lately()) > LONGEST_WAIT {
            return Err(Error::Busy);
        }
        let (answer, answered) = oneshot::channel();
        let gauge = self.gauge();
        let (held, request) = (Held::new(&self.gauge, is_known), log::current());
        let job = Box::new(move || {
            // Nobody waits for it any more: leave the core to the others.
            if answer.is_closed() {
                return;
            }
            let began = Instant::now();
            let outcome = log::sync_scope(request, work);
            gauge.note(began.elapsed());
            drop(held);
            let _ = answer.send(outcome);
        });
        self.entry.0.push(known, job).map_err(|Full| Error::Busy)?;
        // Nothing but a panic drops a job that somebody waits for.
        answered.await.map_err(|_| Error::internal(log::Panicked))?
    }
}

/// How long one more job waits for a thread, by how long they took lately.
fn probable_wait(in_hand: usize, threads: usize, lately: Duration) -> Duration {
    let before_it = u32::try_from((in_hand + 1).saturating_sub(threads)).unwrap_or(u32::MAX);
    lately.saturating_mul(before_it) / u32::try_from(threads).unwrap_or(u32::MAX).max(1)
}

/// Whether the password belongs to the hash, and whether the hash is outdated. `None`: it does not.
fn fits(keys: &Keys, cost: u32, password: &Password, hash: Option<&PasswordHash>) -> Option<bool> {
    let dummy = dummy(cost);
    let known = hash.and_then(|hash| hash.0.split_once(':'));
    let known = known.filter(|_| !password.is_too_long());
    let (id, stored) = known.unwrap_or((keys.current_id(), &dummy));
    // A key that is gone: the same work under today's key, and no.
    let peppered = keys.pepper(id, password.reveal());
    let key_is_here = peppered.is_some();
    let peppered = peppered.or_else(|| keys.pepper(keys.current_id(), password.reveal()))?;
    let is_same = bcrypt::verify(peppered.as_bytes(), stored).unwrap_or(false);
    // A lower cost than before is for new passwords: what was hashed at a higher one stays.
    let is_weaker = cost_of(stored).is_none_or(|made_at| made_at < cost);
    let is_outdated = keys.is_previous(id) || is_weaker;
    (is_same && key_is_here && known.is_some()).then_some(is_outdated)
}

/// A bcrypt string at today's cost that belongs to no password.
fn dummy(cost: u32) -> String {
    format!("$2b${cost:02}$abcdefghijklmnopqrstuu5LowRSYdzgHHCJZ6kOvpYLvRxZc2Wm6")
}

fn cost_of(bcrypt: &str) -> Option<u32> {
    bcrypt.split('$').nth(2)?.parse().ok()
}

fn run(lanes: &Lanes) {
    step_back();
    while let Some(turn) = lanes.next() {
        // The thread goes on to the next one.
        drop(panic::catch_unwind(AssertUnwindSafe(|| turn.run())));
    }
}

/// Pages go first. A step back, not out of the way: a machine that is busy with other work still hashes, at a tenth of the
/// pace of that work, where an idle thread (SCHED_IDLE) would hardly ever run. Where the system refuses, hashing is merely
/// less polite.
fn step_back() {
    let _ = rustix::process::nice(10);
}

/// Counts a job from the moment it is queued to the moment it is done or dropped.
struct Held(HasherGauge, bool);

impl Held {
    fn new(gauge: &HasherGauge, is_known: bool) -> Self {
        gauge.lane(is_known).fetch_add(1, Ordering::Relaxed);
        Self(gauge.clone(), is_known)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.lane(self.1).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
