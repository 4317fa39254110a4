//! Which sessions of an account in doubt were somebody else's: the one that the pressed link tells of, each begun since the
//! doubt in a browser that the account did not know before it, and whatever was begun with a credential that one of these
//! added.
//!
//! Nothing ends the doubt for a session but an answer about that session: "yes, this was me", or a box that its person
//! cleared. A new password does not. Whoever came in before it may have left a credential that still opens the account.

use std::collections::HashSet;

use super::doubt::Doubt;
use crate::{
    clock::Timestamp,
    db::Conn,
    error::Result,
    ids::{ConnectionId, PasskeyId, SessionId, UserId},
    kinds::{AuthMethod, Factor},
    model::security_change::{self, Beginning, Kind, SecurityChange},
};

/// The sessions that are disowned, also those that have ended.
pub(super) struct Disowned<'a> {
    doubt: Doubt,
    from: Timestamp,
    changes: &'a [SecurityChange],
    // How each session began that is known of.
    began: Vec<Beginning>,
    pub(super) sessions: HashSet<SessionId>,
}

impl<'a> Disowned<'a> {
    /// Those of `user`. An answer counts unless whoever gave it, or moved the account to the mailbox that gave it, is disowned.
    pub(super) fn of(
        conn: &mut Conn,
        user: &UserId,
        doubt: &Doubt,
        changes: &'a [SecurityChange],
    ) -> Result<Self> {
        let mut all = security_change::sessions_of(conn, user)?;
        all.extend(changes.iter().filter_map(|one| one.by.clone()));
        // Of a session that is still there, or changed something, more is known than its alert tells.
        let ended: Vec<Beginning> =
            doubt.began.iter().filter(|told| all.iter().all(|one| one.id != told.id)).cloned().collect();
        all.extend(ended);
        let mut doubt = doubt.clone();
        loop {
            let disowned = Self::once(&all, doubt.clone(), changes);
            let (void, counts): (Vec<_>, Vec<_>) = doubt
                .vouched
                .into_iter()
                .partition(|vouched| vouched.by.iter().any(|by| disowned.sessions.contains(by)));
            if counts.is_empty() {
                return Ok(Self { began: all, ..disowned });
            }
            doubt.answered.extend(counts.into_iter().map(|vouched| vouched.session));
            doubt.vouched = void;
        }
    }

    fn once(all: &[Beginning], doubt: Doubt, changes: &'a [SecurityChange]) -> Self {
        let (from, sessions) = (doubt.begins(), doubt.session.iter().cloned().collect());
        let mut disowned = Self { doubt, from, changes, began: Vec::new(), sessions };
        // Each round may find a credential with which others began.
        loop {
            let before = disowned.sessions.len();
            let is_disowned = |one: &&Beginning| {
                !disowned.doubt.trusts(&one.id)
                    && (disowned.is_strange(one) || disowned.added_what_began(one))
            };
            let more: Vec<SessionId> = all.iter().filter(is_disowned).map(|one| one.id.clone()).collect();
            disowned.sessions.extend(more);
            if disowned.sessions.len() == before {
                return disowned;
            }
        }
    }

    /// When the doubt begins.
    pub(super) fn from(&self) -> Timestamp {
        self.from
    }

    /// Begun since the doubt, in a browser that was not known before it.
    fn is_strange(&self, session: &Beginning) -> bool {
        session.began_at >= self.from && session.browser_known_since.is_none_or(|since| since >= self.from)
    }

    /// Whether a session began with what one of them had added: a passkey, an app, recovery codes, an identity at a provider,
    /// a password, or the mailbox of an address to which they had moved the account.
    fn added_what_began(&self, session: &Beginning) -> bool {
        let before = |kinds: &[Kind], target: Option<&str>, at: Timestamp| self.before(kinds, target, at);
        // The one in force then: what was there before it was somebody else's, or nobody's.
        let theirs = |kinds: &[Kind], target: Option<&str>| {
            before(kinds, target, session.began_at).is_some_and(|one| self.did(one))
        };
        let has_moved_at = |at| before(&[Kind::EmailChanged], None, at).is_some_and(|one| self.did(one));
        let first = match session.method {
            Some(AuthMethod::MagicLink) => has_moved_at(session.began_at),
            Some(AuthMethod::Password) => {
                match before(&[Kind::PasswordChanged, Kind::PasswordReset], None, session.began_at) {
                    Some(one) if one.kind == Kind::PasswordReset => has_moved_at(one.at),
                    Some(one) => self.did(one),
                    None => false,
                }
            }
            Some(AuthMethod::Sso | AuthMethod::Provider) => session
                .connection_id
                .as_ref()
                .is_some_and(|id| theirs(&[Kind::IdentityLinked], Some(id.as_str()))),
            _ => false,
        };
        let passkey = session.passkey_id.as_ref().map(|id| id.as_str());
        first
            || passkey.is_some_and(|id| theirs(&[Kind::PasskeyAdded], Some(id)))
            || match session.second_factor {
                Some(Factor::Totp) => theirs(&[Kind::AppAdded], None),
                Some(Factor::RecoveryCode) => theirs(&[Kind::CodesMade], None),
                Some(Factor::Passkey) | None => false,
            }
    }

    /// The last of these changes at a moment.
    fn before(&self, kinds: &[Kind], target: Option<&str>, at: Timestamp) -> Option<&'a SecurityChange> {
        self.changes.iter().rfind(|one| {
            one.at <= at && kinds.contains(&one.kind) && (target.is_none() || one.target.as_deref() == target)
        })
    }

    /// Whether one of them added this second factor in a way that leaves no question: since the doubt, in a browser that was
    /// not known before it, in a session that nobody answered for and that gave no factor which none of them had added. Any
    /// other goes after a delay that can be stopped: whoever reads the mailbox would be stronger than it.
    pub(super) fn surely_did(&self, change: &SecurityChange) -> bool {
        self.did(change) && change.by.as_ref().is_none_or(|by| self.is_surely_strange(by))
    }

    fn is_surely_strange(&self, session: &Beginning) -> bool {
        self.is_strange(session)
            && !self.doubt.answered.contains(&session.id)
            && !self.gave_undisputed_factor(session)
    }

    /// Whether a session began with a second factor, or a passkey, that none of them had added.
    fn gave_undisputed_factor(&self, session: &Beginning) -> bool {
        let is_undisputed = |kind, target| {
            // What nobody noted was there before such notes were kept.
            self.before(&[kind], target, session.began_at).is_none_or(|one| !self.did(one))
        };
        match (session.second_factor, &session.passkey_id) {
            (Some(Factor::Totp), _) => is_undisputed(Kind::AppAdded, None),
            (Some(Factor::RecoveryCode), _) => is_undisputed(Kind::CodesMade, None),
            (_, Some(passkey)) => is_undisputed(Kind::PasskeyAdded, Some(passkey.as_str())),
            (Some(Factor::Passkey) | None, None) => false,
        }
    }

    /// Those of the sessions that were surely somebody else's: nobody can have pressed the link who reads the mailbox and is
    /// not the account's person, or that one would hold the account anyway: where `gates` says that no second factor is left.
    pub(super) fn sure(&self, gates: bool) -> HashSet<SessionId> {
        let is_sure = |id: &&SessionId| {
            let began = self.began.iter().find(|one| one.id == **id);
            let is_answered = self.doubt.answered.contains(*id);
            !is_answered && (!gates || began.is_some_and(|began| self.is_surely_strange(began)))
        };
        self.sessions.iter().filter(is_sure).cloned().collect()
    }

    /// Whether one of them began with this passkey, whoever added it.
    pub(super) fn began_with(&self, passkey: &PasskeyId) -> bool {
        self.began_so().any(|one| one.passkey_id.as_ref() == Some(passkey))
    }

    /// Whether one of them came by this connection, or identity at a provider, whoever linked it.
    pub(super) fn came_by(&self, connection: &ConnectionId) -> bool {
        self.began_so().any(|one| one.connection_id.as_ref() == Some(connection))
    }

    fn began_so(&self) -> impl Iterator<Item = &Beginning> {
        self.began.iter().filter(|one| self.sessions.contains(&one.id))
    }

    /// Whether one of them changed this. What no session did is in doubt since then.
    pub(super) fn did(&self, change: &SecurityChange) -> bool {
        match &change.by {
            Some(by) => self.sessions.contains(&by.id),
            None => change.at >= self.from,
        }
    }
}
