//! Invitations: a member asks somebody to join, and only the account that has the invited address confirmed says yes.
//!
//! Whoever invites never sees the link, and is told the same whether or not an account has the address.

mod refused;

use chrono::TimeDelta;

use self::refused::{
    INVITATION_ACCEPTED, INVITATION_REPLACED, INVITATION_REVOKED, INVITATION_UNKNOWN, dead,
    domain_not_invited, invitation_for_another,
};
pub(crate) use self::refused::{INVITATION_EXPIRED, INVITATION_FOR_ANOTHER, REFUSALS};
use super::{
    email_verification::EMAIL_UNVERIFIED,
    open_invitations::{self, Event, is_backed},
    organisations,
    policy::{self, FORBIDDEN, KEY_FORBIDDEN, Membership},
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{InvitationId, UserId},
    kinds::Permission,
    mail::{
        EmailAddress, EmailKind,
        emails::{self, InvitationAnswer},
    },
    model::{
        audit::{self, Actor},
        held_role::HeldRole,
        invitation::{self, Invitation, Inviter, Search, State},
        membership,
        organisation::{self, Organisation},
        rate_limit::{self, Limit},
        role,
        token::{self, Invite, Invited},
        user::{self, User},
    },
    secret::Secret,
};

/// How many people an organisation invites in a day.
const MOST_A_DAY: i32 = 50;

/// How many emails about one invitation go to one address in a day.
const MOST_EMAILS_A_DAY: i32 = 3;

/// How many emails about invitations go to one address in a day, however many organisations somebody makes.
const MOST_EMAILS_A_DAY_TO_ONE: i32 = 10;

/// Why somebody was not invited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotInvited {
    /// They belong to the organisation.
    Member,
    /// An invitation to the address is open.
    Invited,
    /// The organisation has invited as many as it may today.
    TooMany,
    /// The address got as many emails as it may.
    TooOften,
    /// The organisation invites nobody at its domain.
    OtherDomain,
}

impl NotInvited {
    /// Its name in JSON.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Invited => "invited",
            Self::TooMany => "too_many",
            Self::TooOften => "too_often",
            Self::OtherDomain => "domain_not_invited",
        }
    }

    /// The same after the address, in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Member => "belongs to the organisation already",
            Self::Invited => "is invited already",
            Self::TooMany => "can be invited tomorrow: an organisation invites 50 people a day",
            Self::TooOften => "got enough emails for now: try again tomorrow",
            Self::OtherDomain => "is at a domain that the organisation's policy doesn't take",
        }
    }
}

/// The roles in which `by` may invite people.
pub(crate) fn givable(conn: &mut Conn, by: &Membership) -> Result<Vec<HeldRole>> {
    let own = role::of(conn, &by.organisation.id)?.into_iter().map(HeldRole::from);
    let mut givable = Vec::new();
    for role in policy::built_in().chain(own) {
        match open_invitations::may_invite(conn, by, &role) {
            Ok(()) => givable.push(role),
            Err(Error::Refused(FORBIDDEN | KEY_FORBIDDEN, _)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(givable)
}

/// Invites somebody, as `by` wants it and may: see [`open_invitations::may_invite`].
pub(crate) fn invite(
    tx: &mut Tx,
    actor: &Actor,
    by: &Membership,
    email: &EmailAddress,
    role: &HeldRole,
) -> Result<Result<Invitation, NotInvited>> {
    let organisation = &by.organisation;
    if !organisation.takes(email) {
        return Ok(Err(NotInvited::OtherDomain));
    }
    // Whoever may not see the members is not told who is one: that invitation gives nothing to whom it reaches.
    if by.may(Permission::MembersRead)
        && let Some(user) = user::confirmed(tx.conn, email)?
        && membership::role_of(tx.conn, &organisation.id, &user.id)?.is_some()
    {
        return Ok(Err(NotInvited::Member));
    }
    let normalized = email.normalized();
    let search = Search { organisation: Some(&organisation.id), to: Some(&normalized), ..Search::default() };
    let before = invitation::list(tx.conn, &search, 0, i64::MAX)?;
    if before.iter().any(|one| one.is_open(tx.now)) {
        return Ok(Err(NotInvited::Invited));
    }
    // One that ran out stands in the way until it is ended.
    if before.iter().any(|one| one.state == State::Open) {
        invitation::expire(tx)?;
    }
    let day = TimeDelta::days(1);
    if !rate_limit::try_consume(tx, &Limit::new("invitations", organisation.id.as_str(), MOST_A_DAY, day))? {
        return Ok(Err(NotInvited::TooMany));
    }
    match count_email(tx, organisation, email) {
        Err(Error::TooManyAttempts(_)) => return Ok(Err(NotInvited::TooOften)),
        counted => counted?,
    }
    let expires_at = tx.now + tx.config.lifetimes.invitation;
    let Some(id) =
        invitation::insert(tx, &organisation.id, email, role, Inviter::Member(by.person()?), expires_at)?
    else {
        return Ok(Err(NotInvited::Invited));
    };
    let event = Event::MemberInvited {
        organisation: organisation.id.clone(),
        invitation: id.clone(),
        role: role.audited(),
    };
    audit::record(tx, actor, None, event)?;
    send(tx, organisation, &id).map(Ok)
}

/// Sends an invitation again, also one that ran out: with another link, which alone works from now on, and as much time as
/// the first. [`Error::TooManyAttempts`] where that was done often enough today, [`Error::Conflict`] where it was answered.
pub(crate) fn resend(tx: &mut Tx, actor: &Actor, by: &Membership, id: &InvitationId) -> Result<Invitation> {
    let organisation = &by.organisation;
    let found = owned(tx.conn, organisation, id)?;
    open_invitations::may_invite(tx.conn, by, &found.role)?;
    ensure_taken(organisation, &found.email)?;
    count_email(tx, organisation, &found.email)?;
    if !invitation::note_sent(tx, id, by.person()?, tx.now + tx.config.lifetimes.invitation)? {
        return Err(Error::Conflict);
    }
    let event = Event::InvitationResent { organisation: organisation.id.clone(), invitation: id.clone() };
    audit::record(tx, actor, None, event)?;
    send(tx, organisation, id)
}

/// Takes an invitation back. [`Error::Conflict`] where it could be answered no more.
pub(crate) fn revoke(tx: &mut Tx, actor: &Actor, by: &Membership, id: &InvitationId) -> Result<()> {
    let found = owned(tx.conn, &by.organisation, id)?;
    open_invitations::revoke(tx, actor, &found)
}

/// An invitation of this organisation. [`Error::NotFound`] for any other.
pub(crate) fn owned(conn: &mut Conn, organisation: &Organisation, id: &InvitationId) -> Result<Invitation> {
    invitation::find(conn, id)?.filter(|one| one.organisation_id == organisation.id).ok_or(Error::NotFound)
}

/// Counts one more email to an address. [`Error::TooManyAttempts`] where it got as many as it may: from this organisation,
/// from all of them, or in this hour.
fn count_email(tx: &mut Tx, organisation: &Organisation, email: &EmailAddress) -> Result<()> {
    let (to, day) = (email.normalized(), TimeDelta::days(1));
    let from_here = format!("{} {to}", organisation.id);
    rate_limit::consume(tx, &Limit::new("invitation-emails", &from_here, MOST_EMAILS_A_DAY, day))?;
    rate_limit::consume(tx, &Limit::new("invitation-emails-to", &to, MOST_EMAILS_A_DAY_TO_ONE, day))?;
    rate_limit::consume_mail(tx, EmailKind::Invitation, email)
}

/// Sends the email of an invitation, as it stands.
fn send(tx: &mut Tx, organisation: &Organisation, id: &InvitationId) -> Result<Invitation> {
    let found = invitation::find(tx.conn, id)?.ok_or(Error::NotFound)?;
    let secret = token::issue_unowned::<Invite>(
        tx,
        &Invited { invitation: found.id.clone(), email: found.emails_sent },
    )?;
    let (names, until) = ((&*found.inviter, &*organisation.name), found.expires_at.exact());
    let (site, role) = (&tx.config.site, found.role.words());
    let email = emails::invitation(site, &found.email, names, role, &until, secret.reveal())?;
    tx.mail(None, email)?;
    Ok(found)
}

/// What a link leads to, while it can be answered; elsewhere an error that says what became of it.
pub(crate) fn open(conn: &mut Conn, secret: &Secret<Invite>, now: Timestamp) -> Result<Invitation> {
    let found = of_link(conn, secret, now)?;
    match found.state_at(now) {
        State::Open if is_backed(conn, &found)? => Ok(found),
        state => Err(dead(state, found.expires_at)),
    }
}

fn of_link(conn: &mut Conn, secret: &Secret<Invite>, now: Timestamp) -> Result<Invitation> {
    let unknown = |error| match error {
        Error::DeadLink => INVITATION_UNKNOWN.error(),
        error => error,
    };
    let claim = token::peek_unowned(conn, secret, now).map_err(unknown)?;
    let found = invitation::find(conn, &claim.invitation)?;
    let found = found.ok_or(INVITATION_UNKNOWN.error())?;
    match claim.email == found.emails_sent {
        true => Ok(found),
        false => Err(INVITATION_REPLACED.error()),
    }
}

/// The open invitations to an address that somebody has confirmed.
pub(crate) fn to(conn: &mut Conn, user: &User, now: Timestamp) -> Result<Vec<Invitation>> {
    if !user.is_verified() {
        return Ok(Vec::new());
    }
    let address = user.email.normalized();
    let search = Search { to: Some(&address), open_at: Some(now), ..Search::default() };
    let mut backed = Vec::new();
    for one in invitation::list(conn, &search, 0, 50)? {
        if is_backed(conn, &one)? {
            backed.push(one);
        }
    }
    Ok(backed)
}

/// How an invitation is named by whoever answers it.
#[derive(Debug)]
pub(crate) enum Which {
    /// By its link.
    Link(Secret<Invite>),
    /// By its id, as one of those [`to`] one's own address.
    Own(InvitationId),
}

/// The invitation, while its organisation changes for nobody else. [`Error::NotFound`] where it is not one's own.
fn hold(tx: &mut Tx, which: &Which, user: Option<&User>) -> Result<Invitation> {
    let look = |tx: &mut Tx| match which {
        Which::Link(secret) => open(tx.conn, secret, tx.now),
        Which::Own(id) => {
            let user = user.ok_or(Error::NotFound)?;
            to(tx.conn, user, tx.now)?.into_iter().find(|one| one.id == *id).ok_or(Error::NotFound)
        }
    };
    let found = look(tx)?;
    organisation::lock(tx, &found.organisation_id)?;
    look(tx)
}

/// Joins, as `user`, whose address is locked. [`INVITATION_FOR_ANOTHER`] where another one is invited,
/// [`EMAIL_UNVERIFIED`] where this one is not confirmed. Whoever belongs to the organisation keeps their role.
pub(crate) fn accept(tx: &mut Tx, actor: &Actor, which: &Which, user: &UserId) -> Result<Organisation> {
    let user = user::by_id(tx.conn, user)?;
    let found = match hold(tx, which, Some(&user)) {
        // Pressed twice, or by somebody who has come in otherwise meanwhile, which ended it.
        Err(dead @ Error::Refused(INVITATION_ACCEPTED | INVITATION_REVOKED, _))
            if let Which::Link(secret) = which =>
        {
            let found = of_link(tx.conn, secret, tx.now)?;
            return match membership::role_of(tx.conn, &found.organisation_id, &user.id)? {
                Some(_) => organisation::by_id(tx.conn, &found.organisation_id),
                None => Err(dead),
            };
        }
        found => found?,
    };
    ensure_theirs(&found, &user)?;
    ensure_taken(&organisation::by_id(tx.conn, &found.organisation_id)?, &found.email)?;
    if !invitation::end(tx, &found.id, State::Accepted)? {
        return Err(Error::Conflict);
    }
    organisations::add_in_role(tx, actor, &found.organisation_id, &user.id, &found.role)?;
    let event = Event::InvitationAccepted {
        organisation: found.organisation_id.clone(),
        invitation: found.id.clone(),
    };
    audit::record(tx, actor, &user.id, event)?;
    tell(tx, &found, InvitationAnswer::Accepted)?;
    organisation::by_id(tx.conn, &found.organisation_id)
}

/// That an invitation is for the address that `user` has confirmed.
pub(crate) fn ensure_theirs(invitation: &Invitation, user: &User) -> Result<()> {
    if invitation.email.normalized() != user.email.normalized() {
        return Err(invitation_for_another(invitation.email.masked()));
    }
    if user.is_verified() { Ok(()) } else { Err(EMAIL_UNVERIFIED.error()) }
}

/// That the organisation takes members with this address: its policy may have changed since somebody was invited.
fn ensure_taken(organisation: &Organisation, email: &EmailAddress) -> Result<()> {
    if organisation.takes(email) { Ok(()) } else { Err(domain_not_invited(organisation.name.clone())) }
}

/// Says no. Whoever sent it is told.
pub(crate) fn decline(tx: &mut Tx, actor: &Actor, which: &Which, user: Option<&UserId>) -> Result<()> {
    let user = user.map(|user| user::by_id(tx.conn, user)).transpose()?;
    let found = hold(tx, which, user.as_ref())?;
    if !invitation::end(tx, &found.id, State::Declined)? {
        return Err(Error::Conflict);
    }
    let event = Event::InvitationDeclined {
        organisation: found.organisation_id.clone(),
        invitation: found.id.clone(),
    };
    audit::record(tx, actor, user.as_ref().map(|user| &user.id), event)?;
    tell(tx, &found, InvitationAnswer::Declined)
}

/// Asks whoever sent an invitation that ran out for another, once a day. [`INVITATION_REVOKED`] where it did not run out.
pub(crate) fn ask_again(tx: &mut Tx, secret: &Secret<Invite>) -> Result<()> {
    let found = of_link(tx.conn, secret, tx.now)?;
    if found.state_at(tx.now) != State::Expired || !is_backed(tx.conn, &found)? {
        return Err(INVITATION_REVOKED.error());
    }
    rate_limit::consume(tx, &Limit::new("invitation-asked", found.id.as_str(), 1, TimeDelta::days(1)))?;
    tell(tx, &found, InvitationAnswer::AskedAgain)
}

fn tell(tx: &mut Tx, invitation: &Invitation, answer: InvitationAnswer) -> Result<()> {
    let found = invitation.invited_by.as_ref().map(|by| user::find(tx.conn, by)).transpose()?.flatten();
    let Some(reader) = found.filter(User::is_verified) else { return Ok(()) };
    let organisation = organisation::by_id(tx.conn, &invitation.organisation_id)?;
    let names = (&*organisation.name, &*organisation.slug);
    let invited = invitation.email.spelled();
    let email =
        emails::invitation_answered(&tx.config.site, (&reader.email, &reader.name), names, invited, answer)?;
    tx.mail(Some(&reader.id), email)
}
