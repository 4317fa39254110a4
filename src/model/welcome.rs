//! The letter that a claim to an address causes, at sign-up and whenever it is asked for again.

use super::{
    throttle,
    token::{self, VerifyEmail},
    user::{self, User},
};
use crate::{
    clock::span_in_words,
    db::{Id, Tx},
    error::Result,
    mail::{LetterKind, letters},
};

/// Tells whoever a claimed address belongs to, once, that the account ends unless it is confirmed. Says whether there was
/// anything to tell: an owner who has the address confirmed is not bothered.
pub fn warn(tx: &mut Tx, id: &Id<User>) -> Result<bool> {
    let Some(user) = user::find_locked(tx, id)? else { return Ok(false) };
    if !user::warn_claim(tx, id)? || user::confirmed(tx.conn, &user.email)?.is_some() {
        return Ok(false);
    }
    if !throttle::admits_letter(tx, LetterKind::ClaimEnds, &user.email)? {
        return Ok(false);
    }
    let config = tx.config;
    let rest = config.lifetimes.unconfirmed - config.lifetimes.unconfirmed_warning;
    token::revoke::<VerifyEmail>(tx, id)?;
    let secret = token::issue_another::<VerifyEmail>(tx, id, &user.email.normalized(), rest)?;
    let when = (tx.now + rest).exact();
    let letter = letters::claim_ends(&config.site, &user.email, &user.name, &when, secret.reveal())?;
    tx.mail(Some(id), letter)?;
    Ok(true)
}

/// Writes to whoever the address belongs to: its confirmed owner where there is one, else the claimant.
///
/// What the visitor is told is the same either way: strangers must not learn who is here.
pub fn send(tx: &mut Tx, user: &User) -> Result<()> {
    let config = tx.config;
    // Made in both cases, at the same cost; of a taken address nobody ever sees it.
    let secret = token::issue::<VerifyEmail>(tx, &user.id, &user.email.normalized())?;
    if let Some(owner) = user::confirmed(tx.conn, &user.email)? {
        // However often strangers sign up with it.
        if !throttle::admits_letter(tx, LetterKind::AlreadyRegistered, &owner.email)? {
            return Ok(());
        }
        let letter = letters::already_registered(&config.site, &owner.email, &owner.name)?;
        return tx.mail(Some(&owner.id), letter);
    }
    let valid_for = span_in_words(config.lifetimes.verify_link);
    let letter = letters::verify_email(&config.site, &user.email, &user.name, secret.reveal(), &valid_for)?;
    tx.mail(Some(&user.id), letter)
}
