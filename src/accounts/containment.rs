//! What is undone when an account may be in other hands: one judgement, used by every way back.
//!
//! *Doubt* begins at the earliest sign-in that was told of and not answered for, or at the event that the pressed link tells
//! of. Disowned is the session that the link tells of, each session begun since the doubt in a browser that the account did
//! not know before it, and whatever was begun with a credential that one of these added. What disowned sessions changed is
//! taken back; what sessions of browsers that were known changed stays.

use std::collections::HashSet;

use diesel::prelude::*;

use super::{
    deletion, email_change, factors,
    security_changes::{self, address_key},
};
use crate::{
    clock::{Timestamp, span_in_words},
    db::{
        Conn, Tx,
        schema::{identities, passkeys, recovery_codes, totp as apps, users},
    },
    error::{Error, Result},
    ids::{PasskeyId, SessionId, UserId},
    mail::{EmailAddress, letters},
    model::{
        audit::{self, Actor, Event},
        recovery_code,
        security_change::{self, Beginning, Kind, SecurityChange},
        session,
        token::{self, AddressChange, NotMe, ResetPassword, ToldEvent, UndoEmail},
        totp,
        user::{self, User},
    },
    secret::{Keys, Secret},
};

/// Makes the link "this wasn't me" for an email that tells of `what` (nothing: a sign-in) in `session`, from `device`.
pub fn way_back(
    tx: &mut Tx,
    user: &User,
    session: Option<SessionId>,
    what: Option<&str>,
    device: &str,
    ip: &str,
) -> Result<Secret<NotMe>> {
    let told = ToldEvent {
        at: tx.now.unix(),
        device: device.to_owned(),
        ip: ip.to_owned(),
        what: what.map(str::to_owned),
        session,
        told_to: Some(user.email.normalized()),
    };
    token::issue_another::<NotMe>(tx, &user.id, &told, NotMe::LIFE)
}

/// The same for what `actor` did in their session.
pub fn way_back_from(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    what: &str,
    device: &str,
) -> Result<Secret<NotMe>> {
    let ip = actor.ip.as_deref().unwrap_or_default();
    way_back(tx, user, actor.session.clone(), Some(what), device, ip)
}

/// Tells somebody that their password is a new one, with the way back.
pub fn tell_of_password(tx: &mut Tx, actor: &Actor, user: &User, device: &str) -> Result<()> {
    let not_me = way_back_from(tx, actor, user, "Your password was changed", device)?;
    let (site, when) = (&tx.config.site, tx.now.exact());
    let letter = letters::password_changed(site, &user.email, &user.name, &when, device, not_me.reveal())?;
    tx.mail(Some(&user.id), letter)
}

/// Since when an account is in doubt, the session that the pressed link tells of, and the address that was told.
#[derive(Debug, Clone)]
pub struct Doubt {
    from: Timestamp,
    session: Option<SessionId>,
    told_to: Option<String>,
}

impl Doubt {
    /// The doubt of a link that tells of something at `moment`. It reaches back to the earliest sign-in that
    /// was told of and that nobody answered for.
    pub fn since(
        conn: &mut Conn,
        user: &UserId,
        moment: Timestamp,
        session: Option<SessionId>,
        told_to: Option<String>,
        now: Timestamp,
    ) -> Result<Self> {
        // Of what its own person changes they are told as well, and have no reason to answer.
        let told = token::all_outstanding::<NotMe>(conn, user, now)?.into_iter();
        let earliest = told.filter(|told| told.what.is_none()).map(|told| told.at).min();
        // Cookies and links tell whole seconds.
        let from = earliest.map_or(moment.unix(), |earliest| earliest.min(moment.unix()));
        Ok(Self { from: Timestamp::from_unix(from), session, told_to })
    }
}

/// The doubt of a link that undoes a move: since it was asked for, and about the session that asked.
pub fn doubt_of_move(tx: &mut Tx, id: &UserId, change: &AddressChange, asked_at: Timestamp) -> Result<Doubt> {
    let changes = security_change::list(tx.conn, id)?;
    let by =
        security_changes::asked(&changes, change).and_then(|one| one.by.as_ref()).map(|by| by.id.clone());
    Doubt::since(tx.conn, id, asked_at, by, Some(change.old.normalized()), tx.now)
}

/// Whether the account had its present address before it had the one that a move at `moment` took away: the mailbox of
/// that one came later, and has no say.
pub fn was_here_before(tx: &mut Tx, user: &User, moment: Timestamp) -> Result<bool> {
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
pub struct Judgement {
    sessions: HashSet<SessionId>,
    /// Passkeys that are removed, with their names.
    pub passkeys: Vec<(PasskeyId, String)>,
    /// Whether the authenticator app is removed.
    pub removes_app: bool,
    removes_codes: bool,
    identities: Vec<String>,
    /// The address that the account goes back to, where it moved.
    pub address: Option<EmailAddress>,
    /// Whether the account was to be deleted, and is kept.
    pub keeps_account: bool,
}

impl Judgement {
    /// How many identities at providers are removed.
    pub fn identities(&self) -> usize {
        self.identities.len()
    }
}

/// Judges what happened to an account in doubt. Changes nothing.
pub fn judge(conn: &mut Conn, user: &User, doubt: &Doubt, keys: &Keys) -> Result<Judgement> {
    let changes = security_change::list(conn, &user.id)?;
    let disowned = Disowned::of(conn, &user.id, doubt, &changes)?;
    let from = doubt.from;
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
    let own = own.into_iter().filter(|(id, _, at)| goes(Kind::PasskeyAdded, Some(id.as_str()), *at));
    let passkeys = own.map(|(id, name, _)| (id, name)).collect();
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
    Ok(Judgement {
        sessions: disowned.sessions,
        passkeys,
        removes_app,
        removes_codes,
        identities,
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
struct Disowned<'a> {
    doubt: &'a Doubt,
    sessions: HashSet<SessionId>,
}

impl<'a> Disowned<'a> {
    fn of(conn: &mut Conn, user: &UserId, doubt: &'a Doubt, changes: &[SecurityChange]) -> Result<Self> {
        let mut all = security_change::sessions_of(conn, user)?;
        all.extend(changes.iter().filter_map(|one| one.by.clone()));
        let mut disowned = Self { doubt, sessions: doubt.session.iter().cloned().collect() };
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
                by_passkey || disowned.is_strange(one)
            });
            let more: Vec<SessionId> = more.map(|one| one.id.clone()).collect();
            disowned.sessions.extend(more);
            if disowned.sessions.len() == before {
                return Ok(disowned);
            }
        }
    }

    /// Begun since the doubt, in a browser that was not known before it.
    fn is_strange(&self, session: &Beginning) -> bool {
        let from = self.doubt.from;
        session.began_at >= from && session.browser_known_since.is_none_or(|since| since >= from)
    }

    /// Whether the browser was known before the doubt. A factor from there is never taken away at once: whoever reads the
    /// mailbox would be stronger than it.
    fn was_known(&self, change: &SecurityChange) -> bool {
        let since = change.by.as_ref().and_then(|by| by.browser_known_since);
        since.is_some_and(|since| since < self.doubt.from)
    }

    /// Whether one of them changed this. What no session did is in doubt since then.
    fn did(&self, change: &SecurityChange) -> bool {
        match &change.by {
            Some(by) => self.sessions.contains(&by.id),
            None => change.at >= self.doubt.from,
        }
    }
}

/// Takes back what somebody else did: ends every session and waiting step, blocks the password, forgets known browsers,
/// and undoes what [`judge`] says. Returns the account as it is then, and whether it moved.
///
/// Links about what is undone are spent, but where they were told to the mailbox that the account had first; those in
/// mailboxes that it got later are, once it has moved back.
pub fn contain(tx: &mut Tx, actor: &Actor, id: &UserId, doubt: &Doubt) -> Result<(User, bool)> {
    let user = user::by_id(tx.conn, id)?;
    let judged = judge(tx.conn, &user, doubt, &tx.config.keys)?;
    token::revoke_all(tx, id)?;
    session::revoke_others(tx, actor, id, None)?;
    user::block_password(tx, id)?;
    remove_factors(tx, actor, id, &judged)?;
    if !judged.identities.is_empty() {
        let gone = identities::table.filter(identities::id.eq_any(&judged.identities));
        let count = diesel::delete(gone).execute(tx.conn)?;
        audit::record(tx, actor, id, Event::IdentitiesUnlinked { count })?;
    }
    if judged.keeps_account {
        deletion::cancel(tx, actor, &user)?;
    }
    let has_moved = match judged.address {
        Some(old) => move_back(tx, actor, &user, old)?,
        None => false,
    };
    let user = user::by_id(tx.conn, id)?;
    let here = user.email.normalized();
    let is_first = doubt.told_to.as_ref().is_none_or(|told_to| *told_to == here);
    token::revoke_where::<NotMe>(tx, id, |told| {
        let is_undone = told.session.as_ref().is_none_or(|session| judged.sessions.contains(session));
        let came_later = told.told_to.as_ref().is_some_and(|told_to| *told_to != here);
        (is_first && is_undone) || (has_moved && came_later)
    })?;
    audit::record(tx, actor, id, Event::AccountSecured {})?;
    Ok((user, has_moved))
}

fn remove_factors(tx: &mut Tx, actor: &Actor, id: &UserId, judged: &Judgement) -> Result<()> {
    let keys = passkeys::table.filter(passkeys::id.eq_any(judged.passkeys.iter().map(|(id, _)| id)));
    let mut gone = diesel::delete(keys).execute(tx.conn)?;
    totp::forget_setup(tx, id)?;
    if judged.removes_app {
        gone += usize::from(totp::forget(tx, id)?);
    }
    let is_second_due = factors::of(tx.conn, id)?.is_second_due();
    if judged.removes_codes || !is_second_due {
        recovery_code::forget(tx, id)?;
        gone += usize::from(judged.removes_codes);
    }
    match gone {
        0 => Ok(()),
        _ => audit::record(tx, actor, id, Event::SecondFactorsReset {}),
    }
}

/// Says whether it moved: where somebody else has the address confirmed by now, the account stays where it is.
fn move_back(tx: &mut Tx, actor: &Actor, user: &User, old: EmailAddress) -> Result<bool> {
    let back = AddressChange { old: user.email.clone(), new: old };
    match email_change::move_address(tx, actor, &user.id, &back) {
        Err(Error::DeadLink) => return Ok(false),
        moved => moved?,
    }
    // What the later mailboxes hold leads to addresses that were never the owner's.
    token::revoke_since::<UndoEmail>(tx, &user.id, Timestamp::from_unix(0))?;
    let (from, to) = (back.old.spelled().to_owned(), back.new.spelled().to_owned());
    audit::record(tx, actor, &user.id, Event::EmailChangeUndone { from, to })?;
    Ok(true)
}

/// Sends the link for a new password after [`contain`].
pub fn send_reset(tx: &mut Tx, user: &User) -> Result<()> {
    let reset = token::issue::<ResetPassword>(tx, &user.id, &user.email.normalized())?;
    let config = tx.config;
    let valid_for = span_in_words(config.lifetimes.reset_link);
    let letter = letters::reset_password(&config.site, &user.email, &user.name, reset.reveal(), &valid_for)?;
    tx.mail(Some(&user.id), letter)
}

/// Locks every address that an account in doubt may go back to, with the one that it has, in the order of their names: two
/// moves in opposite directions take turns. Returns the account.
pub fn lock(tx: &mut Tx, id: &UserId) -> Result<User> {
    let user = user::find(tx.conn, id)?.ok_or(Error::DeadLink)?;
    let mut names = vec![user.email.normalized()];
    for change in security_change::list(tx.conn, id)?.iter().filter(|one| one.kind == Kind::EmailChanged) {
        let before = change.before(&tx.config.keys)?.and_then(|before| EmailAddress::parse(&before).ok());
        names.extend(before.map(|before| before.normalized()));
    }
    names.sort();
    names.dedup();
    names.iter().try_for_each(|name| tx.lock(name))?;
    let user = user::find(tx.conn, id)?.ok_or(Error::DeadLink)?;
    match names.contains(&user.email.normalized()) {
        true => Ok(user),
        // It moved while this one waited.
        false => Err(Error::Conflict),
    }
}

/// Keeps everybody out of an account and ends its sessions and links, or lets its person in again. Says whether that
/// changed anything.
pub fn set_locked(tx: &mut Tx, actor: &Actor, user: &User, is_locked: bool) -> Result<bool> {
    tx.lock(&user.email.normalized())?;
    let changed = match is_locked {
        true => diesel::update(users::table.find(&user.id).filter(users::locked_at.is_null()))
            .set(users::locked_at.eq(tx.now))
            .execute(tx.conn)?,
        false => diesel::update(users::table.find(&user.id).filter(users::locked_at.is_not_null()))
            .set(users::locked_at.eq(None::<Timestamp>))
            .execute(tx.conn)?,
    };
    if changed == 0 {
        return Ok(false);
    }
    if is_locked {
        session::revoke_others(tx, actor, &user.id, None)?;
        token::revoke_all(tx, &user.id)?;
    }
    audit::record(
        tx,
        actor,
        &user.id,
        if is_locked { Event::UserLocked {} } else { Event::UserUnlocked {} },
    )?;
    Ok(true)
}
