//! Passwords: what is accepted, and how they are hashed without slowing anybody down.
//!
//! What bcrypt sees is a keyed SHA-256 of the password, so nothing is cut at 72 bytes or at NUL, and a stolen
//! table cannot be guessed at without the secret key.

mod hasher;
mod lanes;
pub(crate) mod policy;

use std::fmt;

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types,
};
use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

pub(crate) use self::{
    hasher::{Hasher, HasherGauge},
    lanes::KnownDevice,
};

/// The most characters of a password, counted after normalisation (NFC).
pub(crate) const LONGEST: usize = 256;

/// A password as somebody typed it, in NFC (NIST SP 800-63B §3.1.1.2). Never trimmed, never printed.
#[derive(Clone, Default)]
pub(crate) struct Password(Zeroizing<String>);

impl Password {
    /// The password as typed, composed so that the same letters are the same bytes on every keyboard.
    pub(crate) fn new(typed: &str) -> Self {
        let nfc = ComposingNormalizerBorrowed::new_nfc();
        Self(Zeroizing::new(nfc.normalize(typed).into_owned()))
    }

    /// The password itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether nothing was typed.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is longer than any password that was accepted.
    pub(crate) fn is_too_long(&self) -> bool {
        self.0.chars().nth(LONGEST).is_some()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let typed = Zeroizing::new(String::deserialize(deserializer)?);
        Ok(Self::new(&typed))
    }
}

/// What is stored of a password: the key's id, a colon, and a bcrypt string.
#[derive(Clone, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Text)]
pub(crate) struct PasswordHash(String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl<DB: Backend> FromSql<sql_types::Text, DB> for PasswordHash
where
    String: FromSql<sql_types::Text, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> deserialize::Result<Self> {
        String::from_sql(raw).map(Self)
    }
}

impl<DB: Backend> ToSql<sql_types::Text, DB> for PasswordHash
where
    str: ToSql<sql_types::Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.as_str().to_sql(out)
    }
}
