//! Handing an organisation over: an owner offers it to a member, who accepts or lets it be.
//!
//! Nobody owns an organisation against their will, and no organisation is without an owner: everything is looked at again
//! when the offer is accepted, while nobody else changes the organisation.

use super::{
    hand_over_offers,
    organisation_policy::{self, SessionTraits},
    organisations::{self, BREAK_GLASS_OWNER},
    policy::{self, Membership},
    sessions, sso_policy,
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Errors, Result},
    ids::{OrganisationId, UserId},
    kinds::{AfterHandOver, Role},
    mail::emails,
    model::{
        audit::{self, Actor, audit_events},
        held_role::HeldRole,
        membership,
        organisation::{self, Named, Organisation},
        rate_limit,
        token::{self, HandOver, HandOverOffer},
        user::{self, User},
    },
    secret::Secret,
};

audit_events! {
    /// An owner offered an organisation to a member.
    HandOverOffered { organisation: OrganisationId, then: AfterHandOver }
        => of_organisation("hand_over_offered", "Ownership offered"),
    /// Such an offer was taken back.
    HandOverTakenBack { organisation: OrganisationId }
        => of_organisation("hand_over_taken_back", "Offer of ownership taken back"),
    /// The member accepted; the owner who offered it became what is told.
    HandedOver { organisation: OrganisationId, then: AfterHandOver }
        => of_organisation("handed_over", "Ownership handed over"),
}

/// Offers an organisation to a member, who gets a link; an offer before this one ends. The caller holds the organisation's
/// lock. [`Error::NotFound`] where they are no member, [`Error::Invalid`] where they cannot own it or do already,
/// [`BREAK_GLASS_OWNER`] where the owner keeps that of a domain and would be none any more.
pub(crate) fn offer(
    tx: &mut Tx,
    actor: &Actor,
    mine: &Membership,
    member: &UserId,
    then: AfterHandOver,
) -> Result<HandOverOffer> {
    let organisation = &mine.organisation;
    let unfit = |sentence: &str| Err(Error::Invalid(Errors::one("member", sentence)));
    let role = membership::held_role(tx.conn, &organisation.id, member)?.ok_or(Error::NotFound)?;
    let person = user::by_id(tx.conn, member)?;
    if role.is_owner() {
        return unfit("They are an owner already.");
    }
    if !person.is_verified() || person.is_leaving() || user::ensure_not_locked(&person).is_err() {
        return unfit("They can't own anything right now. Their email address has to be confirmed.");
    }
    keep_break_glass(tx, mine.person()?, organisation, then)?;
    rate_limit::count_change(tx, "hand-over", organisation.id.as_str())?;
    hand_over_offers::revoke(tx, &organisation.id, None)?;
    let life = tx.config.lifetimes.hand_over;
    let offer = HandOverOffer {
        organisation: organisation.id.clone(),
        to: member.clone(),
        then,
        until: (tx.now + life).unix(),
    };
    let secret = token::issue_with::<HandOver>(tx, mine.person()?, &offer, life)?;
    let event = Event::HandOverOffered { organisation: organisation.id.clone(), then };
    audit::record(tx, actor, member, event)?;
    let from = user::by_id(tx.conn, mine.person()?)?;
    let (site, until) = (&tx.config.site, offer.until().exact());
    let by = (from.name.as_str(), from.email.spelled());
    let of = (organisation.name.as_str(), then);
    let email = emails::hand_over(site, (&person.email, &person.name), of, by, &until, secret.reveal())?;
    tx.mail(Some(member), email)?;
    Ok(offer)
}

/// Takes the offer of an organisation back. Says whether there was one. The caller holds the organisation's lock.
pub(crate) fn take_back(tx: &mut Tx, actor: &Actor, organisation: &Organisation) -> Result<bool> {
    let Some((_, offer)) = hand_over_offers::open(tx.conn, &organisation.id, tx.now)? else {
        return Ok(false);
    };
    hand_over_offers::revoke(tx, &organisation.id, None)?;
    let event = Event::HandOverTakenBack { organisation: organisation.id.clone() };
    audit::record(tx, actor, &offer.to, event).map(|()| true)
}

/// What a link offers to `user`: the offer, by whom, and which organisation. [`Error::NotFound`] where it is somebody
/// else's, [`Error::DeadLink`] where it no longer holds.
pub(crate) fn look(
    conn: &mut Conn,
    user: &UserId,
    secret: &Secret<HandOver>,
    now: Timestamp,
) -> Result<(HandOverOffer, User, Organisation)> {
    let token = token::peek(conn, secret)?;
    if token.claim.to != *user {
        return Err(Error::NotFound);
    }
    if !token.is_live(now) {
        return Err(Error::DeadLink);
    }
    let (offer, organisation) = still_holds(conn, &token.user_id, token.claim)?;
    Ok((offer, user::by_id(conn, &token.user_id)?, organisation))
}

/// The organisation of an offer, where its maker still owns it, the other belongs to it, and it does not end.
fn still_holds(
    conn: &mut Conn,
    from: &UserId,
    offer: HandOverOffer,
) -> Result<(HandOverOffer, Organisation)> {
    let organisation = match organisation::by_id(conn, &offer.organisation) {
        Ok(organisation) if !organisation.is_leaving() => organisation,
        Ok(_) | Err(Error::NotFound) => return Err(Error::DeadLink),
        Err(error) => return Err(error),
    };
    let of = &organisation.id;
    let is_owner = membership::role_of(conn, of, from)? == Some(Role::Owner);
    let is_member = membership::role_of(conn, of, &offer.to)?.is_some();
    if is_owner && is_member { Ok((offer, organisation)) } else { Err(Error::DeadLink) }
}

/// Accepts an offer: `user` owns the organisation from now on, and whoever offered it becomes what was said. The errors
/// are those of [`look`], of [`organisation_policy::require`], and [`BREAK_GLASS_OWNER`] as for [`offer`].
pub(crate) fn accept(
    tx: &mut Tx,
    actor: &Actor,
    (user, session): (&UserId, &SessionTraits),
    secret: &Secret<HandOver>,
) -> Result<Organisation> {
    sessions::hold_of(tx, actor)?;
    let waiting = token::peek(tx.conn, secret)?;
    if waiting.claim.to != *user {
        return Err(Error::NotFound);
    }
    organisation::lock(tx, &waiting.claim.organisation)?;
    let (from, offer) = token::redeem(tx, secret)?;
    // It names who accepted, and must not outlive them.
    token::discard(tx, secret)?;
    let (offer, organisation) = still_holds(tx.conn, &from, offer)?;
    let mine = policy::membership(tx.conn, Named::Id(&organisation.id), user)?.ok_or(Error::DeadLink)?;
    organisation_policy::require(tx.conn, mine.who(), session, tx.now)?;
    keep_break_glass(tx, &from, &organisation, offer.then)?;
    let (of, owner) = (&organisation.id, HeldRole::BuiltIn(Role::Owner));
    let before = membership::held_role(tx.conn, of, user)?.ok_or(Error::DeadLink)?;
    organisations::replace_role(tx, actor, of, user, &before, &owner)?;
    match offer.then {
        AfterHandOver::Owner => {}
        AfterHandOver::Editor => step_down(tx, actor, of, &from, Role::Editor)?,
        AfterHandOver::Viewer => step_down(tx, actor, of, &from, Role::Viewer)?,
        AfterHandOver::Leave => organisations::let_go(tx, actor, of, &from)?,
    }
    let event = Event::HandedOver { organisation: of.clone(), then: offer.then };
    audit::record(tx, actor, &from, event)?;
    Ok(organisation)
}

fn step_down(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    from: &UserId,
    role: Role,
) -> Result<()> {
    let owner = HeldRole::BuiltIn(Role::Owner);
    organisations::replace_role(tx, actor, organisation, from, &owner, &HeldRole::BuiltIn(role))
}

fn keep_break_glass(
    tx: &mut Tx,
    owner: &UserId,
    organisation: &Organisation,
    then: AfterHandOver,
) -> Result<()> {
    let stays = then == AfterHandOver::Owner;
    if !stays && sso_policy::is_break_glass_owner(tx.conn, owner, Some(&organisation.id))? {
        return Err(BREAK_GLASS_OWNER.error());
    }
    Ok(())
}
