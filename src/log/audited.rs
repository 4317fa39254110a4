//! The line of an audit event.

use super::current;

/// What is told of an audit event: no more than ids.
#[derive(Debug)]
pub(crate) struct Audited {
    /// The event's name.
    pub event: &'static str,
    /// By which method somebody proved, or failed to prove, who they are.
    pub method: Option<String>,
    /// Whether it was an attempt that failed.
    pub is_failure: bool,
    /// The account that it is about.
    pub user: Option<String>,
    /// The organisation that it concerns.
    pub organisation: Option<String>,
    /// Who did it.
    pub actor: Actor,
}

/// Who did it, and from where.
#[derive(Debug)]
pub(crate) struct Actor {
    /// `user`, `operator` or `job`.
    pub kind: &'static str,
    /// The account, where it is one.
    pub user: Option<String>,
    /// The session, where there is one.
    pub session: Option<String>,
    /// The address on the network, where there is one.
    pub client: Option<String>,
}

impl Audited {
    /// Writes the line. Once, after the transaction that it happened in is committed.
    pub(crate) fn write(&self) {
        let client = self.actor.client.clone().filter(|client| !client.is_empty());
        let client = client.or_else(|| current().map(|request| request.client.clone()));
        tracing::info!(
            event = self.event,
            outcome = if self.is_failure { "failure" } else { "success" },
            method = self.method,
            user.id = self.user,
            organisation.id = self.organisation,
            actor = self.actor.kind,
            actor.id = self.actor.user,
            session.id = self.actor.session,
            client,
            "audit"
        );
    }
}
