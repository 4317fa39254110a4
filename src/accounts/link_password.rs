//! The account's password behind a mailed link, where the link alone is not enough: its reader may not be the account's person,
//! and is not signed in to it.

use crate::{
    app::App,
    db::Tx,
    error::{Error, Result},
    ids::UserId,
    model::{
        password::Password,
        rate_limit,
        user::{self, PasswordCredential},
    },
};

/// What is stored of the account's password, where it is the one that is given. Each is counted as a guess before it is looked
/// at. One that is blocked opens nothing.
pub(crate) async fn check(app: &App, owner: &UserId, given: &Password) -> Result<Option<PasswordCredential>> {
    let owner = owner.clone();
    let credential = app
        .write(move |tx| {
            rate_limit::count_guess(tx, owner.as_str())?;
            user::password_credential(tx.conn, &owner)
        })
        .await?;
    let verdict = app.hasher().verify(given.clone(), [credential.usable_hash()]).await?;
    Ok(verdict.matched.map(|_| credential))
}

/// That the account's password is still what [`check`] found: it may have changed, or been blocked, while it was hashed.
/// [`Error::DeadLink`] where it is another by now: what changes a password ends the account's links.
pub(crate) fn ensure_still_fits(tx: &mut Tx, checked: &PasswordCredential) -> Result<()> {
    match user::password_credential(tx.conn, &checked.id)?.is(checked) {
        true => Ok(()),
        false => Err(Error::DeadLink),
    }
}
