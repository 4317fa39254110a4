//! What a containment removed, and putting it back: a press by mistake costs an hour, not an account.
//!
//! What opened the account stays sealed for a while, and goes back one by one. Its age counts anew from then.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    factors::{self, Event},
    linking, passkey_enrolment, provider_identities, second_factors, security_changes,
};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{connections, identities, security_changes as changes},
    },
    error::{Error, Errors, Result},
    ids::{ConnectionId, OrganisationId, SecurityChangeId, UserId},
    kinds::Factor,
    mail::emails::FactorChange,
    model::{
        audit::{self, Actor},
        passkey::{self, PasskeyName},
        provider_identity::ProviderIdentity,
        security_change::{self, Kind},
        session::CurrentSession,
        totp::{self, SharedSecret},
        user::User,
    },
    secret::Keys,
    webauthn::Credential,
};

/// How long what was removed can be put back.
pub(crate) const OFFERED_FOR: TimeDelta = TimeDelta::days(7);

/// A credential as it is kept: all that it takes to put it back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Passkey {
        name: String,
        rp_id: String,
        credential: Box<Credential>,
    },
    App {
        secret: Zeroizing<String>,
    },
    Identity {
        connection: ConnectionId,
        format: String,
        name: String,
    },
    ProviderIdentity {
        provider: String,
        name: String,
        issuer: String,
        subject: String,
        known_as: Option<String>,
    },
}

/// Something that was removed and can be put back.
#[derive(Debug)]
pub(crate) struct Removed {
    /// By which it is asked for.
    pub id: SecurityChangeId,
    /// `passkey`, `totp` or `identity`.
    pub kind: &'static str,
    /// What its owner calls it; of an identity, the name of the connection or the provider. Empty for an app.
    pub name: String,
    /// When it was removed.
    pub at: Timestamp,
    /// Until when it can be put back.
    pub until: Timestamp,
}

/// What came of putting something back.
#[derive(Debug)]
pub(crate) struct PutBack {
    /// The same names as [`Removed::kind`].
    pub kind: &'static str,
    /// New recovery codes, where it is the first second factor again.
    pub codes: Option<Vec<Zeroizing<String>>>,
}

/// Keeps a passkey that is about to be removed. One that was copied is not: it opens nothing.
pub(super) fn keep_passkey(tx: &mut Tx, actor: &Actor, passkey: &passkey::Passkey) -> Result<()> {
    if passkey.copied_at.is_some() {
        return Ok(());
    }
    let (name, rp_id) = (passkey.name.clone(), passkey.rp_id.clone());
    let kept = Kept::Passkey { name, rp_id, credential: Box::new(passkey.credential()?) };
    keep(tx, actor, &passkey.user_id, &kept)
}

/// Keeps the authenticator app of an account that is about to lose it.
pub(super) fn keep_app(tx: &mut Tx, actor: &Actor, user: &UserId) -> Result<()> {
    match totp::secret(tx.conn, &tx.config.keys, user)? {
        Some(secret) => keep(tx, actor, user, &Kept::App { secret: secret.base32() }),
        None => Ok(()),
    }
}

/// Keeps an identity that is about to be removed.
pub(super) fn keep_identity(tx: &mut Tx, actor: &Actor, user: &UserId, id: &str) -> Result<()> {
    let (connection, format, name) = identities::table
        .find(id)
        .select((identities::connection_id, identities::format, identities::name))
        .first(tx.conn)?;
    keep(tx, actor, user, &Kept::Identity { connection, format, name })
}

/// Keeps an identity at a provider that is about to be removed.
pub(super) fn keep_provider_identity(tx: &mut Tx, actor: &Actor, identity: &ProviderIdentity) -> Result<()> {
    let kept = Kept::ProviderIdentity {
        provider: identity.provider.clone(),
        name: identity.provider_name(tx.config).to_owned(),
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        known_as: identity.known_as.clone(),
    };
    keep(tx, actor, &identity.user_id, &kept)
}

fn keep(tx: &mut Tx, actor: &Actor, user: &UserId, kept: &Kept) -> Result<()> {
    let sealed = Zeroizing::new(serde_json::to_string(kept)?);
    security_changes::note_removed(tx, actor, user, &sealed)
}

/// Forgets the identities at an organisation's connections that could be put back.
pub(super) fn forget_at(tx: &mut Tx, organisation: &OrganisationId, user: &UserId) -> Result<()> {
    let theirs: Vec<ConnectionId> = connections::table
        .filter(connections::organisation_id.eq(organisation))
        .select(connections::id)
        .load(tx.conn)?;
    for (id, sealed, _) in security_change::removed(tx.conn, user, tx.now - OFFERED_FOR)? {
        let Kept::Identity { connection, .. } = open(&tx.config.keys, &sealed)? else { continue };
        if theirs.contains(&connection) {
            diesel::update(changes::table.find(id))
                .set(changes::sealed.eq(None::<String>))
                .execute(tx.conn)?;
        }
    }
    Ok(())
}

/// What can be put back, the newest first.
pub(crate) fn list(conn: &mut Conn, keys: &Keys, owner: &UserId, now: Timestamp) -> Result<Vec<Removed>> {
    let mut found = Vec::new();
    for (id, sealed, at) in security_change::removed(conn, owner, now - OFFERED_FOR)? {
        let (kind, name) = match open(keys, &sealed)? {
            Kept::Passkey { name, .. } => ("passkey", name),
            Kept::App { .. } => ("totp", String::new()),
            Kept::ProviderIdentity { name, .. } => ("identity", name),
            Kept::Identity { connection, .. } => {
                let row = connections::table.find(&connection).select(connections::name);
                // An organisation's sign-in that has ended lets nobody in.
                let Some(name) = row.first(conn).optional()? else { continue };
                ("identity", name)
            }
        };
        found.push(Removed { id, kind, name, at, until: at + OFFERED_FOR });
    }
    Ok(found)
}

fn open(keys: &Keys, sealed: &str) -> Result<Kept> {
    let opened = Zeroizing::new(security_change::open(keys, sealed)?);
    Ok(serde_json::from_str(&opened)?)
}

/// Puts something back, once, in the session `here` on a device, and tells its owner. [`Error::NotFound`] where it is not
/// there, not `user`'s, or was put back; [`Error::Invalid`] where something else has taken its place.
pub(crate) fn put_back(
    tx: &mut Tx,
    actor: &Actor,
    user: &User,
    here: &CurrentSession,
    id: &SecurityChangeId,
    device: &str,
) -> Result<PutBack> {
    tx.lock(&user.email.normalized())?;
    let row = changes::table.find(id).filter(changes::user_id.eq(&user.id));
    let waiting = row.filter(changes::kind.eq(Kind::CredentialRemoved));
    let waiting = waiting.filter(changes::at.gt(tx.now - OFFERED_FOR));
    let sealed: Option<Option<String>> = waiting.select(changes::sealed).first(tx.conn).optional()?;
    let sealed = sealed.flatten().ok_or(Error::NotFound)?;
    let taken = diesel::update(changes::table.find(id).filter(changes::sealed.eq(&sealed)))
        .set(changes::sealed.eq(None::<String>))
        .execute(tx.conn)?;
    if taken == 0 {
        return Err(Error::NotFound);
    }
    let before = factors::of(tx.conn, &user.id)?;
    let (kind, factor) = match open(&tx.config.keys, &sealed)? {
        Kept::Passkey { name, rp_id, credential } => {
            if before.passkeys >= passkey::MOST {
                return Err(in_the_way("You have as many passkeys as fit. Remove one first."));
            }
            let name = PasskeyName::parse(&name).map_err(anyhow::Error::msg)?;
            let passkey = passkey_enrolment::add(tx, actor, &user.id, &rp_id, &credential, name)?;
            security_changes::note(tx, actor, &user.id, Kind::PasskeyAdded, Some(passkey.id.as_str()))?;
            ("passkey", Factor::Passkey)
        }
        Kept::App { secret } => {
            if before.has_totp {
                return Err(in_the_way("You have another authenticator app by now. Remove it first."));
            }
            totp::restore(tx, &user.id, &SharedSecret::from_base32(&secret)?)?;
            security_changes::note(tx, actor, &user.id, Kind::AppAdded, None)?;
            let added = Event::SecondFactorAdded { factor: Factor::Totp, passkey: None };
            audit::record(tx, actor, &user.id, added)?;
            ("totp", Factor::Totp)
        }
        Kept::Identity { connection, format, name } => {
            linking::link_again(tx, actor, &connection, (&format, &name), user, device)?;
            return Ok(PutBack { kind: "identity", codes: None });
        }
        Kept::ProviderIdentity { provider, issuer, subject, known_as, .. } => {
            let kept = (provider.as_str(), issuer.as_str(), subject.as_str(), known_as.as_deref());
            provider_identities::link_again(tx, actor, user, kept, device)?;
            return Ok(PutBack { kind: "identity", codes: None });
        }
    };
    second_factors::added(tx, actor, &user.id, here, before, factor)?;
    let codes = match before.is_second_due() {
        true => None,
        false => Some(second_factors::make_codes(tx, actor, &user.id)?),
    };
    let change = if factor == Factor::Totp { FactorChange::AppPutBack } else { FactorChange::PasskeyPutBack };
    second_factors::tell(tx, actor, user, change, device)?;
    Ok(PutBack { kind, codes })
}

fn in_the_way(sentence: &str) -> Error {
    Error::Invalid(Errors::one("form", sentence))
}
