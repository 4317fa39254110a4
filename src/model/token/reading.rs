//! Looking at tokens without using them.

use diesel::prelude::*;

use super::{Purpose, WAYS_BACK, live, made_by};
use crate::{
    clock::Timestamp,
    db::{Conn, schema::tokens},
    error::{Error, Result},
    ids::UserId,
    secret::Secret,
};

/// A token whose secret somebody holds.
#[derive(Debug, Clone)]
pub(crate) struct Token<C> {
    /// Whose it is.
    pub user_id: UserId,
    /// What it says.
    pub claim: C,
    /// When it was used, if it was.
    pub used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it works.
    pub expires_at: Timestamp,
    is_way_back: bool,
}

impl<C> Token<C> {
    /// Whether it would be redeemed at `now`.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.used_at.is_none() && self.expires_at > now && self.created_at <= made_by(self.is_way_back, now)
    }
}

/// Whether a token was redeemed.
pub(crate) fn is_used<P: Purpose>(conn: &mut Conn, secret: &Secret<P>) -> Result<bool> {
    let used = tokens::table.find(secret.digest()).filter(tokens::purpose.eq(P::NAME));
    let used = used.filter(tokens::used_at.is_not_null()).select(tokens::hash);
    Ok(diesel::select(diesel::dsl::exists(used)).get_result(conn)?)
}

/// Reads the payload of a live token without an owner; does not redeem it.
pub(crate) fn peek_unowned<P: Purpose>(
    conn: &mut Conn,
    secret: &Secret<P>,
    now: Timestamp,
) -> Result<P::Claim> {
    let digest = secret.digest();
    let claim: Option<String> =
        live(P::NAME, &digest, now).select(tokens::claim).get_result(conn).optional()?;
    Ok(serde_json::from_str(&claim.ok_or(Error::DeadLink)?)?)
}

/// What a token says that may be nobody's, whether it is live or not; nothing where there is none.
pub(crate) fn claim<P: Purpose>(conn: &mut Conn, secret: &Secret<P>) -> Result<Option<P::Claim>> {
    let found = tokens::table.find(secret.digest()).filter(tokens::purpose.eq(P::NAME));
    let claim: Option<String> = found.select(tokens::claim).first(conn).optional()?;
    Ok(claim.map(|claim| serde_json::from_str(&claim)).transpose()?)
}

/// Looks at a token without using it, whether it is live or not. [`Error::DeadLink`] where there is none.
pub(crate) fn peek<P: Purpose>(conn: &mut Conn, secret: &Secret<P>) -> Result<Token<P::Claim>> {
    type Row = (Option<UserId>, String, Option<Timestamp>, Timestamp, Timestamp);
    let (user_id, claim, used_at, created_at, expires_at) = tokens::table
        .find(secret.digest())
        .filter(tokens::purpose.eq(P::NAME))
        .select((tokens::user_id, tokens::claim, tokens::used_at, tokens::created_at, tokens::expires_at))
        .first::<Row>(conn)
        .optional()?
        .ok_or(Error::DeadLink)?;
    Ok(Token {
        user_id: user_id.ok_or(Error::DeadLink)?,
        claim: serde_json::from_str(&claim)?,
        used_at,
        created_at,
        expires_at,
        is_way_back: WAYS_BACK.contains(&P::NAME),
    })
}

/// Whether a token, anybody's or nobody's, would be redeemed at `now`.
pub(crate) fn is_live<P: Purpose>(conn: &mut Conn, secret: &Secret<P>, now: Timestamp) -> Result<bool> {
    let digest = secret.digest();
    Ok(diesel::select(diesel::dsl::exists(live(P::NAME, &digest, now))).get_result(conn)?)
}

/// What the newest live token of a purpose says that `user` has.
pub(crate) fn outstanding<P: Purpose>(
    conn: &mut Conn,
    user: &UserId,
    now: Timestamp,
) -> Result<Option<P::Claim>> {
    Ok(all_outstanding::<P>(conn, user, now)?.pop())
}

/// What the tokens of a purpose say that `user` has and that still work, the oldest first.
pub(crate) fn all_outstanding<P: Purpose>(
    conn: &mut Conn,
    user: &UserId,
    now: Timestamp,
) -> Result<Vec<P::Claim>> {
    let claims: Vec<String> = tokens::table
        .filter(tokens::user_id.eq(user))
        .filter(tokens::purpose.eq(P::NAME))
        .filter(tokens::used_at.is_null())
        .filter(tokens::expires_at.gt(now))
        .filter(tokens::created_at.le(made_by(WAYS_BACK.contains(&P::NAME), now)))
        .order(tokens::created_at)
        .select(tokens::claim)
        .load(conn)?;
    claims.iter().map(|claim| Ok(serde_json::from_str(claim)?)).collect()
}
