//! Grants: what somebody lets an application do. One through a session opens nothing once that is gone: it is left until its application
//! was told; an application has one of those for each session, and its id is the `sid` that the application gets.

use diesel::prelude::*;
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
    kinds::Factor,
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
        ("kind", "whether it ends with that device's sign-in"),
        ("scopes", "what the application may know"),
        ("audience", "for whom the application's tokens are"),
        ("acr", "how strongly you showed who you are"),
        ("amr", "with what"),
        ("second_factor", "the second step"),
        ("device", "the device"),
        ("ip", "its network address"),
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
}

impl Grant {
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

/// Whether a grant is one of this session.
pub(crate) fn is_of_session(conn: &mut Conn, id: &GrantId, session: &SessionId) -> Result<bool> {
    let own = grants::table.find(id).filter(grants::session_id.eq(session));
    Ok(diesel::select(diesel::dsl::exists(own)).get_result(conn)?)
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
