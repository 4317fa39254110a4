//! Programs at a gate, each with an API key in the place of a cookie.
//!
//! A key of a person's needs `account:read`, for the application is told whose it is. One of an organisation's own comes in where
//! members of that organisation do. Neither ever signed in: what asks for a second factor, or for a sign-in that is not old, is
//! not met by one.

use std::net::IpAddr;

use super::{
    api_keys::{ACCOUNT_READ, KeyOwner, Presented},
    gate_needs::{self, Raised, Who},
    gates::{self, Identity},
};
use crate::{
    clock::Timestamp,
    db::Conn,
    error::Result,
    model::{
        application::{Application, Style, UserHeader},
        session::Acr,
    },
};

/// Why a program does not come in whose key works.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unfit {
    /// The key lacks the permission to say whose it is.
    AccountRead,
    /// It does not belong there, or does not hold what is needed.
    NotMember,
    /// A sign-in of this class is asked for, or one that is so many seconds old at most.
    SignIn(Option<Acr>, Option<i64>),
}

/// Whether a program comes in that shows this key from there.
pub(crate) fn judge(
    conn: &mut Conn,
    application: &Application,
    (by, ip): (&Presented, Option<IpAddr>),
    raised: &Raised,
    now: Timestamp,
) -> Result<std::result::Result<Box<Identity>, Unfit>> {
    let needs = &application.needs;
    if by.user().is_some() && !by.key.holds(ACCOUNT_READ) {
        return Ok(Err(Unfit::AccountRead));
    }
    if !gate_needs::is_member(conn, needs, raised, Who::ApiKey(by, ip), now)? {
        return Ok(Err(Unfit::NotMember));
    }
    let asked = needs.second_factor.then_some(Acr::TwoFactors);
    let acr = raised.acr.filter(|raised| asked.is_none_or(|asked| raised.reaches(asked))).or(asked);
    let max_age = [needs.max_age, raised.max_age].into_iter().flatten().min();
    if acr.is_some() || max_age.is_some() {
        return Ok(Err(Unfit::SignIn(acr, max_age)));
    }
    Ok(Ok(Box::new(identity(conn, application, by)?)))
}

/// What the application is told. The user of an organisation's key is the key itself (RFC 9068 §2.2, `sub` of a client).
fn identity(conn: &mut Conn, application: &Application, by: &Presented) -> Result<Identity> {
    let settings = &application.settings;
    let known_by = |id: String, email: &str| match settings.user {
        UserHeader::Id => id,
        UserHeader::Email => email.to_owned(),
    };
    let mut identity = Identity {
        sub: by.key.id.to_string(),
        user: String::new(),
        email: String::new(),
        name: String::new(),
        groups: Vec::new(),
        acr: None,
        authenticated_at: None,
    };
    match &by.owner {
        KeyOwner::Person(user) => {
            identity.email = user.email.spelled().to_owned();
            identity.sub = user.id.to_string();
            identity.user = known_by(identity.sub.clone(), &identity.email);
            identity.name = user.name.clone();
            if settings.style != Style::None {
                let only = by.key.organisation_id.as_ref();
                identity.groups = gates::groups(conn, application, &user.id, only)?;
            }
        }
        KeyOwner::Organisation(own) => {
            identity.user = known_by(identity.sub.clone(), "");
            identity.groups = vec![format!("{}:{}", own.slug, by.key.id)];
        }
    }
    Ok(identity)
}
