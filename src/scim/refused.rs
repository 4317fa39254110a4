//! What is refused to a client of a directory (RFC 7644 §3.12).

use crate::error::{Error, Particulars, refusals};

refusals! {
    /// What was sent is not as SCIM has it; `scimType` says what of it.
    SCIM_INVALID = ("scim_invalid", 400, "This request cannot be carried out. {}.");
    /// No token, or one that is unknown, ended or expired.
    INVALID_DIRECTORY_TOKEN = (
        "invalid_directory_token", 401,
        "Send a token of this directory that has not expired as Authorization: Bearer. An owner of the organisation makes one."
    ).header("www-authenticate", "Bearer realm=\"scim\", error=\"invalid_token\"");
    /// The directory takes nothing now: it is paused, or full.
    DIRECTORY_CLOSED = ("directory_closed", 403, "The directory takes nothing now. {}.");
    /// What is said of the service itself is told as a whole (RFC 7644 §4).
    NOT_FILTERED = ("scim_not_filtered", 403, "This list is not filtered. Ask for all of it.");
    /// Another entry has the name or the id.
    NOT_UNIQUE = ("scim_uniqueness", 409, "That is taken. {}.");
    /// It was changed since it was read (RFC 7644 §3.14).
    VERSION_MISMATCH = ("scim_version", 412, "It has changed since it was read. Read it again, then write.");
    /// The body is no JSON by its type, or packed.
    UNSUPPORTED_SCIM_MEDIA = (
        "scim_media", 415, "Send the body as application/scim+json, in UTF-8 and not compressed."
    );
    /// What is announced as not supported.
    SCIM_UNSUPPORTED = (
        "scim_unsupported", 501, "Bulk and Me are not supported."
    );
}

/// The member of an error that says what of the request is wrong.
pub(crate) const SCIM_TYPE: &str = "scimType";

/// What of a request is wrong (RFC 7644 table 9, RFC 9865 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScimType {
    InvalidSyntax,
    InvalidValue,
    InvalidFilter,
    InvalidPath,
    NoTarget,
    TooMany,
    InvalidCursor,
    ExpiredCursor,
    InvalidCount,
}

impl ScimType {
    /// Its name in JSON.
    fn as_str(self) -> &'static str {
        match self {
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidValue => "invalidValue",
            Self::InvalidFilter => "invalidFilter",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::TooMany => "tooMany",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// [`SCIM_INVALID`], and why in a sentence.
pub(crate) fn invalid(kind: ScimType, sentence: impl Into<String>) -> Error {
    SCIM_INVALID.with(Particulars::named(plain(sentence)).detail(SCIM_TYPE, kind.as_str()))
}

/// [`DIRECTORY_CLOSED`], and why in a sentence.
pub(crate) fn closed(sentence: &str) -> Error {
    DIRECTORY_CLOSED.about(plain(sentence))
}

/// Without the full stop, which the refusal has.
fn plain(sentence: impl Into<String>) -> String {
    sentence.into().trim_end_matches('.').to_owned()
}

/// [`NOT_UNIQUE`], and of what in a sentence.
pub(crate) fn not_unique(sentence: impl Into<String>) -> Error {
    NOT_UNIQUE.with(Particulars::named(plain(sentence)).detail(SCIM_TYPE, "uniqueness"))
}
