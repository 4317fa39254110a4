//! `vestibule jobs`: what runs by itself.

use clap::Subcommand;
use serde_json::json;

use super::{Outcome, sentence};
use crate::{app::App, jobs, model::outbox};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// What waits, what was given up, and why.
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
    /// Put letters that were given up back in the queue.
    Retry,
}

/// Runs one of them.
pub async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::List { json } => list(&app, json).await,
        Command::Run { name } => run_once(&app, name).await,
        Command::Retry => {
            let count = sentence(app.write(outbox::retry_parked).await)?;
            println!("{count} letter(s) are back in the queue.");
            Ok(())
        }
    }
}

async fn list(app: &App, as_json: bool) -> Outcome {
    let (depth, parked) = sentence(app.read(|conn| Ok((outbox::depth(conn)?, outbox::parked(conn)?))).await)?;
    if as_json {
        println!("{}", json!({ "outbox": depth, "parked": parked }));
        return Ok(());
    }
    let oldest =
        depth.oldest_at.map_or(String::new(), |at| format!(", the oldest from {}", at.ago(app.now())));
    println!("outbox: {} waiting{oldest}; {} given up", depth.waiting, depth.parked);
    for letter in parked {
        let why = letter.last_error.unwrap_or_default();
        println!(
            "  {}  {}  {}  tried {}×: {why}",
            letter.id,
            letter.kind,
            letter.created_at.iso(),
            letter.attempts
        );
    }
    Ok(())
}

async fn run_once(app: &App, name: Option<String>) -> Outcome {
    if let Some(name) = name.as_ref().filter(|name| !jobs::NAMES.contains(&name.as_str())) {
        return Err(format!("There is no job called {name}. There are: {}.", jobs::NAMES.join(", ")));
    }
    let is_meant = |job: &str| name.as_ref().is_none_or(|name| name == job);
    // Before the outbox: they write letters.
    if is_meant("factor-resets") {
        let count = sentence(jobs::reset_factors(app).await)?;
        if count > 0 || name.is_some() {
            println!("factor-resets: {count} account(s) without second factors now");
        }
    }
    if is_meant("outbox") {
        let mut tried = 0;
        loop {
            match sentence(jobs::run_outbox(app).await)? {
                0 => break,
                count => tried += count,
            }
        }
        println!("outbox: {tried} letter(s) tried");
    }
    Ok(())
}
