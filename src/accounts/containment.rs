//! What is undone when an account may be in other hands: one judgement, used by every way back.

mod abroad;
mod deeds;
mod disowned;
mod doubt;
pub(crate) mod judgement;
mod mailboxes;
pub(crate) mod occasion;
mod policy_back;
mod roles_back;
mod single_sign_on;
pub(crate) mod way_back;

use std::{collections::HashSet, slice};

use diesel::prelude::*;

pub(crate) use self::{
    abroad::{Undoing, undoing},
    doubt::{Doubt, doubt_of_move},
    judgement::{IdentityInDoubt, Judgement, Kept, judge, was_here_before},
    mailboxes::spend_later,
    way_back::{newest_factor, tell_of_password, way_back, way_back_from},
};
pub use occasion::{Occasion, end_access};

use super::{
    api_keys::endings,
    deletion, email_change,
    email_verification::ADDRESS_RESERVED,
    factor_removal,
    factor_reset::{self, Target},
    factors, identity_links, provider_identities, put_back, security_changes, sso_policy,
};
use crate::{
    clock::{Timestamp, span_in_words},
    db::{
        Conn, Tx,
        schema::{identities, users},
    },
    error::{Error, Result},
    ids::{PasskeyId, SessionId, UserId},
    mail::{
        EmailAddress,
        emails::{self, ResetOccasion},
    },
    model::{
        audit::{self, Actor, audit_events},
        connection, grant, provider_identity, recovery_code,
        security_change::{self, Kind, NewChange},
        session,
        token::{self, AddressChange, ReportSignIn, ResetPassword},
        totp,
        user::{self, User},
    },
    secret::Secret,
};

audit_events! {
    /// "This wasn't me": everything is signed out and the password is blocked.
    AccountSecured {} => of("account_secured"),
    /// "Yes, this was me" was answered to a sign-in.
    SignInConfirmed { session: SessionId } => of("sign_in_confirmed"),
    /// An operator locked the account.
    UserLocked {} => of("user_locked"),
    /// An operator unlocked the account.
    UserUnlocked {} => of("user_unlocked"),
}

/// Notes in the session `here`, which is stepped up, that the sign-in that began `session` was its person's: no alert puts
/// that in doubt, unless it puts `here` in doubt as well. [`Error::NotFound`] where no alert tells of it, or it is not younger.
pub(crate) fn vouch(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    here: &SessionId,
    session: &SessionId,
) -> Result<()> {
    let by = security_change::session_of(tx.conn, here)?.ok_or(Error::NotFound)?;
    let other = security_change::session_of(tx.conn, session)?.ok_or(Error::NotFound)?;
    if !unanswered(tx.conn, user, tx.now)?.contains(session) || other.began_at <= by.began_at {
        return Err(Error::NotFound);
    }
    security_changes::note(tx, actor, user, Kind::SignInConfirmed, Some(session.as_str()))?;
    audit::record(tx, actor, user, Event::SignInConfirmed { session: session.clone() })
}

/// The sessions that an alert tells of and that nobody answered for.
pub(crate) fn unanswered(conn: &mut Conn, user: &UserId, now: Timestamp) -> Result<HashSet<SessionId>> {
    let outstanding = token::all_outstanding::<ReportSignIn>(conn, user, now)?;
    let mut told: HashSet<SessionId> =
        outstanding.into_iter().filter(|told| told.what.is_none()).filter_map(|told| told.session).collect();
    let changes = security_change::list(conn, user)?;
    for answer in changes.iter().filter(|one| one.kind == Kind::SignInConfirmed) {
        if let Some(session) = &answer.target {
            told.remove(&SessionId::from_text(session.as_str()));
        }
    }
    Ok(told)
}

/// Notes that the sign-in of which a link tells was answered with "yes, this was me": no other alert puts it in doubt. The link
/// goes on working.
pub(crate) fn confirm_sign_in(tx: &mut Tx, actor: &Actor, secret: &Secret<ReportSignIn>) -> Result<()> {
    let token = token::peek(tx.conn, secret)?;
    let id = token.user_id.clone();
    let session =
        token.claim.session.as_ref().filter(|_| token.is_live(tx.now) && token.claim.what.is_none());
    let session = session.ok_or(Error::DeadLink)?;
    let changes = security_change::list(tx.conn, &id)?;
    let is_noted = |one: &security_change::SecurityChange| {
        one.kind == Kind::SignInConfirmed && one.target.as_deref() == Some(session.as_str())
    };
    if changes.iter().any(is_noted) {
        return Ok(());
    }
    let target = Some(session.as_str());
    let network = String::new();
    let answer = NewChange { kind: Kind::SignInConfirmed, target, before: None, by: None, network };
    security_change::note(tx, &id, answer)?;
    audit::record(tx, &actor.clone().known_as(&id), &id, Event::SignInConfirmed { session: session.clone() })
}

/// What came of [`contain`].
#[derive(Debug)]
pub(crate) struct Contained {
    /// The account as it is then.
    pub user: User,
    /// Whether it got an earlier address back.
    pub has_moved: bool,
    /// The second factors that stay for now.
    pub kept: Vec<Kept>,
}

/// Takes back what somebody else did: ends every session and waiting step, blocks the password, forgets known devices,
/// and undoes what [`judge`] says. Returns what came of it.
///
/// Links about what is undone are spent, of those that the mailbox was sent which pressed; those in mailboxes that the account
/// got later are, once it has moved back.
pub(crate) fn contain(tx: &mut Tx, actor: &Actor, id: &UserId, doubt: &Doubt) -> Result<Contained> {
    let user = user::by_id(tx.conn, id)?;
    let judged = judge(tx.conn, &user, doubt, &tx.config.keys)?;
    let kept = judged.kept.clone();
    abroad::hold(tx, id, &judged)?;
    endings::disown_secrets(tx, actor, &judged.secrets)?;
    end_access(tx, actor, id, Occasion::Contained)?;
    remove_factors(tx, actor, id, &judged)?;
    remove_identities(tx, actor, id, &judged.identities)?;
    if judged.keeps_account {
        deletion::cancel(tx, actor, &user)?;
    }
    let has_moved = match judged.address {
        Some(ref old) => move_back(tx, actor, &user, old.clone())?,
        None => false,
    };
    let user = user::by_id(tx.conn, id)?;
    let added_what_stays: HashSet<&SessionId> = kept.iter().filter_map(|one| one.by.as_ref()).collect();
    token::revoke_where::<ReportSignIn>(tx, id, |told| {
        // What it tells of may stay for now: then the link is still the way to have it removed.
        let is_undone = told
            .session
            .as_ref()
            .is_none_or(|session| judged.sessions.contains(session) && !added_what_stays.contains(session));
        // A mailbox has no say about what another was told, unless it was there first.
        let is_of_this_mailbox = doubt.told_to.is_none() || told.told_to == doubt.told_to;
        is_of_this_mailbox && is_undone
    })?;
    abroad::contain(tx, actor, id, &judged)?;
    endings::tell_in_doubt(tx, id)?;
    audit::record(tx, actor, id, Event::AccountSecured {})?;
    Ok(Contained { user, has_moved, kept })
}

fn remove_identities(tx: &mut Tx, actor: &Actor, id: &UserId, in_doubt: &[IdentityInDoubt]) -> Result<()> {
    let mut at_connections = Vec::new();
    for identity in in_doubt {
        match identity {
            IdentityInDoubt::AtConnection(identity) => {
                put_back::keep_identity(tx, actor, id, identity)?;
                at_connections.push(identity);
            }
            IdentityInDoubt::AtProvider(identity) => {
                put_back::keep_provider_identity(tx, actor, identity)?;
                provider_identity::delete(tx, slice::from_ref(&identity.id))?;
                let event = provider_identities::Event::ProviderIdentityUnlinked {
                    provider: identity.provider.clone(),
                };
                audit::record(tx, actor, id, event)?;
            }
        }
    }
    let gone = identities::table.filter(identities::id.eq_any(at_connections));
    match diesel::delete(gone).execute(tx.conn)? {
        0 => Ok(()),
        count => audit::record(tx, actor, id, identity_links::Event::IdentitiesUnlinked { count }),
    }
}

fn remove_factors(tx: &mut Tx, actor: &Actor, id: &UserId, judged: &Judgement) -> Result<()> {
    let passkeys: Vec<PasskeyId> = judged.passkeys.iter().map(|(id, _)| id.clone()).collect();
    totp::forget_setup(tx, id)?;
    let mut gone = factor_removal::take_away(tx, actor, id, &passkeys, judged.removes_app)?;
    if judged.removes_codes {
        recovery_code::forget(tx, id)?;
        gone += 1;
    }
    match gone {
        0 => Ok(()),
        _ => audit::record(tx, actor, id, factors::Event::SecondFactorsReset {}),
    }
}

/// Says whether it moved: where somebody else has the address confirmed by now, the account stays where it is.
fn move_back(tx: &mut Tx, actor: &Actor, user: &User, old: EmailAddress) -> Result<bool> {
    let back = AddressChange { old: user.email.clone(), new: old };
    match email_change::move_address(tx, actor, &user.id, &back) {
        Err(Error::DeadLink | Error::Refused(ADDRESS_RESERVED, _)) => return Ok(false),
        moved => moved?,
    }
    // What the later mailboxes hold leads to addresses that were never the owner's.
    spend_later(tx, &user.id, &back.new)?;
    let (from, to) = (back.old.spelled().to_owned(), back.new.spelled().to_owned());
    audit::record(tx, actor, &user.id, email_change::Event::EmailChangeUndone { from, to })?;
    Ok(true)
}

/// Asks for the removal of second factors that stay after [`contain`]: those that are `chosen`, or else all that a disowned session
/// added. Until they are gone they let nobody in by themselves.
pub(crate) fn dispute(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    kept: Vec<Kept>,
    chosen: Option<&dyn Fn(&Target) -> bool>,
) -> Result<()> {
    let is_asked = |one: &Kept| chosen.map_or(one.is_disowned, |chosen| chosen(&one.factor));
    let asked: Vec<Target> = kept.into_iter().filter(is_asked).map(|one| one.factor).collect();
    match asked.is_empty() {
        true => Ok(()),
        false => factor_reset::ask_for(tx, actor, user, Some(asked)).map(drop),
    }
}

/// Sends the link for a new password after [`contain`], or an operator's; where people of the domain sign in through their
/// organisation only, the way there.
pub(crate) fn send_reset(tx: &mut Tx, user: &User, occasion: ResetOccasion) -> Result<()> {
    if let Some(connection) = sso_policy::required_connection(tx.conn, user)? {
        let connection = connection::by_id(tx.conn, &connection)?;
        let email = emails::sign_in_again(&tx.config.site, &user.email, &user.name, &connection.name)?;
        return tx.mail(Some(&user.id), email);
    }
    let reset = token::issue::<ResetPassword>(tx, &user.id, &user.email.normalized())?;
    let config = tx.config;
    let valid_for = span_in_words(config.lifetimes.reset_link);
    // An account that was just made has no name of its person's own.
    let name = if occasion == ResetOccasion::AccountMade { "" } else { &user.name };
    let email =
        emails::reset_password(&config.site, &user.email, name, occasion, reset.reveal(), &valid_for)?;
    tx.mail(Some(&user.id), email)
}

/// Tells the present address after [`contain`], where the link was pressed in a mailbox that the account has left and stays
/// away from: it may be that of whoever moved it, and gets no link of its own.
pub(crate) fn tell_present_address(tx: &mut Tx, user: &User) -> Result<()> {
    let email = emails::secured_elsewhere(&tx.config.site, &user.email, &user.name)?;
    tx.mail(Some(&user.id), email)
}

/// Locks every address that an account in doubt may go back to, with the one that it has, in the order of their names: two
/// moves in opposite directions take turns. Returns the account.
pub(crate) fn lock(tx: &mut Tx, id: &UserId) -> Result<User> {
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

/// Signs an account out everywhere. Says whether it was signed in anywhere.
pub(crate) fn sign_out(tx: &mut Tx, actor: &Actor, user: &User) -> Result<bool> {
    tx.lock(&user.email.normalized())?;
    let is_in = !session::list(tx.conn, &user.id, tx.now)?.is_empty();
    if !is_in && grant::devices(tx.conn, &user.id, tx.now)?.is_empty() {
        return Ok(false);
    }
    end_access(tx, actor, &user.id, Occasion::SignedOutElsewhere(None))?;
    Ok(true)
}

/// Keeps everybody out of an account and ends its sessions and links. Where it `is_compromised`, the password opens nothing
/// afterwards either, until a new one is set. Says whether that changed anything.
pub fn lock_out(tx: &mut Tx, actor: &Actor, user: &User, is_compromised: bool) -> Result<bool> {
    tx.lock(&user.email.normalized())?;
    let row = users::table.find(&user.id);
    let is_locked = diesel::update(row.filter(users::locked_at.is_null()))
        .set(users::locked_at.eq(tx.now))
        .execute(tx.conn)?
        > 0;
    let has_open_password = user::password_credential(tx.conn, &user.id)?.usable_hash().is_some();
    let is_newly_blocked = is_compromised && has_open_password;
    if !is_locked && !is_newly_blocked {
        return Ok(false);
    }
    if is_compromised {
        // What nobody answered for is in doubt.
        let doubt = Doubt::since(tx.conn, &user.id, tx.now, None, None, tx.now)?;
        let judged = judge(tx.conn, user, &doubt, &tx.config.keys)?;
        abroad::hold(tx, &user.id, &judged)?;
        endings::disown_secrets(tx, actor, &judged.secrets)?;
        end_access(tx, actor, &user.id, Occasion::LockedAsCompromised)?;
        abroad::contain(tx, actor, &user.id, &judged)?;
    } else {
        end_access(tx, actor, &user.id, Occasion::Locked)?;
    }
    if is_locked {
        audit::record(tx, actor, &user.id, Event::UserLocked {})?;
    }
    Ok(true)
}

/// Lets the person of a locked account in again. Says whether that changed anything.
pub(crate) fn unlock(tx: &mut Tx, actor: &Actor, user: &User) -> Result<bool> {
    tx.lock(&user.email.normalized())?;
    let locked = users::table.find(&user.id).filter(users::locked_at.is_not_null());
    if diesel::update(locked).set(users::locked_at.eq(None::<Timestamp>)).execute(tx.conn)? == 0 {
        return Ok(false);
    }
    audit::record(tx, actor, &user.id, Event::UserUnlocked {})?;
    Ok(true)
}
