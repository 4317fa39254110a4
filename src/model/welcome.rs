//! The letter that a claim to an address causes, at sign-up and whenever it is asked for again.

use super::{
    throttle,
    token::{self, VerifyEmail},
    user::{self, User},
};
use crate::{
    clock::span_in_words,
    db::Tx,
    error::Result,
    mail::{LetterKind, letters},
};

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
