//! The one role that a member has.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{ids::RoleId, kinds::Role};

/// A role as somebody holds it: built in, or one of the organisation's own. In JSON its word or its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeldRole {
    /// Built in.
    BuiltIn(Role),
    /// The organisation's own.
    Custom {
        /// Its id.
        id: RoleId,
        /// What the organisation calls it. Somebody's text.
        name: String,
    },
}

impl HeldRole {
    /// What a membership's columns say. A custom role stands beside `viewer` only: an older program that gave another
    /// built-in role left the id as it was.
    pub(crate) fn of(role: Role, id: Option<RoleId>, name: Option<String>) -> Self {
        match (role, id, name) {
            (Role::Viewer, Some(id), Some(name)) => Self::Custom { id, name },
            _ => Self::BuiltIn(role),
        }
    }

    /// The built-in role that it counts as where only those are known.
    pub(crate) fn built_in(&self) -> Role {
        match self {
            Self::BuiltIn(role) => *role,
            Self::Custom { .. } => Role::Viewer,
        }
    }

    /// Whose id it has, where it is the organisation's own.
    pub(crate) fn custom(&self) -> Option<&RoleId> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Custom { id, .. } => Some(id),
        }
    }

    /// Whether it is the owner's.
    pub(crate) fn is_owner(&self) -> bool {
        *self == Self::BuiltIn(Role::Owner)
    }

    /// What people call it.
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::BuiltIn(role) => role.words(),
            Self::Custom { name, .. } => name,
        }
    }

    /// What the audit calls it: the word, or the name, which is never one of the words.
    pub(crate) fn audited(&self) -> String {
        match self {
            Self::BuiltIn(role) => role.as_str().to_owned(),
            Self::Custom { name, .. } => name.clone(),
        }
    }
}

impl fmt::Display for HeldRole {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(role) => role.fmt(out),
            Self::Custom { id, .. } => id.fmt(out),
        }
    }
}

impl Serialize for HeldRole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
