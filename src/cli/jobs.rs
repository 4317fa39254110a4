//! `vestibule jobs`: what runs by itself.

use chrono::TimeDelta;
use clap::Subcommand;
use serde_json::json;

use super::{
    out::say,
    outcome::{Outcome, refused, sentence},
};
use crate::{
    app::App,
    jobs::{self, Job},
    model::{
        job::{self, JobStatus},
        outbox,
    },
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What runs by itself and when it last did; what waits, what was given up, and why.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run due work once and leave; all of it, or one job.
    Run {
        /// The job's name.
        name: Option<String>,
    },
    /// Put emails that were given up back in the queue.
    Retry,
}

/// Runs one of them.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::List { json } => list(&app, json).await,
        Command::Run { name } => run_once(&app, name).await,
        Command::Retry => {
            let count = sentence(app.write(outbox::retry_parked).await)?;
            if count == 0 {
                return refused("No email was given up: nothing is put back in the queue.");
            }
            say!("{count} email(s) are back in the queue.");
            Ok(())
        }
    }
}

async fn list(app: &App, as_json: bool) -> Outcome {
    let found = app
        .read(|conn| {
            Ok((outbox::depth(conn)?, outbox::troubles(conn)?, outbox::parked(conn)?, job::list(conn)?))
        })
        .await;
    let (depth, troubles, parked, known) = sentence(found)?;
    if as_json {
        say!("{}", json!({ "outbox": depth, "troubles": troubles, "parked": parked, "jobs": known }));
        return Ok(());
    }
    let now = app.now();
    let oldest = depth.oldest_at.map_or(String::new(), |at| format!(", the oldest from {}", at.ago(now)));
    say!("{}: {} waiting{oldest}; {} given up", jobs::OUTBOX, depth.waiting, depth.parked);
    for trouble in troubles {
        say!("  {} wait: {}", trouble.count, trouble.last_error.unwrap_or_default());
    }
    for email in parked {
        let why = email.last_error.unwrap_or_default();
        say!("  {}  {}  {}  tried {}×: {why}", email.id, email.kind, email.created_at.iso(), email.attempts);
    }
    for kind in Job::ALL {
        let state = known.iter().find(|job| job.name == kind.name()).map(|job| in_words(app, job));
        let state = state.unwrap_or_else(|| "never ran yet".to_owned());
        say!("{}: {}; {state}", kind.name(), kind.does());
    }
    Ok(())
}

fn in_words(app: &App, job: &JobStatus) -> String {
    let now = app.now();
    let is_held = job.held_until.is_some_and(|until| until > now);
    let last = match (is_held, job.ended_at) {
        (true, _) => "running now".to_owned(),
        (false, None) => "never finished yet".to_owned(),
        (false, Some(at)) => format!("last finished {}, {} done", at.ago(now), job.done),
    };
    let trouble = job.last_error.as_ref().map_or(String::new(), |error| format!("; {error}"));
    // What runs when there is something to do waits for a moment that never comes.
    let is_far = job.next_at - now > TimeDelta::days(3_650);
    let next = if is_far { "when it is needed".to_owned() } else { job.next_at.iso() };
    format!("{last}; next {next}{trouble}")
}

async fn run_once(app: &App, name: Option<String>) -> Outcome {
    let known = || std::iter::once(jobs::OUTBOX).chain(Job::ALL.map(Job::name));
    if let Some(name) = name.as_deref().filter(|name| !known().any(|known| known == *name)) {
        return Err(format!(
            "There is no job called {name}. There are: {}.",
            known().collect::<Vec<_>>().join(", ")
        ));
    }
    let is_meant = |known: &str| name.as_deref().is_none_or(|name| name == known);
    // Emails last: the others write some.
    for job in Job::ALL.into_iter().filter(|job| is_meant(job.name())) {
        match sentence(jobs::run_once(app, job, name.is_some()).await)? {
            jobs::Outcome::NotOurs if name.is_some() => {
                return refused(format!("{} runs elsewhere right now: nothing was done.", job.name()));
            }
            jobs::Outcome::NotOurs => say!("{}: not due, or runs elsewhere right now", job.name()),
            jobs::Outcome::Done(count) | jobs::Outcome::Interrupted(count) => {
                say!("{}: {count} done", job.name());
            }
        }
    }
    if is_meant(jobs::OUTBOX) {
        say!("{}: {} email(s) tried", jobs::OUTBOX, send_emails(app).await?);
    }
    Ok(())
}

async fn send_emails(app: &App) -> Result<usize, String> {
    let mut tried = 0;
    loop {
        match sentence(jobs::run_outbox(app).await)? {
            0 => return Ok(tried),
            count => tried += count,
        }
    }
}
