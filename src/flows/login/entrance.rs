//! The door that a password comes through: counted before it is looked at, and noted where it was wrong.

use std::array;

use chrono::TimeDelta;

use crate::{
    accounts::authentication::Event,
    app::App,
    db::Tx,
    error::{Error, Result},
    ids::UserId,
    kinds::AuthMethod,
    model::{
        audit, network,
        password::PasswordHash,
        rate_limit::{self, Limit},
        sign_in::{self, Attempt, Outcome},
        user::{PasswordCredential, PasswordCredentials},
    },
    web::Client,
};

/// The door that an attempt came through.
pub(crate) struct Entrance {
    /// What counts the failures in a row there.
    streak: Limit,
    /// The one candidate whose password is looked at; every one where there is none.
    only: Option<usize>,
    /// The confirmed account that knows the browser, where it does.
    pub known: Option<UserId>,
}

impl Entrance {
    /// What the password is offered to.
    pub(crate) fn hashes(&self, candidates: &PasswordCredentials) -> [Option<PasswordHash>; 3] {
        let is_looked_at = |index: usize| self.only.is_none_or(|only| only == index);
        array::from_fn(|index| candidates[index].as_ref().filter(|_| is_looked_at(index))?.usable_hash())
    }

    /// The failures in a row are over. Whoever signs in to a mere claim proves nothing to the account that has the
    /// address confirmed, so there only this one try is taken back, whether or not there is such an account.
    pub(crate) fn succeeded(&self, tx: &mut Tx, is_owner: bool) -> Result<()> {
        match is_owner || self.only.is_some() {
            true => rate_limit::clear(tx, &self.streak),
            false => rate_limit::give_back(tx, &self.streak),
        }
    }
}

/// Counts the attempt before it is looked at.
///
/// Strangers who fail ten times in a row close the door to everybody for a while. A browser that was let in before has
/// a second one, with counters of its own account, behind which only that account's password is looked at: nobody is
/// locked out by others, and the counters tell nobody who has an address confirmed.
pub(crate) async fn count_attempt(
    app: &App,
    client: &Client,
    who: &str,
    candidates: &PasswordCredentials,
) -> Result<Entrance> {
    let is_known = |one: &PasswordCredential| client.known.knows(&one.id, one.browsers_known_from);
    // One that anybody can make without a mailbox does not shorten the queue.
    let [confirmed, ..] = candidates;
    let known = confirmed.as_ref().filter(|one| is_known(one)).map(|one| one.id.clone());
    match enter(app, client, "any", who, None, known.clone()).await {
        Err(Error::TooManyAttempts(seconds)) => {
            let kind = candidates.iter().enumerate().find(|(_, one)| one.as_ref().is_some_and(is_known));
            if let Some((index, Some(candidate))) = kind {
                return enter(app, client, "known", candidate.id.as_str(), Some(index), known).await;
            }
            note_refusal(app, client, who, candidates).await?;
            Err(Error::TooManyAttempts(seconds))
        }
        entrance => entrance,
    }
}

async fn enter(
    app: &App,
    client: &Client,
    kind: &str,
    whom: &str,
    only: Option<usize>,
    known: Option<UserId>,
) -> Result<Entrance> {
    let limits = app.config().limits;
    let minute = TimeDelta::minutes(1);
    let network = network::client_network(&client.ip);
    let per_network = Limit::new("login-network", &network, limits.login_per_network, minute);
    let per_neighbourhood =
        known.is_none().then(|| rate_limit::hashes_by_neighbourhood(app.config(), &client.ip));
    let per_address = Limit::new(&format!("login-address-{kind}"), whom, limits.login_per_address, minute);
    let streak = rate_limit::login_streak(app.config(), kind, whom);
    let counted: Vec<Limit> = [Some(per_network), per_neighbourhood, Some(per_address), Some(streak.clone())]
        .into_iter()
        .flatten()
        .collect();
    app.write(move |tx| counted.iter().try_for_each(|limit| rate_limit::consume(tx, limit))).await?;
    Ok(Entrance { streak, only, known })
}

/// Tells the owner once in a while that somebody keeps trying: a row for each try would let strangers fill the history.
async fn note_refusal(app: &App, client: &Client, who: &str, candidates: &PasswordCredentials) -> Result<()> {
    app.metrics().sign_in(AuthMethod::Password, false);
    let tried = tried(candidates).map(|candidate| candidate.id.clone());
    tracing::info!(
        user.id = tried.as_ref().map(UserId::as_str),
        client = client.ip,
        "a password sign-in was throttled"
    );
    let noting = Limit::new("login-refused", who, 1, app.config().limits.login_cool_down);
    let attempt = attempt(client, Outcome::Throttled);
    app.write(move |tx| match (rate_limit::try_consume(tx, &noting)?, tried) {
        (true, Some(tried)) => sign_in::note(tx, &tried, attempt),
        _ => Ok(()),
    })
    .await
}

/// Whose account is tried: theirs who have the address confirmed, or else its newest claim.
fn tried(candidates: &PasswordCredentials) -> Option<&PasswordCredential> {
    candidates.iter().flatten().next()
}

fn attempt(client: &Client, outcome: Outcome) -> Attempt {
    let method = AuthMethod::Password;
    Attempt {
        ip: client.ip.clone(),
        device: client.device(),
        method,
        outcome,
        is_new_device: false,
        had_cookie: false,
        second_factor: None,
    }
}

/// Notes a wrong password.
pub(crate) async fn note_failure(app: &App, client: &Client, candidates: PasswordCredentials) -> Result<()> {
    app.metrics().sign_in(AuthMethod::Password, false);
    let actor = client.actor();
    let tried = tried(&candidates).cloned();
    let is_blocked = tried.as_ref().is_some_and(|tried| tried.password_blocked_at.is_some());
    let attempt = attempt(client, if is_blocked { Outcome::Blocked } else { Outcome::WrongPassword });
    // A row whoever exists: a failure costs the same, and is seen, either way.
    let noted = app.write(move |tx| {
        if let Some(candidate) = &tried {
            sign_in::note(tx, &candidate.id, attempt)?;
        }
        let event = Event::SignInFailed { method: AuthMethod::Password };
        audit::record(tx, &actor, tried.as_ref().map(|candidate| &candidate.id), event)
    });
    match noted.await {
        // The account ended while the password was hashed.
        Err(Error::Unauthenticated) => Ok(()),
        noted => noted,
    }
}
