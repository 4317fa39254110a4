//! The keys of this house as a service provider are made and changed, on record.

use crate::{
    db::Tx,
    error::Result,
    model::{
        audit::{self, Actor, audit_events},
        service_key,
    },
    saml::ServiceKey,
};

audit_events! {
    /// A SAML key was made.
    ServiceKeyMade {} => of("service_key_made"),
    /// The announced SAML key is in use.
    ServiceKeySwitched {} => of("service_key_switched"),
}

/// Puts a key in use where there is none yet. Of many at once, one does.
pub fn begin(tx: &mut Tx, actor: &Actor, key: &ServiceKey) -> Result<()> {
    match service_key::begin(tx, key)? {
        true => audit::record(tx, actor, None, Event::ServiceKeyMade {}),
        false => Ok(()),
    }
}

/// Announces the next key; one that was announced before, or is retired, goes.
pub fn announce(tx: &mut Tx, actor: &Actor, key: &ServiceKey) -> Result<()> {
    service_key::announce(tx, key)?;
    audit::record(tx, actor, None, Event::ServiceKeyMade {})
}

/// Puts the announced key in use; the one before it retires. [`Error::NotFound`](crate::error::Error::NotFound) where none is
/// announced.
pub fn switch(tx: &mut Tx, actor: &Actor) -> Result<()> {
    service_key::switch(tx)?;
    audit::record(tx, actor, None, Event::ServiceKeySwitched {})
}
