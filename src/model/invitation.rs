//! Invitations to organisations: one address, one role, one answer.

pub(crate) mod entry;
mod made;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde_json::{Value, json};

pub(crate) use self::made::{Inviter, insert};

use super::{
    held_role::HeldRole,
    personal_data::{Erasure, ExportSection, PersonalData},
};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{invitations, organisations, roles, users},
    },
    error::Result,
    ids::{InvitationId, OrganisationId, RoleId, UserId},
    kinds::Role,
    mail::EmailAddress,
    text_enum,
};

text_enum! {
    /// What became of an invitation.
    State {
        /// It waits for an answer.
        Open => "open",
        /// Its reader joined.
        Accepted => "accepted",
        /// Its reader said no.
        Declined => "declined",
        /// It was taken back.
        Revoked => "revoked",
        /// Nobody answered in time.
        Expired => "expired",
    }
}

/// What is held here about a person, and what becomes of it.
pub(crate) const PERSONAL_DATA: PersonalData = PersonalData {
    table: "invitations",
    title: "Invitations to organisations",
    why: "So that people can be asked to join. They are removed 30 days after they ended.",
    columns: &[
        ("id", "a number that stands for the invitation"),
        ("organisation_id", "the organisation"),
        ("email", "the address that was invited"),
        ("email_normalized", "the same as addresses are compared"),
        ("role", "what you would be allowed to do there"),
        ("role_id", "the same, where the organisation has a role of its own for it"),
        ("invited_by", "that you invited someone"),
        ("state", "what became of it"),
        ("person_id", "the entry of the organisation's directory that it is for, where it is for one"),
    ],
    erasure: Erasure::Removed,
    afterwards: "",
    export: &[ExportSection { name: "invitations", is_list: true, read: exported }],
    erase: |tx, id, _| {
        // A mere claim to an address does not speak for it.
        let own: Option<String> = users::table
            .find(id)
            .filter(users::email_verified_at.is_not_null())
            .select(users::email_normalized)
            .first(tx.conn)
            .optional()?;
        let own = invitations::email_normalized.eq(own.unwrap_or_default());
        diesel::delete(invitations::table.filter(invitations::invited_by.eq(id).or(own))).execute(tx.conn)?;
        Ok(())
    },
};

fn exported(conn: &mut Conn, owner: &UserId, skip: i64, most: i64) -> Result<Vec<Value>> {
    let own = users::table.find(owner).filter(users::email_verified_at.is_not_null());
    let own: Option<String> = own.select(users::email_normalized).first(conn).optional()?;
    let own = invitations::email_normalized.eq(own.unwrap_or_default());
    let found: Vec<(String, String, State, Timestamp)> = invitations::table
        .inner_join(organisations::table)
        .filter(invitations::invited_by.eq(owner).or(own))
        .order((invitations::created_at, invitations::id))
        .offset(skip)
        .limit(most)
        .select((organisations::name, invitations::email, invitations::state, invitations::created_at))
        .load(conn)?;
    let told = |(organisation, invited, state, at)| json!({ "organisation": organisation, "invited": invited, "state": state, "at": at });
    Ok(found.into_iter().map(told).collect())
}

/// How long an invitation is kept after it ended.
const KEPT: TimeDelta = TimeDelta::days(30);

/// One invitation.
#[derive(Debug, Clone)]
pub(crate) struct Invitation {
    /// Opaque.
    pub id: InvitationId,
    /// Where to.
    pub organisation_id: OrganisationId,
    /// Who is invited, as it was typed.
    pub email: EmailAddress,
    /// What they would be allowed to do.
    pub role: HeldRole,
    /// Who invited them.
    pub invited_by: Option<UserId>,
    /// What that one wants to be called. Somebody's text; empty where they are gone.
    pub inviter: String,
    /// What became of it. One that is open may have run out.
    pub state: State,
    /// How many emails went out; a link works that was in the last of them.
    pub emails_sent: i32,
    /// When the last one did.
    pub sent_at: Timestamp,
    /// Until when it can be answered.
    pub expires_at: Timestamp,
}

impl Invitation {
    /// Whether it can be answered at `now`.
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        self.state == State::Open && self.expires_at > now
    }

    /// What became of it by `now`.
    pub(crate) fn state_at(&self, now: Timestamp) -> State {
        if self.state == State::Open && self.expires_at <= now { State::Expired } else { self.state }
    }
}

type Row = (
    (InvitationId, OrganisationId, EmailAddress, Option<UserId>, Option<String>),
    (Role, Option<RoleId>, Option<String>),
    (State, i32, Timestamp, Timestamp),
);

impl From<Row> for Invitation {
    fn from((who, role, state): Row) -> Self {
        let (id, organisation_id, email, invited_by, inviter) = who;
        let inviter = inviter.unwrap_or_default();
        let (state, emails_sent, sent_at, expires_at) = state;
        let role = HeldRole::of(role.0, role.1, role.2);
        Self {
            id,
            organisation_id,
            email,
            role,
            invited_by,
            inviter,
            state,
            emails_sent,
            sent_at,
            expires_at,
        }
    }
}

/// Which invitations are looked for. Nothing: whatever it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search<'a> {
    /// Of this organisation.
    pub organisation: Option<&'a OrganisationId>,
    /// To this address, normalised.
    pub to: Option<&'a str>,
    /// By this member.
    pub by: Option<&'a UserId>,
    /// In this custom role.
    pub role: Option<&'a RoleId>,
    /// With this id.
    pub id: Option<&'a InvitationId>,
    /// Only those that can be answered at this moment.
    pub open_at: Option<Timestamp>,
}

/// The invitations that `search` finds, the newest first, at most `most` after `skip`.
pub(crate) fn list(conn: &mut Conn, search: &Search, skip: i64, most: i64) -> Result<Vec<Invitation>> {
    let mut query = invitations::table
        .left_join(roles::table.on(invitations::role_id.eq(roles::id.nullable())))
        .left_join(users::table.on(invitations::invited_by.eq(users::id.nullable())))
        .into_boxed();
    if let Some(organisation) = search.organisation {
        query = query.filter(invitations::organisation_id.eq(organisation));
    }
    if let Some(to) = search.to {
        query = query.filter(invitations::email_normalized.eq(to));
    }
    if let Some(by) = search.by {
        query = query.filter(invitations::invited_by.eq(by));
    }
    if let Some(role) = search.role {
        query = query.filter(invitations::role_id.eq(role));
    }
    if let Some(id) = search.id {
        query = query.filter(invitations::id.eq(id));
    }
    if let Some(now) = search.open_at {
        query = query.filter(invitations::state.eq(State::Open)).filter(invitations::expires_at.gt(now));
    }
    let found: Vec<Row> = query
        .order((invitations::created_at.desc(), invitations::id))
        .offset(skip)
        .limit(most)
        .select((
            (
                invitations::id,
                invitations::organisation_id,
                invitations::email,
                invitations::invited_by,
                users::name.nullable(),
            ),
            (invitations::role, invitations::role_id, roles::name.nullable()),
            (invitations::state, invitations::emails_sent, invitations::sent_at, invitations::expires_at),
        ))
        .load(conn)?;
    Ok(found.into_iter().map(Invitation::from).collect())
}

/// The one with this id.
pub(crate) fn find(conn: &mut Conn, id: &InvitationId) -> Result<Option<Invitation>> {
    Ok(list(conn, &Search { id: Some(id), ..Search::default() }, 0, 1)?.pop())
}

/// How many invitations of an organisation can be answered at `now`.
pub(crate) fn count_open(conn: &mut Conn, organisation: &OrganisationId, now: Timestamp) -> Result<i64> {
    Ok(invitations::table
        .filter(invitations::organisation_id.eq(organisation))
        .filter(invitations::state.eq(State::Open))
        .filter(invitations::expires_at.gt(now))
        .count()
        .get_result(conn)?)
}

/// How many of them each of `senders` sent, who sent any.
pub(crate) fn count_open_by(
    conn: &mut Conn,
    organisation: &OrganisationId,
    senders: &[&UserId],
    now: Timestamp,
) -> Result<Vec<(Option<UserId>, i64)>> {
    Ok(invitations::table
        .filter(invitations::organisation_id.eq(organisation))
        .filter(invitations::invited_by.eq_any(senders))
        .filter(invitations::state.eq(State::Open))
        .filter(invitations::expires_at.gt(now))
        .group_by(invitations::invited_by)
        .select((invitations::invited_by, diesel::dsl::count_star()))
        .load(conn)?)
}

/// The addresses of those of `ids` that are invitations to this organisation, and still kept.
pub(crate) fn addresses(
    conn: &mut Conn,
    organisation: &OrganisationId,
    ids: &[InvitationId],
) -> Result<Vec<(InvitationId, EmailAddress)>> {
    let found = invitations::table
        .filter(invitations::organisation_id.eq(organisation))
        .filter(invitations::id.eq_any(ids));
    Ok(found.select((invitations::id, invitations::email)).load(conn)?)
}

/// Notes that another email goes out now, in the name of `by`, and from when on it is too late; one that ran out is open again.
/// `false` where it was answered or taken back, or another one to the same address is open.
pub(crate) fn note_sent(tx: &mut Tx, id: &InvitationId, by: &UserId, expires_at: Timestamp) -> Result<bool> {
    let unanswered =
        invitations::table.find(id).filter(invitations::state.eq_any([State::Open, State::Expired]));
    let again = (
        invitations::emails_sent.eq(invitations::emails_sent + 1),
        invitations::sent_at.eq(tx.now),
        invitations::expires_at.eq(expires_at),
        invitations::invited_by.eq(by),
        invitations::state.eq(State::Open),
        invitations::ended_at.eq(None::<Timestamp>),
    );
    let sent = tx.allow_unique_violation(|conn| diesel::update(unanswered).set(again).execute(conn))?;
    Ok(sent == Some(1))
}

/// Ends an invitation that can still be answered. Of many at once, one does; `false` for the others.
pub(crate) fn end(tx: &mut Tx, id: &InvitationId, state: State) -> Result<bool> {
    let open = invitations::table
        .find(id)
        .filter(invitations::state.eq(State::Open))
        .filter(invitations::expires_at.gt(tx.now));
    let ended = diesel::update(open)
        .set((invitations::state.eq(state), invitations::ended_at.eq(tx.now)))
        .execute(tx.conn)?;
    Ok(ended == 1)
}

/// Ends what ran out: the same address can be invited anew.
pub(crate) fn expire(tx: &mut Tx) -> Result<()> {
    let over = invitations::table
        .filter(invitations::state.eq(State::Open))
        .filter(invitations::expires_at.le(tx.now));
    diesel::update(over)
        .set((
            invitations::state.eq(State::Expired),
            invitations::ended_at.eq(invitations::expires_at.nullable()),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Ends what ran out, and removes up to `most` invitations that ended long enough ago. Returns how many there were.
pub(crate) fn sweep(tx: &mut Tx, most: i64) -> Result<usize> {
    expire(tx)?;
    let old = invitations::table.filter(invitations::ended_at.le(tx.now - KEPT));
    let ids: Vec<InvitationId> =
        old.order(invitations::ended_at).limit(most).select(invitations::id).load(tx.conn)?;
    Ok(diesel::delete(invitations::table.filter(invitations::id.eq_any(ids))).execute(tx.conn)?)
}
