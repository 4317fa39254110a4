//! Who is at the other end, as it bears on signing in: address, device, and the session this browser already holds.

use super::known_devices::KnownDevices;
use crate::{
    db::Conn,
    error::Result,
    ids::{SessionId, UserId},
    model::{
        audit::{Actor, ActorKind},
        device::Device,
        session::{Fingerprint, SessionSecret},
        token::LinkIdentity,
        user,
    },
    secret::Secret,
};

/// What is known of the other end when somebody signs in, signs up or changes their account.
#[derive(Debug, Clone)]
pub(crate) struct ClientFacts {
    /// Its address on the network; empty where it is not known.
    pub ip: String,
    /// What it calls itself.
    pub user_agent: String,
    /// The first language it asks for.
    pub language: String,
    /// What its script told, where it runs one.
    pub hints: ClientHints,
    /// The session secrets it presents, live or not.
    pub presented: Vec<SessionSecret>,
    /// The accounts that were let in from this browser before.
    pub known: KnownDevices,
    /// The digest of its mark, where it holds one.
    pub binding: Option<String>,
    /// What this browser is about to connect with the account that signs in, if anything.
    pub linking: Option<Secret<LinkIdentity>>,
    /// The session this browser holds, and whose.
    pub current_session: Option<(UserId, SessionId)>,
}

/// What a small script tells of a browser, in hidden fields of the form. Empty without scripts.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientHints {
    /// The time zone's name.
    pub zone: String,
    /// The size of the screen.
    pub screen: String,
}

impl ClientFacts {
    /// The same, with what its script told.
    pub(crate) fn with_hints(self, zone: &str, screen: &str) -> Self {
        Self { hints: ClientHints { zone: short(zone), screen: short(screen) }, ..self }
    }

    /// What is kept of it with its session.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            user_agent: self.user_agent.clone(),
            language: self.language.clone(),
            time_zone: self.hints.zone.clone(),
            screen: self.hints.screen.clone(),
        }
    }

    /// The device, as its user agent tells.
    pub(crate) fn device(&self) -> Device {
        Device::of(&self.user_agent)
    }

    /// The visitor as an actor in the audit.
    pub(crate) fn actor(&self) -> Actor {
        let (user, session) = self.current_session.clone().unzip();
        Actor { kind: ActorKind::User, user, session, key: None, ip: Some(self.ip.clone()) }
    }

    /// Whether `user` was let in from this browser before, and stands by it.
    pub(crate) fn is_known_to(&self, conn: &mut Conn, user: &UserId) -> Result<bool> {
        let known_from = user::password_credential(conn, user)?.browsers_known_from;
        Ok(self.known.knows(user, known_from))
    }

    /// Whether this browser is signed in as `user`.
    pub(crate) fn holds_session_of(&self, user: &UserId) -> bool {
        self.current_session.as_ref().is_some_and(|(held, _)| held == user)
    }
}

/// The first word of a list, and not much of that.
pub(crate) fn short(text: &str) -> String {
    text.split([',', ';']).next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(60).collect()
}
