//! Since when an account is in doubt, and which sign-ins were answered for.

use std::collections::HashSet;

use crate::{
    accounts::security_changes,
    clock::Timestamp,
    db::{Conn, Tx},
    error::Result,
    ids::{SessionId, UserId},
    model::{
        security_change::{self, Beginning, Kind, SecurityChange},
        token::{self, AddressChange, ReportSignIn, ReportedEvent},
    },
};

/// An answer that is as good as whoever stands behind it.
#[derive(Debug, Clone)]
pub(super) struct Vouched {
    /// The session that was answered for.
    pub session: SessionId,
    /// The session that answered, and those that moved the account to the mailbox that did.
    pub by: Vec<SessionId>,
}

/// Since when an account is in doubt, the session that the pressed link tells of, and the address that was told.
#[derive(Debug, Clone)]
pub(crate) struct Doubt {
    // The sign-ins that were told of, and which sessions they began.
    told: Vec<(Timestamp, Option<SessionId>)>,
    /// Those sessions, also where they have ended.
    pub(super) began: Vec<Beginning>,
    pressed: Timestamp,
    pub(super) session: Option<SessionId>,
    pub(super) told_to: Option<String>,
    // Sessions that were answered for, and answers that count unless a session is disowned.
    pub(super) answered: HashSet<SessionId>,
    pub(super) vouched: Vec<Vouched>,
    // Sessions that the reader of the link stands by.
    trusted: HashSet<SessionId>,
    pub(super) now: Timestamp,
}

impl Doubt {
    /// The doubt of a link that tells of something at `moment`. It reaches back to the earliest sign-in that was told of
    /// and that nobody answered for.
    pub(crate) fn since(
        conn: &mut Conn,
        user: &UserId,
        moment: Timestamp,
        session: Option<SessionId>,
        told_to: Option<String>,
        now: Timestamp,
    ) -> Result<Self> {
        // Cookies and links tell whole seconds.
        let pressed = Timestamp::from_unix(moment.unix());
        let outstanding = token::all_outstanding::<ReportSignIn>(conn, user, now)?;
        let (answered, vouched) = answers(&security_change::list(conn, user)?);
        // Of what its own person changes they are told as well, and have no reason to answer.
        let sign_ins = outstanding.into_iter().filter(|told| told.what.is_none());
        let (mut told, mut began) = (Vec::new(), Vec::new());
        for sign_in in sign_ins {
            began.extend(beginning(&sign_in));
            told.push((Timestamp::from_unix(sign_in.at), sign_in.session));
        }
        Ok(Self { told, began, pressed, session, told_to, answered, vouched, trusted: HashSet::new(), now })
    }

    /// The same, but for sessions that its person stands by. Never for the one that the link tells of.
    pub(crate) fn but_for(mut self, trusted: impl IntoIterator<Item = SessionId>) -> Self {
        self.trusted.extend(trusted);
        self
    }

    /// When it begins: the first moment that was told of and not answered for, or that of the link.
    pub(super) fn begins(&self) -> Timestamp {
        let is_answered =
            |session: &Option<SessionId>| session.as_ref().is_some_and(|one| self.answered.contains(one));
        let open = self.told.iter().filter(|(_, session)| !is_answered(session));
        open.map(|(at, _)| *at).fold(self.pressed, Timestamp::min)
    }

    pub(super) fn trusts(&self, session: &SessionId) -> bool {
        let is_trusted = self.trusted.contains(session) || self.answered.contains(session);
        is_trusted && self.session.as_ref() != Some(session)
    }
}

/// The session that a sign-in began, as its email told of it.
fn beginning(told: &ReportedEvent) -> Option<Beginning> {
    let (id, with) = (told.session.clone()?, told.began_with.clone()?);
    Some(Beginning {
        id,
        began_at: Timestamp::from_unix(told.at),
        browser_known_since: with.browser_known_since.map(Timestamp::from_unix),
        passkey_id: with.passkey,
        method: with.method,
        second_factor: with.second_factor,
        connection_id: with.connection,
    })
}

/// The sessions that were answered for, and the answers that depend on a session: the one that gave it, or one that had moved
/// the account to the mailbox that did. A move that nobody knows the session of makes the answers after it void.
fn answers(changes: &[SecurityChange]) -> (HashSet<SessionId>, Vec<Vouched>) {
    let (mut answered, mut vouched) = (HashSet::new(), Vec::new());
    let mut movers = Some(Vec::new());
    for change in changes {
        let target = || change.target.clone().map(SessionId::from_text);
        let by = change.by.as_ref().map(|by| by.id.clone());
        match (change.kind, by) {
            (Kind::EmailChanged, Some(by)) => movers.iter_mut().for_each(|movers| movers.push(by.clone())),
            (Kind::EmailChanged, None) => movers = None,
            (Kind::SignInConfirmed, Some(by)) => {
                vouched.extend(target().map(|session| Vouched { session, by: vec![by] }));
            }
            (Kind::SignInConfirmed, None) => match &movers {
                Some(movers) if movers.is_empty() => answered.extend(target()),
                Some(movers) => {
                    vouched.extend(target().map(|session| Vouched { session, by: movers.clone() }));
                }
                None => {}
            },
            _ => {}
        }
    }
    (answered, vouched)
}

/// The doubt of a link that undoes a move: since it was asked for, and about the session that asked.
pub(crate) fn doubt_of_move(
    tx: &mut Tx,
    id: &UserId,
    change: &AddressChange,
    asked_at: Timestamp,
) -> Result<Doubt> {
    let changes = security_change::list(tx.conn, id)?;
    let by =
        security_changes::asked(&changes, change).and_then(|one| one.by.as_ref()).map(|by| by.id.clone());
    Doubt::since(tx.conn, id, asked_at, by, Some(change.old.normalized()), tx.now)
}
