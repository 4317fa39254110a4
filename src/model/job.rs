//! Job leases: one node runs a job at a time.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde::Serialize;

use crate::{
    clock::Timestamp,
    config::Lifetimes,
    db::{Conn, Tx, schema::jobs},
    error::Result,
    ids::NodeId,
};

/// A job, as an operator sees it.
#[derive(Debug, Clone, Serialize, Queryable, Selectable)]
#[diesel(table_name = jobs)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobStatus {
    /// Its name.
    pub name: String,
    /// The node that runs it now, or that died doing so.
    pub holder: Option<String>,
    /// From then on another node may take it over.
    pub held_until: Option<Timestamp>,
    /// When it is due next.
    pub next_at: Timestamp,
    /// When it began last.
    pub began_at: Option<Timestamp>,
    /// When it finished last.
    pub ended_at: Option<Timestamp>,
    /// How much the last finished run did.
    pub done: i32,
    /// Why the last finished run did not do everything.
    pub last_error: Option<String>,
}

/// The right to run a job, for a while.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    name: &'static str,
    holder: NodeId,
}

/// Takes a job that is due, or, where `force`, at any time; nothing where another node has it or had it just now.
/// `pause` is what it rests from one run to the next.
pub(crate) fn acquire(
    tx: &mut Tx,
    name: &'static str,
    node: &NodeId,
    pause: TimeDelta,
    force: bool,
) -> Result<Option<Lease>> {
    introduce(tx, name)?;
    let earliest = if force { tx.now + TimeDelta::days(36_500) } else { tx.now };
    let (last_lease, last_rest) = latest_ends(tx.now, &tx.config.lifetimes, pause);
    let is_free =
        jobs::held_until.is_null().or(jobs::held_until.le(tx.now)).or(jobs::held_until.gt(last_lease));
    let has_rested = jobs::next_at.le(earliest).or(jobs::next_at.gt(last_rest));
    // Of several nodes that saw it due, one moves `held_until` on and has it.
    let taken = diesel::update(jobs::table.find(name).filter(is_free).filter(has_rested))
        .set((
            jobs::holder.eq(node.as_str()),
            jobs::held_until.eq(tx.now + tx.config.lifetimes.job_lease),
            jobs::began_at.eq(tx.now),
        ))
        .execute(tx.conn)?;
    Ok((taken == 1).then(|| Lease { name, holder: node.clone() }))
}

/// The latest moments at which a lease can end and a rest of `pause` can be over; later ones were written while the clock
/// was wrong.
fn latest_ends(now: Timestamp, lifetimes: &Lifetimes, pause: TimeDelta) -> (Timestamp, Timestamp) {
    (now.latest_end(lifetimes.job_lease), now.latest_end(pause))
}

/// Whether somebody could take a job now that rests for `pause` from one run to the next.
pub(crate) fn is_due(
    conn: &mut Conn,
    name: &str,
    lifetimes: &Lifetimes,
    pause: TimeDelta,
    now: Timestamp,
) -> Result<bool> {
    let times: Option<(Timestamp, Option<Timestamp>)> =
        jobs::table.find(name).select((jobs::next_at, jobs::held_until)).first(conn).optional()?;
    let (last_lease, last_rest) = latest_ends(now, lifetimes, pause);
    let is_over = |until: Timestamp, latest: Timestamp| until <= now || until > latest;
    Ok(times.is_none_or(|(next_at, held_until)| {
        is_over(next_at, last_rest) && held_until.is_none_or(|until| is_over(until, last_lease))
    }))
}

/// The first time that anybody asks for a job, it is due.
fn introduce(tx: &mut Tx, name: &str) -> Result<()> {
    let known = jobs::table.find(name).select(jobs::name).first::<String>(tx.conn).optional()?;
    if known.is_some() {
        return Ok(());
    }
    let row = (jobs::name.eq(name), jobs::next_at.eq(tx.now), jobs::done.eq(0));
    // Of many who ask for the first time at once, one is first.
    tx.allow_unique_violation(|conn| diesel::insert_into(jobs::table).values(row).execute(conn)).map(drop)
}

// A job that is asked for takes at most this share of the time: one part in so many.
const SHARE: i32 = 1_000;

/// Has a job run soon that otherwise waits until it is asked for: at once, or when it rested long enough after its last
/// run.
pub(crate) fn ask_for(tx: &mut Tx, name: &str) -> Result<()> {
    introduce(tx, name)?;
    let times: (Option<Timestamp>, Option<Timestamp>) =
        jobs::table.find(name).select((jobs::began_at, jobs::ended_at)).first(tx.conn)?;
    let rested = match times {
        (Some(began), Some(ended)) if ended > began && ended <= tx.now.latest_start() => {
            ended + (ended - began) * SHARE
        }
        _ => tx.now,
    };
    let soon = rested.max(tx.now);
    diesel::update(jobs::table.find(name).filter(jobs::next_at.gt(soon)))
        .set(jobs::next_at.eq(soon))
        .execute(tx.conn)?;
    Ok(())
}

/// Holds a job for another while. `false` where another node took it over: this one has to stop.
pub(crate) fn renew(tx: &mut Tx, lease: &Lease) -> Result<bool> {
    let kept = diesel::update(own(lease))
        .set(jobs::held_until.eq(tx.now + tx.config.lifetimes.job_lease))
        .execute(tx.conn)?;
    Ok(kept == 1)
}

/// Notes that a job did what there was to do, and when it is due again.
pub(crate) fn finish(
    tx: &mut Tx,
    lease: &Lease,
    done: usize,
    error: Option<&str>,
    pause: TimeDelta,
) -> Result<()> {
    diesel::update(own(lease))
        .set((
            jobs::holder.eq(None::<String>),
            jobs::held_until.eq(None::<Timestamp>),
            jobs::next_at.eq(tx.now + pause),
            jobs::ended_at.eq(tx.now),
            jobs::done.eq(i32::try_from(done).unwrap_or(i32::MAX)),
            jobs::last_error.eq(error),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Lays a job down in the middle: another node may go on at once.
pub(crate) fn release(tx: &mut Tx, lease: &Lease) -> Result<()> {
    diesel::update(own(lease))
        .set((jobs::holder.eq(None::<String>), jobs::held_until.eq(None::<Timestamp>)))
        .execute(tx.conn)?;
    Ok(())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn own<'a>(lease: &'a Lease) -> _ {
    let holder: &'a str = lease.holder.as_str();
    let name: &'static str = lease.name;
    jobs::table.filter(jobs::name.eq(name)).filter(jobs::holder.eq(holder))
}

/// The jobs that ever ran, by name.
pub(crate) fn list(conn: &mut Conn) -> Result<Vec<JobStatus>> {
    Ok(jobs::table.order(jobs::name).select(JobStatus::as_select()).load(conn)?)
}
