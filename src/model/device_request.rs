//! Devices without a browser that wait for their person (RFC 8628): each holds a long code, and shows a short one to be typed
//! elsewhere.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};

use super::{
    crockford,
    personal_data::{Erasure, ExportSection, PersonalData},
};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{applications, device_requests},
    },
    error::{Error, Result},
    ids::{ApplicationId, GrantId, UserId},
    secret::{self, Secret},
    text_enum,
};

/// How long a device waits.
pub(crate) const LIFE: TimeDelta = TimeDelta::minutes(10);

/// By how much a question may come early: clients count from other moments, and networks are not even.
const SLACK: TimeDelta = TimeDelta::seconds(1);

/// How many seconds it lets pass between two questions, unless it is told to wait for longer (RFC 8628 §3.5).
pub(crate) const SECONDS: i32 = 5;

// Two groups of four. Consonants that make no words, and that nobody takes for a digit.
const ALPHABET: &[u8; 19] = b"BCDFGHJKMNPQRSTVWXZ";
const LENGTH: usize = 8;

text_enum! {
    /// What became of it.
    State {
        /// Nobody has answered.
        Waiting => "waiting",
        /// Somebody let it in.
        Allowed => "allowed",
        /// Somebody did not.
        Denied => "denied",
        /// It has its tokens.
        Redeemed => "redeemed",
    }
}

/// What a device holds.
#[derive(Debug)]
pub(crate) enum DeviceCode {}

/// What its person types, in capitals and without the dash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserCode(String);

impl UserCode {
    fn random() -> Result<Self> {
        let mut code = String::new();
        while code.len() < LENGTH {
            let mut bytes = [0; 2 * LENGTH];
            getrandom::fill(&mut bytes).map_err(Error::internal)?;
            // 247 is the last multiple of 19, so that every one is as likely.
            let chosen = bytes.iter().filter(|byte| **byte < 247);
            code.extend(chosen.map(|byte| ALPHABET[usize::from(byte % 19)] as char));
        }
        code.truncate(LENGTH);
        Ok(Self(code))
    }

    /// As somebody typed it, whatever is between and around.
    pub(crate) fn parse(typed: &str) -> Option<Self> {
        let code = crockford::fold(typed).to_ascii_uppercase();
        let is_one = code.len() == LENGTH && code.bytes().all(|one| ALPHABET.contains(&one));
        is_one.then_some(Self(code))
    }

    /// As it is shown: `BCDF-GHJK`.
    pub(crate) fn shown(&self) -> String {
        format!("{}-{}", &self.0[..LENGTH / 2], &self.0[LENGTH / 2..])
    }

    fn digest(&self) -> String {
        secret::digest(&self.0)
    }
}

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "device_requests",
    title: "Devices that you were asked to let in",
    why: "So that a device that cannot show our pages gets what you allow it. It is removed when its time is up.",
    columns: &[
        ("hash", "a fingerprint of what the device holds"),
        ("user_code_hash", "a fingerprint of the code that you typed"),
        ("application_id", "the application"),
        ("user_id", "that you answered"),
        ("grant_id", "what you allowed it"),
        ("state", "whether you let it in"),
        ("scopes", "what the application may know"),
        ("audience", "for whom the application's tokens are"),
        ("user_agent", "what the device calls itself"),
        ("ip", "its network address"),
    ],
    erasure: Erasure::Removed,
    afterwards: "",
    export: &[ExportSection { name: "deviceRequests", is_list: true, read: exported }],
    erase: |tx, id, _| {
        diesel::delete(device_requests::table.filter(device_requests::user_id.eq(id))).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let found: Vec<(DeviceRequest, String)> = device_requests::table
        .inner_join(applications::table)
        .filter(device_requests::user_id.eq(owner))
        .order((device_requests::created_at, device_requests::hash))
        .offset(skip)
        .limit(most)
        .select((DeviceRequest::as_select(), applications::name))
        .load(conn)?;
    let told = found.into_iter().map(|(one, application)| {
        json!({
            "application": application, "state": one.state, "scopes": one.scopes, "userAgent": one.user_agent, "ip": one.ip,
            "createdAt": one.created_at, "expiresAt": one.expires_at,
        })
    });
    Ok(told.collect())
}

/// A device that waits.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = device_requests)]
pub(crate) struct DeviceRequest {
    /// The digest of what it holds.
    pub hash: String,
    user_code_hash: String,
    /// Of which application.
    pub application_id: ApplicationId,
    /// Who answered.
    pub user_id: Option<UserId>,
    /// What they gave it.
    pub grant_id: Option<GrantId>,
    /// What became of it.
    pub state: State,
    /// What is asked for, between blanks.
    pub scopes: String,
    /// For whom its access tokens are to be.
    pub audience: String,
    /// What it calls itself.
    pub user_agent: String,
    /// Its address on the network.
    pub ip: String,
    /// When it asked first.
    pub created_at: Timestamp,
    /// Until when it waits.
    pub expires_at: Timestamp,
    /// How many seconds it is to let pass between two questions.
    pub seconds: i32,
    /// When it last asked, and not too early.
    pub asked_at: Option<Timestamp>,
}

/// What a device asks for, and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct NewDeviceRequest {
    /// Of which application.
    pub application: ApplicationId,
    /// What is asked for, between blanks.
    pub scopes: String,
    /// For whom its access tokens are to be.
    pub audience: String,
    /// What it calls itself.
    pub user_agent: String,
    /// Its address on the network.
    pub ip: String,
}

/// Keeps one; its two codes.
pub(crate) fn insert(tx: &mut Tx, new: NewDeviceRequest) -> Result<(Secret<DeviceCode>, UserCode)> {
    let (secret, code) = (Secret::random()?, UserCode::random()?);
    let row = DeviceRequest {
        hash: secret.digest(),
        user_code_hash: code.digest(),
        application_id: new.application,
        user_id: None,
        grant_id: None,
        state: State::Waiting,
        scopes: new.scopes,
        audience: new.audience,
        user_agent: new.user_agent,
        ip: new.ip,
        created_at: tx.now,
        expires_at: tx.now + LIFE,
        seconds: SECONDS,
        asked_at: None,
    };
    diesel::insert_into(device_requests::table).values(row).execute(tx.conn)?;
    Ok((secret, code))
}

/// The one whose person types `code`, as long as it waits.
pub(crate) fn typed(conn: &mut Conn, code: &UserCode, now: Timestamp) -> Result<Option<DeviceRequest>> {
    let found = device_requests::table
        .filter(device_requests::user_code_hash.eq(code.digest()))
        .filter(device_requests::state.eq(State::Waiting))
        .filter(device_requests::expires_at.gt(now));
    Ok(found.select(DeviceRequest::as_select()).first(conn).optional()?)
}

/// Answers one that waits. Of many at once, one does: `true`.
pub(crate) fn answer(tx: &mut Tx, hash: &str, user: &UserId, grant: Option<&GrantId>) -> Result<bool> {
    let state = if grant.is_some() { State::Allowed } else { State::Denied };
    let waiting = device_requests::table.find(hash).filter(device_requests::state.eq(State::Waiting));
    let answered = diesel::update(waiting.filter(device_requests::expires_at.gt(tx.now)))
        .set((
            device_requests::state.eq(state),
            device_requests::user_id.eq(user),
            device_requests::grant_id.eq(grant),
        ))
        .execute(tx.conn)?;
    Ok(answered == 1)
}

/// The one that holds this, and makes others that ask for it wait until the transaction ends.
pub(crate) fn held(tx: &mut Tx, secret: &Secret<DeviceCode>) -> Result<Option<DeviceRequest>> {
    let hash = secret.digest();
    let row = device_requests::table.find(&hash);
    diesel::update(row).set(device_requests::hash.eq(&hash)).execute(tx.conn)?;
    Ok(row.select(DeviceRequest::as_select()).first(tx.conn).optional()?)
}

/// Notes that it asked; too early, that it is to wait for longer from now on. Says whether that was too early.
pub(crate) fn note_question(tx: &mut Tx, found: &DeviceRequest) -> Result<bool> {
    let row = device_requests::table.find(&found.hash);
    let is_early =
        found.asked_at.is_some_and(|at| tx.now - at < TimeDelta::seconds(found.seconds.into()) - SLACK);
    match is_early {
        // From when it may ask is not moved: who hurries once is not shut out (H2CK/oidc#716).
        true => {
            diesel::update(row).set(device_requests::seconds.eq(found.seconds + SECONDS)).execute(tx.conn)?
        }
        false => diesel::update(row).set(device_requests::asked_at.eq(tx.now)).execute(tx.conn)?,
    };
    Ok(is_early)
}

/// Notes that it has its tokens.
pub(crate) fn redeem(tx: &mut Tx, found: &DeviceRequest) -> Result<()> {
    let row = device_requests::table.find(&found.hash);
    diesel::update(row).set(device_requests::state.eq(State::Redeemed)).execute(tx.conn)?;
    Ok(())
}

/// How long one that is over is still known, so that its device learns why.
const KEPT: TimeDelta = TimeDelta::hours(1);

/// Removes up to `most` that are over. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    let gone = device_requests::expires_at.le(tx.now - KEPT);
    let old = device_requests::table.filter(gone).order(device_requests::expires_at).limit(most);
    let hashes: Vec<String> = old.select(device_requests::hash).load(tx.conn)?;
    Ok(diesel::delete(device_requests::table.filter(device_requests::hash.eq_any(hashes)))
        .execute(tx.conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_typed() {
        let code = UserCode::random().unwrap();
        let shown = code.shown();
        assert_eq!((shown.len(), shown.as_bytes()[4]), (9, b'-'));
        for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', " "), format!(" {shown}. ")] {
            assert_eq!(UserCode::parse(&typed), Some(code.clone()), "{typed}");
        }
        for wrong in ["", "BCDF-GHJ", "BCDF-GHJKM", "BCDF-GHJA", "BCDF-GHJ1"] {
            assert_eq!(UserCode::parse(wrong), None, "{wrong}");
        }
    }
}
