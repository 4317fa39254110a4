//! Gates: whether somebody comes in at the host of an application, asked by the proxy before it at every request.
//!
//! One indexed query finds the application by its host, and by the secret in that host's cookie the session, which is a
//! child of one here, and whose it is. Nothing is cached: what ends a session ends it at every host.

use std::net::IpAddr;

use diesel::prelude::*;

use super::gate_needs::{self, Candidate, Missing, Raised};
use crate::{
    clock::Timestamp,
    db::{
        Conn,
        schema::{applications, gate_sessions, sessions, users},
    },
    direct,
    error::Result,
    ids::{OrganisationId, UserId},
    mail::EmailAddress,
    model::{
        application::{self, Application, Style, UserHeader},
        gate_session::GateSecret,
        organisation,
        session::{Acr, Authentication, CurrentSession},
    },
};

/// Whose session it is.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct GateUser {
    /// Opaque.
    pub id: UserId,
    /// Their address.
    pub email: EmailAddress,
    email_verified_at: Option<Timestamp>,
    /// What they want to be called.
    pub name: String,
    deletes_at: Option<Timestamp>,
}

/// A browser at a host, and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct GateVisitor {
    /// Who.
    pub user: GateUser,
    /// Through which session here.
    pub session: CurrentSession,
    /// How that was authenticated.
    pub authentication: Authentication,
    /// The secret that said so.
    pub secret: GateSecret,
}

impl GateVisitor {
    /// As needs look at them.
    pub(crate) fn candidate(&self, ip: Option<IpAddr>) -> Candidate<'_> {
        Candidate {
            user: &self.user.id,
            is_verified: self.user.email_verified_at.is_some(),
            is_leaving: self.user.deletes_at.is_some(),
            authentication: &self.authentication,
            through: (&self.session, ip),
        }
    }
}

/// The application of a host, where it is in use, and the live visitor that one of these secrets is of.
pub(crate) fn at_host(
    conn: &mut Conn,
    host: &str,
    secrets: &[GateSecret],
    now: Timestamp,
) -> Result<Option<(Application, Option<GateVisitor>)>> {
    let mut found = None;
    // One, unless a neighbour's cookie has our name.
    for secret in secrets {
        found = with_secret(conn, host, secret, now)?;
        if !matches!(found, Some((_, None))) {
            return Ok(found);
        }
    }
    if secrets.is_empty() {
        let application = application::of_host(conn, host)?;
        let in_use = application.filter(|application| application.disabled_at.is_none());
        return Ok(in_use.map(|application| (application, None)));
    }
    Ok(found)
}

fn with_secret(
    conn: &mut Conn,
    host: &str,
    secret: &GateSecret,
    now: Timestamp,
) -> Result<Option<(Application, Option<GateVisitor>)>> {
    type Found = (application::Row, Option<CurrentSession>, Option<Authentication>, Option<GateUser>);
    let is_here = gate_sessions::application_id
        .eq(applications::id)
        .and(gate_sessions::hash.eq(secret.digest()))
        .and(gate_sessions::expires_at.gt(now));
    let is_live = sessions::id
        .eq(gate_sessions::session_id)
        .and(sessions::expires_at.gt(now))
        .and(sessions::idle_expires_at.gt(now))
        .and(sessions::created_at.le(now.latest_start()))
        .and(sessions::locked_at.is_null());
    let is_open =
        users::id.eq(sessions::user_id).and(users::locked_at.is_null()).and(users::suspended_by.is_null());
    let found: Option<Found> = direct!(conn => applications::table
        .left_join(gate_sessions::table.on(is_here))
        .left_join(sessions::table.on(is_live))
        .left_join(users::table.on(is_open))
        .filter(applications::host.eq(host.to_owned()))
        .filter(applications::disabled_at.is_null())
        .select((
            application::Row::as_select(),
            Option::<CurrentSession>::as_select(),
            Option::<Authentication>::as_select(),
            Option::<GateUser>::as_select(),
        ))
        .get_result(conn))
    .optional()?;
    let Some((row, session, authentication, user)) = found else { return Ok(None) };
    let visitor = session.zip(authentication).zip(user).map(|((session, authentication), user)| {
        GateVisitor { user, session, authentication, secret: secret.clone() }
    });
    Ok(Some((row.try_into()?, visitor)))
}

/// What an application is told of a visitor.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Their id, or of an organisation's key its own.
    pub sub: String,
    /// The id, or the address where the application wants that and it is confirmed. Of an organisation's key, the key's own id.
    pub user: String,
    /// The confirmed address.
    pub email: String,
    /// What they want to be called.
    pub name: String,
    /// `slug:role` of each organisation that is of interest, the role a word or an id.
    pub groups: Vec<String>,
    /// How strongly they showed who they are; nothing where a program comes.
    pub acr: Option<Acr>,
    /// When they last did.
    pub authenticated_at: Option<Timestamp>,
}

// Where an application asks for no organisation, all of them are told as long as there are no more than this.
const MOST_GROUPS: usize = 20;

/// What `application` is told of `visitor`.
pub(crate) fn identity(
    conn: &mut Conn,
    application: &Application,
    visitor: &GateVisitor,
    now: Timestamp,
) -> Result<Identity> {
    let GateVisitor { user, authentication, .. } = visitor;
    let email = match user.email_verified_at {
        Some(_) => user.email.spelled().to_owned(),
        None => String::new(),
    };
    let groups = match application.settings.style {
        Style::None => Vec::new(),
        _ => groups(conn, application, &user.id, None)?,
    };
    Ok(Identity {
        sub: user.id.to_string(),
        user: match application.settings.user {
            UserHeader::Id => user.id.to_string(),
            UserHeader::Email => email.clone(),
        },
        email,
        name: user.name.clone(),
        groups,
        acr: Some(authentication.acr()),
        authenticated_at: Some(authentication.at(now)),
    })
}

/// The organisations of a user that are of interest to an application, or the only one that there is to tell of.
pub(crate) fn groups(
    conn: &mut Conn,
    application: &Application,
    user: &UserId,
    only: Option<&OrganisationId>,
) -> Result<Vec<String>> {
    let mut mine = organisation::roles_in(conn, user)?;
    mine.retain(|(id, ..)| only.is_none_or(|only| only == id));
    let named = &application.needs.members;
    mine.retain(|(id, ..)| named.is_empty() || named.iter().any(|need| need.organisation == *id));
    if named.is_empty() && mine.len() > MOST_GROUPS {
        mine.clear();
    }
    Ok(mine.into_iter().map(|(_, slug, role, _)| format!("{slug}:{role}")).collect())
}

/// What comes of a visitor at a host.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// They come in.
    Allowed(Box<Identity>),
    /// Nobody is signed in there.
    SignedOut,
    /// They are, and this is missing.
    Refused(Missing),
}

/// Whether `visitor` comes in, whose client is there.
pub(crate) fn judge(
    conn: &mut Conn,
    application: &Application,
    (visitor, ip): (Option<&GateVisitor>, Option<IpAddr>),
    raised: &Raised,
    now: Timestamp,
) -> Result<Judgement> {
    let Some(visitor) = visitor else { return Ok(Judgement::SignedOut) };
    let missing = gate_needs::missing(conn, &application.needs, raised, visitor.candidate(ip), now)?;
    Ok(match missing {
        Some(missing) => Judgement::Refused(missing),
        None => Judgement::Allowed(Box::new(identity(conn, application, visitor, now)?)),
    })
}

/// Whether a path is open: below one of `open`, in whole segments. One that a proxy and an application may read
/// differently never is.
pub(crate) fn is_open(open: &[String], path: &str) -> bool {
    is_plain(path)
        && open.iter().any(|prefix| {
            let prefix = prefix.trim_end_matches('/');
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// Whether every program reads a path alike.
pub(crate) fn is_plain(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let is_strange =
        ["//", "\\", ";", "%2e", "%2f", "%5c", "%00", "?", "#"].iter().any(|part| lower.contains(part));
    // A server may cut a fragment off, and take any byte that needs no encoding as it likes.
    let is_graphic = path.bytes().all(|b| b.is_ascii_graphic());
    path.starts_with('/')
        && is_graphic
        && !is_strange
        && !path.split('/').any(|segment| segment == "." || segment == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_path_is_whole_and_plain() {
        let open = ["/public".to_owned(), "/api/v1/".to_owned()];
        for path in ["/public", "/public/", "/public/a/b.css", "/api/v1", "/api/v1/x"] {
            assert!(is_open(&open, path), "{path}");
        }
        for path in [
            "/",
            "/publicity",
            "/api",
            "/api/v10",
            "/PUBLIC",
            "/public/../private",
            "/public/..",
            "/public/./x",
            "/public//x",
            "//public",
            "/public/%2e%2e/private",
            "/public/%2E%2e/private",
            "/public/..%2fprivate",
            "/public/%2Fx",
            "/public/%5c..%5cprivate",
            "/public\\..\\private",
            "/public;x=/../private",
            "/public/%00",
            "/public#x",
        ] {
            assert!(!is_open(&open, path), "{path}");
        }
        assert!(is_open(&["/".to_owned()], "/anything"));
    }
}
