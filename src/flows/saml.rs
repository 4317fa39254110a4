//! Signing in through one's organisation (SAML 2.0 web browser single sign-on, saml-profiles §4.1).
//!
//! The callback is a cross-site POST: it reads nothing from the Lax cookies and signs nobody in. It leaves what was
//! proved under a one-time secret, and the browser comes for it by itself, with its cookies.

mod acs;
mod authn_request;
mod complete;
mod logout;
mod sign_out;

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{authn_request::SSO_REFUSED, sso_attempts::Fault},
    app::App,
    error::{Error, Result},
    ids::AttemptId,
    kinds::Role,
    model::{
        connection, service_key,
        sso_attempt::{CheckDetail, Detail},
        sso_session::SsoSession,
        token::AuthnRequestState,
    },
    saml::{self, Reason, Refusal},
};

pub(crate) use self::{
    acs::{assertion_consumer_service, say_refused},
    authn_request::{go, test, test_by_link},
    complete::complete,
    logout::{logout, logout_by_post},
    sign_out::{offer_sign_out, sign_out},
};

const SEAL: &str = "saml_arrival";

/// A response that passed, while its browser comes for it.
#[derive(Serialize, Deserialize)]
struct Handoff {
    asked: AuthnRequestState,
    attempt: AttemptId,
    /// What identified people at the connection when this came.
    identifier: String,
    name: saml::Name,
    email: Option<String>,
    shown: Option<String>,
    role: Role,
    session_ends_at: Option<i64>,
    sso: Option<SsoSession>,
}

impl From<Box<Refusal>> for Fault {
    fn from(refusal: Box<Refusal>) -> Self {
        let Refusal { reason, checks, is_signed, name_id, attributes } = *refusal;
        let came = match (reason, &name_id) {
            (Reason::NameFormat, Some(name)) => Some(format!("It came as {}.", name.format)),
            (Reason::StatusFailed, _) => {
                let failed = checks.iter().find(|check| check.failed == Some(reason));
                failed.and_then(|check| Some(format!("It says: {}", check.found.as_ref()?)))
            }
            _ => None,
        };
        let sentence = [Some(reason.sentence().to_owned()), came].into_iter().flatten();
        let (name_id, name_format) = name_id.map(|name| (name.value, name.format)).unzip();
        let detail = Detail {
            reason: Some(sentence.collect::<Vec<_>>().join(" ")),
            name_id,
            name_format,
            checks: self::checks(&checks),
            attributes: self::attributes(&attributes),
            ..Detail::default()
        };
        Self { code: reason.code(), is_signed, detail }
    }
}

/// Whether the identity provider may have changed its keys.
fn may_be_of_another_key(fault: &Fault) -> bool {
    let reasons = [Reason::BadSignature, Reason::KeyKind, Reason::CertificateExpired];
    reasons.iter().any(|reason| reason.code() == fault.code)
}

/// `GET /auth/saml/metadata`
pub(crate) async fn metadata(app: Data<App>) -> Result<HttpResponse> {
    let config = app.config().clone();
    let (service, are_all_signed) = app
        .read(move |conn| Ok((service_key::service(conn, &config)?, !connection::is_any_unsigned(conn)?)))
        .await?;
    let document = tokio::task::spawn_blocking(move || saml::metadata(&service, are_all_signed)).await;
    let document = document.map_err(Error::internal)??;
    Ok(HttpResponse::Ok().content_type("application/samlmetadata+xml").body(document))
}

/// `GET /auth/saml/certificate`: the certificate of the key in use, as a file, where an identity provider asks for that.
pub(crate) async fn certificate(app: Data<App>) -> Result<HttpResponse> {
    let config = app.config().clone();
    let service = app.read(move |conn| service_key::service(conn, &config)).await?;
    let key = service.keys.first().ok_or(Error::NotFound)?;
    Ok(HttpResponse::Ok()
        .content_type("application/x-pem-file")
        .insert_header(("content-disposition", "attachment; filename=\"saml-certificate.pem\""))
        .body(key.certificate_pem()?))
}

fn checks(checks: &[saml::Check]) -> Vec<CheckDetail> {
    let detail = |check: &saml::Check| CheckDetail {
        says: check.says.to_owned(),
        failed: check.failed.map(|reason| reason.sentence().to_owned()),
        expected: check.expected.clone(),
        found: check.found.clone(),
    };
    checks.iter().map(detail).collect()
}

fn attributes(attributes: &[saml::Attribute]) -> Vec<(String, Vec<String>)> {
    attributes.iter().map(|one| (one.name.clone(), one.values.clone())).collect()
}

fn refused(error: Error) -> Error {
    match error {
        Error::DeadLink | Error::NotFound => SSO_REFUSED.error(),
        other => other,
    }
}
