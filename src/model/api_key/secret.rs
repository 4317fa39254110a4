//! How the secret of an API key begins: `vstp_` for a person's, `vsto_` for an organisation's. The rest is that of every key: see
//! `key_text`.
//!
//! The first three letters are `TOKEN_PREFIX`. Those of a key from before it was changed are known by the checksum.

use crate::{
    error::Result,
    model::key_text::{self, OWN, PREFIX},
    secret::Secret,
};

/// What the secret of an API key opens.
#[derive(Debug)]
pub(crate) enum ApiKeySecret {}

/// Whose a key is, as its secret tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// A person's.
    Personal,
    /// An organisation's.
    Organisation,
}

/// How much of the random part is shown in lists.
const SHOWN: usize = 4;

impl KeyKind {
    const ALL: [Self; 2] = [Self::Personal, Self::Organisation];

    /// What its secrets begin with after `TOKEN_PREFIX`.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Personal => "p_",
            Self::Organisation => "o_",
        }
    }

    fn of(text: &str) -> Option<Self> {
        let (own, rest) = text.split_at_checked(OWN)?;
        let kind = Self::ALL.into_iter().find(|kind| rest.starts_with(kind.suffix()))?;
        own.bytes().all(|byte| byte.is_ascii_lowercase()).then_some(kind)
    }
}

impl Secret<ApiKeySecret> {
    /// A new one; `own` is `TOKEN_PREFIX`.
    pub(crate) fn of_kind(kind: KeyKind, own: &str) -> Result<Self> {
        key_text::random(&format!("{own}{}", kind.suffix())).map(Self::from_text)
    }

    /// Whose it says it is.
    pub(crate) fn kind(&self) -> Option<KeyKind> {
        KeyKind::of(self.reveal())
    }

    /// Whether it is meant to be one of ours: it begins with `own`, which is `TOKEN_PREFIX`, or is right with another.
    pub(crate) fn is_meant(&self, own: &str) -> bool {
        self.kind().is_some() && (self.reveal().starts_with(own) || self.is_well_formed())
    }

    /// Whether it can be one: its length, its characters and its checksum are right.
    pub(crate) fn is_well_formed(&self) -> bool {
        let suffix = key_text::suffix_of(self.reveal());
        suffix.is_some_and(|suffix| KeyKind::ALL.iter().any(|kind| kind.suffix() == suffix))
    }

    /// How it begins, to tell one from another: `vstp_4Kx2`.
    pub(crate) fn hint(&self) -> &str {
        self.reveal().get(..PREFIX + SHOWN).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_of_the_shape_that_scanners_look_for_and_checks_itself() {
        for kind in KeyKind::ALL {
            let secret = Secret::of_kind(kind, "vst").unwrap();
            let text = secret.reveal();
            assert!(text.starts_with(&format!("vst{}", kind.suffix())) && text.len() == 43, "{text}");
            // \bvst[po]_[0-9A-Za-z]{38}\b
            assert!(text[5..].bytes().all(|b| b.is_ascii_alphanumeric()), "{text}");
            assert!(secret.is_well_formed() && secret.kind() == Some(kind));
            assert_eq!(secret.hint(), &text[..9]);
            assert_ne!(Secret::of_kind(kind, "vst").unwrap().reveal(), text);
            assert!(secret.is_meant("vst") && secret.is_meant("acm"));
            for place in 0..text.len() {
                let mut other = text.to_owned().into_bytes();
                other[place] = if other[place] == b'x' { b'y' } else { b'x' };
                let other = String::from_utf8(other).unwrap();
                assert!(!Secret::<ApiKeySecret>::from_text(other.clone()).is_well_formed(), "{other}");
            }
            for other in [&text[..42], &format!("{text}0"), &text.replace("vst", "VST"), "vstp_", "", "é"] {
                assert!(!Secret::<ApiKeySecret>::from_text(other).is_well_formed(), "{other}");
            }
        }
    }

    #[test]
    fn what_is_meant_to_be_a_key_begins_as_ours_do_or_is_one() {
        let is_meant = |text: &str| Secret::<ApiKeySecret>::from_text(text).is_meant("acm");
        assert!(is_meant("acmp_") && is_meant("acmo_mistyped"));
        for foreign in ["vstp_mistyped", "acm_x", "acmr_x", "ghp_0123", "eyJhbGciOi.x.y", "", "é", "acmp-x"]
        {
            assert!(!is_meant(foreign), "{foreign}");
        }
    }
}
