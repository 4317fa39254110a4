//! What a second factor comes to, whatever it is.

use crate::{
    accounts::authentication::{Event, IssuedSession},
    db::Tx,
    error::{Error, Result},
    ids::UserId,
    kinds::Factor,
    mail::{EmailKind, emails},
    model::{
        audit, rate_limit,
        sign_in::{self, Attempt, Outcome},
        token::{self, FirstFactor, PendingSignIn},
        user::User,
    },
    secret::Secret,
    web::{Client, pending::SIGN_IN_EXPIRED},
};

// Wrong codes end the sign-in; whoever has the app in hand needs fewer.
pub(crate) const MOST_CODES: i32 = 5;

/// What came of a code.
pub(crate) enum Verdict {
    Right { user: Box<User>, issued: IssuedSession, factor: Factor, codes_left: i64 },
    Wrong,
    Last,
}

/// Notes a proof that was not right; the last one ends the sign-in.
pub(crate) fn missed(
    tx: &mut Tx,
    client: &Client,
    user: &User,
    first: &FirstFactor,
    left: i32,
    secret: &Secret<PendingSignIn>,
) -> Result<Verdict> {
    note_failure(tx, client, &user.id, first)?;
    let actor = client.actor().known_as(&user.id);
    audit::record(tx, &actor, &user.id, Event::SecondFactorFailed {})?;
    if left > 0 {
        return Ok(Verdict::Wrong);
    }
    // Whoever it was knew the first factor: its owner should hear of it.
    if rate_limit::try_consume_mail(tx, EmailKind::WrongCodes, &user.email)? {
        let (when, device) = (tx.now.exact(), client.device().name());
        let email = emails::wrong_codes(&tx.config.site, &user.email, &user.name, &when, &device)?;
        tx.mail(Some(&user.id), email)?;
    }
    token::discard(tx, secret)?;
    Ok(Verdict::Last)
}

fn note_failure(tx: &mut Tx, client: &Client, user: &UserId, first: &FirstFactor) -> Result<()> {
    let attempt = Attempt {
        ip: client.ip.clone(),
        device: client.device(),
        method: first.method,
        outcome: Outcome::WrongCode,
        is_new_device: false,
        had_cookie: false,
        second_factor: None,
    };
    sign_in::note(tx, user, attempt)
}

/// The sign-in ended, or its account did.
pub(crate) fn ended(error: Error) -> Error {
    match error {
        Error::DeadLink | Error::NotFound => SIGN_IN_EXPIRED.error(),
        other => other,
    }
}
