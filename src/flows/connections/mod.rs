//! Single sign-on as an organisation's owners set it up: what to tell the identity provider, connections, domains, and
//! what came of the last sign-ins.

mod domains;
mod form;
mod settings;

use actix_web::web::{Data, Path};
use askama::Template;
use chrono::TimeDelta;
use serde::Serialize;

pub use domains::{add, check, choose, enforce, release, remove as remove_domain};
pub use settings::{
    attempt, create, metadata_form, new, remove as remove_connection, replace_metadata, save, show,
};

use crate::{
    accounts::sso_policy,
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Error, Errors, Result},
    ids::{AttemptId, ConnectionId, DomainId, OrganisationId, UserId},
    model::{
        connection::{self, Connection, upkeep},
        domain::{self, Domain, GRACE},
        membership,
        organisation::{self, Organisation},
        rate_limit::{self, Limit},
        sso_attempt::{self as attempts, SsoAttempt},
    },
    secret::Keys,
    web::{Reply, SteppedUpVerifiedUser},
};

// Questions to the world that one owner may have asked in an hour: the DNS and other people's servers answer them.
const MOST_QUESTIONS: i32 = 60;

/// All that owners see of single sign-on.
#[derive(Template, Serialize)]
#[template(path = "sso.html")]
#[serde(rename_all = "camelCase")]
pub struct OverviewPage {
    organisation: OrganisationView,
    service: ServiceView,
    connections: Vec<ConnectionView>,
    domains: Vec<DomainView>,
    owners: Vec<OwnerView>,
    attempts: Vec<AttemptView>,
    #[serde(skip)]
    typed: String,
    #[serde(skip)]
    errors: Errors,
}

/// The organisation that it is about.
#[derive(Debug, Clone, Serialize)]
pub struct OrganisationView {
    name: String,
    slug: String,
}

/// What an identity provider has to be told about this house.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceView {
    entity_id: String,
    acs_url: String,
    metadata: String,
}

/// A connection in the list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionView {
    id: ConnectionId,
    name: String,
    issuer: String,
    metadata_url: Option<String>,
    read_at: Timestamp,
    read_error: Option<String>,
    expires_at: Timestamp,
    expires_in_days: i64,
    tested_at: Option<Timestamp>,
    created_at: Timestamp,
}

/// A domain in the list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DomainView {
    id: DomainId,
    name: String,
    connection_id: Option<ConnectionId>,
    connection_name: Option<String>,
    record_name: String,
    record_text: String,
    #[serde(rename = "provedAt")]
    verified_at: Option<Timestamp>,
    #[serde(rename = "provedBy")]
    verified_by: Option<String>,
    checked_at: Option<Timestamp>,
    gone_since: Option<Timestamp>,
    #[serde(rename = "proofEndsAt")]
    verification_ends_at: Option<Timestamp>,
    is_tested: bool,
    is_enforced: bool,
    break_glass: Option<OwnerView>,
}

/// An owner, and whether they can come in when the identity provider does not work.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerView {
    id: UserId,
    name: String,
    email: String,
    can_break_glass: bool,
}

/// A response of an identity provider, in words.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptView {
    id: AttemptId,
    connection_id: ConnectionId,
    at: Timestamp,
    is_test: bool,
    succeeded: bool,
    outcome: String,
    says: String,
}

/// `GET /organisations/{slug}/sso`
pub async fn overview(me: SteppedUpVerifiedUser, slug: Path<String>, app: Data<App>) -> Result<Reply> {
    let organisation = owned(&me, &slug, &app).await?;
    Ok(Reply::page(OverviewPage::of(&app, organisation, Errors::default()).await?))
}

/// The organisation, for its owners; see [`organisation::owned_by`].
async fn owned(me: &SteppedUpVerifiedUser, slug: &str, app: &App) -> Result<Organisation> {
    let (slug, id) = (slug.to_owned(), me.user.id.clone());
    app.read(move |conn| organisation::owned_by(conn, &slug, &id)).await
}

/// Counts a question to the world.
async fn count_question(me: &SteppedUpVerifiedUser, app: &App) -> Result<()> {
    let limit = Limit::new("sso-question", me.user.id.as_str(), MOST_QUESTIONS, TimeDelta::hours(1));
    app.write(move |tx| rate_limit::consume(tx, &limit)).await
}

fn path_of(organisation: &Organisation) -> String {
    format!("/organisations/{}/sso", organisation.slug)
}

impl OverviewPage {
    async fn of(app: &App, organisation: Organisation, errors: Errors) -> Result<Self> {
        let service = ServiceView::of(app);
        let (now, keys) = (app.now(), app.config().keys.clone());
        app.read(move |conn| {
            let connections = connection::of(conn, &organisation.id)?;
            let owners = owners(conn, &organisation.id)?;
            let domains = domain::of(conn, &organisation.id)?;
            let attempts = attempts::seen_by(conn, &organisation.id)?;
            Ok(Self {
                organisation: (&organisation).into(),
                service: service.clone(),
                domains: domains.into_iter().map(|one| DomainView::new(one, &connections, &owners)).collect(),
                connections: connections.into_iter().map(|one| ConnectionView::new(one, now)).collect(),
                owners,
                attempts: attempts.iter().map(|one| AttemptView::new(one, &keys)).collect(),
                typed: String::new(),
                errors: errors.clone(),
            })
        })
        .await
    }

    /// The same page again, with what is wrong.
    async fn refuse(app: &App, organisation: Organisation, typed: String, error: Error) -> Result<Reply> {
        let errors = match &error {
            Error::Invalid(errors) => errors.clone(),
            error => Errors::one("form", error.to_string()),
        };
        // There is a form of each kind for every domain: only the one for a new one can be led to.
        let mut shown = Errors::default();
        for (field, sentences) in errors.iter() {
            let field = if field == "domain" { "domain" } else { "form" };
            sentences.iter().for_each(|sentence| shown.add(field, sentence));
        }
        let page = Self { typed, ..Self::of(app, organisation, shown).await? };
        Ok(Reply::refused(page, error))
    }
}

fn owners(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<OwnerView>> {
    let owners = membership::owners(conn, organisation)?;
    owners
        .into_iter()
        .map(|owner| {
            let can_break_glass = sso_policy::can_break_glass(conn, &owner.id)?;
            let email = owner.email.spelled().to_owned();
            Ok(OwnerView { id: owner.id, name: owner.name, email, can_break_glass })
        })
        .collect()
}

impl From<&Organisation> for OrganisationView {
    fn from(organisation: &Organisation) -> Self {
        Self { name: organisation.name.clone(), slug: organisation.slug.clone() }
    }
}

impl ServiceView {
    fn of(app: &App) -> Self {
        let link = |path| app.config().site.link(path);
        Self {
            entity_id: link("/auth/saml/metadata"),
            acs_url: link("/auth/saml/callback"),
            metadata: link("/auth/saml/metadata"),
        }
    }
}

impl ConnectionView {
    fn new(connection: Connection, now: Timestamp) -> Self {
        Self {
            expires_in_days: (connection.expires_at - now).num_days(),
            id: connection.id,
            name: connection.name,
            issuer: connection.issuer,
            metadata_url: connection.metadata_url,
            read_at: connection.read_at,
            read_error: connection.read_error,
            expires_at: connection.expires_at,
            tested_at: connection.tested_at,
            created_at: connection.created_at,
        }
    }

    fn is_expiring(&self) -> bool {
        self.expires_in_days <= i64::from(upkeep::WARNINGS[0])
    }

    fn is_expired(&self, now: &Timestamp) -> bool {
        self.expires_at <= *now
    }
}

impl DomainView {
    fn new(domain: Domain, connections: &[Connection], owners: &[OwnerView]) -> Self {
        let led_to = connections.iter().find(|one| domain.connection_id.as_ref() == Some(&one.id));
        let named = owners.iter().find(|owner| domain.break_glass_id.as_ref() == Some(&owner.id));
        Self {
            record_name: domain.record_name(),
            connection_name: led_to.map(|one| one.name.clone()),
            is_tested: led_to.is_some_and(|one| one.tested_at.is_some()),
            break_glass: named.cloned(),
            verification_ends_at: domain.gone_since.map(|since| since + GRACE),
            id: domain.id,
            name: domain.name,
            connection_id: domain.connection_id,
            record_text: domain.challenge,
            verified_at: domain.verified_at,
            verified_by: domain.verified_by,
            checked_at: domain.checked_at,
            gone_since: domain.gone_since,
            is_enforced: domain.is_enforced,
        }
    }

    fn is_kept_open(&self) -> bool {
        self.break_glass.as_ref().is_some_and(|owner| owner.can_break_glass)
    }

    fn leads_to(&self, connection: &ConnectionView) -> bool {
        self.connection_id.as_ref() == Some(&connection.id)
    }
}

impl AttemptView {
    fn new(attempt: &SsoAttempt, keys: &Keys) -> Self {
        let succeeded = attempt.outcome == "success";
        // What was sealed with a key that is gone still has its outcome.
        let reason = attempt.detail(keys).ok().and_then(|detail| detail.reason);
        let fallback = if succeeded { "Every check passed." } else { "It was refused." };
        Self {
            id: attempt.id.clone(),
            connection_id: attempt.connection_id.clone(),
            at: attempt.at,
            is_test: attempt.is_test,
            succeeded,
            outcome: attempt.outcome.clone(),
            says: reason.unwrap_or_else(|| fallback.to_owned()),
        }
    }
}
