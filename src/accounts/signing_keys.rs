//! The keys that tokens are signed with are made and changed, on record: announced for a day at least, then in use, then retired.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;

use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::Result,
    model::{
        audit::{self, Actor, audit_events},
        signing_key::{self, ANNOUNCED, KeyState, StoredKey},
    },
    oauth::{PublicKey, SigningAlgorithm, SigningKey},
    secret::Keys,
};

audit_events! {
    /// A key for tokens was made.
    SigningKeyMade { kid: String } => of("signing_key_made"),
    /// The announced key signs from now on.
    SigningKeySwitched { algorithm: SigningAlgorithm } => of("signing_key_switched"),
    /// An operator took a key away at once: what it signed is good no more.
    SigningKeyRevoked { kid: String } => of("signing_key_revoked"),
}

/// The keys as a node uses them.
pub(crate) struct Ring {
    signing: Vec<SigningKey>,
    /// What applications find in the list (RFC 7517 §5).
    pub published: Vec<PublicKey>,
    /// All whose tokens can still be read.
    pub known: Vec<PublicKey>,
}

impl Ring {
    /// The keys, where there is one in use for each algorithm.
    pub(crate) fn load(conn: &mut Conn, keys: &Keys, now: Timestamp) -> Result<Option<Self>> {
        let stored = signing_key::all(conn)?;
        let (mut signing, mut published, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for key in &stored {
            let public = key.public()?;
            if key.is_published(now) {
                published.push(public.clone());
            }
            known.push(public);
            if key.state == KeyState::InUse {
                signing.extend(key.open(keys)?);
            }
        }
        Ok((signing.len() == SigningAlgorithm::ALL.len()).then_some(Self { signing, published, known }))
    }

    /// The key in use.
    pub(crate) fn key(&self, algorithm: SigningAlgorithm) -> Result<&SigningKey> {
        let found = self.signing.iter().find(|key| key.public.alg == algorithm);
        found.ok_or_else(|| anyhow::anyhow!("there is no key for {algorithm}").into())
    }
}

// Any application's wrong key leads here, so it costs no query; announcing a key takes a day, so a minute is nothing.
const KEPT: TimeDelta = TimeDelta::minutes(1);

/// The keys as they were read last.
#[derive(Default)]
pub(crate) struct KeptRing(Mutex<Option<(Timestamp, Arc<Ring>)>>);

impl KeptRing {
    /// Them, unless that was too long ago.
    pub(crate) fn get(&self, now: Timestamp) -> Option<Arc<Ring>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, ring) = kept.as_ref()?;
        (*at + KEPT > now && *at <= now.latest_start()).then(|| Arc::clone(ring))
    }

    /// Keeps them.
    pub(crate) fn keep(&self, now: Timestamp, ring: Arc<Ring>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, ring));
    }
}

/// Puts a key in use where there is none for its algorithm. Of many at once, one does.
pub(crate) fn begin(tx: &mut Tx, actor: &Actor, key: &SigningKey) -> Result<()> {
    match signing_key::insert(tx, key, KeyState::InUse)? {
        true => made(tx, actor, key),
        false => Ok(()),
    }
}

/// Announces the next key, unless one is announced. Says whether it did.
pub(crate) fn announce(tx: &mut Tx, actor: &Actor, key: &SigningKey) -> Result<bool> {
    let is_new = signing_key::insert(tx, key, KeyState::Announced)?;
    if is_new {
        made(tx, actor, key)?;
    }
    Ok(is_new)
}

fn made(tx: &mut Tx, actor: &Actor, key: &SigningKey) -> Result<()> {
    audit::record(tx, actor, None, Event::SigningKeyMade { kid: key.public.kid.clone() })
}

/// Puts the announced key in use. Says whether one was announced.
pub(crate) fn switch(tx: &mut Tx, actor: &Actor, algorithm: SigningAlgorithm) -> Result<bool> {
    let is_switched = signing_key::switch(tx, algorithm)?;
    if is_switched {
        audit::record(tx, actor, None, Event::SigningKeySwitched { algorithm })?;
    }
    Ok(is_switched)
}

/// Takes the key in use away, and the announced one that lay beside it; `key` signs from now on. Returns what they were called.
pub(crate) fn revoke(tx: &mut Tx, actor: &Actor, key: &SigningKey) -> Result<Vec<String>> {
    let revoked = signing_key::revoke(tx, key.public.alg)?;
    for kid in &revoked {
        audit::record(tx, actor, None, Event::SigningKeyRevoked { kid: kid.clone() })?;
    }
    begin(tx, actor, key)?;
    Ok(revoked)
}

/// What is to be done about the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// The next one is to be announced: it takes a day until it may sign.
    Announce(SigningAlgorithm),
    /// The announced one is to sign.
    Switch(SigningAlgorithm),
}

/// What is due at `now`, where a key signs for `life`. Nothing before the first key was needed.
pub(crate) fn due(conn: &mut Conn, life: TimeDelta, now: Timestamp) -> Result<Vec<Due>> {
    let stored = signing_key::all(conn)?;
    let of = |algorithm: SigningAlgorithm, state: KeyState| -> Option<&StoredKey> {
        stored.iter().find(|key| (key.algorithm, key.state) == (algorithm, state))
    };
    let mut due = Vec::new();
    for algorithm in SigningAlgorithm::ALL.iter().copied() {
        let Some(in_use) = of(algorithm, KeyState::InUse) else { continue };
        match of(algorithm, KeyState::Announced) {
            None if in_use.changed_at + life - ANNOUNCED <= now => due.push(Due::Announce(algorithm)),
            Some(next) if next.changed_at + ANNOUNCED <= now && in_use.changed_at + life <= now => {
                due.push(Due::Switch(algorithm));
            }
            _ => {}
        }
    }
    Ok(due)
}
