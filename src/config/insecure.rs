//! What is not safe, and may be meant all the same.

/// Something that is not safe, and that an operator may want all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insecurity {
    /// Confirming an address by GET.
    VerifyOnGet,
    /// A secret key that can be guessed.
    WeakKey,
    /// Emails that travel unencrypted.
    Smtp,
    /// Rows that travel unencrypted, or to a server that did not prove its name.
    Postgres,
    /// Development mode that others can reach.
    Development,
}

impl Insecurity {
    /// Each with its word in `ALLOW_INSECURE`.
    pub(crate) const WORDS: [(&str, Insecurity); 5] = [
        ("verify_on_get", Insecurity::VerifyOnGet),
        ("weak_key", Insecurity::WeakKey),
        ("smtp", Insecurity::Smtp),
        ("postgres", Insecurity::Postgres),
        ("development", Insecurity::Development),
    ];

    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, what)| *what == self).map_or("", |(word, _)| word)
    }
}
