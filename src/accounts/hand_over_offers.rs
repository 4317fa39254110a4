//! Offers of an organisation to one of its members: which waits, and what ends one.
//!
//! An offer is the token of the owner who made it, so that it ends with their other links. It is of a present owner to a
//! present member: whoever stops being one ends it.

use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::Result,
    ids::{OrganisationId, UserId},
    model::{
        membership,
        token::{self, HandOver, HandOverOffer},
    },
};

/// The offer that waits in an organisation, and whose it is.
pub(crate) fn open(
    conn: &mut Conn,
    organisation: &OrganisationId,
    now: Timestamp,
) -> Result<Option<(UserId, HandOverOffer)>> {
    for owner in membership::owners(conn, organisation)? {
        let offers = token::all_outstanding::<HandOver>(conn, &owner, now)?;
        if let Some(offer) = offers.into_iter().rfind(|offer| offer.organisation == *organisation) {
            return Ok(Some((owner, offer)));
        }
    }
    Ok(None)
}

/// Ends the offers in an organisation: those by and to `member`, or all.
pub(crate) fn revoke(tx: &mut Tx, organisation: &OrganisationId, member: Option<&UserId>) -> Result<()> {
    for owner in membership::owners(tx.conn, organisation)? {
        token::revoke_where::<HandOver>(tx, &owner, |offer| {
            let is_theirs = member.is_none_or(|member| offer.to == *member || owner == *member);
            offer.organisation == *organisation && is_theirs
        })?;
    }
    Ok(())
}
