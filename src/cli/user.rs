//! `vestibule user`: what an operator may do to an account. Every change is audited as an operator's.

mod show;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    out::{self, say},
    outcome::{Outcome, refused, sentence},
};
use crate::{
    accounts::{
        containment, deletion,
        email_verification::{self, Event},
        factor_reset::{self, Asked},
        sign_up, sso_policy,
    },
    app::App,
    clock::span_in_words,
    db::Tx,
    error::Result,
    ids::{Id, UserId},
    mail::EmailAddress,
    model::{
        audit::{self, Actor},
        user::{self, Name, User},
    },
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everybody who has an account.
    List {
        /// Print JSON, a line for each.
        #[arg(long)]
        json: bool,
    },
    /// One account: its state, how and where it is signed in, who tried to, what was mailed.
    Show(Whom),
    /// Make an account, and mail its person a link with which they choose a password.
    Create {
        /// The address. The link proves it.
        address: String,
        /// What to call the person.
        #[arg(long)]
        name: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Mail a link for a new password.
    SendReset(Whom),
    /// Mail another link to confirm the address. The older ones no longer work.
    Resend(Whom),
    /// Sign an account out everywhere and let nobody in until it is unlocked.
    Lock {
        #[command(flatten)]
        whom: Whom,
        /// Somebody else may know the password: it opens nothing any more, and every known device is forgotten.
        #[arg(long)]
        compromised: bool,
    },
    /// Let somebody in again.
    Unlock(Whom),
    /// Sign an account out everywhere. Its person can sign in again.
    SignOut(Whom),
    /// Delete an account as if its person had asked: after the grace, or now.
    Delete {
        #[command(flatten)]
        whom: Whom,
        /// At once, without a grace. Nothing brings it back.
        #[arg(long)]
        now: bool,
    },
    /// Keep an account from being deleted, for a reason that is audited.
    Hold {
        #[command(flatten)]
        whom: Whom,
        /// Why.
        #[arg(long, required_unless_present = "release", conflicts_with = "release")]
        reason: Option<String>,
        /// Let the deletion go on.
        #[arg(long)]
        release: bool,
    },
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

/// Which account.
#[derive(Debug, Args)]
pub(crate) struct Whom {
    /// The address; or the id, where several accounts claim the address.
    #[arg(value_name = "ADDRESS")]
    who: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

// Accounts read at a time.
const PAGE: i64 = 500;

/// Runs one of them.
pub(crate) async fn run(app: App, command: Command) -> Outcome {
    match command {
        Command::List { json } => list(&app, json).await,
        Command::Show(whom) => {
            let user = find(&app, &whom.who).await?;
            show::run(&app, user, whom.json).await
        }
        Command::Create { address, name, json } => create(&app, &address, name, json).await,
        Command::SendReset(whom) => send_reset(&app, &whom).await,
        Command::Resend(whom) => {
            let words = ["is sent a link to confirm the address", "is confirmed already"];
            act(&app, &whom, words, resend).await
        }
        Command::Lock { whom, compromised } => {
            let change = move |tx: &mut Tx, user: &User| {
                containment::lock_out(tx, &Actor::operator(), user, compromised)
            };
            let done = match compromised {
                false => "is locked and signed out everywhere",
                true => "is locked and signed out everywhere, and its password opens nothing any more",
            };
            act(&app, &whom, [done, "was locked already"], change).await
        }
        Command::Unlock(whom) => {
            let change = |tx: &mut Tx, user: &User| containment::unlock(tx, &Actor::operator(), user);
            act(&app, &whom, ["is unlocked", "was not locked"], change).await
        }
        Command::SignOut(whom) => {
            let change = |tx: &mut Tx, user: &User| containment::sign_out(tx, &Actor::operator(), user);
            act(&app, &whom, ["is signed out everywhere", "was signed in nowhere"], change).await
        }
        Command::Delete { whom, now: false } => act(&app, &whom, SCHEDULED, schedule).await,
        Command::Delete { whom, now: true } => {
            let words = ["is deleted", "is held (`vestibule user hold ADDRESS --release` ends that)"];
            act(&app, &whom, words, delete_now).await?;
            wipe(&app).await
        }
        Command::Hold { whom, reason: Some(reason), .. } => {
            let change =
                move |tx: &mut Tx, user: &User| deletion::hold(tx, &Actor::operator(), user, Some(&reason));
            act(&app, &whom, ["is not deleted while it is held", "was held for that reason already"], change)
                .await
        }
        Command::Hold { whom, reason: None, .. } => {
            let change = |tx: &mut Tx, user: &User| deletion::hold(tx, &Actor::operator(), user, None);
            act(&app, &whom, ["is no longer held", "was not held"], change).await
        }
        Command::ResetFactors { address, cancel: false, json } => reset_factors(&app, &address, json).await,
        Command::ResetFactors { address, cancel: true, json } => stop_reset(&app, &address, json).await,
    }
}

async fn create(app: &App, typed: &str, name: Option<String>, as_json: bool) -> Outcome {
    let email = EmailAddress::parse_new(typed, !app.config().is_development());
    let email = email.map_err(|problem| problem.to_string())?;
    let name = name.map(|name| Name::parse(&name)).transpose()?;
    if sentence(
        app.read({
            let email = email.clone();
            move |conn| sso_policy::enforced(conn, &email)
        })
        .await,
    )?
    .is_some()
    {
        return Err(format!("People of {} sign in through their organisation only.", email.domain()));
    }
    let made = app.write(move |tx| sign_up::create(tx, &Actor::operator(), email, name)).await;
    let Some(user) = sentence(made)? else { return refused(format!("{typed} has an account already.")) };
    let told = format!("{typed} has an account now, and is mailed a link to choose a password.");
    out::print(&show::told(&user), as_json, &told);
    Ok(())
}

async fn send_reset(app: &App, whom: &Whom) -> Outcome {
    let user = find(app, &whom.who).await?;
    let person = user.clone();
    let leads = app.read(move |conn| sso_policy::required_connection(conn, &person)).await;
    if sentence(leads)?.is_some() {
        return Err(format!("{} signs in through their organisation only.", user.email.spelled()));
    }
    let words = ["is mailed a link for a new password"; 2];
    let send = |tx: &mut Tx, user: &User| sign_up::send_reset(tx, &Actor::operator(), user).map(|()| true);
    act(app, whom, words, send).await
}

fn resend(tx: &mut Tx, user: &User) -> Result<bool> {
    tx.lock(&user.email.normalized())?;
    if user::by_id(tx.conn, &user.id)?.is_verified() {
        return Ok(false);
    }
    audit::record(tx, &Actor::operator(), &user.id, Event::ConfirmationSent {})?;
    email_verification::send_link(tx, &Actor::operator(), user)?;
    Ok(true)
}

const SCHEDULED: [&str; 2] = ["is going to be deleted", "was going to be deleted already"];

fn schedule(tx: &mut Tx, user: &User) -> Result<bool> {
    let grace = tx.config.lifetimes.deletion_grace;
    let deletes_at = deletion::schedule(tx, &Actor::operator(), user, None, grace)?;
    Ok(user.deletes_at != Some(deletes_at))
}

fn delete_now(tx: &mut Tx, user: &User) -> Result<bool> {
    if deletion::held_because(tx.conn, &user.id)?.is_some() {
        return Ok(false);
    }
    deletion::schedule(tx, &Actor::operator(), user, None, chrono::TimeDelta::zero())?;
    deletion::purge(tx, &Actor::operator(), &user.id)
}

async fn wipe(app: &App) -> Outcome {
    if !sentence(app.db().vacuum().await)? {
        say!("Its traces are still in the log of the database: `vestibule jobs run vacuum` wipes them.");
    }
    Ok(())
}

/// Changes one account. `words`: what to say where that changed something, and where it did not.
async fn act<F>(app: &App, whom: &Whom, words: [&str; 2], change: F) -> Outcome
where
    F: FnOnce(&mut Tx, &User) -> Result<bool> + Send + 'static,
{
    let user = find(app, &whom.who).await?;
    let (id, email) = (user.id.clone(), user.email.spelled().to_owned());
    let changed = sentence(app.write(move |tx| change(tx, &user)).await)?;
    let told = words[usize::from(!changed)];
    if whom.json {
        say!("{}", json!({ "id": id, "email": email, "changed": changed, "message": told }));
    }
    match changed {
        false => refused(format!("{email} {told}: nothing was changed.")),
        true if !whom.json => {
            say!("{email} {told}.");
            Ok(())
        }
        true => Ok(()),
    }
}

/// The account that is meant: by its id, by who has the address confirmed, or by the one claim to it.
pub(super) async fn find(app: &App, who: &str) -> std::result::Result<User, String> {
    let id: Option<UserId> = serde_json::from_value(who.into()).ok();
    let nobody = || format!("There is no account called {who}.");
    if let Some(id) = id {
        return sentence(app.read(move |conn| user::find(conn, &id)).await)?.ok_or_else(nobody);
    }
    let email = EmailAddress::parse(who).map_err(|problem| problem.to_string())?;
    let mut found = sentence(app.read(move |conn| user::all_with(conn, &email)).await)?;
    let is_plain = found.len() == 1 || found.first().is_some_and(User::is_verified);
    match (found.is_empty(), is_plain) {
        (true, _) => Err(nobody()),
        (false, true) => Ok(found.swap_remove(0)),
        (false, false) => {
            let ids: Vec<_> = found.iter().map(|user| user.id.as_str()).collect();
            Err(format!("Several accounts claim {who}. Name one by its id: {}.", ids.join(", ")))
        }
    }
}

async fn list(app: &App, as_json: bool) -> Outcome {
    let mut after = Id::from_text("");
    while out::is_open() {
        let page = sentence(app.read(move |conn| user::page(conn, &after, PAGE)).await)?;
        let Some(last) = page.last().map(|user| user.id.clone()) else { return Ok(()) };
        for user in &page {
            match as_json {
                true => say!("{}", show::told(user)),
                false => say!("{}  {:<40} {}", user.id, user.email.spelled(), show::state(user)),
            }
        }
        after = last;
    }
    Ok(())
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
        say!("{}", json!({ "address": typed, "takesEffectAt": at }));
        return Ok(());
    }
    let delay = span_in_words(app.config().lifetimes.factors_reset);
    say!("{typed} is told by email and can cancel it for {delay}.");
    say!("On {} every second factor is taken away and every device signed out.", at.exact());
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
        true => say!("{}", json!({ "address": typed, "stopped": true })),
        false => say!("It is cancelled. {typed} is told by email."),
    }
    Ok(())
}

fn nobody(typed: &str) -> String {
    format!("Nobody has {typed} confirmed.")
}
