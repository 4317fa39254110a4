//! Grants: what somebody lets an application do. One through a session opens nothing once that is gone: it is left until its application
//! was told; an application has one of those for each session, and its id is the `sid` that the application gets.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{applications, grants},
    },
    error::Result,
    ids::{ApplicationId, GrantId, SessionId, UserId},
    kinds::{AuthMethod, Factor},
    oauth::Scopes,
    text_enum,
};

text_enum! {
    /// What a grant rests on.
    GrantKind {
        /// A session, with which it ends.
        Session => "session",
        /// Nothing but what its person said.
        Offline => "offline",
    }
}

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "grants",
    title: "Applications that you use with this account",
    why: "So that an application that you signed in to with this account knows you until you sign out, and you can end that. \
          What ends with a device's sign-in is removed with it; the rest when it ends.",
    columns: &[
        ("id", "what the application calls your session here"),
        ("application_id", "the application"),
        ("user_id", "that it is yours"),
        ("session_id", "which of your devices it came from"),
        ("made_in", "the same, also once that device is signed out"),
        ("listed_as", "how it stands in the list of your devices"),
        ("kind", "whether it ends with that device's sign-in"),
        ("scopes", "what the application may know"),
        ("audience", "for whom the application's tokens are"),
        ("acr", "how strongly you showed who you are"),
        ("amr", "with what"),
        ("second_factor", "the second step"),
        ("device", "the device"),
        ("ip", "its network address"),
        ("sid", "what the application called your session there"),
    ],
    erasure: Erasure::Removed,
    afterwards: "Applications lose access as soon as you ask to be deleted.",
    export: &[ExportSection { name: "grants", is_list: true, read: exported }],
    erase: |tx, id, _| {
        diesel::delete(grants::table.filter(grants::user_id.eq(id))).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(Grant, String)> = grants::table
        .inner_join(applications::table)
        .filter(grants::user_id.eq(owner))
        .order((grants::created_at, grants::id))
        .offset(skip)
        .limit(most)
        .select((Grant::as_select(), applications::name))
        .load(conn)?;
    let told = found.into_iter().map(|(grant, application)| {
        json!({
            "id": grant.id, "application": application, "kind": grant.kind, "scopes": grant.scopes,
            "acr": grant.acr, "amr": grant.amr, "authenticatedAt": grant.auth_time, "device": grant.device,
            "ip": grant.ip, "createdAt": grant.created_at, "lastUsedAt": grant.last_used_at,
            "expiresAt": grant.expires_at,
        })
    });
    Ok(told.collect())
}

/// A grant.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = grants)]
pub(crate) struct Grant {
    /// What the application calls it.
    pub id: GrantId,
    /// To which application.
    pub application_id: ApplicationId,
    /// Whose.
    pub user_id: UserId,
    /// Through which session.
    pub session_id: Option<SessionId>,
    /// What it rests on.
    pub kind: GrantKind,
    /// What it allows, between blanks.
    pub scopes: String,
    /// For whom its access tokens are.
    pub audience: String,
    /// How strongly somebody showed who they are.
    pub acr: String,
    /// With what, between blanks.
    pub amr: String,
    /// What they gave after the first factor.
    pub second_factor: Option<Factor>,
    /// When they did.
    pub auth_time: Timestamp,
    /// The device, in words.
    pub device: String,
    /// Its address on the network.
    pub ip: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When the application last came.
    pub last_used_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// In which session it was made, where it rests on none.
    pub made_in: Option<SessionId>,
    /// How it stands in the list of devices, where it is one of its own there: a [`ListedAs`].
    pub listed_as: Option<String>,
    /// What the application calls the session that it came from, where that is another grant.
    pub sid: Option<GrantId>,
}

/// How a grant stands in the list of devices.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ListedAs {
    /// The browser's family.
    pub browser: String,
    /// The platform.
    pub os: String,
    /// `computer`, `phone`, `tablet`, `program` or `unknown`.
    pub device_type: String,
    /// How its person signed in.
    pub method: AuthMethod,
}

impl Grant {
    /// What the application calls the session that it came from.
    pub(crate) fn sid(&self) -> &GrantId {
        self.sid.as_ref().unwrap_or(&self.id)
    }

    /// What it allows.
    pub(crate) fn scopes(&self) -> Scopes {
        Scopes::parse(&self.scopes).unwrap_or_default()
    }
}

/// Keeps the grant of a session, which the transaction holds; what the application had there before stays allowed. Its id.
pub(crate) fn keep_for_session(tx: &mut Tx, mut new: Grant) -> Result<GrantId> {
    let same = grants::table
        .filter(grants::session_id.eq(&new.session_id))
        .filter(grants::application_id.eq(&new.application_id));
    let before: Option<Grant> = same.select(Grant::as_select()).first(tx.conn).optional()?;
    let Some(before) = before else {
        let id = new.id.clone();
        insert(tx, new)?;
        return Ok(id);
    };
    new.scopes = Scopes::parse(&format!("{} {}", before.scopes, new.scopes)).unwrap_or_default().text();
    diesel::update(grants::table.find(&before.id))
        .set((
            grants::scopes.eq(new.scopes),
            grants::audience.eq(new.audience),
            grants::acr.eq(new.acr),
            grants::amr.eq(new.amr),
            grants::second_factor.eq(new.second_factor),
            grants::auth_time.eq(new.auth_time),
            grants::last_used_at.eq(tx.now),
        ))
        .execute(tx.conn)?;
    Ok(before.id)
}

/// Adds a grant.
pub(crate) fn insert(tx: &mut Tx, new: Grant) -> Result<()> {
    diesel::insert_into(grants::table).values(new).execute(tx.conn)?;
    Ok(())
}

/// Notes that its application came, and holds it until the transaction ends. `false` where it is over.
pub(crate) fn hold(tx: &mut Tx, id: &GrantId) -> Result<bool> {
    let held =
        diesel::update(grants::table.find(id)).set(grants::last_used_at.eq(tx.now)).execute(tx.conn)?;
    Ok(held == 1)
}

/// Puts the end of one off, and holds it as [`hold`] does. `false` where it is over.
pub(crate) fn prolong(tx: &mut Tx, id: &GrantId, ends_at: Timestamp) -> Result<bool> {
    let live = grants::table.find(id).filter(grants::expires_at.gt(tx.now));
    let set = (grants::expires_at.eq(ends_at), grants::last_used_at.eq(tx.now));
    Ok(diesel::update(live).set(set).execute(tx.conn)? == 1)
}

/// Whether a grant is one of this session.
pub(crate) fn is_of_session(conn: &mut Conn, id: &GrantId, session: &SessionId) -> Result<bool> {
    let own = grants::table.find(id).filter(grants::session_id.eq(session));
    Ok(diesel::select(diesel::dsl::exists(own)).get_result(conn)?)
}

/// To which application one is, and whose; whether it has ended or not.
pub(crate) fn parties(conn: &mut Conn, id: &GrantId) -> Result<Option<(ApplicationId, UserId)>> {
    let row = grants::table.find(id).select((grants::application_id, grants::user_id));
    Ok(row.first(conn).optional()?)
}

/// Ends one, with its refresh tokens. `false` where it is over already.
pub(crate) fn end(tx: &mut Tx, id: &GrantId) -> Result<bool> {
    Ok(diesel::delete(grants::table.find(id)).execute(tx.conn)? > 0)
}

/// Ends those of a user that rest on no session. Returns how many there were.
pub(crate) fn end_offline(tx: &mut Tx, user: &UserId) -> Result<usize> {
    let own = grants::table.filter(grants::user_id.eq(user)).filter(grants::kind.eq(GrantKind::Offline));
    Ok(diesel::delete(own).execute(tx.conn)?)
}

/// Ends those of a user that were made on these devices and rest on no session, or are these devices themselves. Returns how many
/// there were.
pub(crate) fn end_made_in(tx: &mut Tx, user: &UserId, devices: &[SessionId]) -> Result<usize> {
    let own = grants::table.filter(grants::user_id.eq(user)).filter(grants::kind.eq(GrantKind::Offline));
    let listed: Vec<GrantId> = devices.iter().map(|id| GrantId::from_text(id.as_str())).collect();
    let is_listed = grants::id.eq_any(listed).and(grants::listed_as.is_not_null());
    let ended = own.filter(grants::made_in.assume_not_null().eq_any(devices).or(is_listed));
    Ok(diesel::delete(ended).execute(tx.conn)?)
}

/// Those of a user that are devices of their own at `now`, with what their applications are called.
pub(crate) fn devices(conn: &mut Conn, user: &UserId, now: Timestamp) -> Result<Vec<(Grant, String)>> {
    Ok(grants::table
        .inner_join(applications::table)
        .filter(grants::user_id.eq(user))
        .filter(grants::kind.eq(GrantKind::Offline))
        .filter(grants::listed_as.is_not_null())
        .filter(grants::expires_at.gt(now))
        .select((Grant::as_select(), applications::name))
        .load(conn)?)
}

/// Ends those of everybody that rest on no session. Returns how many there were.
pub(crate) fn end_everybodys(tx: &mut Tx) -> Result<usize> {
    Ok(diesel::delete(grants::table.filter(grants::kind.eq(GrantKind::Offline))).execute(tx.conn)?)
}

/// Ends all that anybody gave one application, which hears nothing of it. Returns how many there were.
pub(crate) fn end_all_of(tx: &mut Tx, application: &ApplicationId) -> Result<usize> {
    Ok(diesel::delete(grants::table.filter(grants::application_id.eq(application))).execute(tx.conn)?)
}

/// Whether a user gave an application something that rests on no session.
pub(crate) fn has_offline(conn: &mut Conn, user: &UserId, application: &ApplicationId) -> Result<bool> {
    let own = grants::table
        .filter(grants::user_id.eq(user))
        .filter(grants::application_id.eq(application))
        .filter(grants::kind.eq(GrantKind::Offline));
    Ok(diesel::select(diesel::dsl::exists(own)).get_result(conn)?)
}

/// Ends those of a user that rest on no session and were given at this `acr`. Returns how many there were.
pub(crate) fn end_offline_at(tx: &mut Tx, user: &UserId, acr: &str) -> Result<usize> {
    let own = grants::table.filter(grants::user_id.eq(user)).filter(grants::kind.eq(GrantKind::Offline));
    Ok(diesel::delete(own.filter(grants::acr.eq(acr))).execute(tx.conn)?)
}

/// Ends all but the newest `most` that rest on no session, of what a user gave one application.
pub(crate) fn end_older(
    tx: &mut Tx,
    user: &UserId,
    application: &ApplicationId,
    most: usize,
) -> Result<usize> {
    let old: Vec<GrantId> = grants::table
        .filter(grants::user_id.eq(user))
        .filter(grants::application_id.eq(application))
        .filter(grants::kind.eq(GrantKind::Offline))
        .order((grants::created_at.desc(), grants::id))
        .select(grants::id)
        .load(tx.conn)?;
    let old = old.into_iter().skip(most);
    Ok(diesel::delete(grants::table.filter(grants::id.eq_any(old))).execute(tx.conn)?)
}

/// Ends those of a user that rested on one of `factors`. Returns how many there were.
pub(crate) fn end_relying_on(tx: &mut Tx, user: &UserId, factors: &[Factor]) -> Result<usize> {
    let own = grants::table.filter(grants::user_id.eq(user)).filter(grants::second_factor.eq_any(factors));
    Ok(diesel::delete(own).execute(tx.conn)?)
}

/// Ends all that a user gave one application, which is told of its sessions. Returns how many there were.
pub(crate) fn end_of_application(tx: &mut Tx, user: &UserId, application: &ApplicationId) -> Result<usize> {
    let own =
        || grants::table.filter(grants::user_id.eq(user)).filter(grants::application_id.eq(application));
    let offline = diesel::delete(own().filter(grants::kind.eq(GrantKind::Offline))).execute(tx.conn)?;
    let through_sessions = diesel::update(own().filter(grants::session_id.is_not_null()))
        .set(grants::session_id.eq(None::<SessionId>))
        .execute(tx.conn)?;
    Ok(offline + through_sessions)
}

/// Removes up to `most` without a session that have ended. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let gone = grants::expires_at.le(tx.now).and(grants::kind.eq(GrantKind::Offline));
    let old = grants::table.filter(gone).order(grants::expires_at).limit(most);
    let ids: Vec<GrantId> = old.select(grants::id).load(tx.conn)?;
    Ok(diesel::delete(grants::table.filter(grants::id.eq_any(ids)).filter(gone)).execute(tx.conn)?)
}
