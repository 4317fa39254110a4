//! What ends when: one table of the occasions at which access to an account ends, in part or altogether.
//!
//! A session that its own browser gives up, or that its owner signs out from the list, ends by itself and is not in here.

use crate::{
    accounts::{api_keys::endings, offline_grants, open_invitations, sessions},
    db::Tx,
    error::Result,
    ids::{SessionId, UserId},
    kinds::Factor,
    model::{
        api_key::Suspension,
        audit::Actor,
        token::{self, AuthorizationCode},
        user,
    },
};

/// What happened to an account. The sessions named are those that stay.
#[derive(Debug, Clone, Copy)]
pub enum Occasion<'a> {
    /// Its owner said of a sign-in or a change that it was not theirs, or took the address back.
    Contained,
    /// A new password was set by a link in the mailbox.
    PasswordReset,
    /// A new password was set by somebody signed in.
    PasswordChanged(&'a SessionId),
    /// It moved to another address, by a link that was opened in this session or elsewhere.
    EmailChanged(Option<&'a SessionId>),
    /// Its identity provider says another address of the organisation's domain.
    EmailChangedByProvider,
    /// Its address was confirmed in this session, or with the account's password.
    Confirmed(Option<&'a SessionId>),
    /// Its address was proved without its password.
    EmailVerified,
    /// An operator locked it.
    Locked,
    /// An operator locked it, and somebody else may know the password.
    LockedAsCompromised,
    /// Its person, or an operator (nothing stays then), signed it out everywhere else.
    SignedOutElsewhere(Option<&'a SessionId>),
    /// Its first second factor was added.
    SecondFactorAdded(&'a SessionId),
    /// These factors no longer prove anything: removed or replaced.
    SecondFactorGone(&'a SessionId, &'a [Factor]),
    /// An operator's reset took every second factor away.
    SecondFactorsReset,
    /// It is to be deleted.
    DeletionScheduled(Option<&'a SessionId>),
    /// Its person no longer belongs to an organisation; whether that speaks for the account, and took them out.
    MembershipEnded {
        /// It does, and did.
        has_spoken: bool,
    },
    /// An organisation that its person belongs to is to be deleted.
    OrganisationLeaving,
    /// Its domain signs in through its organisation only from now on.
    SsoRequired(Option<&'a SessionId>),
}

/// Which sessions end. All but the one named, of those that it says.
enum Sessions<'a> {
    All,
    None,
    Others(Option<&'a SessionId>),
    NotBySso(Option<&'a SessionId>),
    BySso,
    WithoutSecondFactor(&'a SessionId),
    RelyingOn(&'a SessionId, &'a [Factor]),
}

/// Which one-time links end. Ways back never do.
#[derive(PartialEq)]
enum Links {
    /// With the invitations that the account's person sent: those are links in their name.
    All,
    /// Their own, where nobody else can have been in the account.
    Own,
    None,
}

/// What becomes of the browsers that the account knows.
#[derive(PartialEq)]
enum KnownDevices {
    Forgotten,
    Kept,
}

/// What becomes of the password, where the occasion does not bring another.
#[derive(PartialEq)]
enum Password {
    Kept,
    Blocked,
    Dropped,
}

/// What becomes of the person's own API keys. Those of one organisation end where the membership does.
#[derive(PartialEq)]
enum Keys {
    Kept,
    Suspended(Suspension),
    Ended,
}

/// What becomes of what applications may do without a session. What they may do through one ends with it.
enum OfflineGrants<'a> {
    Kept,
    Ended,
    /// Those that were given with one factor.
    WithoutSecondFactor,
    /// Those that rested on these factors, and what applications may do through the session that stays.
    RelyingOn(&'a [Factor]),
}

impl<'a> Occasion<'a> {
    fn offline_grants(self) -> OfflineGrants<'a> {
        match self {
            Self::Contained
            | Self::PasswordReset
            | Self::PasswordChanged(_)
            | Self::EmailChanged(_)
            | Self::Confirmed(_)
            | Self::EmailVerified
            | Self::Locked
            | Self::LockedAsCompromised
            | Self::SignedOutElsewhere(_)
            | Self::SecondFactorsReset
            | Self::DeletionScheduled(_)
            // What came of which sign-in is not told apart: whatever ends sessions by how they began ends all of them.
            | Self::MembershipEnded { .. }
            | Self::OrganisationLeaving
            | Self::SsoRequired(_) => OfflineGrants::Ended,
            Self::SecondFactorAdded(_) => OfflineGrants::WithoutSecondFactor,
            Self::SecondFactorGone(_, gone) => OfflineGrants::RelyingOn(gone),
            Self::EmailChangedByProvider => OfflineGrants::Kept,
        }
    }

    fn keys(self) -> Keys {
        match self {
            Self::Contained => Keys::Suspended(Suspension::AccountSecured),
            Self::PasswordReset => Keys::Suspended(Suspension::PasswordReset),
            Self::Locked | Self::LockedAsCompromised => Keys::Suspended(Suspension::AccountLocked),
            Self::EmailVerified | Self::MembershipEnded { has_spoken: true } => Keys::Ended,
            // While the account waits to be deleted they do not work: see `api_keys::authenticate`.
            Self::DeletionScheduled(_)
            | Self::PasswordChanged(_)
            | Self::EmailChanged(_)
            | Self::EmailChangedByProvider
            | Self::Confirmed(_)
            | Self::SignedOutElsewhere(_)
            | Self::SecondFactorAdded(_)
            | Self::SecondFactorGone(..)
            | Self::SecondFactorsReset
            | Self::MembershipEnded { has_spoken: false }
            | Self::OrganisationLeaving
            | Self::SsoRequired(_) => Keys::Kept,
        }
    }

    fn ends(self) -> (Sessions<'a>, Links, KnownDevices, Password) {
        use KnownDevices::{Forgotten, Kept};
        match self {
            Self::Contained => (Sessions::All, Links::All, Forgotten, Password::Blocked),
            Self::PasswordReset => (Sessions::All, Links::All, Forgotten, Password::Kept),
            // The browser of this session is made known again by whoever hands out its cookies.
            Self::PasswordChanged(here) => {
                (Sessions::Others(Some(here)), Links::All, Forgotten, Password::Kept)
            }
            Self::EmailChanged(here) => (Sessions::Others(here), Links::All, Kept, Password::Kept),
            Self::EmailChangedByProvider => (Sessions::None, Links::Own, Kept, Password::Kept),
            Self::Confirmed(here) => (Sessions::Others(here), Links::All, Kept, Password::Kept),
            Self::EmailVerified => (Sessions::All, Links::All, Forgotten, Password::Dropped),
            Self::Locked => (Sessions::All, Links::All, Kept, Password::Kept),
            Self::LockedAsCompromised => (Sessions::All, Links::All, Forgotten, Password::Blocked),
            Self::SignedOutElsewhere(here) => (Sessions::Others(here), Links::None, Kept, Password::Kept),
            Self::SecondFactorAdded(here) => {
                (Sessions::WithoutSecondFactor(here), Links::None, Kept, Password::Kept)
            }
            Self::SecondFactorGone(here, gone) => {
                (Sessions::RelyingOn(here, gone), Links::None, Kept, Password::Kept)
            }
            Self::SecondFactorsReset => (Sessions::All, Links::None, Kept, Password::Kept),
            Self::DeletionScheduled(here) => (Sessions::Others(here), Links::All, Kept, Password::Kept),
            Self::MembershipEnded { has_spoken: true } => (Sessions::All, Links::All, Kept, Password::Kept),
            Self::MembershipEnded { has_spoken: false } | Self::OrganisationLeaving => {
                (Sessions::BySso, Links::None, Kept, Password::Kept)
            }
            Self::SsoRequired(here) => (Sessions::NotBySso(here), Links::Own, Kept, Password::Kept),
        }
    }
}

/// Ends what ends on this occasion. Sign-ins that wait for a second factor end with the sessions. Returns how many
/// sessions ended.
pub fn end_access(tx: &mut Tx, actor: &Actor, user: &UserId, occasion: Occasion) -> Result<usize> {
    let (sessions, links, devices, password) = occasion.ends();
    let ended = match sessions {
        Sessions::None => 0,
        Sessions::All => sessions::revoke_others(tx, actor, user, None)?,
        Sessions::Others(here) => sessions::revoke_others(tx, actor, user, here)?,
        Sessions::BySso => sessions::revoke_sso(tx, actor, user)?,
        Sessions::NotBySso(here) => sessions::revoke_non_sso(tx, actor, user, here)?,
        Sessions::WithoutSecondFactor(here) => sessions::revoke_single_factor(tx, actor, user, here)?,
        Sessions::RelyingOn(here, gone) => sessions::revoke_relying_on(tx, actor, user, here, gone)?,
    };
    if links != Links::None {
        token::revoke_all(tx, user)?;
    }
    if links == Links::All {
        open_invitations::end_by(tx, actor, user)?;
    }
    match password {
        Password::Kept => {}
        Password::Blocked => user::block_password(tx, user)?,
        Password::Dropped => user::drop_password(tx, user)?,
    }
    let offline = occasion.offline_grants();
    // A code on its way would become one.
    if !matches!(offline, OfflineGrants::Kept) {
        token::revoke::<AuthorizationCode>(tx, user)?;
    }
    match offline {
        OfflineGrants::Kept => {}
        OfflineGrants::Ended => offline_grants::end_all(tx, actor, user)?,
        OfflineGrants::WithoutSecondFactor => offline_grants::end_single_factor(tx, actor, user)?,
        OfflineGrants::RelyingOn(gone) => offline_grants::end_relying_on(tx, actor, user, gone)?,
    }
    match occasion.keys() {
        Keys::Kept => {}
        Keys::Suspended(why) => {
            endings::suspend_all(tx, actor, user, why)?;
            // A contained account may move to another address yet: then its containment tells.
            if why != Suspension::AccountSecured {
                endings::tell_in_doubt(tx, user)?;
            }
        }
        Keys::Ended => endings::end_all(tx, actor, user)?,
    }
    if devices == KnownDevices::Forgotten {
        user::forget_known_devices(tx, user)?;
    }
    Ok(ended)
}
