//! `vestibule session`: what an operator may do to everybody's sessions at once.

use clap::Subcommand;
use serde_json::json;

use super::{
    out::say,
    outcome::{Outcome, refused, sentence},
};
use crate::{
    accounts::sessions,
    app::App,
    model::{audit::Actor, session},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign everybody out everywhere, and end each sign-in that waits for its second factor.
    RevokeAll {
        /// Yes, everybody.
        #[arg(long)]
        yes: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs one of them.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    let Command::RevokeAll { yes, json } = command;
    if !yes {
        let now = app.now();
        let count = sentence(app.read(move |conn| session::count(conn, now)).await)?;
        return refused(format!("This ends {count} session(s), everybody's. Add --yes if you mean it."));
    }
    let revoked = sentence(app.write(|tx| sessions::revoke_everybody(tx, &Actor::operator())).await)?;
    if json {
        say!("{}", json!({ "revoked": revoked }));
    }
    match revoked {
        0 => refused("Nobody is signed in: nothing was ended."),
        revoked if !json => {
            say!("{revoked} session(s) are ended.");
            Ok(())
        }
        _ => Ok(()),
    }
}
