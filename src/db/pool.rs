//! Connections: opened by whoever needs one, kept while they are good.
//!
//! Nothing runs in the background. After an outage the next request connects at once, instead of waiting for somebody's
//! next try, and a command that ends leaves no thread behind inside libpq, whose clean-up at exit such a thread crashes.

use std::{
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Conn,
    connect::{ACQUIRE_TIMEOUT, FileNumber, Target},
};
use crate::error::{Error, Outage, Result};

// A server that did not answer is not asked again by every request.
const PAUSE: Duration = Duration::from_millis(500);
// Behind a name there may be another server by then.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);
// While the database is in doubt. A session that began read-only stays so when the server no longer is.
const MAX_AGE_IN_DOUBT: Duration = Duration::from_secs(1);

/// The connections to one database.
pub(crate) struct Pool {
    target: Target,
    file: Option<FileNumber>,
    size: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Slot>,
    open: usize,
    connecting: usize,
    // Connections from before are not used any more.
    lost_at: Option<Instant>,
    failed_at: Option<Instant>,
    is_in_doubt: bool,
}

struct Slot {
    conn: Conn,
    born: Instant,
}

impl State {
    fn is_good(&self, slot: &Slot) -> bool {
        let max_age = if self.is_in_doubt { MAX_AGE_IN_DOUBT } else { MAX_AGE };
        slot.born.elapsed() < max_age && self.lost_at.is_none_or(|lost_at| slot.born > lost_at)
    }
}

impl Pool {
    /// A pool that holds at most `size` connections. `first` is one that is open already, on SQLite to `file`.
    pub(crate) fn new(target: Target, file: Option<FileNumber>, size: usize, first: Conn) -> Self {
        let slot = Slot { conn: first, born: Instant::now() };
        let state = State { idle: vec![slot], open: 1, ..State::default() };
        Self { target, file, size, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Where the connections lead.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The file that the connections have open; nothing on PostgreSQL.
    pub(crate) fn file(&self) -> Option<FileNumber> {
        self.file
    }

    /// A connection: an idle one, a new one, or the next that is given back. [`Error::Busy`] where there is none for
    /// [`ACQUIRE_TIMEOUT`]; [`Error::Unavailable`] at once where the database takes none.
    pub(crate) fn take(&self) -> Result<Held<'_>> {
        let deadline = Instant::now() + ACQUIRE_TIMEOUT;
        let mut refusal = None;
        // Closed when nobody waits for the lock any more.
        let mut stale = Vec::new();
        let mut state = self.lock();
        loop {
            while let Some(slot) = state.idle.pop() {
                if state.is_good(&slot) {
                    return Ok(Held { pool: self, slot: Some(slot), is_broken: true });
                }
                state.open -= 1;
                stale.push(slot);
            }
            let failed_lately = state.failed_at.is_some_and(|failed_at| failed_at.elapsed() < PAUSE);
            // Where others have a connection, theirs will be free before long: the server may only have no more of them.
            if state.open == 0 && (failed_lately || refusal.is_some()) {
                return Err(refusal.unwrap_or_else(|| {
                    Error::Unavailable(Outage::lost("the database did not answer a moment ago"))
                }));
            }
            if !failed_lately && refusal.is_none() && state.open + state.connecting < self.size {
                state.connecting += 1;
                drop(state);
                let connected = self.target.connect(self.file);
                state = self.lock();
                state.connecting -= 1;
                match connected {
                    Ok(conn) => {
                        state.open += 1;
                        state.failed_at = None;
                        let slot = Slot { conn, born: Instant::now() };
                        return Ok(Held { pool: self, slot: Some(slot), is_broken: true });
                    }
                    Err(cause) => {
                        state.failed_at = Some(Instant::now());
                        refusal = Some(Error::from(cause));
                        self.changed.notify_all();
                        continue;
                    }
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(refusal.unwrap_or(Error::Busy));
            }
            let nap = if failed_lately { left.min(PAUSE) } else { left };
            state = self.changed.wait_timeout(state, nap).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The server or the file went away, or it is another one now: no connection from before is used again.
    pub(crate) fn lose(&self) {
        let mut state = self.lock();
        state.lost_at = Some(Instant::now());
        state.is_in_doubt = true;
        let lost = std::mem::take(&mut state.idle);
        state.open -= lost.len();
        drop(state);
        self.changed.notify_all();
        drop(lost);
    }

    /// Something was written: the database is what it should be again. What was opened before that is still not used.
    pub(crate) fn trust(&self) {
        let mut state = self.lock();
        if state.is_in_doubt {
            state.is_in_doubt = false;
            state.lost_at = Some(Instant::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. It goes back when this is dropped, unless it is broken.
pub(crate) struct Held<'a> {
    pool: &'a Pool,
    // There until it is dropped.
    slot: Option<Slot>,
    is_broken: bool,
}

impl Held<'_> {
    /// Says whether somebody else may use the connection afterwards. Until then it is broken: a panic must not hand it to
    /// the next one.
    pub(crate) fn is_whole(&mut self, is_whole: bool) {
        self.is_broken = !is_whole;
    }
}

impl Deref for Held<'_> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        match &self.slot {
            Some(slot) => &slot.conn,
            None => unreachable!("a held connection is there until it is dropped"),
        }
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        match &mut self.slot {
            Some(slot) => &mut slot.conn,
            None => unreachable!("a held connection is there until it is dropped"),
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        let mut state = self.pool.lock();
        match !self.is_broken && state.is_good(&slot) {
            true => {
                state.idle.push(slot);
                drop(state);
                self.pool.changed.notify_one();
            }
            false => {
                state.open -= 1;
                drop(state);
                self.pool.changed.notify_all();
            }
        }
    }
}
