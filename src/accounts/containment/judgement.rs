//! What is in doubt about an account, and what of it was somebody else's.
//!
//! *Doubt* begins at the earliest sign-in that was told of and not answered for, or at the event that the pressed link tells
//! of. Disowned is the session that the link tells of, each session begun since the doubt in a browser that the account did
//! not know before it, and whatever was begun with a credential that one of these added. What disowned sessions changed is
//! taken back; what sessions of browsers that were known changed stays, and is listed.
//!
//! Not disowned is a session that was answered for ("yes, this was me"), that its person unticked, or that began after a
//! reset by mail had ended the doubt: whoever knew the old password was out by then.

use std::collections::HashSet;

use diesel::prelude::*;

use crate::{
    accounts::{
        factor_reset::Target,
        security_changes::{self, address_key},
    },
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{identities, passkeys, recovery_codes, totp as apps},
    },
    error::Result,
    ids::{PasskeyId, SessionId, UserId},
    mail::EmailAddress,
    model::{
        security_change::{self, Beginning, Kind, SecurityChange},
        session::{self, Listed},
        token::{self, AddressChange, ReportSignIn},
        user::User,
    },
    secret::Keys,
};

/// Since when an account is in doubt, the session that the pressed link tells of, and the address that was told.
#[derive(Debug, Clone)]
pub(crate) struct Doubt {
    // The sign-ins that were told of, and which sessions they began.
    told: Vec<(Timestamp, Option<SessionId>)>,
    pressed: Timestamp,
    pub(super) session: Option<SessionId>,
    pub(super) told_to: Option<String>,
    // Sessions that were answered for: from the mailbox, and each from an older session.
    answered: HashSet<SessionId>,
    vouched: Vec<(SessionId, SessionId)>,
    // Sessions that the reader of the link stands by.
    trusted: HashSet<SessionId>,
    now: Timestamp,
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
        let told = sign_ins.map(|told| (Timestamp::from_unix(told.at), told.session));
        let told = told.collect();
        Ok(Self { told, pressed, session, told_to, answered, vouched, trusted: HashSet::new(), now })
    }

    /// The same, but for sessions that its person stands by. Never for the one that the link tells of.
    pub(crate) fn but_for(mut self, trusted: impl IntoIterator<Item = SessionId>) -> Self {
        self.trusted.extend(trusted);
        self
    }

    /// The moments that were told of and not answered for, with that of the link; the oldest first.
    fn open(&self) -> Vec<Timestamp> {
        let is_answered =
            |session: &Option<SessionId>| session.as_ref().is_some_and(|one| self.answered.contains(one));
        let open = self.told.iter().filter(|(_, session)| !is_answered(session));
        let mut open: Vec<Timestamp> = open.map(|(at, _)| *at).chain([self.pressed]).collect();
        open.sort();
        open
    }

    fn trusts(&self, session: &SessionId) -> bool {
        let is_trusted = self.trusted.contains(session) || self.answered.contains(session);
        is_trusted && self.session.as_ref() != Some(session)
    }
}

/// The sessions that were answered for: from the mailbox, and by which other session. From the mailbox not where the account
/// had moved meanwhile: the answer may have come from the one that it had got.
fn answers(changes: &[SecurityChange]) -> (HashSet<SessionId>, Vec<(SessionId, SessionId)>) {
    let (mut answered, mut vouched) = (HashSet::new(), Vec::new());
    let mut has_moved = false;
    for change in changes {
        let target = || change.target.clone().map(SessionId::from_text);
        match (change.kind, &change.by) {
            (Kind::EmailChanged, _) => has_moved = true,
            (Kind::SignInConfirmed, Some(by)) => vouched.extend(target().map(|one| (one, by.id.clone()))),
            (Kind::SignInConfirmed, None) if !has_moved => answered.extend(target()),
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

/// Whether the account had its present address before it had the one that a move at `moment` took away: the mailbox of
/// that one came later, and has no say.
pub(crate) fn was_here_before(tx: &mut Tx, user: &User, moment: Timestamp) -> Result<bool> {
    for change in security_change::list(tx.conn, &user.id)? {
        let before = change.before(&tx.config.keys)?;
        if change.at < moment && before.is_some_and(|before| before == user.email.spelled()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is taken back of an account, and what of it is said before the button is pressed.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// The sessions that are disowned, also those that have ended.
    pub sessions: HashSet<SessionId>,
    /// Those of them that are still signed in, and can be told of.
    pub in_doubt: Vec<Listed>,
    /// Passkeys that are removed, with their names.
    pub passkeys: Vec<(PasskeyId, String)>,
    /// Whether the authenticator app is removed.
    pub removes_app: bool,
    /// Whether the recovery codes are removed.
    pub removes_codes: bool,
    /// The identities at providers that are removed.
    pub identities: Vec<String>,
    /// Passkeys that were added since the doubt and stay, with their names. Each may be asked to be removed, which takes a
    /// while and can be stopped.
    pub kept_passkeys: Vec<(PasskeyId, String)>,
    /// Whether an authenticator app was set up since the doubt and stays. The same.
    pub keeps_app: bool,
    /// Of what stays, what the session added that the link tells of.
    pub told_of: Vec<Target>,
    /// The address that the account goes back to, where it moved.
    pub address: Option<EmailAddress>,
    /// Whether the account was to be deleted, and is kept.
    pub keeps_account: bool,
}

/// Judges what happened to an account in doubt. Changes nothing.
pub(crate) fn judge(conn: &mut Conn, user: &User, doubt: &Doubt, keys: &Keys) -> Result<Judgement> {
    let changes = security_change::list(conn, &user.id)?;
    let disowned = Disowned::of(conn, &user.id, doubt, &changes)?;
    let from = disowned.from();
    // What nobody noted who did it was there before such notes were kept, or came without a session.
    let goes = |kind: Kind, target: Option<&str>, at: Timestamp| {
        let noted = changes.iter().rev().find(|one| {
            one.kind == kind && one.target.as_deref() == target && (target.is_some() || one.at == at)
        });
        noted.map_or(at >= from, |one| disowned.did(one) && !disowned.was_known(one))
    };
    let own: Vec<(PasskeyId, String, Timestamp)> = passkeys::table
        .filter(passkeys::user_id.eq(&user.id))
        .select((passkeys::id, passkeys::name, passkeys::created_at))
        .load(conn)?;
    let (gone, stays): (Vec<_>, Vec<_>) =
        own.into_iter().partition(|(id, _, at)| goes(Kind::PasskeyAdded, Some(id.as_str()), *at));
    let passkeys = gone.into_iter().map(|(id, name, _)| (id, name)).collect();
    let app = apps::table.find(&user.id).select(apps::created_at).first(conn).optional()?;
    let codes: Option<Timestamp> = recovery_codes::table
        .filter(recovery_codes::user_id.eq(&user.id))
        .select(recovery_codes::created_at)
        .first(conn)
        .optional()?;
    let linked: Vec<(String, String, Timestamp)> = identities::table
        .filter(identities::user_id.eq(&user.id))
        .select((identities::id, identities::connection_id, identities::created_at))
        .load(conn)?;
    let identities =
        linked.into_iter().filter(|(_, connection, at)| goes(Kind::IdentityLinked, Some(connection), *at));
    let identities = identities.map(|(id, ..)| id).collect();
    let moves: Vec<_> =
        changes.iter().filter(|one| one.kind == Kind::EmailChanged && disowned.did(one)).collect();
    let address = first_address(&moves, keys)?;
    // Whoever is told at an address that came later, and of something else, does not move the account: its owner may have
    // left the one before.
    let is_theirs =
        address.as_ref().is_some_and(|address| doubt.told_to.as_ref() == Some(&address.normalized()));
    let by_told =
        moves.iter().any(|one| one.by.as_ref().is_some_and(|by| doubt.session.as_ref() == Some(&by.id)));
    let address = address.filter(|_| is_theirs || by_told || doubt.told_to.is_none());
    let asked = changes.iter().rev().find(|one| one.kind == Kind::DeletionAsked);
    let keeps_account = user.is_leaving() && asked.is_none_or(|one| disowned.did(one));
    let removes_app = app.is_some_and(|at| goes(Kind::AppAdded, None, at));
    let removes_codes = codes.is_some_and(|at| goes(Kind::CodesMade, None, at));
    let app = app.filter(|_| !removes_app);
    let is_young = |at: &Timestamp| *at >= from;
    let young = stays.into_iter().filter(|(.., at)| is_young(at));
    let kept_passkeys = young.map(|(id, name, _)| (id, name)).collect();
    let keeps_app = app.is_some_and(|at| is_young(&at));
    let is_by_told =
        |one: &&SecurityChange| one.by.as_ref().is_some_and(|by| doubt.session.as_ref() == Some(&by.id));
    let told_of = changes.iter().filter(is_by_told).filter_map(|one| match (one.kind, &one.target) {
        (Kind::PasskeyAdded, Some(id)) => Some(Target::Passkey(PasskeyId::from_text(id.as_str()))),
        (Kind::AppAdded, _) => Some(Target::Totp),
        _ => None,
    });
    let told_of = told_of.collect();
    let live = session::list(conn, &user.id, doubt.now)?.into_iter();
    let in_doubt = live.filter(|one| disowned.sessions.contains(&one.id)).collect();
    Ok(Judgement {
        sessions: disowned.sessions,
        in_doubt,
        passkeys,
        removes_app,
        removes_codes,
        identities,
        kept_passkeys,
        keeps_app,
        told_of,
        address: address.filter(|address| address.spelled() != user.email.spelled()),
        keeps_account,
    })
}

/// Where the first of these moves began. Of moves at one moment it is the one that no other leads to.
fn first_address(moves: &[&SecurityChange], keys: &Keys) -> Result<Option<EmailAddress>> {
    let earliest = moves.iter().filter(|one| moves.first().is_some_and(|first| first.at == one.at));
    let earliest: Vec<&&SecurityChange> = earliest.collect();
    for one in &earliest {
        let Some(before) = one.before(keys)?.and_then(|before| EmailAddress::parse(&before).ok()) else {
            continue;
        };
        let key = address_key(&before.normalized());
        if !earliest.iter().any(|other| other.target.as_deref() == Some(&key)) {
            return Ok(Some(before));
        }
    }
    Ok(None)
}

/// The sessions that are disowned, also those that have ended.
struct Disowned {
    doubt: Doubt,
    // The moments that are not answered for, the oldest first.
    open: Vec<Timestamp>,
    // When the password was set anew by a link that the account's own mailbox got.
    resets: Vec<Timestamp>,
    sessions: HashSet<SessionId>,
}

impl Disowned {
    /// An answer from another session counts unless that one is disowned itself.
    fn of(conn: &mut Conn, user: &UserId, doubt: &Doubt, changes: &[SecurityChange]) -> Result<Self> {
        let mut all = security_change::sessions_of(conn, user)?;
        all.extend(changes.iter().filter_map(|one| one.by.clone()));
        let mut doubt = doubt.clone();
        loop {
            let disowned = Self::once(&all, doubt.clone(), changes);
            let (void, counts): (Vec<_>, Vec<_>) =
                doubt.vouched.into_iter().partition(|(_, by)| disowned.sessions.contains(by));
            if counts.is_empty() {
                return Ok(disowned);
            }
            doubt.answered.extend(counts.into_iter().map(|(session, _)| session));
            doubt.vouched = void;
        }
    }

    fn once(all: &[Beginning], doubt: Doubt, changes: &[SecurityChange]) -> Self {
        let open = doubt.open();
        let since = changes.iter().filter(|one| one.at >= open[0]);
        // The mailbox that the account moved to may be that of whoever moved it.
        let own = since.take_while(|one| one.kind != Kind::EmailChanged);
        let resets = own.filter(|one| one.kind == Kind::PasswordReset);
        // Whole seconds, as links tell them: a reset never ends the doubt of the link that tells of it.
        let resets = resets.map(|one| Timestamp::from_unix(one.at.unix())).collect();
        let sessions = doubt.session.iter().cloned().collect();
        let mut disowned = Self { doubt, open, resets, sessions };
        // Each round may find a passkey with which others began.
        loop {
            let before = disowned.sessions.len();
            let added: HashSet<&str> = changes
                .iter()
                .filter(|one| one.kind == Kind::PasskeyAdded && disowned.did(one))
                .filter_map(|one| one.target.as_deref())
                .collect();
            let more = all.iter().filter(|one| {
                let by_passkey =
                    one.passkey_id.as_ref().is_some_and(|passkey| added.contains(passkey.as_str()));
                (by_passkey || disowned.is_strange(one)) && !disowned.doubt.trusts(&one.id)
            });
            let more: Vec<SessionId> = more.map(|one| one.id.clone()).collect();
            disowned.sessions.extend(more);
            if disowned.sessions.len() == before {
                return disowned;
            }
        }
    }

    fn from(&self) -> Timestamp {
        self.open[0]
    }

    /// Begun since the doubt, in a browser that was not known before it. A reset by mail ends the doubt of what was told
    /// before it.
    fn is_strange(&self, session: &Beginning) -> bool {
        let reset = self.resets.iter().rfind(|at| **at <= session.began_at);
        let from = self.open.iter().find(|told| reset.is_none_or(|reset| *told >= reset));
        from.is_some_and(|from| {
            session.began_at >= *from && session.browser_known_since.is_none_or(|since| since >= *from)
        })
    }

    /// Whether the browser was known before the doubt. A factor from there is never taken away at once: whoever reads the
    /// mailbox would be stronger than it.
    fn was_known(&self, change: &SecurityChange) -> bool {
        let since = change.by.as_ref().and_then(|by| by.browser_known_since);
        since.is_some_and(|since| since < self.from())
    }

    /// Whether one of them changed this. What no session did is in doubt since then.
    fn did(&self, change: &SecurityChange) -> bool {
        match &change.by {
            Some(by) => self.sessions.contains(&by.id),
            None => change.at >= self.from(),
        }
    }
}
