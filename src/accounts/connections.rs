//! Connections to identity providers, as far as more than their own table is concerned.

use diesel::prelude::*;

use super::sso_policy;
use crate::{
    db::{Tx, schema::connections},
    error::{Error, Result},
    ids::{ConnectionId, OrganisationId},
    model::{
        audit::{self, Actor, Event},
        domain, organisation,
    },
};

/// Ends a connection, and every identity that it vouched for.
pub fn remove(tx: &mut Tx, actor: &Actor, organisation: &OrganisationId, id: &ConnectionId) -> Result<()> {
    organisation::lock(tx, organisation)?;
    // Nobody must be kept to a way in that is gone, nor to the next one without its own test.
    for led in
        domain::domains_of_connection(tx.conn, id)?.iter().filter(|led| led.organisation_id == *organisation)
    {
        sso_policy::release(tx, actor, led)?;
    }
    let own = connections::table.find(id).filter(connections::organisation_id.eq(organisation));
    if diesel::delete(own).execute(tx.conn)? == 0 {
        return Err(Error::NotFound);
    }
    let event = Event::ConnectionRemoved { organisation: organisation.clone(), connection: id.clone() };
    audit::record(tx, actor, None, event)
}
