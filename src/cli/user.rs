//! `vestibule user`: what an operator does for one person. Each act is audited.

use clap::Subcommand;
use serde_json::json;

use super::{Outcome, sentence};
use crate::{
    app::App,
    clock::span_in_words,
    mail::EmailAddress,
    model::{
        audit::Actor,
        factor_reset::{self, Asked},
        user,
    },
};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take every second factor away from somebody who lost them all. The owner is told, and can stop it for a while.
    #[command(name = "reset-2fa")]
    ResetFactors {
        /// The person's confirmed address.
        address: String,
        /// Stop a reset that is under way.
        #[arg(long)]
        cancel: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs one of them.
pub async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::ResetFactors { address, cancel: false, json } => reset_factors(&app, &address, json).await,
        Command::ResetFactors { address, cancel: true, json } => stop_reset(&app, &address, json).await,
    }
}

async fn reset_factors(app: &App, typed: &str, as_json: bool) -> Outcome {
    let address = EmailAddress::parse(typed).map_err(|problem| problem.to_string())?;
    let asked = sentence(app.write(move |tx| factor_reset::ask(tx, &Actor::operator(), &address)).await)?;
    let at = match asked {
        Asked::Until(at) => at,
        Asked::UnderWay(at) => {
            return Err(format!(
                "That is already under way: it takes effect on {}. Stop it with --cancel.",
                at.exact()
            ));
        }
        Asked::NothingToReset => return Err(format!("{typed} has no second factor to take away.")),
        Asked::Nobody => return Err(nobody(typed)),
    };
    if as_json {
        println!("{}", json!({ "address": typed, "takesEffectAt": at }));
        return Ok(());
    }
    let delay = span_in_words(app.config().lifetimes.factors_reset);
    println!("{typed} is told by mail and can stop it for {delay}.");
    println!("On {} every second factor is taken away and every device signed out.", at.exact());
    Ok(())
}

async fn stop_reset(app: &App, typed: &str, as_json: bool) -> Outcome {
    let address = EmailAddress::parse(typed).map_err(|problem| problem.to_string())?;
    let stopped = app.write(move |tx| match user::confirmed(tx.conn, &address)? {
        Some(user) => factor_reset::stop(tx, &Actor::operator(), &user).map(Some),
        None => Ok(None),
    });
    match sentence(stopped.await)? {
        None => return Err(nobody(typed)),
        Some(false) => return Err(format!("Nothing is under way for {typed}.")),
        Some(true) => {}
    }
    match as_json {
        true => println!("{}", json!({ "address": typed, "stopped": true })),
        false => println!("It is stopped. {typed} is told by mail."),
    }
    Ok(())
}

fn nobody(typed: &str) -> String {
    format!("Nobody has {typed} confirmed.")
}
