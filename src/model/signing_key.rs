//! What tokens are signed with: for each algorithm one key in use, one that is announced, and those before, whose public halves
//! are kept to read what they signed.

use chrono::TimeDelta;
use diesel::prelude::*;

use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::signing_keys},
    error::Result,
    oauth::{PublicKey, SigningAlgorithm, SigningKey},
    secret::{Keys, Secret},
    text_enum,
};

const SEAL: &str = "signing_key";

/// How long a key is announced before it signs: longer than applications keep a list of keys.
pub(crate) const ANNOUNCED: TimeDelta = TimeDelta::hours(24);

/// How long it stays in the list afterwards.
pub(crate) const PUBLISHED: TimeDelta = TimeDelta::days(8);

/// How long its public half is kept, to read an ID token that comes back.
const KEPT: TimeDelta = TimeDelta::days(400);

text_enum! {
    /// What a key is for at the moment.
    KeyState {
        /// It is in the list already.
        Announced => "announced",
        /// It signs.
        InUse => "in_use",
        /// It does not sign any more.
        Retired => "retired",
    }
}

/// A key as its table has it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = signing_keys)]
pub(crate) struct StoredKey {
    /// Its thumbprint.
    pub kid: String,
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    /// What it is for.
    pub state: KeyState,
    sealed: Option<String>,
    public: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is in this state.
    pub changed_at: Timestamp,
}

impl StoredKey {
    /// Its public half.
    pub(crate) fn public(&self) -> Result<PublicKey> {
        Ok(serde_json::from_str(&self.public)?)
    }

    /// The key itself; nothing once it is retired.
    pub(crate) fn open(&self, keys: &Keys) -> Result<Option<SigningKey>> {
        let Some(sealed) = &self.sealed else { return Ok(None) };
        let private = Secret::from_text(keys.open(SEAL, sealed)?);
        SigningKey::from_private(self.algorithm, &private).map(Some)
    }

    /// Whether applications find it in the list at `now`.
    pub(crate) fn is_published(&self, now: Timestamp) -> bool {
        self.state != KeyState::Retired || self.changed_at + PUBLISHED > now
    }
}

/// Every key, the newest first.
pub(crate) fn all(conn: &mut Conn) -> Result<Vec<StoredKey>> {
    let order = (signing_keys::created_at.desc(), signing_keys::kid);
    Ok(signing_keys::table.order(order).select(StoredKey::as_select()).load(conn)?)
}

/// Keeps a key; `false` where there is one in this state for its algorithm.
pub(crate) fn insert(tx: &mut Tx, key: &SigningKey, state: KeyState) -> Result<bool> {
    let row = (
        signing_keys::kid.eq(&key.public.kid),
        signing_keys::algorithm.eq(key.public.alg),
        signing_keys::state.eq(state),
        signing_keys::sealed.eq(tx.config.keys.seal(SEAL, key.private()?.reveal())?),
        signing_keys::public.eq(serde_json::to_string(&key.public)?),
        signing_keys::created_at.eq(tx.now),
        signing_keys::changed_at.eq(tx.now),
    );
    let kept =
        tx.allow_unique_violation(|conn| diesel::insert_into(signing_keys::table).values(row).execute(conn))?;
    Ok(kept.is_some())
}

/// Puts the announced key in use; the one before it retires, and its private half is forgotten. `false` where none is announced.
pub(crate) fn switch(tx: &mut Tx, algorithm: SigningAlgorithm) -> Result<bool> {
    let of = |state: KeyState| {
        signing_keys::table
            .filter(signing_keys::algorithm.eq(algorithm))
            .filter(signing_keys::state.eq(state))
    };
    let next: Option<String> = of(KeyState::Announced).select(signing_keys::kid).first(tx.conn).optional()?;
    let Some(next) = next else { return Ok(false) };
    diesel::update(of(KeyState::InUse))
        .set((
            signing_keys::state.eq(KeyState::Retired),
            signing_keys::sealed.eq(None::<String>),
            signing_keys::changed_at.eq(tx.now),
        ))
        .execute(tx.conn)?;
    let switched = diesel::update(signing_keys::table.find(next))
        .set((signing_keys::state.eq(KeyState::InUse), signing_keys::changed_at.eq(tx.now)))
        .execute(tx.conn)?;
    Ok(switched == 1)
}

/// Forgets the key in use and the announced one, with their public halves: nothing that they signed is good any more. Returns
/// what they were called.
pub(crate) fn revoke(tx: &mut Tx, algorithm: SigningAlgorithm) -> Result<Vec<String>> {
    let current = signing_keys::table
        .filter(signing_keys::algorithm.eq(algorithm))
        .filter(signing_keys::state.ne(KeyState::Retired));
    Ok(diesel::delete(current).returning(signing_keys::kid).load(tx.conn)?)
}

/// Removes what is left of keys that retired long ago. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, _: i64) -> Result<usize> {
    let old = signing_keys::table
        .filter(signing_keys::state.eq(KeyState::Retired))
        .filter(signing_keys::changed_at.le(tx.now - KEPT));
    Ok(diesel::delete(old).execute(tx.conn)?)
}
