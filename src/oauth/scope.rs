//! Scopes (RFC 6749 §3.3): what an application asks for.

use std::collections::BTreeSet;

/// Opens one's account here.
pub(crate) const ACCOUNT_READ: &str = "account:read";

/// Opens one's organisations here, as far as members see them.
pub(crate) const ORGANISATION_READ: &str = "organisation:read";

/// A set of scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scopes(BTreeSet<String>);

impl Scopes {
    /// Every scope that this site knows by itself, and what it tells the application, in words.
    pub(crate) const KNOWN: [(&'static str, &'static str); 5] = [
        ("openid", "your account here, to recognise you again"),
        ("profile", "your name"),
        ("email", "your email address"),
        ("organisations", "your organisations, and your role in each"),
        ("offline_access", "to keep this access when you are signed out"),
    ];

    /// What clients of whoever runs this site may ask for besides, and what it opens here, in words.
    pub(crate) const OF_SITE: [(&'static str, &'static str); 2] = [
        (ACCOUNT_READ, "your account, as you see it here"),
        (ORGANISATION_READ, "your organisations, as members see them"),
    ];

    /// What it tells the application, in words; nothing for a scope of the application's own.
    pub(crate) fn words(scope: &str) -> Option<&'static str> {
        let known = Self::KNOWN.iter().chain(&Self::OF_SITE).find(|(known, _)| *known == scope);
        known.map(|(_, words)| *words)
    }

    /// Those between blanks; nothing where one has a character that no scope can have.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let words: BTreeSet<String> =
            text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let is_scope = |word: &String| {
            word.len() <= 100 && word.bytes().all(|byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~'))
        };
        (words.len() <= 50 && words.iter().all(is_scope)).then_some(Self(words))
    }

    /// Whether `scope` is among them.
    pub(crate) fn has(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// Whether all of `others` are.
    pub(crate) fn cover(&self, others: &Self) -> bool {
        others.0.is_subset(&self.0)
    }

    /// Without one of them.
    pub(crate) fn without(mut self, scope: &str) -> Self {
        self.0.remove(scope);
        self
    }

    /// Those of which `keep` says so.
    pub(crate) fn only(self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.into_iter().filter(|scope| keep(scope)).collect())
    }

    /// One by one, in the order of the alphabet.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Between blanks.
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}
