//! Which mailbox an account had first: that one has a say about what later ones were told, and none of them about it.

use crate::{
    accounts::security_changes::address_key,
    db::Tx,
    error::Result,
    ids::UserId,
    mail::EmailAddress,
    model::{
        security_change::{self, Kind},
        token::{self, ReportSignIn, RevertEmailChange},
    },
};

/// What stands for the addresses of an account that has moved, in the order in which it first had them.
struct Mailboxes(Vec<String>);

impl Mailboxes {
    fn of(tx: &mut Tx, user: &UserId) -> Result<Self> {
        let mut keys = Vec::new();
        for change in security_change::list(tx.conn, user)? {
            if change.kind != Kind::EmailChanged {
                continue;
            }
            let before = change.before(&tx.config.keys)?.and_then(|before| EmailAddress::parse(&before).ok());
            keys.extend(before.map(|before| address_key(&before.normalized())));
            keys.extend(change.target);
        }
        Ok(Self(keys))
    }

    fn place(&self, normalized: &str) -> Option<usize> {
        let key = address_key(normalized);
        self.0.iter().position(|one| *one == key)
    }

    /// Whether the account got one address after another. What nobody noted is not taken for later.
    fn is_later(&self, one: &str, than: &str) -> bool {
        self.place(one).zip(self.place(than)).is_some_and(|(one, than)| one > than)
    }
}

/// Ends the ways back that mailboxes were sent which the account got after the one it is back at, and those by which it would
/// go back there. What mailboxes have that it had before stays: they were there first.
pub(crate) fn spend_later(tx: &mut Tx, user: &UserId, back_at: &EmailAddress) -> Result<()> {
    let (mailboxes, here) = (Mailboxes::of(tx, user)?, back_at.normalized());
    token::revoke_where::<RevertEmailChange>(tx, user, |undo| {
        let told = undo.old.normalized();
        told == here || mailboxes.is_later(&told, &here)
    })?;
    token::revoke_where::<ReportSignIn>(tx, user, |told| {
        told.told_to.as_ref().is_some_and(|told_to| mailboxes.is_later(told_to, &here))
    })
}
