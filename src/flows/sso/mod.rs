//! Single sign-on as an organisation's owners set it up: what to tell the identity provider, connections, domains, and
//! what came of the last sign-ins.

mod access;
mod attempts;
mod client_fields;
mod client_form;
mod domains;
mod form;
mod like;
mod likes;
mod likes_oidc;
mod metadata;
mod settings;
mod setup;
mod setup_link;
mod steps;
mod views;

use actix_web::web::Data;
use askama::Template;
use serde::Serialize;

pub(crate) use self::{
    attempts::attempt,
    domains::{add, check, choose, enforce, release, remove as remove_domain},
    metadata::{metadata_form, read_now, replace_metadata},
    settings::{create, new, remove as remove_connection, save, show},
    setup::{set_up, show_setup},
    setup_link::{make_setup_link, revoke_setup_link, switch_on},
};

use self::{
    access::{SsoAdmin, owned},
    attempts::AttemptView,
    views::{ConnectionView, OrganisationView, ServiceView},
};
use crate::{
    accounts::{members, sso_policy},
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Error, Errors, Result},
    ids::{ConnectionId, DomainId, OrganisationId, UserId},
    model::{
        connection::{self, Connection},
        domain::{self, Domain, GRACE},
        organisation::Organisation,
        sso_attempt,
    },
    web::Reply,
};

/// All that owners see of single sign-on.
#[derive(Template, Serialize)]
#[template(path = "sso.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct OverviewPage {
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

/// A domain in the list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DomainView {
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
pub(crate) struct OwnerView {
    id: UserId,
    name: String,
    email: String,
    can_break_glass: bool,
}

/// `GET /organisations/{slug}/sso`
pub(crate) async fn overview(me: SsoAdmin, app: Data<App>) -> Result<Reply> {
    let organisation = owned(&me, &app).await?;
    Ok(Reply::page(OverviewPage::of(&app, organisation, Errors::default()).await?))
}

impl OverviewPage {
    async fn of(app: &App, organisation: Organisation, errors: Errors) -> Result<Self> {
        let service = ServiceView::of(app);
        let (now, keys, site) = (app.now(), app.config().keys.clone(), app.config().site.clone());
        app.read(move |conn| {
            let connections = connection::of(conn, &organisation.id)?;
            let owners = owners(conn, &organisation.id)?;
            let domains = domain::of(conn, &organisation.id)?;
            let attempts = sso_attempt::seen_by(conn, &organisation.id)?;
            Ok(Self {
                organisation: (&organisation).into(),
                service: service.clone(),
                domains: domains.into_iter().map(|one| DomainView::new(one, &connections, &owners)).collect(),
                connections: connections
                    .into_iter()
                    .map(|one| ConnectionView::new(one, now, &site))
                    .collect(),
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
    let owners = members::owners(conn, organisation)?;
    owners
        .into_iter()
        .map(|owner| {
            let can_break_glass = sso_policy::can_break_glass(conn, &owner.id)?;
            let email = owner.email.spelled().to_owned();
            Ok(OwnerView { id: owner.id, name: owner.name, email, can_break_glass })
        })
        .collect()
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
