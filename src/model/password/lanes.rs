//! The queue before the hashing threads, in two lanes: a flood of strangers does not stand before people whose account
//! knows their browser, nor do these before everybody else.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::ids::UserId;

/// Work for a thread.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// A device that its account knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct KnownDevice {
    /// The account.
    pub account: UserId,
    /// Which device of it: its session, or where it signs in from.
    pub device: String,
}

/// The lanes, and what runs.
pub(crate) struct Lanes {
    state: Mutex<State>,
    changed: Condvar,
    /// The most jobs that wait in one lane.
    room: usize,
    /// The most jobs of the lane for known devices that run at once.
    known_at_once: usize,
}

#[derive(Default)]
struct State {
    common: VecDeque<Job>,
    known: VecDeque<(KnownDevice, Job)>,
    /// When each device of an account that has jobs here had its last turn.
    served: HashMap<KnownDevice, u64>,
    turns: u64,
    /// The accounts that a job of the lane for known devices runs for.
    running: HashSet<UserId>,
    was_known: bool,
    is_over: bool,
}

/// A lane is full.
pub(crate) struct Full;

impl Lanes {
    /// Lanes before `threads` threads, with room for `room` jobs in each.
    pub(crate) fn new(threads: usize, room: usize) -> Self {
        let known_at_once = (threads / 2).max(1);
        Self { state: Mutex::default(), changed: Condvar::new(), room, known_at_once }
    }

    /// Has a job wait: for anybody, or for a device that its account knows.
    pub(crate) fn push(&self, known: Option<KnownDevice>, job: Job) -> Result<(), Full> {
        let mut state = self.state();
        let waiting = if known.is_some() { state.known.len() } else { state.common.len() };
        if waiting >= self.room {
            return Err(Full);
        }
        match known {
            Some(known) => state.known.push_back((known, job)),
            None => state.common.push_back(job),
        }
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// The next job, once there is one that may run; nothing once the lanes are closed and empty.
    pub(crate) fn next(&self) -> Option<Turn<'_>> {
        let mut state = self.state();
        loop {
            if let Some((account, job)) = state.take(self.known_at_once) {
                return Some(Turn { lanes: self, account, job: Some(job) });
            }
            if state.is_over {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What waits is still done.
    pub(crate) fn close(&self) {
        self.state().is_over = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Of known devices one job at a time for each account, on half of the threads at most, and every other turn while
    /// others wait: on a single thread that is their half. The devices of an account take turns: many that guess do not
    /// stand before the one that asks once.
    fn take(&mut self, known_at_once: usize) -> Option<(Option<UserId>, Job)> {
        let has_turn = self.running.len() < known_at_once && (!self.was_known || self.common.is_empty());
        let may_run = |known: &KnownDevice| has_turn && !self.running.contains(&known.account);
        let first =
            self.known.iter().find(|(known, _)| may_run(known)).map(|(known, _)| known.account.clone());
        let own =
            self.known.iter().enumerate().filter(|(_, (known, _))| Some(&known.account) == first.as_ref());
        let next = own.min_by_key(|(_, (known, _))| self.served.get(known).copied().unwrap_or_default());
        let next = next.map(|(index, _)| index);
        if let Some((known, job)) = next.and_then(|next| self.known.remove(next)) {
            self.was_known = true;
            self.turns += 1;
            self.running.insert(known.account.clone());
            let account = known.account.clone();
            match self.known.iter().any(|(other, _)| other.account == account) {
                true => drop(self.served.insert(known, self.turns)),
                false => self.served.retain(|other, _| other.account != account),
            }
            return Some((Some(account), job));
        }
        let job = self.common.pop_front()?;
        self.was_known = false;
        Some((None, job))
    }
}

/// A job that a thread has taken.
pub(crate) struct Turn<'a> {
    lanes: &'a Lanes,
    account: Option<UserId>,
    job: Option<Job>,
}

impl Turn<'_> {
    /// Does it.
    pub(crate) fn run(mut self) {
        if let Some(job) = self.job.take() {
            job();
        }
    }
}

impl Drop for Turn<'_> {
    /// Also where the job panicked: its account's next one may run.
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            self.lanes.state().running.remove(account);
            self.lanes.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ids::Id;

    /// Runs what waits, and says in which order: `threads` take one job each before any of these is done.
    fn order(threads: usize, waiting: &[&'static str]) -> Vec<&'static str> {
        let lanes = Lanes::new(threads, 100);
        let done = Arc::new(Mutex::new(Vec::new()));
        for name in waiting.iter().copied() {
            let done = Arc::clone(&done);
            let known = name.strip_prefix("known ").map(|who| KnownDevice {
                account: Id::from_text(&who[..1]),
                device: who.chars().nth(1).map(String::from).unwrap_or_default(),
            });
            let job = Box::new(move || done.lock().unwrap().push(name));
            assert!(lanes.push(known, job).is_ok(), "{name}");
        }
        lanes.close();
        loop {
            let turns: Vec<Turn> = (0..threads).map_while(|_| lanes.next()).collect();
            if turns.is_empty() {
                return Arc::into_inner(done).unwrap().into_inner().unwrap();
            }
            turns.into_iter().for_each(Turn::run);
        }
    }

    #[test]
    fn whom_the_account_knows_does_not_stand_behind_strangers_nor_in_their_way() {
        for (threads, waiting, expected) in [
            (1, vec!["1", "2", "3", "known a"], vec!["known a", "1", "2", "3"]),
            // Every other turn is everybody's.
            (1, vec!["1", "2", "known a", "known b"], vec!["known a", "1", "known b", "2"]),
            (1, vec!["known a", "known b", "1"], vec!["known a", "1", "known b"]),
            // Half of the threads.
            (2, vec!["1", "2", "known a", "known b"], vec!["known a", "1", "known b", "2"]),
            (
                4,
                vec!["1", "2", "3", "4", "known a", "known b", "known c"],
                vec!["known a", "1", "known b", "2", "known c", "3", "4"],
            ),
            // Also where nobody else waits.
            (4, vec!["known a", "known b", "known c"], vec!["known a", "known b", "known c"]),
            // One account has one thread, in the order in which it asked, and keeps no other account waiting.
            (4, vec!["known a1", "known a1 again", "known b"], vec!["known a1", "known b", "known a1 again"]),
            // Its devices take turns: one that asks again and again does not stand before another.
            (
                1,
                vec!["known a1", "known a1 again", "known a1 and again", "known a2", "known a3"],
                vec!["known a1", "known a2", "known a3", "known a1 again", "known a1 and again"],
            ),
        ] {
            assert_eq!(order(threads, &waiting), expected, "{threads} threads, {waiting:?}");
        }
    }

    #[test]
    fn a_full_lane_leaves_room_in_the_other() {
        let lanes = Lanes::new(2, 1);
        let known = || Some(KnownDevice { account: Id::from_text("a"), device: String::new() });
        assert!(lanes.push(None, Box::new(|| {})).is_ok());
        assert!(lanes.push(None, Box::new(|| {})).is_err());
        assert!(lanes.push(known(), Box::new(|| {})).is_ok());
        assert!(lanes.push(known(), Box::new(|| {})).is_err());
    }
}
