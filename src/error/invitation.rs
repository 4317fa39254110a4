//! Invitations that nobody can answer.

use crate::{clock::Timestamp, kinds::DeadInvitation};

/// What became of an invitation that could have been answered until `expires_at`, and what to do.
pub(super) fn dead_invitation(what: DeadInvitation, expires_at: Timestamp) -> String {
    let sentence = match what {
        DeadInvitation::Unknown => "This invitation doesn't exist, or ended long ago. Ask for a new one.",
        DeadInvitation::Replaced => "This invitation was sent again. Open the newest email about it.",
        DeadInvitation::Revoked => "This invitation was taken back. Ask for a new one.",
        DeadInvitation::Accepted => {
            "This invitation was accepted already. Sign in to see your organisations."
        }
        DeadInvitation::Declined => "This invitation was declined. Ask for a new one.",
        DeadInvitation::Expired => {
            return format!("This invitation ran out on {}. Ask for a new one.", expires_at.exact());
        }
    };
    sentence.to_owned()
}
