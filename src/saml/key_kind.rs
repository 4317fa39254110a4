//! Kinds of keys.

/// What kind of key a certificate holds, or a signature needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA.
    Rsa,
    /// A curve of NIST's: P-256, P-384 or P-521.
    Ec,
}
