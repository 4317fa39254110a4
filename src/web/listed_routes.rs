//! The routes as pages list them. Flows stand below [`crate::routes`], so it is handed to them.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Access;
use crate::kinds::Permission;

/// Every route, in the order of `routes.rs`.
#[cfg_attr(not(feature = "development"), expect(dead_code, reason = "the page is for developers"))]
pub(crate) struct ListedRoutes(pub Vec<ListedRoute>);

/// One route.
#[derive(Clone, Serialize)]
pub(crate) struct ListedRoute {
    /// `GET`.
    pub method: String,
    /// The path's pattern.
    pub path: &'static str,
    /// Who may call it.
    #[serde(serialize_with = "in_words")]
    pub who: Access,
    /// What that takes in the organisation of the path.
    pub needs: Option<Permission>,
    /// What it does; identifiers and JSON are between backticks.
    pub does: &'static str,
}

/// "signed in": the words that the documentation has.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anyone => "anyone",
            Self::Pending => "pending",
            Self::Directory => "directory token",
            Self::SignedIn => "signed in",
            Self::SignedInOrApiKey => "signed in, or API key",
            Self::IncludingScheduledDeletion => "including scheduled deletion",
            Self::SteppedUp => "stepped up",
            Self::Verified => "verified",
            Self::VerifiedOrApiKey => "verified, or API key",
            Self::VerifiedSteppedUp => "verified stepped up",
            Self::VerifiedSteppedUpByAny => "verified stepped up by any",
        })
    }
}

fn in_words<S: Serializer>(who: &Access, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(who)
}
