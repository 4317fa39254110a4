//! What is known of an identity provider that many have.

use serde::Serialize;

/// An identity provider that many have, with the attributes it sends.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Like {
    /// In the address of the form.
    pub(super) key: &'static str,
    /// As its makers call it.
    pub(super) name: &'static str,
    pub(super) email: &'static str,
    pub(super) shown: &'static str,
    pub(super) groups: &'static str,
    /// What identifies people; empty where the standard says so well.
    pub(super) identifier: &'static str,
    #[serde(skip)]
    pub(super) walkthrough: Walkthrough,
}

/// How it is set up there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walkthrough {
    /// The way through its menus to a new application.
    pub(super) path: &'static str,
    /// Its fields, each with what belongs in it.
    pub(super) fields: &'static [(&'static str, Value)],
    /// How attributes are added.
    pub(super) attributes: &'static str,
    /// Where its metadata is, or who we are there.
    pub(super) metadata: &'static str,
}

/// What belongs in a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    EntityId,
    AcsUrl,
    Metadata,
    LogoutUrl,
    /// A regular expression that the ACS URL alone fits.
    AcsPattern,
    /// Where our certificate is, as a file.
    Certificate,
    /// The redirect URI of OpenID Connect.
    RedirectUri,
    /// Where a back-channel logout is posted.
    BackChannelLogout,
    /// Where a sign-in begins that begins there.
    Initiate,
    Text(&'static str),
}
