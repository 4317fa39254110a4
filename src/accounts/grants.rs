//! What somebody lets applications do: whether it is still so, and how it ends on record.

use std::net::IpAddr;

use diesel::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    gate_needs::{self, Raised, Who},
    organisation_policy::{self, GrantTraits, SessionTraits},
    sessions::provider_of,
};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{applications, consents, grants as rows, sessions, users},
    },
    error::{Error, Result},
    ids::{ApplicationId, GrantId, Id, UserId},
    model::{
        application::{Kind, client},
        audit::{self, Actor, audit_events},
        consent,
        grant::{self, Grant, GrantKind},
        organisation,
        session::{Acr, CurrentSession},
        user::User,
    },
    oauth::{AccessClaims, Scopes},
};

audit_events! {
    /// A user let an application of someone else know something.
    ConsentGiven { application: ApplicationId, scopes: String } => of("consent_given"),
    /// An application got something that goes on without a session.
    OfflineGrantMade { application: ApplicationId, grant: GrantId } => of("offline_grant_made"),
    /// An application's access ended before its time, and why.
    GrantEnded { application: ApplicationId, grant: GrantId, why: &'static str } => of("grant_ended"),
    /// A refresh token was used again after its grace: there is a copy. Its generation counts from 0.
    RefreshTokenReused { application: ApplicationId, grant: GrantId, generation: i32 } => of("refresh_token_reused"),
    /// A user ended the access of an application.
    ApplicationRevoked { application: ApplicationId } => of("application_revoked"),
}

/// The grant with this id, and whose it is, as long as it has not ended at `now`: its account open, its application in use, its
/// session live where it rests on one. Whether it is still allowed is another question: [`judged`].
pub(crate) fn held(conn: &mut Conn, id: &GrantId, now: Timestamp) -> Result<Option<(Grant, User)>> {
    let through_session = sessions::locked_at
        .is_null()
        .and(sessions::expires_at.gt(now))
        .and(sessions::idle_expires_at.gt(now));
    let rests = rows::kind.eq(GrantKind::Offline).nullable().or(sessions::id
        .nullable()
        .is_not_null()
        .nullable()
        .and(through_session.nullable()));
    let found = rows::table
        .inner_join(users::table)
        .inner_join(applications::table)
        .left_join(sessions::table)
        .filter(rows::id.eq(id))
        .filter(rows::expires_at.gt(now))
        .filter(users::locked_at.is_null())
        .filter(users::suspended_by.is_null())
        .filter(users::deletes_at.is_null())
        .filter(users::email_verified_at.is_not_null())
        .filter(applications::disabled_at.is_null())
        .filter(rests)
        .select((Grant::as_select(), User::as_select()));
    Ok(found.first(conn).optional()?)
}

/// What an access token with these claims rests on, as the token says it, as long as its application would still get that.
pub(crate) fn of_token(
    conn: &mut Conn,
    claims: &AccessClaims,
    site: &str,
    now: Timestamp,
) -> Result<Option<(Grant, User)>> {
    let Some(id) = &claims.grant else { return Ok(None) };
    let Some((grant, user)) = held(conn, &Id::from_text(id.as_str()), now)? else { return Ok(None) };
    let grant = Grant {
        scopes: claims.scope.clone(),
        audience: claims.aud.first().cloned().unwrap_or_default(),
        acr: claims.acr.clone().unwrap_or_default(),
        ..grant
    };
    judged(conn, grant, user, site, now)
}

/// A grant that is held, as long as the application would get it if it asked at `now`: what it needs of people is there, somebody
/// else's is allowed by them, and audience and scopes are registered. What it would not get of the scopes is left out. How long
/// ago they showed who they are is asked when they sign in only.
pub(crate) fn judged(
    conn: &mut Conn,
    grant: Grant,
    user: User,
    site: &str,
    now: Timestamp,
) -> Result<Option<(Grant, User)>> {
    let Some(client) = client::by_id(conn, &grant.application_id)? else { return Ok(None) };
    let is_strong = Acr::from_word(&grant.acr).is_some_and(|acr| acr.reaches(Acr::TwoFactors));
    if (client.needs.second_factor && !is_strong) || client.audience(Some(&grant.audience), site).is_none() {
        return Ok(None);
    }
    if !client.needs.members.is_empty() {
        let by = credential_of(conn, &grant, grant.ip.parse().ok(), now)?;
        let who = Who::Grant(&user.id, &by);
        if !gate_needs::is_member(conn, &client.needs, &Raised::default(), who, now)? {
            return Ok(None);
        }
    }
    let mut scopes = client.allowed(grant.scopes());
    if !client.settings.is_first_party {
        let Some(allowed) = consent::of(conn, &user.id, &client.id)? else { return Ok(None) };
        let is_offline = grant.kind == GrantKind::Offline;
        if is_offline && !allowed.has("offline_access") {
            return Ok(None);
        }
        scopes = scopes.only(|scope| allowed.has(scope));
    }
    let is_nothing = scopes.iter().next().is_none();
    Ok((!is_nothing).then(|| (Grant { scopes: scopes.text(), ..grant }, user)))
}

/// What an application may know of a user with these scopes (OpenID Connect Core 1.0 §5.4). Their address is confirmed, or they
/// would not be here.
pub(crate) fn claims_of(user: &User, scopes: &Scopes) -> Map<String, Value> {
    let mut claims = Map::new();
    if scopes.has("email") {
        claims.insert("email".to_owned(), user.email.spelled().into());
        claims.insert("email_verified".to_owned(), true.into());
    }
    if scopes.has("profile") {
        claims.insert("name".to_owned(), user.name.clone().into());
    }
    claims
}

/// The organisations that the user of a grant belongs to, and as what: those in which they may act by it at `now`.
pub(crate) fn organisations_of(conn: &mut Conn, grant: &Grant, now: Timestamp) -> Result<Value> {
    let by = credential_of(conn, grant, grant.ip.parse().ok(), now)?;
    let mut told = Vec::new();
    for (one, role) in organisation::of(conn, &grant.user_id)? {
        let who = (&one, &role, Some(&grant.user_id));
        if !one.is_leaving() && organisation_policy::unmet(conn, who, &by, now)?.is_none() {
            told.push((
                one.slug.clone(),
                json!({ "id": one.id, "slug": one.slug, "name": one.name, "role": role }),
            ));
        }
    }
    told.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(told.into_iter().map(|(_, one)| one).collect())
}

/// By what whoever has a grant, and is there on the network, acts in organisations.
pub(crate) fn credential_of(
    conn: &mut Conn,
    grant: &Grant,
    ip: Option<IpAddr>,
    now: Timestamp,
) -> Result<GrantTraits> {
    let Some(id) = &grant.session_id else {
        let (has_second_factor, at) = (grant.second_factor.is_some(), grant.auth_time);
        return Ok(GrantTraits::Offline { ip, has_second_factor, at });
    };
    let session: CurrentSession = sessions::table.find(id).select(CurrentSession::as_select()).first(conn)?;
    let provider = provider_of(conn, &session)?;
    Ok(GrantTraits::Session(SessionTraits::of(&session, provider, ip, now)))
}

/// Keeps what somebody allows an application.
pub(crate) fn allow(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    application: &ApplicationId,
    scopes: &Scopes,
) -> Result<()> {
    consent::keep(tx, user, application, scopes)?;
    let event = Event::ConsentGiven { application: application.clone(), scopes: scopes.text() };
    audit::record(tx, actor, user, event)
}

/// Ends a grant before its time. `false` where it is over already.
pub(crate) fn end(tx: &mut Tx, actor: &Actor, found: &Grant, why: &'static str) -> Result<bool> {
    let has_ended = grant::end(tx, &found.id)?;
    if has_ended {
        let (application, grant) = (found.application_id.clone(), found.id.clone());
        audit::record(tx, actor, &found.user_id, Event::GrantEnded { application, grant, why })?;
    }
    Ok(has_ended)
}

/// An application that somebody uses.
#[derive(Debug)]
pub(crate) struct Used {
    /// Its id.
    pub id: ApplicationId,
    /// What it is called.
    pub name: String,
    /// Of which kind.
    pub kind: Kind,
    /// What it has now.
    pub grants: Vec<Grant>,
    /// When it was allowed what was asked about, or else first used.
    pub allowed_at: Timestamp,
}

/// The applications that a user uses at `now`, by name.
pub(crate) fn used_by(conn: &mut Conn, user: &UserId, now: Timestamp) -> Result<Vec<Used>> {
    let columns = (applications::id, applications::name, applications::kind);
    let granted: Vec<((ApplicationId, String, Kind), Grant)> = rows::table
        .inner_join(applications::table)
        .filter(rows::user_id.eq(user))
        .filter(rows::expires_at.gt(now))
        .filter(rows::kind.eq(GrantKind::Offline).or(rows::session_id.is_not_null()))
        .order(rows::created_at)
        .select((columns, Grant::as_select()))
        .load(conn)?;
    let allowed: Vec<((ApplicationId, String, Kind), Timestamp)> = consents::table
        .inner_join(applications::table)
        .filter(consents::user_id.eq(user))
        .select((columns, consents::created_at))
        .load(conn)?;
    let mut used: Vec<Used> = Vec::new();
    let granted =
        granted.into_iter().map(|(application, grant)| (application, grant.created_at, Some(grant)));
    let allowed = allowed.into_iter().map(|(application, at)| (application, at, None));
    for ((id, name, kind), at, grant) in granted.chain(allowed) {
        let place = used.iter().position(|one| one.id == id).unwrap_or(used.len());
        if place == used.len() {
            used.push(Used { id, name, kind, grants: Vec::new(), allowed_at: at });
        }
        used[place].grants.extend(grant);
    }
    used.sort_by(|one, other| (&one.name, one.id.as_str()).cmp(&(&other.name, other.id.as_str())));
    Ok(used)
}

/// Ends all that a user let an application do, what they allowed included. [`Error::NotFound`] where there is nothing.
pub(crate) fn revoke_application(
    tx: &mut Tx,
    actor: &Actor,
    user: &UserId,
    application: &ApplicationId,
) -> Result<()> {
    let ended = grant::end_of_application(tx, user, application)?;
    if !consent::forget(tx, user, application)? && ended == 0 {
        return Err(Error::NotFound);
    }
    audit::record(tx, actor, user, Event::ApplicationRevoked { application: application.clone() })
}
