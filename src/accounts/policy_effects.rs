//! Whom a policy of an organisation would keep out, counted.

use std::collections::HashMap;

use chrono::TimeDelta;
use diesel::{
    dsl::{exists, not},
    prelude::*,
};
use serde::Serialize;

use super::organisation_policy::{SessionTraits, Unmet};
use crate::{
    clock::Timestamp,
    db::{
        Conn,
        schema::{connections, identities, memberships, passkeys, sessions, totp},
    },
    error::Result,
    ids::{OrganisationId, UserId},
    kinds::{AuthMethod, Factor},
    mail::EmailAddress,
    model::{
        invitation::{self, Search},
        organisation_policy::OrganisationPolicy,
    },
};

// Of fewer who are signed in, no share is told.
const FEWEST: usize = 5;

/// How many of those who are signed in, roughly: who asks chooses the question, and an exact count would tell where each of
/// them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Share {
    /// Nobody.
    None,
    /// At most half.
    Some,
    /// More than half.
    Most,
    /// Everybody.
    All,
}

impl Share {
    /// The share that `count` is of `all`; nothing where these are too few to say.
    fn of(count: usize, all: usize) -> Option<Self> {
        if all < FEWEST {
            return None;
        }
        Some(match count {
            0 => Self::None,
            count if count == all => Self::All,
            count if count * 2 > all => Self::Most,
            _ => Self::Some,
        })
    }

    /// Before "of the members who are signed in".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Some => "Some",
            Self::Most => "Most",
            Self::All => "All",
        }
    }
}

/// How many people a policy concerns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Effects {
    /// Everybody who belongs to the organisation.
    pub members: i64,
    /// Those with neither a second factor nor a sign-in by the organisation's own identity provider.
    pub without_second_factor: usize,
    /// Those who are signed in.
    pub signed_in: usize,
    /// Of these, those whose every session is too old.
    pub sessions_too_old: Option<Share>,
    /// Those who signed in by none of the methods.
    pub other_sign_in_methods: Option<Share>,
    /// Those who are in none of the networks, as far as the beginning of their sessions tells.
    pub other_networks: Option<Share>,
    /// The open invitations to addresses outside the domains.
    pub other_invitations: usize,
}

/// The members of an organisation with neither a second factor nor a sign-in by its own identity provider.
pub(crate) fn without_second_factor(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<UserId>> {
    let app = totp::table.filter(totp::user_id.eq(memberships::user_id));
    let passkey = passkeys::table.filter(passkeys::user_id.eq(memberships::user_id));
    let provider = identities::table
        .inner_join(connections::table)
        .filter(identities::user_id.eq(memberships::user_id))
        .filter(connections::organisation_id.eq(memberships::organisation_id));
    Ok(memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(not(exists(app)))
        .filter(not(exists(passkey.filter(passkeys::copied_at.is_null()))))
        .filter(not(exists(provider)))
        .order((memberships::created_at, memberships::user_id))
        .select(memberships::user_id)
        .load(conn)?)
}

/// Whom `policy` would keep out of an organisation at `now`, if it held then in full.
pub(crate) fn of(
    conn: &mut Conn,
    organisation: &OrganisationId,
    policy: &OrganisationPolicy,
    now: Timestamp,
) -> Result<Effects> {
    let search = Search { organisation: Some(organisation), open_at: Some(now), ..Search::default() };
    let invited = invitation::list(conn, &search, 0, i64::MAX)?;
    let is_other = |email: &EmailAddress| !policy.invites(&email.domain());
    let members = memberships::table.filter(memberships::organisation_id.eq(organisation));
    let mut effects = Effects {
        members: members.count().get_result(conn)?,
        without_second_factor: without_second_factor(conn, organisation)?.len(),
        other_invitations: invited.iter().filter(|one| is_other(&one.email)).count(),
        ..Effects::default()
    };
    // Of each person, what each session lacks: they are kept out who have none that lacks nothing.
    let mut lacking: HashMap<UserId, [bool; 3]> = HashMap::new();
    for (user, session) in signed_in(conn, organisation, now)? {
        let lacks = [Unmet::SessionTooOld, Unmet::SignInMethod, Unmet::Network]
            .map(|what| !session.meets(policy, what, organisation, now));
        let all = lacking.entry(user).or_insert([true; 3]);
        all.iter_mut().zip(lacks).for_each(|(all, lacks)| *all &= lacks);
    }
    effects.signed_in = lacking.len();
    let share = |what: usize| {
        let count = lacking.values().filter(|lacks| lacks[what]).count();
        Share::of(count, lacking.len())
    };
    effects.sessions_too_old = share(0);
    effects.other_sign_in_methods = share(1);
    effects.other_networks = share(2);
    Ok(effects)
}

/// The live sessions of the members.
fn signed_in(
    conn: &mut Conn,
    organisation: &OrganisationId,
    now: Timestamp,
) -> Result<Vec<(UserId, SessionTraits)>> {
    type Row =
        ((UserId, AuthMethod, Option<Factor>, Option<OrganisationId>), (Timestamp, Timestamp, i32, String));
    let rows: Vec<Row> = sessions::table
        .inner_join(memberships::table.on(memberships::user_id.eq(sessions::user_id)))
        .left_join(connections::table.on(connections::id.nullable().eq(sessions::connection_id)))
        .filter(memberships::organisation_id.eq(organisation))
        .filter(sessions::expires_at.gt(now))
        .filter(sessions::idle_expires_at.gt(now))
        .filter(sessions::locked_at.is_null())
        .select((
            (
                sessions::user_id,
                sessions::method,
                sessions::second_factor,
                connections::organisation_id.nullable(),
            ),
            (sessions::created_at, sessions::last_active_at, sessions::longest_idle, sessions::ip),
        ))
        .load(conn)?;
    let traits =
        rows.into_iter().map(|((user, method, second, provider), (created_at, active, idle, ip))| {
            let longest_idle = (now - active).max(TimeDelta::seconds(idle.into()));
            let ip = ip.parse().ok();
            let has_second_factor = second.is_some();
            (user, SessionTraits { method, has_second_factor, provider, created_at, longest_idle, ip })
        });
    Ok(traits.collect())
}
