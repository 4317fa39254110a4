//! Sign-in history: one row per attempt, kept for `HISTORY_LIFE`.

use std::collections::HashMap;

use diesel::prelude::*;
use serde_json::{Value, json};

use super::{
    device::Device,
    network::network_prefix,
    personal_data::{Erasure, ExportSection, PersonalData},
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::sign_ins},
    error::Result,
    ids::{Id, SignInId, UserId},
    kinds::{AuthMethod, Factor},
    text_enum,
};

text_enum! {
    /// What came of it.
    Outcome {
        /// Let in.
        Success => "success",
        /// The password was another one.
        WrongPassword => "wrong_password",
        /// The password is blocked until a new one is set.
        Blocked => "blocked",
        /// The first factor was right, the code after it was not.
        WrongCode => "wrong_code",
        /// The short code of a link by mail was another one.
        WrongLinkCode => "wrong_link_code",
        /// The passkey's answer was not right.
        WrongPasskey => "wrong_passkey",
        /// The passkey's counter went back: there is a copy of it.
        CopiedPasskey => "copied_passkey",
        /// The passkey waits to be removed: somebody said that it was never theirs.
        DisputedPasskey => "disputed_passkey",
        /// Too many had been tried before; the password was not looked at.
        Throttled => "throttled",
    }
}

impl Outcome {
    /// Why not, in words; nothing where it succeeded.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        match self {
            Outcome::Success => None,
            Outcome::WrongPassword => Some("wrong password"),
            Outcome::WrongCode => Some("right password or link, wrong code"),
            Outcome::WrongLinkCode => Some("a link was asked for, wrong code"),
            Outcome::WrongPasskey => Some("the passkey's answer was not right"),
            Outcome::CopiedPasskey => Some("someone has a copy of this passkey"),
            Outcome::DisputedPasskey => Some("this passkey waits to be removed"),
            Outcome::Throttled => Some("too many attempts before"),
            Outcome::Blocked => Some("signing in with that password is blocked"),
        }
    }
}

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "sign_ins",
    title: "Sign-ins",
    why: "So that you see who tried to get into your account, and we ask you about a browser we have not seen before. \
          They are removed after {history}.",
    columns: &[
        ("id", "a number that stands for the attempt"),
        ("user_id", "that it was about your account"),
        ("ip", "the network address it came from"),
        ("network", "the network that address is in"),
        ("browser", "the browser"),
        ("os", "the system it ran on"),
        ("device_type", "the kind of device"),
        ("method", "the sign-in method"),
        ("second_factor", "what was given after it, as a second step"),
        ("outcome", "what came of it"),
    ],
    erasure: Erasure::Removed,
    afterwards: "",
    export: &[ExportSection { name: "signIns", is_list: true, read: exported }],
    erase: |tx, id, _| forget(tx, id),
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<SignIn> = sign_ins::table
        .filter(sign_ins::user_id.eq(owner))
        .order((sign_ins::at, sign_ins::id))
        .offset(skip)
        .limit(most)
        .select(SignIn::as_select())
        .load(conn)?;
    let told = found.into_iter().map(|attempt| {
        json!({
            "at": attempt.at,
            "ip": attempt.ip,
            "network": attempt.network,
            "browser": attempt.browser,
            "os": attempt.os,
            "deviceType": attempt.device_type,
            "method": attempt.method,
            "secondFactor": attempt.second_factor,
            "outcome": attempt.outcome,
            "isNewDevice": attempt.is_new_device,
        })
    });
    Ok(told.collect())
}

/// Removes up to `most` attempts that are too old for the history. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let old = sign_ins::at.lt(tx.now - tx.config.lifetimes.history);
    let found = sign_ins::table.filter(old).order(sign_ins::at).limit(most);
    let ids: Vec<SignInId> = found.select(sign_ins::id).load(tx.conn)?;
    Ok(diesel::delete(sign_ins::table.filter(sign_ins::id.eq_any(ids))).execute(tx.conn)?)
}

/// One attempt.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sign_ins)]
pub(crate) struct SignIn {
    /// Opaque; also the cursor.
    pub id: SignInId,
    /// Whose account.
    pub user_id: UserId,
    /// When.
    pub at: Timestamp,
    /// From which address on the network.
    pub ip: String,
    /// The neighbourhood of that address.
    pub network: String,
    /// The browser's family.
    pub browser: String,
    /// The platform.
    pub os: String,
    /// The kind of device.
    pub device_type: String,
    /// What was offered.
    pub method: AuthMethod,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether the browser had not been seen before.
    pub is_new_device: bool,
    /// Whether it brought a cookie that knew the account.
    pub had_cookie: bool,
    /// What was given after it, as a second step.
    pub second_factor: Option<Factor>,
}

/// What is noted of an attempt.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// From which address on the network.
    pub ip: String,
    /// From which device.
    pub device: Device,
    /// What was offered.
    pub method: AuthMethod,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether the browser had not been seen before.
    pub is_new_device: bool,
    /// Whether it brought a cookie that knew the account.
    pub had_cookie: bool,
    /// What was given after it, as a second step.
    pub second_factor: Option<Factor>,
}

/// Notes an attempt, and forgets what is too old.
pub(crate) fn note(tx: &mut Tx, user: &UserId, attempt: Attempt) -> Result<()> {
    let row = SignIn {
        id: Id::random()?,
        user_id: user.clone(),
        at: tx.now,
        network: network_prefix(&attempt.ip),
        ip: attempt.ip,
        browser: attempt.device.browser,
        os: attempt.device.os,
        device_type: attempt.device.kind.as_str().to_owned(),
        method: attempt.method,
        outcome: attempt.outcome,
        is_new_device: attempt.is_new_device,
        had_cookie: attempt.had_cookie,
        second_factor: attempt.second_factor,
    };
    diesel::insert_into(sign_ins::table).values(&row).execute(tx.conn)?;
    if attempt.outcome == Outcome::Success {
        let oldest = tx.now - tx.config.lifetimes.history;
        let old = sign_ins::table.filter(sign_ins::user_id.eq(user)).filter(sign_ins::at.lt(oldest));
        diesel::delete(old).execute(tx.conn)?;
    }
    Ok(())
}

/// As much of its history as the account's person sees, as [`list`] has it. Whoever only claims the address is not told
/// who else tries: they may be a stranger, who would learn from it whether anybody has the address.
pub(crate) fn shown(
    conn: &mut Conn,
    user: &UserId,
    is_verified: bool,
    cursor: Option<&SignInId>,
    most: i64,
) -> Result<Vec<SignIn>> {
    among(conn, user, !is_verified, cursor, most)
}

/// Up to `most` attempts, newest first.
pub(crate) fn list(conn: &mut Conn, user: &UserId, most: i64) -> Result<Vec<SignIn>> {
    among(conn, user, false, None, most)
}

/// Up to `most` attempts, newest first, before the one that `cursor` names.
fn among(
    conn: &mut Conn,
    user: &UserId,
    only_successes: bool,
    cursor: Option<&SignInId>,
    most: i64,
) -> Result<Vec<SignIn>> {
    let mut query = sign_ins::table.filter(sign_ins::user_id.eq(user)).into_boxed();
    if only_successes {
        query = query.filter(sign_ins::outcome.eq(Outcome::Success));
    }
    if let Some(cursor) = cursor {
        let own = sign_ins::table.find(cursor).filter(sign_ins::user_id.eq(user)).select(sign_ins::at);
        let Some(at) = own.first::<Timestamp>(conn).optional()? else { return Ok(Vec::new()) };
        let is_before = sign_ins::at.lt(at).or(sign_ins::at.eq(at).and(sign_ins::id.lt(cursor)));
        query = query.filter(is_before);
    }
    Ok(query
        .order((sign_ins::at.desc(), sign_ins::id.desc()))
        .limit(most)
        .select(SignIn::as_select())
        .load(conn)?)
}

/// Whether this person was ever let in, by signing up included.
pub(crate) fn has_any(conn: &mut Conn, user: &UserId) -> Result<bool> {
    let earlier =
        sign_ins::table.filter(sign_ins::user_id.eq(user)).filter(sign_ins::outcome.eq(Outcome::Success));
    Ok(diesel::select(diesel::dsl::exists(earlier)).get_result(conn)?)
}

/// The neighbourhood of the network where each of these accounts came in first, where that is known.
pub(crate) fn first_networks(conn: &mut Conn, users: &[UserId]) -> Result<HashMap<UserId, String>> {
    let rows: Vec<(UserId, String)> = sign_ins::table
        .filter(sign_ins::user_id.eq_any(users))
        .filter(sign_ins::outcome.eq(Outcome::Success))
        .filter(sign_ins::ip.ne(""))
        // The last that is collected of each account stays: its first.
        .order((sign_ins::at.desc(), sign_ins::id))
        .select((sign_ins::user_id, sign_ins::network))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}

/// Forgets the history: it is that of whoever claimed the address before.
pub(crate) fn forget(tx: &mut Tx, user: &UserId) -> Result<()> {
    diesel::delete(sign_ins::table.filter(sign_ins::user_id.eq(user))).execute(tx.conn)?;
    Ok(())
}

/// Whether this person was let in since `since` from the same neighbourhood with the same kind of browser: the fallback
/// for people whose browsers keep no cookies. Where one of that kind ever brought a cookie from there, a browser without one
/// is another: a colleague's, or a neighbour's.
pub(crate) fn is_familiar(
    conn: &mut Conn,
    user: &UserId,
    ip: &str,
    device: &Device,
    since: Timestamp,
) -> Result<bool> {
    if ip.is_empty() {
        return Ok(false); // Two unknown networks are not alike.
    }
    let network = network_prefix(ip);
    let alike = || {
        sign_ins::table
            .filter(sign_ins::user_id.eq(user))
            .filter(sign_ins::outcome.eq(Outcome::Success))
            .filter(sign_ins::network.eq(&network))
            .filter(sign_ins::browser.eq(&device.browser))
            .filter(sign_ins::os.eq(&device.os))
    };
    let with_cookie: bool =
        diesel::select(diesel::dsl::exists(alike().filter(sign_ins::had_cookie))).get_result(conn)?;
    let earlier = alike().filter(sign_ins::at.ge(since));
    Ok(!with_cookie && diesel::select(diesel::dsl::exists(earlier)).get_result(conn)?)
}
