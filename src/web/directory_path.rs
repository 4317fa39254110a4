//! Where directories are: a leaf, so that whoever answers errors there needs not know their guard.

/// Where all of it is.
pub(crate) const ROOT: &str = "/scim/v2";

/// Whether a path is that of a directory: its answers have one form, whatever is accepted, and no cookie counts.
pub(crate) fn is_of_directory(path: &str) -> bool {
    path.strip_prefix("/scim").is_some_and(|rest| rest.starts_with('/'))
}
