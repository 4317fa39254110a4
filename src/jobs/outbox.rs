//! Sending emails, side by side: a slow recipient holds up nobody.
//!
//! A few are under way at once. One that takes longer than a moment counts no more, so that the next can leave; up to a
//! limit, and never more than a few to one destination, which is a domain with all names below it.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use tokio::{
    task::{Id as TaskId, JoinSet},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::run::Stopping;
use crate::{
    app::App,
    error::Result,
    ids::EmailId,
    mail::About,
    model::outbox::{self, Due},
};

// Emails that are sent side by side as long as each leaves within a moment; those that take longer count no more.
const AT_ONCE: usize = 6;
const MOMENT: Duration = Duration::from_secs(2);

// All that are under way, slow ones included: fewer than the 50 connections that Postfix grants one client.
const MOST: usize = 40;

// To one destination; from half of the places on one alone, so that the other half is for destinations that hold none.
// Whoever has 25 domains whose servers all hang can still fill every place, until the mailer's patience with them ends.
const TO_ONE: usize = 4;

// Other nodes' emails, and pauses that end, are noticed at this pace.
const PACE: Duration = Duration::from_secs(2);

// How long a stop waits for what is under way. What is left then is sent again later, with the same Message-ID.
const STOP: Duration = Duration::from_secs(20);

/// Sends emails until it is told to stop.
pub(crate) async fn send_emails(app: App, mut stopping: Stopping) {
    let mut sending = Sending::default();
    while !*stopping.borrow() {
        if let Err(error) = sending.start_due(&app).await {
            tracing::error!(cause = error.cause(), "the outbox could not be read");
        }
        tokio::select! {
            () = sending.changed() => {}
            () = app.mail_queued() => {}
            () = sleep(PACE) => {}
            _ = stopping.changed() => {}
        }
    }
    if timeout(STOP, sending.finished()).await.is_err() {
        tracing::warn!(
            count = sending.under_way.len(),
            "emails were under way at the stop, and are sent again later"
        );
    }
}

/// Sends the emails that are due now. Returns how many were tried.
pub async fn run(app: &App) -> Result<usize> {
    let mut sending = Sending::default();
    let mut tried = 0;
    loop {
        tried += sending.start_due(app).await?;
        if sending.under_way.is_empty() {
            return Ok(tried);
        }
        sending.changed().await;
    }
}

/// What is being sent by this node. Dropped, it breaks off.
#[derive(Default)]
struct Sending {
    tasks: JoinSet<()>,
    under_way: HashMap<TaskId, UnderWay>,
}

struct UnderWay {
    id: EmailId,
    destination: String,
    since: Instant,
}

impl Sending {
    /// Starts what is due, as far as there is room. Returns how many.
    async fn start_due(&mut self, app: &App) -> Result<usize> {
        let room = self.room();
        if room == 0 {
            return Ok(0);
        }
        let (to_one, destinations) = (self.most_to_one(), self.destinations());
        let due = app.write(move |tx| outbox::take_due(tx, room, &destinations, to_one)).await?;
        let before = self.under_way.len();
        for email in due {
            // Its lease ran out before this node, short of breath, renewed it: it is held anew, and sent once.
            if self.under_way.values().any(|other| other.id == email.id) {
                continue;
            }
            let (id, destination) = (email.id.clone(), email.destination.clone());
            let task = self.tasks.spawn(send(app.clone(), email));
            self.under_way.insert(task.id(), UnderWay { id, destination, since: Instant::now() });
        }
        Ok(self.under_way.len() - before)
    }

    /// Waits until one is through, or one becomes slow: there may be room. For ever where none is under way.
    async fn changed(&mut self) {
        let slow_from = self.under_way.values().map(|email| email.since + MOMENT);
        let next_slow = slow_from.filter(|at| *at > Instant::now()).min();
        let becomes_slow = async {
            match next_slow {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(ended) = self.tasks.join_next_with_id() => {
                let id = match ended {
                    Ok((id, ())) => id,
                    Err(panic) => panic.id(),
                };
                self.under_way.remove(&id);
            }
            () = becomes_slow => {}
        }
    }

    async fn finished(&mut self) {
        while !self.under_way.is_empty() {
            self.changed().await;
        }
    }

    fn room(&self) -> usize {
        let now = Instant::now();
        let quick = self.under_way.values().filter(|email| now < email.since + MOMENT).count();
        AT_ONCE.saturating_sub(quick).min(MOST.saturating_sub(self.under_way.len()))
    }

    fn most_to_one(&self) -> usize {
        if self.under_way.len() < MOST / 2 { TO_ONE } else { 1 }
    }

    fn destinations(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for email in self.under_way.values() {
            *counts.entry(email.destination.clone()).or_default() += 1;
        }
        counts
    }
}

async fn send(app: App, due: Due) {
    let id = due.id.clone();
    if let Err(error) = try_to_send(&app, due).await {
        // It is tried again when its lease ends.
        tracing::error!(cause = error.cause(), email.id = %id, "what became of an email could not be noted");
    }
}

async fn try_to_send(app: &App, due: Due) -> Result<()> {
    let outcome = match due.open(&app.config().keys) {
        Ok(message) => {
            // The same Message-ID every time, so that a mail server can tell a second attempt from a second email.
            let sent = app.mailer().send(&message, due.id.as_str());
            while_held(app, &due, sent).await.map_err(|refusal| (refusal.about, refusal.reason))
        }
        // Sealed with a key that is gone, or damaged: nobody else can read it either.
        Err(_) => Err((About::Email, "the email does not open with today's keys".to_owned())),
    };
    match outcome {
        Ok(()) => {
            app.metrics().email("sent");
            app.write(move |tx| outbox::sent(tx, &due.id)).await
        }
        Err((about, reason)) => {
            let becomes = match about {
                About::Email => "parked",
                About::Moment => "deferred",
                About::Us | About::Server => "refused",
            };
            app.metrics().email(becomes);
            tracing::warn!(email.id = %due.id, becomes, reason, "an email was not sent");
            app.write(move |tx| outbox::failed(tx, &due, about, &reason)).await
        }
    }
}

/// Renews the lease on an email for as long as `sending` takes: no other node sends it meanwhile.
async fn while_held<T>(app: &App, due: &Due, sending: impl Future<Output = T>) -> T {
    let lease = app.config().lifetimes.mail_lease.to_std().unwrap_or_default();
    let mut sending = std::pin::pin!(sending);
    loop {
        tokio::select! {
            sent = &mut sending => return sent,
            () = sleep(lease / 3) => {
                let id = due.id.clone();
                if let Err(error) = app.write(move |tx| outbox::renew(tx, &id)).await {
                    tracing::warn!(cause = error.cause(), "the lease on an email could not be renewed");
                }
            }
        }
    }
}
