//! Passkeys (WebAuthn): a person may have several, each with a name.

/// A passkey.
#[derive(Debug)]
pub struct Passkey;
