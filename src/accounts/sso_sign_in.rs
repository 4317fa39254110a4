//! What an identity provider proved, and what it was asked for: a session here, or a step-up in one.

use super::{
    authentication::{self, IssuedSession, SignInOutcome},
    client_facts::ClientFacts,
    identity_links,
    pending_links::{self, WaitingIdentity},
    provisioning::{self, Resolution},
    sso_attempts::refuse,
    sso_policy, step_up,
};
use crate::{
    clock::Timestamp,
    db::Tx,
    error::Result,
    ids::{AttemptId, SessionId, UserId},
    kinds::StepUpMethod,
    model::{
        connection::{self, Connection, MappedProfile},
        session::CurrentSession,
        sso_attempt,
        sso_session::SsoSession,
        token::{LinkIdentity, SsoIntent},
        user::User,
    },
    saml,
    secret::Secret,
};

/// An identity that its provider proved, to the browser that asked for it.
#[derive(Debug)]
pub(crate) struct VerifiedIdentity {
    /// As it was noted.
    pub attempt: AttemptId,
    /// What it was asked for; no test comes here.
    pub intent: SsoIntent,
    /// Whether "remember this device" was chosen.
    pub remembered: bool,
    /// What the person is known by there.
    pub name: saml::Name,
    /// What was said of them.
    pub profile: MappedProfile,
    /// The session there, where it can be ended from here or from there.
    pub sso: Option<SsoSession>,
    /// The last moment of a session that comes of it.
    pub session_ends_at: Option<Timestamp>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum SsoResult {
    /// Somebody signs in.
    SignedIn {
        /// Who.
        user: Box<User>,
        /// With their session, or before the second factor.
        outcome: SignInOutcome,
    },
    /// The session that asked goes on, with another secret.
    SteppedUp(IssuedSession),
    /// An account is here already: its owner signs in to it once the old way.
    Unlinked(Secret<LinkIdentity>),
    /// Nobody comes in. Holds the number of the attempt; that has to be committed, for the owners to see.
    Refused(String),
}

/// Signs somebody in by what a connection proved, or steps up the session that asked, which the browser has to have `held`.
pub(crate) fn complete_sso(
    tx: &mut Tx,
    client: &ClientFacts,
    held: Option<&CurrentSession>,
    connection: &Connection,
    verified: VerifiedIdentity,
) -> Result<SsoResult> {
    if let SsoIntent::StepUp { user, session } = &verified.intent {
        return confirm(tx, client, held, connection, &verified, (user, session));
    }
    let VerifiedIdentity { attempt, remembered, name, profile, sso, session_ends_at, .. } = verified;
    let created_from = client.device().name();
    match provisioning::resolve(tx, &client.actor(), connection, &name, &profile, &created_from)? {
        Resolution::Known(user) => {
            sso_attempt::set_user(tx, &attempt, &user.id)?;
            // Who came in by it has tested it.
            if connection.tested_at.is_none() {
                connection::note_test(tx, connection)?;
            }
            let asks = connection.asks_second_factor
                || !step_up::stands_in(tx.conn, &connection.organisation_id, &user)?;
            let there = (sso, session_ends_at);
            let outcome = authentication::complete_sso(tx, client, &user, there, asks, remembered)?;
            Ok(SsoResult::SignedIn { user: Box::new(user), outcome })
        }
        Resolution::Unlinked(owner) => {
            sso_attempt::set_user(tx, &attempt, &owner.id)?;
            let identity = WaitingIdentity { connection: connection.id.clone(), name, role: profile.role };
            pending_links::offer(tx, &owner.id, &identity).map(SsoResult::Unlinked)
        }
        Resolution::Refused(refused) => {
            let why = (refused.code(), refused.sentence());
            refuse(tx, client, connection, &attempt, why).map(SsoResult::Refused)
        }
    }
}

fn confirm(
    tx: &mut Tx,
    client: &ClientFacts,
    held: Option<&CurrentSession>,
    connection: &Connection,
    verified: &VerifiedIdentity,
    (user, session): (&UserId, &SessionId),
) -> Result<SsoResult> {
    let owner = identity_links::owner_of(tx.conn, &connection.id, &verified.name)?;
    let owner = owner.filter(|owner| owner.id == *user);
    // Their domain may be led elsewhere since they left.
    let way =
        owner.as_ref().map(|owner| sso_policy::required_connection(tx.conn, owner)).transpose()?.flatten();
    let is_same = owner.is_some() && way.is_none_or(|way| way == connection.id);
    let here = held.filter(|held| held.id == *session);
    let (true, Some(here)) = (is_same, here) else {
        let sentence = "Someone else signed in there than the person who was asked to confirm.";
        let why = ("another_person", sentence);
        return refuse(tx, client, connection, &verified.attempt, why).map(SsoResult::Refused);
    };
    sso_attempt::set_user(tx, &verified.attempt, user)?;
    step_up::passed(tx, &client.actor(), user, here, StepUpMethod::Sso)?;
    authentication::rotate(tx, here).map(SsoResult::SteppedUp)
}
