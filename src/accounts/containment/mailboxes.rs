//! Which mailbox an account had first: that one has a say about what later ones were told, and none of them about it.

use crate::{
    accounts::security_changes::address_key,
    clock::Timestamp,
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

/// When an account moved, and what stands for the addresses from which and to which.
type Move = (Timestamp, Option<String>, Option<String>);

impl Mailboxes {
    fn of(tx: &mut Tx, user: &UserId) -> Result<Self> {
        let mut moves = Vec::new();
        for change in security_change::list(tx.conn, user)? {
            if change.kind == Kind::EmailChanged {
                let before = change.before(&tx.config.keys)?;
                let before = before.and_then(|before| EmailAddress::parse(&before).ok());
                moves.push((
                    change.at,
                    before.map(|before| address_key(&before.normalized())),
                    change.target,
                ));
            }
        }
        let mut keys: Vec<String> = Vec::new();
        while let Some(earliest) = moves.iter().map(|(at, ..)| *at).min() {
            // Of several in one moment, the one from the address of the last; of the first, the one that none leads to.
            let follows = |(at, before, _): &Move| *at == earliest && before.as_ref() == keys.last();
            let begins = |(at, before, _): &Move| {
                *at == earliest && !moves.iter().any(|(.., target)| target == before)
            };
            let next = moves.iter().position(follows).or_else(|| moves.iter().position(begins));
            let next = next.or_else(|| moves.iter().position(|(at, ..)| *at == earliest));
            let (_, before, target) = moves.remove(next.unwrap_or_default());
            keys.extend(before.into_iter().chain(target));
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
