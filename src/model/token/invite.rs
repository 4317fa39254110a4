//! The link in an invitation.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Purpose;
use crate::{config::Lifetimes, ids::InvitationId};

/// Shows an invitation to whoever reads the mail of the invited address. It is nobody's: that address may have no account.
/// Whether the invitation can still be answered is said by its row, which the link outlives, so that its page can say what
/// became of it.
#[derive(Debug)]
pub(crate) struct Invite;

/// Which invitation, and in which of its emails the link was: only the last one's works.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Invited {
    /// The invitation.
    pub invitation: InvitationId,
    /// The number of its email, from 1.
    pub email: i32,
}

impl Purpose for Invite {
    const NAME: &'static str = "invite";
    type Claim = Invited;

    fn life(lifetimes: &Lifetimes) -> TimeDelta {
        // As long as the row is kept after the end.
        lifetimes.invitation + TimeDelta::days(30)
    }
}
