//! Applications are told that a session ended (OpenID Connect Back-Channel Logout 1.0). A session that ends leaves its grants behind:
//! they open nothing any more, and say whom to tell. So whatever ends a session need not know of applications.

use diesel::prelude::*;

use super::signing_keys::Ring;
use crate::{
    db::{
        Conn, Tx,
        schema::{grants as rows, sessions},
    },
    error::Result,
    ids::{ApplicationId, GrantId, UserId},
    model::{
        application::client::{self, Client},
        delivery::{self, Delivery},
        grant::{self, GrantKind},
    },
    oauth::LogoutClaims,
    secret::random_text,
};

/// Removes up to `most` grants of sessions that ended, and keeps whom to tell. Returns how many there were.
pub(crate) fn queue_ended(tx: &mut Tx, most: i64) -> Result<usize> {
    let locked = sessions::table.filter(sessions::locked_at.is_not_null()).select(sessions::id);
    let is_over = rows::session_id
        .is_null()
        .or(rows::expires_at.le(tx.now))
        .or(rows::session_id.assume_not_null().eq_any(locked));
    let ended: Vec<(GrantId, ApplicationId, UserId)> = rows::table
        .filter(rows::kind.eq(GrantKind::Session))
        .filter(is_over)
        .order(rows::created_at)
        .limit(most)
        .select((rows::id, rows::application_id, rows::user_id))
        .load(tx.conn)?;
    for (id, application, user) in &ended {
        // Of two nodes one removes it.
        if grant::end(tx, id)? && client::by_id(tx.conn, application)?.is_some_and(|client| listens(&client))
        {
            delivery::insert(tx, application, user, id)?;
        }
    }
    Ok(ended.len())
}

fn listens(client: &Client) -> bool {
    client.settings.backchannel_uri.is_some() && client.disabled_at.is_none()
}

/// The application of a delivery, as long as it is to be told.
pub(crate) fn listener(conn: &mut Conn, due: &Delivery) -> Result<Option<Client>> {
    Ok(client::by_id(conn, &due.application_id)?.filter(listens))
}

/// What it is told (§2.4): made for this try, and good for two minutes.
pub(crate) fn logout_token(
    ring: &Ring,
    issuer: String,
    client: &Client,
    due: &Delivery,
    now: i64,
) -> Result<String> {
    let claims = LogoutClaims {
        iss: issuer,
        aud: client.client_id.clone(),
        iat: now,
        exp: now + 120,
        jti: random_text(16)?,
        sub: due.user_id.to_string(),
        sid: due.sid.to_string(),
    };
    claims.sign(ring.key(client.settings.sign_with)?)
}
