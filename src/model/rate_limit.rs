//! How often things may be tried, counted in the database: across nodes, and across restarts.
//!
//! A try is counted before it is looked at, so tries that arrive together cannot slip through together.

mod operator;

use chrono::TimeDelta;
use diesel::prelude::*;

use super::{
    network::network_prefix,
    personal_data::{Erasure, PersonalData},
};
use crate::{
    clock::Timestamp,
    config::Config,
    db::{Tx, schema::throttles},
    error::{Error, Result},
    mail::{EmailAddress, EmailKind},
    secret,
};

pub(crate) use operator::{forget_all, forget_digests, page};

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "throttles",
    title: "Short-lived rate-limit counters",
    why: "So that nobody can try passwords, or have mail sent, without end.",
    columns: &[(
        "key",
        "a fingerprint of an email address, a network address, an account or a session, and what is counted",
    )],
    erasure: Erasure::Expires,
    afterwards: "Each is removed once its time is up: after a minute, an hour or a day.",
    export: &[],
    erase: |_, _, _| Ok(()),
};

// No limit counts for longer; a cool-down may.
const LONGEST: TimeDelta = TimeDelta::days(1);

/// How many emails a day go to an address that nobody confirmed, whatever their kind and whoever has them sent.
pub(crate) const MAILS_TO_UNCONFIRMED: i32 = 5;

// Nobody chooses a new password more often.
const HASHES_A_MINUTE: i32 = 5;

// As many passkeys as fit, and their names set right.
const CHANGES_AN_HOUR: i32 = 30;

/// How many of them one neighbourhood of the network has sent.
pub(crate) const MAILS_TO_UNCONFIRMED_BY_ONE_NETWORK: i32 = 3;

/// Removes up to `most` counters whose time is up. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let longest = LONGEST.max(tx.config.limits.login_cool_down);
    let over = throttles::ends_at.le(tx.now).or(throttles::ends_at.gt(tx.now.latest_end(longest)));
    let found = throttles::table.filter(over).order(throttles::ends_at).limit(most);
    let keys: Vec<String> = found.select(throttles::key).load(tx.conn)?;
    // Again: one that somebody started anew in the meantime counts.
    Ok(diesel::delete(throttles::table.filter(throttles::key.eq_any(keys)).filter(over)).execute(tx.conn)?)
}

/// What is limited, and for whom.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    key: String,
    most: i32,
    span: TimeDelta,
    // How long to wait once the limit is reached; otherwise until the span ends.
    cool_down: Option<TimeDelta>,
}

impl Limit {
    /// At most `most` of `what` for `whom` in `span`. Whoever it is, only a digest is kept.
    pub(crate) fn new(what: &str, whom: &str, most: i32, span: TimeDelta) -> Self {
        Self { key: format!("{what}:{}", secret::digest(whom)), most, span, cool_down: None }
    }

    /// Whoever reaches the limit waits this long from then on.
    pub(crate) fn cooling_down_for(self, cool_down: TimeDelta) -> Self {
        Self { cool_down: Some(cool_down), ..self }
    }

    /// What a row of it can have before it at the most.
    fn longest(&self) -> TimeDelta {
        self.cool_down.map_or(self.span, |cool_down| cool_down.max(self.span))
    }
}

/// Counts one try. [`Error::TooManyAttempts`] where the limit is reached.
pub(crate) fn consume(tx: &mut Tx, limit: &Limit) -> Result<()> {
    if !tx.config.limits.are_on {
        return Ok(());
    }
    if count(tx, limit)? {
        return start_cool_down(tx, limit);
    }
    let ends_at = throttles::table
        .find(&limit.key)
        .select(throttles::ends_at)
        .first::<Timestamp>(tx.conn)
        .optional()?;
    // Gone in the meantime: somebody proved who they are.
    Err(Error::TooManyAttempts(ends_at.map_or(1, |ends_at| (ends_at - tx.now).num_seconds().max(1))))
}

/// The try that fills the limit is the last one for a while.
fn start_cool_down(tx: &mut Tx, limit: &Limit) -> Result<()> {
    if let Some(cool_down) = limit.cool_down {
        let full = throttles::table.find(&limit.key).filter(throttles::count.ge(limit.most));
        diesel::update(full).set(throttles::ends_at.eq(tx.now + cool_down)).execute(tx.conn)?;
    }
    Ok(())
}

/// Whether there was room for one more, which is then counted.
fn count(tx: &mut Tx, limit: &Limit) -> Result<bool> {
    let row = throttles::table.find(&limit.key);
    let over = throttles::ends_at.le(tx.now).or(throttles::ends_at.gt(tx.now.latest_end(limit.longest())));
    let started_again = diesel::update(row.filter(over))
        .set((throttles::count.eq(1), throttles::ends_at.eq(tx.now + limit.span)))
        .execute(tx.conn)?;
    if started_again == 1 {
        return Ok(limit.most > 0);
    }
    let one_more = |tx: &mut Tx| -> Result<bool> {
        let room = row.filter(throttles::count.lt(limit.most));
        Ok(diesel::update(room).set(throttles::count.eq(throttles::count + 1)).execute(tx.conn)? == 1)
    };
    if one_more(tx)? {
        return Ok(true);
    }
    let first =
        (throttles::key.eq(&limit.key), throttles::count.eq(1), throttles::ends_at.eq(tx.now + limit.span));
    let started =
        tx.allow_unique_violation(|conn| diesel::insert_into(throttles::table).values(first).execute(conn))?;
    // Where it was taken, there is a row and it is full, or somebody made it just now.
    if started.is_some() { Ok(limit.most > 0) } else { one_more(tx) }
}

/// Forgets what was counted: the person proved who they are.
pub(crate) fn clear(tx: &mut Tx, limit: &Limit) -> Result<()> {
    diesel::delete(throttles::table.find(&limit.key)).execute(tx.conn)?;
    Ok(())
}

/// Takes one try back: it was none of those that are counted.
pub(crate) fn give_back(tx: &mut Tx, limit: &Limit) -> Result<()> {
    diesel::update(throttles::table.find(&limit.key).filter(throttles::count.gt(0)))
        .set(throttles::count.eq(throttles::count - 1))
        .execute(tx.conn)?;
    Ok(())
}

/// Counts a guess at the password of a known account behind a link: so many a minute, and after so many in a row a
/// cool-down.
pub(crate) fn count_guess(tx: &mut Tx, user: &str) -> Result<()> {
    let per_minute = Limit::new("guess", user, tx.config.limits.login_per_address, TimeDelta::minutes(1));
    consume(tx, &per_minute)?;
    let streak = guess_streak(tx, user);
    consume(tx, &streak)
}

/// Counts a hash that is made for somebody who is signed in or holds a link, for the account or address that it is of.
pub(crate) fn count_hash(tx: &mut Tx, whom: &str) -> Result<()> {
    consume(tx, &Limit::new("hash", whom, HASHES_A_MINUTE, TimeDelta::minutes(1)))
}

/// Counts a change of how an account is held, or of what its owner may do somewhere, that is told by email: so many that no
/// alert is buried under others.
pub(crate) fn count_change(tx: &mut Tx, what: &str, whom: &str) -> Result<()> {
    consume(tx, &Limit::new(what, whom, CHANGES_AN_HOUR, TimeDelta::hours(1)))
}

/// The password was right: the guesses in a row are over.
pub(crate) fn clear_guesses(tx: &mut Tx, user: &str) -> Result<()> {
    let streak = guess_streak(tx, user);
    clear(tx, &streak)
}

fn guess_streak(tx: &Tx, user: &str) -> Limit {
    let limits = tx.config.limits;
    Limit::new("guess-streak", user, limits.login_failures, TimeDelta::days(1))
        .cooling_down_for(limits.login_cool_down)
}

/// Whether one more email of this kind may go to this address now; it is then counted.
pub(crate) fn try_consume_mail(tx: &mut Tx, kind: EmailKind, to: &EmailAddress) -> Result<bool> {
    is_admitted(consume_mail(tx, kind, to))
}

/// Whether there is room for one more try, which is then counted.
pub(crate) fn try_consume(tx: &mut Tx, limit: &Limit) -> Result<bool> {
    is_admitted(consume(tx, limit))
}

fn is_admitted(outcome: Result<()>) -> Result<bool> {
    outcome.map(|()| true).or_else(|error| match error {
        Error::TooManyAttempts(_) => Ok(false),
        error => Err(error),
    })
}

/// Counts one email of this kind to this address, or says how long to wait.
pub(crate) fn consume_mail(tx: &mut Tx, kind: EmailKind, to: &EmailAddress) -> Result<()> {
    let limits = tx.config.limits;
    let to = to.normalized();
    consume(
        tx,
        &Limit::new(&format!("mail-minute:{kind}"), &to, limits.mails_per_minute, TimeDelta::minutes(1)),
    )?;
    consume(tx, &Limit::new(&format!("mail-hour:{kind}"), &to, limits.mails_per_hour, TimeDelta::hours(1)))
}

/// Whether one more email may go to this address where nobody confirmed it, whatever its kind; it is then counted.
/// `network` is the address of the client that has it sent, nothing for a job. For any other address the same is counted
/// apart, and admitted: as much work, and no email is lost to it.
pub(crate) fn try_consume_mail_to_unconfirmed(
    tx: &mut Tx,
    to: &EmailAddress,
    network: Option<&str>,
    is_unconfirmed: bool,
) -> Result<bool> {
    let what = if is_unconfirmed { "mail-day" } else { "mail-none" };
    let (to, day) = (to.normalized(), TimeDelta::days(1));
    if let Some(ip) = network {
        // The network first, so that one that has had its share takes nothing from the others; in the name, so that
        // an operator who clears the address clears it as well.
        let what = format!("{what}:{}", secret::digest(&network_prefix(ip)));
        let has_share = try_consume(tx, &Limit::new(&what, &to, MAILS_TO_UNCONFIRMED_BY_ONE_NETWORK, day))?;
        if is_unconfirmed && !has_share {
            return Ok(false);
        }
    }
    Ok(try_consume(tx, &Limit::new(what, &to, MAILS_TO_UNCONFIRMED, day))? || !is_unconfirmed)
}

/// Wrong passwords in a row at an address (`any`), or in browsers that its account knows (`known`).
pub(crate) fn login_streak(config: &Config, kind: &str, whom: &str) -> Limit {
    let limits = config.limits;
    Limit::new(&format!("login-streak-{kind}"), whom, limits.login_failures, TimeDelta::days(1))
        .cooling_down_for(limits.login_cool_down)
}

/// Password hashes that one neighbourhood of the network has made, whichever clients and addresses it shares them among.
pub(crate) fn hashes_by_neighbourhood(config: &Config, ip: &str) -> Limit {
    let most = config.limits.login_per_neighbourhood;
    Limit::new("login-neighbourhood", &network_prefix(ip), most, TimeDelta::minutes(1))
}
