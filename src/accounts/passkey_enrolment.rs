//! A passkey is added to an account, on record.

use super::factors::Event;
use crate::{
    db::Tx,
    error::Result,
    ids::UserId,
    kinds::Factor,
    model::{
        audit::{self, Actor},
        passkey::{self, Passkey, PasskeyName},
    },
    webauthn::Credential,
};

/// Keeps a new passkey of `user`, made for the host `rp_id`. [`PASSKEY_TAKEN`] where
/// it belongs to anybody already, its own owner included.
pub(crate) fn add(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    rp_id: &str,
    credential: &Credential,
    name: PasskeyName,
) -> Result<Passkey> {
    let passkey = passkey::add(tx, user, rp_id, credential, name)?;
    let added = Event::SecondFactorAdded { factor: Factor::Passkey, passkey: Some(passkey.id.clone()) };
    audit::record(tx, actor, user, added)?;
    Ok(passkey)
}
