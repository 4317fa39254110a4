//! Handing a browser over to the host of a gate: a code that works once, for half a minute, in the browser that came.

use crate::{
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{ApplicationId, SessionId, UserId},
    model::{
        gate_session::{self, GateSecret},
        session::{self, Authentication},
        token::{self, GateCode, GateHandover},
    },
    secret::{self, Keys, Secret},
};

const SEAL: &str = "gate_code";

/// Where a browser is handed over to.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    /// At which application.
    pub application: ApplicationId,
    /// What the host gave the browser.
    pub nonce: String,
    /// The path to go to.
    pub to: String,
    /// Whether it came a second time.
    pub is_retry: bool,
}

/// Makes the code for a browser with this session.
pub(crate) fn issue(
    tx: &mut Tx,
    user: &UserId,
    session: &SessionId,
    destination: &Destination,
) -> Result<Secret<GateCode>> {
    session::hold(tx, session)?;
    let handover = GateHandover {
        application: destination.application.clone(),
        session: session.clone(),
        nonce: secret::digest(&destination.nonce),
        to: tx.config.keys.seal(SEAL, &destination.to)?,
        is_retry: destination.is_retry,
    };
    // Two tabs may be on their way.
    token::issue_with(tx, user, &handover, GateCode::LIFE)
}

/// Takes the code at the host that gave the browser one of `nonces`: the secret for its cookie there, the path to go to, and
/// which nonce it was. [`Error::DeadLink`] where it is another's, or used, or late; [`Error::Unauthenticated`] where the session
/// has ended.
pub(crate) fn redeem(
    tx: &mut Tx,
    application: &ApplicationId,
    nonces: &[String],
    code: &Secret<GateCode>,
) -> Result<(GateSecret, String, String)> {
    let (_, handover) = token::redeem(tx, code)?;
    let nonce = nonces.iter().find(|nonce| secret::digest(nonce) == handover.nonce);
    let nonce = nonce.filter(|_| handover.application == *application).ok_or(Error::DeadLink)?;
    session::hold(tx, &handover.session)?;
    let ends_at = Authentication::of(tx.conn, &handover.session)?.expires_at;
    let secret = gate_session::start(tx, &handover.session, ends_at, application)?;
    Ok((secret, tx.config.keys.open(SEAL, &handover.to)?, nonce.clone()))
}

/// What a code was for, live or not: where to go, and whether the browser had come a second time.
pub(crate) fn look_up(
    conn: &mut Conn,
    keys: &Keys,
    code: &Secret<GateCode>,
) -> Result<Option<(String, bool)>> {
    match token::peek(conn, code) {
        Ok(found) => Ok(Some((keys.open(SEAL, &found.claim.to)?, found.claim.is_retry))),
        Err(Error::DeadLink) => Ok(None),
        Err(error) => Err(error),
    }
}
