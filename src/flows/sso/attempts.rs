//! What came of the last responses, for owners: in a line each, and in full with what to do about it.

use actix_web::web::{Data, Path};
use askama::Template;
use serde::Serialize;

use super::{
    access::{SsoAdmin, find},
    views::{ConnectionView, OrganisationView},
};
use crate::{
    app::App,
    clock::Timestamp,
    error::Result,
    ids::{AttemptId, ConnectionId},
    model::sso_attempt::{self, Detail, SsoAttempt},
    saml::Reason,
    secret::Keys,
    web::Reply,
};

/// A response of an identity provider, in words.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttemptView {
    pub(super) id: AttemptId,
    pub(super) connection_id: ConnectionId,
    pub(super) at: Timestamp,
    pub(super) is_test: bool,
    pub(super) succeeded: bool,
    pub(super) outcome: String,
    /// The number that a person can read out.
    pub(super) reference: String,
    /// The address, or else what the person is known by.
    pub(super) subject: Option<String>,
    pub(super) role: Option<String>,
    pub(super) says: String,
}

/// What came of a response, in full.
#[derive(Template, Serialize)]
#[template(path = "sso_attempt.html")]
pub(crate) struct AttemptPage {
    organisation: OrganisationView,
    connection: ConnectionView,
    attempt: AttemptView,
    detail: Detail,
    advice: &'static [Advice],
}

/// What to set at an identity provider.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Advice {
    /// The identity provider.
    provider: &'static str,
    /// Where and what.
    says: &'static str,
}

/// Where each common identity provider says in which format it names people. Its default is often none that lasts.
const NAME_ID: [Advice; 9] = [
    Advice {
        provider: "Okta",
        says: "In the app's General tab, edit SAML Settings and set Name ID format to EmailAddress or Persistent.",
    },
    Advice {
        provider: "Microsoft Entra ID",
        says: "Under Single sign-on, Attributes & Claims, open Unique User Identifier (Name ID) and set Name identifier \
               format to Persistent with the source attribute user.objectid, or to Email address.",
    },
    Advice {
        provider: "Google Workspace",
        says: "In the app's Service provider details, set Name ID format to PERSISTENT or EMAIL.",
    },
    Advice {
        provider: "OneLogin",
        says: "On the application's Configuration tab, set SAML nameID format to Email or Persistent.",
    },
    Advice {
        provider: "JumpCloud",
        says: "In the application's SSO tab, set SAMLSubject NameID Format to one that ends in persistent or emailAddress.",
    },
    Advice {
        provider: "Auth0",
        says: "In the SAML2 Web App addon's Settings, set nameIdentifierFormat to \
               urn:oasis:names:tc:SAML:2.0:nameid-format:persistent.",
    },
    Advice {
        provider: "Keycloak",
        says: "In the client's Settings, set Name ID format to persistent or email and turn Force name ID format on.",
    },
    Advice {
        provider: "AD FS",
        says: "Edit the claim issuance policy of the relying party trust: transform an incoming claim to Name ID, with the \
               outgoing name ID format Email or Persistent Identifier.",
    },
    Advice {
        provider: "Shibboleth",
        says: "Turn on the persistent generator in saml-nameid.xml, set idp.persistentId.sourceAttribute in \
               saml-nameid.properties, and name the format in nameIDFormatPrecedence for this service.",
    },
];

impl AttemptView {
    pub(super) fn new(attempt: &SsoAttempt, keys: &Keys) -> Self {
        let succeeded = attempt.outcome == "success";
        // What was sealed with a key that is gone still has its outcome.
        let Detail { reason, email, subject, name_id, role, .. } = attempt.detail(keys).unwrap_or_default();
        let fallback = if succeeded { "Every check passed." } else { "It was refused." };
        Self {
            id: attempt.id.clone(),
            connection_id: attempt.connection_id.clone(),
            at: attempt.at,
            is_test: attempt.is_test,
            succeeded,
            outcome: attempt.outcome.clone(),
            reference: sso_attempt::reference(&attempt.id),
            subject: email.or(subject).or(name_id),
            role,
            says: reason.unwrap_or_else(|| fallback.to_owned()),
        }
    }
}

/// `GET /organisations/{slug}/sso/{connection}/attempts/{attempt}`: all that a response said, and each check.
pub(crate) async fn attempt(
    me: SsoAdmin,
    path: Path<(String, ConnectionId, AttemptId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (slug, id, attempt) = path.into_inner();
    let (organisation, connection) = find(&me, (slug, id), &app).await?;
    let of = connection.id.clone();
    let attempt = app.read(move |conn| sso_attempt::one(conn, &of, &attempt)).await?;
    let keys = &app.config().keys;
    let advice: &[Advice] = if attempt.outcome == Reason::NameFormat.code() { &NAME_ID } else { &[] };
    Ok(Reply::page(AttemptPage {
        organisation: (&organisation).into(),
        connection: ConnectionView::new(connection, app.now(), &app.config().site),
        attempt: AttemptView::new(&attempt, keys),
        detail: attempt.detail(keys)?,
        advice,
    }))
}
