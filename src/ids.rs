//! Ids: what a row is called by whoever names it, in a URL, in another table, in the audit.
//!
//! Each kind of row has a type of its own, which needs nothing of the table.

use std::{
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
};

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::error::{Error, Result};

/// An opaque id: 128 random bits in hexadecimal, which cannot be confused with the id of another table.
#[derive(AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Text)]
pub struct Id<T: 'static>(String, PhantomData<fn() -> T>);

impl<T> Id<T> {
    /// A new id.
    pub(crate) fn random() -> Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(Error::internal)?;
        Ok(Self(format!("{:032x}", u128::from_be_bytes(bytes)), PhantomData))
    }

    /// An id that somebody names.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into(), PhantomData)
    }

    /// An id that somebody types, also in capitals or with the dashes of a UUID (RFC 9562 §4); `None` where it has the shape
    /// of none. Anything else was never ours, and PostgreSQL would fail on a NUL in it instead of finding nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_dashed = text.len() == 36 && [8, 13, 18, 23].iter().all(|at| text.as_bytes()[*at] == b'-');
        let plain = if is_dashed { text.replace('-', "") } else { text.to_owned() };
        let is_ours = plain.len() == 32 && plain.bytes().all(|b| b.is_ascii_hexdigit());
        is_ours.then(|| Self::from_text(plain.to_ascii_lowercase()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Id<T> {}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl<T> fmt::Display for Id<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl<T> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not an id"))
    }
}

impl<T, DB: Backend> FromSql<sql_types::Text, DB> for Id<T>
where
    String: FromSql<sql_types::Text, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> deserialize::Result<Self> {
        String::from_sql(raw).map(Self::from_text)
    }
}

impl<T, DB: Backend> ToSql<sql_types::Text, DB> for Id<T>
where
    str: ToSql<sql_types::Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.as_str().to_sql(out)
    }
}

/// What an id is of. None of these has a value.
#[expect(unreachable_pub, reason = "of some of them only ids inside of the crate are")]
pub(crate) mod of {
    macro_rules! of {
        ($($(#[$doc:meta])* $name:ident,)+) => { $($(#[$doc])* #[derive(Debug)] pub enum $name {})+ };
    }
    of! {
        /// A user.
        User,
        /// A session.
        Session,
        /// A passkey.
        Passkey,
        /// An organisation.
        Organisation,
        /// A role that an organisation made for itself.
        CustomRole,
        /// A connection of an organisation to its identity provider.
        Connection,
        /// An identity at a provider.
        ProviderIdentity,
        /// A domain that an organisation says is its own.
        Domain,
        /// An attempt to sign in through a connection.
        Attempt,
        /// An email in the outbox.
        Email,
        /// An entry of the sign-in history.
        SignIn,
        /// A change of how an account is held.
        SecurityChange,
        /// An invitation to an organisation.
        Invitation,
        /// The directory of an organisation.
        Directory,
        /// A token of a directory.
        DirectoryToken,
        /// An entry of a directory.
        DirectoryPerson,
        /// A group of a directory.
        DirectoryGroup,
        /// A note of an organisation.
        Note,
        /// An application.
        Application,
        /// What somebody lets an application do.
        Grant,
        /// What an application is to be told.
        Delivery,
        /// An API key.
        ApiKey,
        /// A running process of this program.
        Node,
        /// An audit event.
        AuditEvent,
    }
}

/// A user's id.
pub type UserId = Id<of::User>;
/// A session's id; not its secret.
pub(crate) type SessionId = Id<of::Session>;
/// A passkey's id here; not its credential id (WebAuthn §4).
pub(crate) type PasskeyId = Id<of::Passkey>;
/// An organisation's id.
pub type OrganisationId = Id<of::Organisation>;
/// The id of an organisation's own role.
pub(crate) type RoleId = Id<of::CustomRole>;
/// An invitation's id.
pub(crate) type InvitationId = Id<of::Invitation>;
/// An application's id.
pub(crate) type ApplicationId = Id<of::Application>;
/// The id of what somebody lets an application do.
pub(crate) type GrantId = Id<of::Grant>;
/// The id of what an application is to be told.
pub(crate) type DeliveryId = Id<of::Delivery>;
/// An API key's id; not its secret.
pub(crate) type ApiKeyId = Id<of::ApiKey>;
/// A connection's id.
pub type ConnectionId = Id<of::Connection>;
/// The id of an identity at a provider; not what the provider calls its person.
pub(crate) type ProviderIdentityId = Id<of::ProviderIdentity>;
/// A domain's id.
pub(crate) type DomainId = Id<of::Domain>;
/// A sign-in attempt's id.
pub(crate) type AttemptId = Id<of::Attempt>;
/// An outbox email's id, and the front of its Message-ID.
pub(crate) type EmailId = Id<of::Email>;
/// The id of an entry in the sign-in history.
pub(crate) type SignInId = Id<of::SignIn>;
/// The id of a change of how an account is held.
pub(crate) type SecurityChangeId = Id<of::SecurityChange>;
/// A directory's id.
pub(crate) type DirectoryId = Id<of::Directory>;
/// The id of a directory's token; not its secret.
pub(crate) type DirectoryTokenId = Id<of::DirectoryToken>;
/// The id of an entry of a directory.
pub(crate) type DirectoryPersonId = Id<of::DirectoryPerson>;
/// The id of a group of a directory.
pub(crate) type DirectoryGroupId = Id<of::DirectoryGroup>;
/// A note's id.
pub(crate) type NoteId = Id<of::Note>;
/// A node's id, new at each start.
pub(crate) type NodeId = Id<of::Node>;
/// An audit event's id.
pub(crate) type AuditEventId = Id<of::AuditEvent>;
