//! What a proved mailbox does to an account that only claimed its address.

use super::{
    audit::{self, Actor, Event},
    identity, membership, second_factor, session, sign_in,
    token::{self, AddressChange, UndoEmail},
    user::{self, User},
};
use crate::{
    clock::span_in_words,
    db::{Id, Tx},
    error::Result,
    mail::letters,
};

/// Confirms the address of a claim for whoever reads its mail, and returns the account as it is then.
///
/// Anybody may have made the claim, perhaps to lie in wait for the owner. Whoever reads the mail proves the address and
/// nothing else, so what was put there before goes: the password, sessions, links, known browsers, second factors,
/// organisations and their names for it, the history. The owner sets a password of their own by mail when they want one.
/// A reset does the same, but that it brings a new password along; a confirmation link asks for the password instead, and
/// so may leave it.
pub fn prove(tx: &mut Tx, actor: &Actor, user: &User, normalized: &str) -> Result<User> {
    user::confirm_address(tx, actor, &user.id, normalized)?;
    if second_factor::of(tx.conn, &user.id)?.is_second_due() {
        second_factor::remove_all(tx, actor, &user.id)?;
    }
    leave_organisations(tx, actor, &user.id)?;
    session::revoke_others(tx, actor, &user.id, None)?;
    token::revoke_all(tx, &user.id)?;
    user::drop_password(tx, &user.id)?;
    user::forget_browsers(tx, &user.id)?;
    sign_in::forget(tx, &user.id)?;
    audit::record(tx, actor, &user.id, Event::ClaimCleared {})?;
    user::by_id(tx.conn, &user.id)
}

/// Takes an account whose address was a claim until now out of every organisation: any organisation could have said that
/// it is one of its people.
pub fn leave_organisations(tx: &mut Tx, actor: &Actor, user: &Id<User>) -> Result<()> {
    identity::forget(tx, user)?;
    membership::withdraw(tx, actor, user)
}

/// Tells the mailbox that an account had, which has moved away from it, with a link to take the address back.
pub fn tell_of_move(tx: &mut Tx, user: &User, change: &AddressChange) -> Result<()> {
    let config = tx.config;
    let undo = token::issue_another::<UndoEmail>(tx, &user.id, change, config.lifetimes.email_undo)?;
    let (new, valid_for) = (change.new.spelled(), span_in_words(config.lifetimes.email_undo));
    let letter =
        letters::address_changed(&config.site, &change.old, &user.name, new, undo.reveal(), &valid_for)?;
    tx.mail(Some(&user.id), letter)
}
