//! What a second proof comes to, whatever it is.

use crate::{
    db::Tx,
    error::{Error, Result},
    ids::UserId,
    kinds::Factor,
    mail::{LetterKind, letters},
    model::{
        audit::{self, Event},
        sign_in::{self, Attempt, Outcome},
        throttle,
        token::{self, FirstProof, PendingSignIn},
        user::User,
    },
    secret::Secret,
    web::{Client, door::Ticket},
};

// Wrong codes end the sign-in; whoever has the app in hand needs fewer.
pub const MOST_CODES: i32 = 5;

/// What came of a code.
pub enum Verdict {
    Right { user: Box<User>, ticket: Ticket, factor: Factor, codes_left: i64 },
    Wrong,
    Last,
}

/// Notes a proof that was not right; the last one ends the sign-in.
pub fn missed(
    tx: &mut Tx,
    client: &Client,
    user: &User,
    first: &FirstProof,
    left: i32,
    secret: &Secret<PendingSignIn>,
) -> Result<Verdict> {
    note_failure(tx, client, &user.id, first)?;
    let actor = client.actor().known_as(&user.id);
    audit::record(tx, &actor, &user.id, Event::SecondFactorFailed {})?;
    if left > 0 {
        return Ok(Verdict::Wrong);
    }
    // Whoever it was knew the first proof: its owner should hear of it.
    if throttle::admits_letter(tx, LetterKind::WrongCodes, &user.email)? {
        let (when, device) = (tx.now.exact(), client.device().name());
        let letter = letters::wrong_codes(&tx.config.site, &user.email, &user.name, &when, &device)?;
        tx.mail(Some(&user.id), letter)?;
    }
    token::drop_one(tx, secret)?;
    Ok(Verdict::Last)
}

fn note_failure(tx: &mut Tx, client: &Client, user: &UserId, first: &FirstProof) -> Result<()> {
    let attempt = Attempt {
        ip: client.ip.clone(),
        device: client.device(),
        method: first.method,
        outcome: Outcome::WrongCode,
        is_new_device: false,
    };
    sign_in::note(tx, user, attempt)
}

/// The sign-in ended, or its account did.
pub fn ended(error: Error) -> Error {
    match error {
        Error::DeadLink | Error::NotFound => Error::PendingEnded,
        other => other,
    }
}
