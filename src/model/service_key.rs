//! The keys of this house as a service provider: sealed, and changed without a gap.
//!
//! A next key is announced in the metadata before it is used; the one before it still opens what was encrypted to it.

use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    config::Config,
    db::{Conn, Tx, schema::service_keys},
    error::{Error, Result},
    ids::Id,
    saml::{Service, ServiceKey},
    secret::Secret,
    text_enum,
};

const SEAL: &str = "service_key";

text_enum! {
    /// What a key is for at the moment.
    State {
        /// It signs.
        InUse => "in_use",
        /// It is in the metadata already.
        Announced => "announced",
        /// It still opens what is encrypted to it.
        Retired => "retired",
    }
}

/// This house as a service provider, with its keys: the one in use, then the announced or the retired one.
pub fn service(conn: &mut Conn, config: &Config) -> Result<Service> {
    let mut rows: Vec<(State, String, String)> = service_keys::table
        .select((service_keys::state, service_keys::sealed, service_keys::certificate))
        .load(conn)?;
    rows.sort_by_key(|(state, _, _)| State::ALL.iter().position(|one| one == state));
    let keys = rows
        .into_iter()
        .map(|(_, sealed, certificate)| {
            let private = Secret::from_text(config.keys.open(SEAL, &sealed)?);
            ServiceKey::from_pem(&private, &certificate)
        })
        .collect::<Result<_>>()?;
    Ok(Service {
        entity_id: config.site.link("/auth/saml/metadata"),
        acs_url: config.site.link("/auth/saml/callback"),
        logout_url: config.site.link("/auth/saml/logout"),
        keys,
    })
}

/// Puts a key in use where there is none yet. Of many at once, one does: `true`.
pub(crate) fn begin(tx: &mut Tx, key: &ServiceKey) -> Result<bool> {
    match insert(tx, State::InUse, key) {
        Err(Error::Conflict) => Ok(false),
        inserted => inserted.map(|()| true),
    }
}

/// Announces the next key; one that was announced before, or is retired, goes.
pub(crate) fn announce(tx: &mut Tx, key: &ServiceKey) -> Result<()> {
    diesel::delete(service_keys::table.filter(service_keys::state.ne(State::InUse))).execute(tx.conn)?;
    insert(tx, State::Announced, key)
}

/// When the key in use was made, where there is one.
pub(crate) fn in_use_since(conn: &mut Conn) -> Result<Option<Timestamp>> {
    let in_use = service_keys::table.filter(service_keys::state.eq(State::InUse));
    Ok(in_use.select(service_keys::created_at).first(conn).optional()?)
}

/// Puts the announced key in use; the one before it retires. [`Error::NotFound`] where none is announced.
pub(crate) fn switch(tx: &mut Tx) -> Result<()> {
    diesel::update(service_keys::table.filter(service_keys::state.eq(State::InUse)))
        .set(service_keys::state.eq(State::Retired))
        .execute(tx.conn)?;
    let switched = diesel::update(service_keys::table.filter(service_keys::state.eq(State::Announced)))
        .set(service_keys::state.eq(State::InUse))
        .execute(tx.conn)?;
    if switched == 0 { Err(Error::NotFound) } else { Ok(()) }
}

fn insert(tx: &mut Tx, state: State, key: &ServiceKey) -> Result<()> {
    let row = (
        service_keys::id.eq(Id::<ServiceKey>::random()?),
        service_keys::state.eq(state),
        service_keys::sealed.eq(tx.config.keys.seal(SEAL, key.private_pem()?.reveal())?),
        service_keys::certificate.eq(key.certificate_pem()?),
        service_keys::created_at.eq(tx.now),
    );
    let kept =
        tx.allow_unique_violation(|conn| diesel::insert_into(service_keys::table).values(row).execute(conn))?;
    kept.map(drop).ok_or(Error::Conflict)
}
