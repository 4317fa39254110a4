//! What a step-up comes to, whatever it is made with.

use crate::{
    accounts::authentication::{self, IssuedSession},
    accounts::step_up::{self, Missed},
    db::Tx,
    error::Result,
    kinds::StepUpMethod,
    model::{audit::Actor, session::CurrentSession, user::User},
    web::{Authenticated, Client},
};

/// A new secret for the session, or what a wrong one comes to.
pub(crate) type Verdict = Result<IssuedSession, Missed>;

/// Who makes a step-up, and where.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub user: User,
    pub actor: Actor,
    pub here: CurrentSession,
    pub device: String,
}

impl Attempt {
    pub(crate) fn of(me: &Authenticated, client: &Client) -> Self {
        let device = client.device().name();
        Self { user: me.user.clone(), actor: me.actor(), here: me.session.clone(), device }
    }

    /// It was right.
    pub(crate) fn passed(&self, tx: &mut Tx, with: StepUpMethod) -> Result<Verdict> {
        step_up::passed(tx, &self.actor, &self.user.id, &self.here, with)?;
        authentication::rotate(tx, &self.here).map(Ok)
    }

    /// It was wrong.
    pub(crate) fn missed(&self, tx: &mut Tx, with: &'static str) -> Result<Verdict> {
        step_up::missed(tx, &self.actor, &self.user, &self.here.id, with, &self.device).map(Err)
    }
}
