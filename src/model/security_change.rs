//! What changed about how an account is held: by which session, and what was there before.
//!
//! A session can be judged after it ended: what matters of it is copied here.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::personal_data::{Erasure, ExportSection, PersonalData};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{security_changes, sessions},
    },
    error::Result,
    ids::{ConnectionId, PasskeyId, SecurityChangeId, SessionId, UserId},
    kinds::{AuthMethod, Factor},
    secret::Keys,
    text_enum,
};

text_enum! {
    /// What changed.
    Kind {
        /// A passkey was added; the target is its id.
        PasskeyAdded => "passkey_added",
        /// An authenticator app was set up.
        AppAdded => "app_added",
        /// Recovery codes were made.
        CodesMade => "codes_made",
        /// An identity was linked; the target is its connection, or its own id where it is one at a provider.
        IdentityLinked => "identity_linked",
        /// Another address was asked for; the target stands for it.
        EmailChangeAsked => "email_change_asked",
        /// The account moved to another address, for which the target stands; before is the one it had.
        EmailChanged => "email_changed",
        /// The password was set by whoever was signed in.
        PasswordChanged => "password_changed",
        /// The password was set by a link in the account's mailbox.
        PasswordReset => "password_reset",
        /// A sign-in that was told of was answered with "yes, this was me"; the target is its session.
        SignInConfirmed => "sign_in_confirmed",
        /// The account was to be deleted.
        DeletionAsked => "deletion_asked",
        /// The account left an address, for which the target stands.
        AddressLeft => "address_left",
        /// A way in was removed by a containment; before is what it takes to put it back.
        CredentialRemoved => "credential_removed",
        /// An API key was made, or got another secret; the target is its id.
        ApiKeyMade => "api_key_made",
        /// An owner changed an organisation's single sign-on; the target is the connection or the domain.
        SsoChanged => "sso_changed",
    }
}

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "security_changes",
    title: "Changes of how you sign in",
    why: "So that what someone else did with your account can be undone. They are removed after 400 days.",
    columns: &[
        ("id", "a number that stands for the change"),
        ("user_id", "that it was your account"),
        ("kind", "what changed"),
        ("target_id", "a number that stands for what was added"),
        ("sealed", "what was there before, such as your earlier address, encrypted"),
        ("network", "the network it came from"),
        ("session_id", "a number that stands for the device"),
        ("passkey_id", "a number that stands for the passkey that device signed in with"),
        ("session_method", "how that device signed in"),
        ("session_factor", "with which second factor, where it gave one"),
        (
            "session_connection",
            "a number that stands for the organisation's sign-in, or the account elsewhere, that it came through",
        ),
    ],
    erasure: Erasure::Removed,
    afterwards: "",
    export: &[ExportSection { name: "securityChanges", is_list: true, read: exported }],
    erase: |tx, id, _| {
        diesel::delete(security_changes::table.filter(security_changes::user_id.eq(id))).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(Kind, String, Timestamp)> = security_changes::table
        .filter(security_changes::user_id.eq(owner))
        .order((security_changes::at, security_changes::id))
        .offset(skip)
        .limit(most)
        .select((security_changes::kind, security_changes::network, security_changes::at))
        .load(conn)?;
    let told = |(kind, network, at)| json!({ "kind": kind, "network": network, "at": at });
    Ok(found.into_iter().map(told).collect())
}

const KEPT: TimeDelta = TimeDelta::days(400);
const SEAL: &str = "security_change";

/// Removes up to `most` changes that are too old. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let old = security_changes::table.filter(security_changes::at.le(tx.now - KEPT));
    let ids: Vec<SecurityChangeId> =
        old.order(security_changes::at).limit(most).select(security_changes::id).load(tx.conn)?;
    let gone = security_changes::table.filter(security_changes::id.eq_any(ids));
    Ok(diesel::delete(gone).execute(tx.conn)?)
}

/// Removes up to `most` times what was kept to be put back, where its time is over. Returns how many there were.
pub(crate) fn sweep_removed(tx: &mut Tx, most: i64, kept_for: TimeDelta) -> Result<usize> {
    let over = security_changes::table
        .filter(security_changes::kind.eq(Kind::CredentialRemoved))
        .filter(security_changes::sealed.is_not_null())
        .filter(security_changes::at.le(tx.now - kept_for));
    let ids: Vec<SecurityChangeId> =
        over.order(security_changes::at).limit(most).select(security_changes::id).load(tx.conn)?;
    let over = security_changes::table.filter(security_changes::id.eq_any(ids));
    Ok(diesel::update(over).set(security_changes::sealed.eq(None::<String>)).execute(tx.conn)?)
}

/// What was removed of an account since a moment and can be put back: its id, what is sealed, and when; the newest first.
pub(crate) fn removed(
    conn: &mut Conn,
    user: &UserId,
    since: Timestamp,
) -> Result<Vec<(SecurityChangeId, String, Timestamp)>> {
    let own = security_changes::table
        .filter(security_changes::user_id.eq(user))
        .filter(security_changes::kind.eq(Kind::CredentialRemoved))
        .filter(security_changes::sealed.is_not_null())
        .filter(security_changes::at.gt(since));
    let sealed = security_changes::sealed.assume_not_null();
    let newest = own.order((security_changes::at.desc(), security_changes::id));
    Ok(newest.select((security_changes::id, sealed, security_changes::at)).load(conn)?)
}

/// The accounts that left an address since a moment, for which `key` stands.
pub(crate) fn left(conn: &mut Conn, key: &str, since: Timestamp) -> Result<Vec<UserId>> {
    let left = security_changes::table
        .filter(security_changes::kind.eq(Kind::AddressLeft))
        .filter(security_changes::target_id.eq(key))
        .filter(security_changes::at.gt(since));
    Ok(left.select(security_changes::user_id).load(conn)?)
}

/// The accounts that made a change of this kind to one of `targets`.
pub(crate) fn changers(conn: &mut Conn, kind: Kind, targets: &[String]) -> Result<Vec<UserId>> {
    let made = security_changes::table
        .filter(security_changes::kind.eq(kind))
        .filter(security_changes::target_id.eq_any(targets));
    Ok(made.select(security_changes::user_id).distinct().load(conn)?)
}

/// What was there before, as it was kept.
pub(crate) fn open(keys: &Keys, sealed: &str) -> Result<String> {
    keys.open(SEAL, sealed)
}

/// A session, as far as it is judged by.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(crate) struct Beginning {
    /// Which one.
    pub id: SessionId,
    /// When it began.
    #[diesel(column_name = created_at)]
    pub began_at: Timestamp,
    /// Since when its browser was known before that.
    pub browser_known_since: Option<Timestamp>,
    /// The passkey it began with.
    pub passkey_id: Option<PasskeyId>,
    /// How it began. Nothing in notes from before this was kept.
    #[diesel(select_expression = sessions::method.nullable())]
    pub method: Option<AuthMethod>,
    /// The second factor it began with.
    pub second_factor: Option<Factor>,
    /// The connection that it came through, or the id of the identity at a provider.
    pub connection_id: Option<ConnectionId>,
}

/// One change.
#[derive(Debug, Clone)]
pub(crate) struct SecurityChange {
    /// What changed.
    pub kind: Kind,
    /// Of what was added, its id.
    pub target: Option<String>,
    /// Which session did it, where one did.
    pub by: Option<Beginning>,
    /// When.
    pub at: Timestamp,
    before: Option<String>,
}

impl SecurityChange {
    /// What was there before.
    pub(crate) fn before(&self, keys: &Keys) -> Result<Option<String>> {
        self.before.as_deref().map(|sealed| open(keys, sealed)).transpose()
    }
}

/// A change that is to be noted.
#[derive(Debug)]
pub(crate) struct NewChange<'a> {
    /// What changes.
    pub kind: Kind,
    /// Of what is added, its id.
    pub target: Option<&'a str>,
    /// What was there before. It is kept sealed.
    pub before: Option<&'a str>,
    /// Which session does it, or asked for it.
    pub by: Option<Beginning>,
    /// The neighbourhood on the network that it comes from.
    pub network: String,
}

/// Notes a change.
pub(crate) fn note(tx: &mut Tx, user: &UserId, new: NewChange<'_>) -> Result<()> {
    let NewChange { kind, target, before, by, network } = new;
    let before = before.map(|before| tx.config.keys.seal(SEAL, before)).transpose()?;
    let row = (
        security_changes::id.eq(SecurityChangeId::random()?),
        security_changes::user_id.eq(user),
        security_changes::kind.eq(kind),
        security_changes::target_id.eq(target),
        security_changes::sealed.eq(before),
        security_changes::network.eq(network),
        security_changes::session_id.eq(by.as_ref().map(|by| by.id.clone())),
        security_changes::session_began_at.eq(by.as_ref().map(|by| by.began_at)),
        security_changes::browser_known_since.eq(by.as_ref().and_then(|by| by.browser_known_since)),
        security_changes::passkey_id.eq(by.as_ref().and_then(|by| by.passkey_id.clone())),
        security_changes::session_method.eq(by.as_ref().and_then(|by| by.method)),
        security_changes::session_factor.eq(by.as_ref().and_then(|by| by.second_factor)),
        security_changes::session_connection.eq(by.and_then(|by| by.connection_id)),
        security_changes::at.eq(tx.now),
    );
    diesel::insert_into(security_changes::table).values(row).execute(tx.conn)?;
    Ok(())
}

/// What changed about an account, the oldest first.
pub(crate) fn list(conn: &mut Conn, user: &UserId) -> Result<Vec<SecurityChange>> {
    type With = (Option<PasskeyId>, Option<AuthMethod>, Option<Factor>, Option<ConnectionId>);
    type By = (Option<SessionId>, Option<Timestamp>, Option<Timestamp>, With);
    type Row = (Kind, Option<String>, Option<String>, By, Timestamp);
    let found: Vec<Row> = security_changes::table
        .filter(security_changes::user_id.eq(user))
        .order((security_changes::at, security_changes::id))
        .select((
            security_changes::kind,
            security_changes::target_id,
            security_changes::sealed,
            (
                security_changes::session_id,
                security_changes::session_began_at,
                security_changes::browser_known_since,
                (
                    security_changes::passkey_id,
                    security_changes::session_method,
                    security_changes::session_factor,
                    security_changes::session_connection,
                ),
            ),
            security_changes::at,
        ))
        .load(conn)?;
    let read = |(kind, target, before, by, at): Row| {
        let (id, began_at, browser_known_since, with) = by;
        let (passkey_id, method, second_factor, connection_id) = with;
        let by = id.zip(began_at).map(|(id, began_at)| Beginning {
            id,
            began_at,
            browser_known_since,
            passkey_id,
            method,
            second_factor,
            connection_id,
        });
        SecurityChange { kind, target, by, at, before }
    };
    Ok(found.into_iter().map(read).collect())
}

/// The session with this id, where it has not ended.
pub(crate) fn session_of(conn: &mut Conn, id: &SessionId) -> Result<Option<Beginning>> {
    Ok(sessions::table.find(id).select(Beginning::as_select()).first(conn).optional()?)
}

/// The sessions of an account that have not ended.
pub(crate) fn sessions_of(conn: &mut Conn, user: &UserId) -> Result<Vec<Beginning>> {
    let own = sessions::table.filter(sessions::user_id.eq(user));
    Ok(own.select(Beginning::as_select()).load(conn)?)
}
