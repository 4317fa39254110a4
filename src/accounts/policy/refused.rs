//! What a member may not.

use crate::{
    error::{Error, Particulars, Way, refusals},
    urls,
};

refusals! {
    /// A member without the permission that it takes.
    FORBIDDEN = ("forbidden", 403, "You may not do that here. An owner can let you.")
        .at_organisations("That is not possible");
    /// An API key without it.
    KEY_FORBIDDEN = ("forbidden", 403, "This API key may not do that. It needs the permission {}.");
    /// An API key, where only a person will do.
    PERSON_REQUIRED = ("person_required", 403, "An API key can't do that. Sign in as the person who may.");
    /// The organisation is to be deleted, and does nothing else meanwhile. Told to its owners only.
    ORGANISATION_LEAVING =
        ("organisation_leaving", 403, "This organisation is going to be deleted. Restore it to use it again.")
        .way(Way::Redirect);
    /// The organisation has another slug now. Told to its members only.
    ORGANISATION_MOVED = ("organisation_moved", 308, "This organisation has another short name now: {}.")
        .way(Way::Moved);
}

/// [`FORBIDDEN`] for want of this permission.
pub(crate) fn forbidden(permission: String) -> Error {
    FORBIDDEN.with(Particulars::default().detail("permission", permission))
}

/// [`KEY_FORBIDDEN`] for want of this permission.
pub(crate) fn key_forbidden(permission: String) -> Error {
    KEY_FORBIDDEN.with(Particulars::named(permission.as_str()).detail("permission", permission))
}

/// [`ORGANISATION_LEAVING`] of the organisation with this slug.
pub(crate) fn organisation_leaving(slug: String) -> Error {
    ORGANISATION_LEAVING.with(Particulars::default().href(urls::organisation_page(&slug, "restore")))
}

/// [`ORGANISATION_MOVED`] to this slug.
pub(crate) fn organisation_moved(slug: String) -> Error {
    let href = urls::organisation(&slug);
    ORGANISATION_MOVED.with(Particulars::named(slug.as_str()).detail("slug", slug).href(href))
}
