//! What is in doubt about an account, and what of it was somebody else's.
//!
//! *Doubt* begins at the earliest sign-in that was told of and not answered for, or at the event that the pressed link tells
//! of. What disowned sessions changed (see `disowned`) is taken back; what sessions of browsers that were known changed
//! stays, and is listed.

use std::collections::HashSet;

use diesel::prelude::*;

use super::{disowned::Disowned, doubt::Doubt};
use crate::{
    accounts::{factor_reset::Target, security_changes::address_key},
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{connections, identities, passkeys, recovery_codes, totp as apps},
    },
    error::Result,
    ids::{ApiKeyId, ConnectionId, OrganisationId, PasskeyId, SessionId},
    mail::EmailAddress,
    model::{
        device::Device,
        domain,
        provider_identity::{self, ProviderIdentity},
        security_change::{self, Kind, SecurityChange},
        session::{self, Listed},
        user::User,
    },
    secret::Keys,
};

/// Whether the account had its present address before it had the one that a move at `moment` took away: the mailbox of
/// that one came later, and has no say.
pub(crate) fn was_here_before(tx: &mut Tx, user: &User, moment: Timestamp) -> Result<bool> {
    for change in security_change::list(tx.conn, &user.id)? {
        let before = change.before(&tx.config.keys)?;
        if change.at < moment && before.is_some_and(|before| before == user.email.spelled()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is taken back of an account, and what of it is said before the button is pressed.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// When the doubt begins.
    pub since: Timestamp,
    /// The sessions that are disowned, also those that have ended.
    pub sessions: HashSet<SessionId>,
    /// Those of them that were surely somebody else's: what they did to others than this account is undone at once.
    pub sure: HashSet<SessionId>,
    /// Those of them that are still signed in, and can be told of.
    pub in_doubt: Vec<Listed>,
    /// Passkeys that are removed, with their names.
    pub passkeys: Vec<(PasskeyId, String)>,
    /// Whether the authenticator app is removed.
    pub removes_app: bool,
    /// Whether the recovery codes are removed.
    pub removes_codes: bool,
    /// The identities that are removed.
    pub identities: Vec<IdentityInDoubt>,
    /// Second factors that stay for now, and may be asked to be removed: what was added since the doubt, and all that a
    /// disowned session added.
    pub kept: Vec<Kept>,
    /// The API keys that got a secret from one of those sessions, and when.
    pub secrets: Vec<(ApiKeyId, Timestamp)>,
    /// The address that the account goes back to, where it moved.
    pub address: Option<EmailAddress>,
    /// Whether the account was to be deleted, and is kept.
    pub keeps_account: bool,
}

/// An identity that opens an account, and is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IdentityInDoubt {
    /// At an organisation's connection, by the id of its row.
    AtConnection(String),
    /// At a provider of the settings.
    AtProvider(ProviderIdentity),
}

/// A second factor that stays, while it is asked about. Its removal takes a while and can be stopped.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Which one.
    pub factor: Target,
    /// What a passkey is called.
    pub name: String,
    /// Whether a disowned session added it, or began with it: then it is removed unless whoever presses the button says
    /// otherwise.
    pub is_disowned: bool,
    /// The session that added it.
    pub by: Option<SessionId>,
    /// When it was added.
    pub added_at: Timestamp,
    /// On what device; empty where that session has ended.
    pub added_on: String,
}

fn by(change: &SecurityChange) -> Option<SessionId> {
    change.by.as_ref().map(|by| by.id.clone())
}

/// Judges what happened to an account in doubt. Changes nothing.
pub(crate) fn judge(conn: &mut Conn, user: &User, doubt: &Doubt, keys: &Keys) -> Result<Judgement> {
    let changes = security_change::list(conn, &user.id)?;
    let disowned = Disowned::of(conn, &user.id, doubt, &changes)?;
    let from = disowned.from();
    // What nobody noted who did it was there before such notes were kept, or came without a session.
    let noted = |kind: Kind, target: Option<&str>, at: Timestamp| {
        changes.iter().rev().find(|one| {
            one.kind == kind && one.target.as_deref() == target && (target.is_some() || one.at == at)
        })
    };
    let did = |kind: Kind, target: Option<&str>, at: Timestamp| {
        noted(kind, target, at).map_or(at >= from, |one| disowned.did(one))
    };
    let own: Vec<(PasskeyId, String, Timestamp)> = passkeys::table
        .filter(passkeys::user_id.eq(&user.id))
        .select((passkeys::id, passkeys::name, passkeys::created_at))
        .load(conn)?;
    let app: Option<Timestamp> =
        apps::table.find(&user.id).select(apps::created_at).first(conn).optional()?;
    // A factor that nobody disputes is asked for before another one is added: whoever did that had it.
    let undisputed: Vec<Timestamp> = own
        .iter()
        .filter(|(id, _, at)| !did(Kind::PasskeyAdded, Some(id.as_str()), *at))
        .map(|(.., at)| *at)
        .chain(app.filter(|at| !did(Kind::AppAdded, None, *at)))
        .collect();
    let goes = |kind: Kind, target: Option<&str>, at: Timestamp| {
        undisputed.iter().all(|older| *older >= at)
            && noted(kind, target, at).map_or(at >= from, |one| disowned.surely_did(one))
    };
    let (gone, stays): (Vec<_>, Vec<_>) =
        own.into_iter().partition(|(id, _, at)| goes(Kind::PasskeyAdded, Some(id.as_str()), *at));
    let passkeys = gone.into_iter().map(|(id, name, _)| (id, name)).collect();
    let codes: Option<Timestamp> = recovery_codes::table
        .filter(recovery_codes::user_id.eq(&user.id))
        .select(recovery_codes::created_at)
        .first(conn)
        .optional()?;
    let identities = identities_in_doubt(conn, user, &disowned, did)?;
    let moves: Vec<_> =
        changes.iter().filter(|one| one.kind == Kind::EmailChanged && disowned.did(one)).collect();
    let address = first_address(&moves, keys)?;
    // Whoever is told at an address that came later, and of something else, does not move the account: its owner may have
    // left the one before.
    let is_theirs =
        address.as_ref().is_some_and(|address| doubt.told_to.as_ref() == Some(&address.normalized()));
    let by_told =
        moves.iter().any(|one| one.by.as_ref().is_some_and(|by| doubt.session.as_ref() == Some(&by.id)));
    let address = address.filter(|_| is_theirs || by_told || doubt.told_to.is_none());
    let asked = changes.iter().rev().find(|one| one.kind == Kind::DeletionAsked);
    let keeps_account = user.is_leaving() && asked.is_none_or(|one| disowned.did(one));
    let removes_app = app.is_some_and(|at| goes(Kind::AppAdded, None, at));
    let removes_codes = codes.is_some_and(|at| did(Kind::CodesMade, None, at));
    let app = app.filter(|_| !removes_app);
    // A passkey with which one of them began opens the account alone, whoever added it and whenever.
    let live = session::list(conn, &user.id, doubt.now)?;
    let gates = !stays.is_empty() || app.is_some();
    let keep = |factor: Target, name: String, at: Timestamp| {
        let (kind, target, has_opened) = match &factor {
            Target::Passkey(id) => (Kind::PasskeyAdded, Some(id.as_str()), disowned.began_with(id)),
            Target::Totp => (Kind::AppAdded, None, false),
        };
        let by = noted(kind, target, at).and_then(by);
        let added_on = live.iter().find(|one| by.as_ref() == Some(&one.id));
        let added_on = added_on.map(|one| Device::name_of(&one.browser, &one.os)).unwrap_or_default();
        let is_disowned = has_opened || did(kind, target, at);
        Kept { factor, name, is_disowned, by, added_at: at, added_on }
    };
    let mut kept: Vec<Kept> =
        stays.into_iter().map(|(id, name, at)| keep(Target::Passkey(id), name, at)).collect();
    kept.extend(app.map(|at| keep(Target::Totp, String::new(), at)));
    // Of what stays is listed what is young, and all that is in dispute, whenever it was added.
    kept.retain(|one| one.added_at >= from || one.is_disowned);
    let secrets = changes.iter().filter(|one| one.kind == Kind::ApiKeyMade && disowned.did(one));
    let secrets = secrets.filter_map(|one| Some((ApiKeyId::from_text(one.target.as_deref()?), one.at)));
    let secrets: Vec<_> = secrets.collect();
    let in_doubt = live.into_iter().filter(|one| disowned.sessions.contains(&one.id)).collect();
    Ok(Judgement {
        since: from,
        sure: disowned.sure(gates),
        sessions: disowned.sessions,
        in_doubt,
        passkeys,
        removes_app,
        removes_codes,
        identities,
        kept,
        secrets,
        address: address.filter(|address| address.spelled() != user.email.spelled()),
        keeps_account,
    })
}

/// The identities that one of the disowned sessions linked, or came by. Those of the organisation that speaks for the account's
/// address are not the account's to dispute: it would link them again.
fn identities_in_doubt(
    conn: &mut Conn,
    user: &User,
    disowned: &Disowned,
    did: impl Fn(Kind, Option<&str>, Timestamp) -> bool,
) -> Result<Vec<IdentityInDoubt>> {
    let speaks = domain::verified(conn, &user.email.domain())?.map(|domain| domain.organisation_id);
    type Row = (String, ConnectionId, Timestamp, OrganisationId);
    let linked: Vec<Row> = identities::table
        .inner_join(connections::table)
        .filter(identities::user_id.eq(&user.id))
        .select((
            identities::id,
            identities::connection_id,
            identities::created_at,
            connections::organisation_id,
        ))
        .load(conn)?;
    let in_doubt = linked.into_iter().filter(|(_, connection, at, of)| {
        did(Kind::IdentityLinked, Some(connection.as_str()), *at)
            || (disowned.came_by(connection) && speaks.as_ref() != Some(of))
    });
    let mut in_doubt: Vec<_> = in_doubt.map(|(id, ..)| IdentityInDoubt::AtConnection(id)).collect();
    // One at a provider is the account's own to dispute, whatever its address.
    let at_providers = provider_identity::list(conn, &user.id)?.into_iter().filter(|one| {
        let id = one.id.as_str();
        did(Kind::IdentityLinked, Some(id), one.created_at) || disowned.came_by(&ConnectionId::from_text(id))
    });
    in_doubt.extend(at_providers.map(IdentityInDoubt::AtProvider));
    Ok(in_doubt)
}

/// Where the first of these moves began. Of moves at one moment it is the one that no other leads to.
fn first_address(moves: &[&SecurityChange], keys: &Keys) -> Result<Option<EmailAddress>> {
    let earliest = moves.iter().filter(|one| moves.first().is_some_and(|first| first.at == one.at));
    let earliest: Vec<&&SecurityChange> = earliest.collect();
    for one in &earliest {
        let Some(before) = one.before(keys)?.and_then(|before| EmailAddress::parse(&before).ok()) else {
            continue;
        };
        let key = address_key(&before.normalized());
        if !earliest.iter().any(|other| other.target.as_deref() == Some(&key)) {
            return Ok(Some(before));
        }
    }
    Ok(None)
}
