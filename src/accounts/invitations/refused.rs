//! Invitations that cannot be answered, or not by this reader.

use crate::{
    clock::Timestamp,
    error::{Error, Particulars, refusals},
    model::invitation::State,
};

refusals! {
    /// There is none, or no more.
    INVITATION_UNKNOWN = (
        "dead_invitation", 422, "This invitation doesn't exist, or ended long ago. Ask for a new one."
    ).at_organisations("This invitation no longer works");
    /// A later email has another link.
    INVITATION_REPLACED = (
        "dead_invitation", 422, "This invitation was sent again. Open the newest email about it."
    ).at_organisations("This invitation no longer works");
    /// It was taken back, or whoever sent it may invite nobody any more.
    INVITATION_REVOKED = ("dead_invitation", 422, "This invitation was taken back. Ask for a new one.")
        .at_organisations("This invitation no longer works");
    /// Somebody joined by it.
    INVITATION_ACCEPTED = (
        "dead_invitation", 422, "This invitation was accepted already. Sign in to see your organisations."
    ).at_organisations("This invitation no longer works");
    /// Its reader said no.
    INVITATION_DECLINED = ("dead_invitation", 422, "This invitation was declined. Ask for a new one.")
        .at_organisations("This invitation no longer works");
    /// Nobody answered in time.
    INVITATION_EXPIRED = ("dead_invitation", 422, "This invitation ran out on {}. Ask for a new one.")
        .at_organisations("This invitation no longer works");
    /// An invitation is for another address than one's own.
    INVITATION_FOR_ANOTHER = (
        "invitation_for_another", 403,
        "This invitation is for {}. Sign in with that address, or ask for an invitation to yours."
    ).at_organisations("This invitation is for someone else");
    /// The organisation takes no members with an address at this domain.
    DOMAIN_NOT_INVITED = (
        "domain_not_invited", 403,
        "{} doesn't take members with an email address at this domain. Use another address."
    ).at_organisations("You can't join");
}

/// What became of an invitation that could be answered until then.
pub(super) fn dead(state: State, expires_at: Timestamp) -> Error {
    match state {
        State::Open | State::Revoked => INVITATION_REVOKED.error(),
        State::Accepted => INVITATION_ACCEPTED.error(),
        State::Declined => INVITATION_DECLINED.error(),
        State::Expired => INVITATION_EXPIRED.about(expires_at.exact()),
    }
}

/// [`INVITATION_FOR_ANOTHER`], whose address is `a•••@example.com` here.
pub(super) fn invitation_for_another(masked: String) -> Error {
    INVITATION_FOR_ANOTHER.with(Particulars::named(masked.as_str()).detail("invited", masked))
}

/// [`DOMAIN_NOT_INVITED`] by the organisation of this name.
pub(super) fn domain_not_invited(organisation: String) -> Error {
    DOMAIN_NOT_INVITED.about(organisation)
}
