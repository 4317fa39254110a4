//! Applications: what people use with their account here. A gate is a host before which a proxy asks this site; every other kind
//! is in [`client`].

pub(crate) mod client;

use chrono::TimeDelta;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::{
    clock::Timestamp,
    db::{Conn, Tx, schema::applications},
    error::{Error, Result},
    ids::{ApplicationId, Id, OrganisationId},
    text_enum,
};

text_enum! {
    /// What kind of application it is.
    Kind {
        /// A host that a proxy guards.
        Gate => "gate",
        /// A site with a server that keeps a secret.
        Web => "web",
        /// A site whose scripts do everything in the browser.
        Browser => "browser",
        /// A program on somebody's own device.
        Native => "native",
        /// A program that acts for itself and nobody else.
        Service => "service",
    }
}

text_enum! {
    /// How the headers are called that tell an application who is there.
    Style {
        /// `Remote-User`, `Remote-Email`, `Remote-Name`, `Remote-Groups`.
        Remote => "remote",
        /// `X-Auth-Request-User`, `-Email`, `-Preferred-Username`, `-Groups`.
        XAuthRequest => "x-auth-request",
        /// `X-Forwarded-User`, `-Email`, `-Groups`.
        XForwarded => "x-forwarded",
        /// None of them.
        None => "none",
    }
}

text_enum! {
    /// What an application knows a user by.
    UserHeader {
        /// By the id, which is never used again.
        Id => "id",
        /// By the address, where it is confirmed.
        Email => "email",
    }
}

/// What a visitor needs, besides an account with a confirmed address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Needs {
    /// Two factors in the session.
    pub second_factor: bool,
    /// A sign-in or step-up that is at most so many seconds old.
    #[serde(rename = "recent")]
    pub max_age: Option<i64>,
    /// A membership: any one of these, where there are some.
    pub members: Vec<MemberNeed>,
}

/// A membership that lets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemberNeed {
    /// Of which organisation.
    pub organisation: OrganisationId,
    /// A built-in role or a more powerful one, the id of a custom role, or a permission; nothing: any member.
    pub role: Option<String>,
}

/// How a gate behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct GateSettings {
    /// Paths that are open, with everything below them.
    pub open: Vec<String>,
    /// What the headers are called.
    pub style: Style,
    /// What is in the one for the user.
    pub user: UserHeader,
    /// Origins that may send more than questions.
    pub origins: Vec<String>,
    /// Whether programs come in with API keys (RFC 6750).
    pub takes_keys: bool,
    /// Whether it is told who is there in a token, too, that it can check by itself.
    pub signs: bool,
    /// Whether a preflight (Fetch standard, CORS-preflight) is passed on.
    pub passes_preflight: bool,
    /// The path below which this site answers at the host, without a slash at its end.
    pub prefix: String,
}

/// The path below which this site answers at a host, unless the application has something there.
pub(crate) const PREFIX: &str = "/.vestibule";

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            open: Vec::new(),
            style: Style::Remote,
            user: UserHeader::Id,
            origins: Vec::new(),
            takes_keys: false,
            signs: false,
            passes_preflight: false,
            prefix: PREFIX.to_owned(),
        }
    }
}

/// A gate.
#[derive(Debug, Clone)]
pub(crate) struct Application {
    /// Opaque.
    pub id: ApplicationId,
    /// Of which kind.
    pub kind: Kind,
    /// What people call it.
    pub name: String,
    /// A gate's host, with its port unless that is the scheme's own.
    pub host: String,
    /// What a visitor needs.
    pub needs: Needs,
    /// How the gate behaves.
    pub settings: GateSettings,
    /// When it was added.
    pub created_at: Timestamp,
    /// Since when nobody comes in.
    pub disabled_at: Option<Timestamp>,
    /// The proxy that asked last, and when.
    pub asked: Option<(String, Timestamp)>,
    /// Who asked last without being a proxy of `TRUSTED_PROXIES`, and when.
    pub refused: Option<(String, Timestamp)>,
}

/// An application as its table has it.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = applications)]
pub(crate) struct Row {
    id: ApplicationId,
    kind: Kind,
    name: String,
    host: Option<String>,
    needs: String,
    settings: String,
    created_at: Timestamp,
    disabled_at: Option<Timestamp>,
    asked_by: Option<String>,
    asked_at: Option<Timestamp>,
    refused_peer: Option<String>,
    refused_at: Option<Timestamp>,
}

impl TryFrom<Row> for Application {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            kind: row.kind,
            name: row.name,
            host: row.host.unwrap_or_default(),
            needs: serde_json::from_str(&row.needs)?,
            settings: serde_json::from_str(&row.settings)?,
            created_at: row.created_at,
            disabled_at: row.disabled_at,
            asked: row.asked_by.zip(row.asked_at),
            refused: row.refused_peer.zip(row.refused_at),
        })
    }
}

impl Application {
    /// A gate at a host, that asks for nothing yet.
    pub(crate) fn gate(host: String, name: String, now: Timestamp) -> Result<Self> {
        Ok(Self {
            id: Id::random()?,
            kind: Kind::Gate,
            name,
            host,
            needs: Needs::default(),
            settings: GateSettings::default(),
            created_at: now,
            disabled_at: None,
            asked: None,
            refused: None,
        })
    }

    /// The address of a path below the prefix at its host: `https://wiki.example.com/.vestibule/start`.
    pub(crate) fn link(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{}{path}", self.host, self.settings.prefix)
    }

    /// Its origin, as a browser sends it.
    pub(crate) fn origin(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.host)
    }
}

/// A host as it is compared: lower case, in Punycode, without a full stop at its end, with the port unless it is the
/// scheme's own. Nothing where it is none.
pub(crate) fn parse_host(text: &str, scheme: &str) -> Option<String> {
    let is_plain = |c: char| c.is_alphanumeric() || ".-_:[]".contains(c);
    if text.is_empty() || text.len() > 300 || !text.chars().all(is_plain) {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{text}/")).ok()?;
    let name = match url.host()? {
        Host::Domain(name) => name.strip_suffix('.').unwrap_or(name).to_owned(),
        Host::Ipv4(ip) => ip.to_string(),
        Host::Ipv6(ip) => format!("[{ip}]"),
    };
    if name.is_empty() || name.ends_with('.') {
        return None;
    }
    Some(url.port().map_or(name.clone(), |port| format!("{name}:{port}")))
}

/// Adds an application; `false` where another has the host.
pub(crate) fn insert(tx: &mut Tx, new: &Application) -> Result<bool> {
    let row = (
        applications::id.eq(&new.id),
        applications::kind.eq(new.kind),
        applications::name.eq(&new.name),
        applications::host.eq(&new.host),
        applications::needs.eq(serde_json::to_string(&new.needs)?),
        applications::settings.eq(serde_json::to_string(&new.settings)?),
        applications::created_at.eq(new.created_at),
    );
    let added =
        tx.allow_unique_violation(|conn| diesel::insert_into(applications::table).values(row).execute(conn))?;
    Ok(added.is_some())
}

/// Keeps another name, other needs and other settings.
pub(crate) fn update(tx: &mut Tx, changed: &Application) -> Result<()> {
    diesel::update(applications::table.find(&changed.id))
        .set((
            applications::name.eq(&changed.name),
            applications::needs.eq(serde_json::to_string(&changed.needs)?),
            applications::settings.eq(serde_json::to_string(&changed.settings)?),
        ))
        .execute(tx.conn)?;
    Ok(())
}

/// Takes an application out of use, or back into it. Says whether that changed anything.
pub(crate) fn set_disabled(tx: &mut Tx, id: &ApplicationId, is_disabled: bool) -> Result<bool> {
    let row = applications::table.find(id);
    let changed = match is_disabled {
        true => diesel::update(row.filter(applications::disabled_at.is_null()))
            .set(applications::disabled_at.eq(tx.now))
            .execute(tx.conn)?,
        false => diesel::update(row.filter(applications::disabled_at.is_not_null()))
            .set(applications::disabled_at.eq(None::<Timestamp>))
            .execute(tx.conn)?,
    };
    Ok(changed > 0)
}

/// Removes an application, and with it every browser that came in.
pub(crate) fn delete(tx: &mut Tx, id: &ApplicationId) -> Result<bool> {
    Ok(diesel::delete(applications::table.find(id)).execute(tx.conn)? > 0)
}

/// Every gate, by host.
pub(crate) fn all(conn: &mut Conn) -> Result<Vec<Application>> {
    let rows: Vec<Row> = applications::table
        .filter(applications::kind.eq(Kind::Gate))
        .order((applications::host, applications::id))
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(Application::try_from).collect()
}

/// The application of a host, in use or not.
pub(crate) fn of_host(conn: &mut Conn, host: &str) -> Result<Option<Application>> {
    let found = applications::table.filter(applications::host.eq(host)).select(Row::as_select());
    found.get_result(conn).optional()?.map(Application::try_from).transpose()
}

// Proxies ask all the time, and strangers may.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);
const NOTED_AT_LEAST: TimeDelta = TimeDelta::hours(1);

/// Whether it is to be noted that `peer` asks: another one than before, at most once a minute, and the same once an hour.
pub(crate) fn needs_note(before: Option<&(String, Timestamp)>, peer: &str, now: Timestamp) -> bool {
    before.is_none_or(|(known, at)| {
        let since = now - *at;
        since >= NOTED_AT_LEAST || (known != peer && since >= NOTED_EVERY) || *at > now.latest_start()
    })
}

/// Notes which proxy asks, for an operator.
pub(crate) fn note_asked(tx: &mut Tx, id: &ApplicationId, peer: &str) -> Result<()> {
    diesel::update(applications::table.find(id))
        .set((applications::asked_by.eq(peer), applications::asked_at.eq(tx.now)))
        .execute(tx.conn)?;
    Ok(())
}

/// Notes who asks without being a proxy of `TRUSTED_PROXIES`.
pub(crate) fn note_refused(tx: &mut Tx, id: &ApplicationId, peer: &str) -> Result<()> {
    diesel::update(applications::table.find(id))
        .set((applications::refused_peer.eq(peer), applications::refused_at.eq(tx.now)))
        .execute(tx.conn)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_one_however_it_is_written_case_a8_18() {
        for (text, host) in [
            ("wiki.example.com", "wiki.example.com"),
            ("WIKI.Example.com.", "wiki.example.com"),
            ("wiki.example.com:443", "wiki.example.com"),
            ("wiki.example.com:8443", "wiki.example.com:8443"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("[::1]:8080", "[::1]:8080"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(parse_host(text, "https").as_deref(), Some(host), "{text}");
        }
        for text in ["", ".", "a..", "a/b", "a@b", "a?b", "a#b", "a b", "a\\b", "a%2eb", "a,b", "a:x", "\0"] {
            assert_eq!(parse_host(text, "https"), None, "{text}");
        }
    }
}
