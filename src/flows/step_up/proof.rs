//! A step-up that went through.

use crate::{
    db::Tx,
    error::Result,
    model::session,
    web::door::{self, Ticket},
};

/// Notes it, and gives the session a new secret.
pub fn prove(tx: &mut Tx, current: &session::Current) -> Result<Ticket> {
    session::prove(tx, &current.id)?;
    door::rotate(tx, current)
}
