//! What an organisation's identity provider answers comes to something: the same, by the same rules, as if it spoke SAML.

use actix_web::HttpRequest;

use super::{browser::Browser, exchange::Verified};
use crate::{
    accounts::{
        authn_request::SSO_REFUSED,
        oidc_request,
        sso_attempts::{self, Fault, Noted, Tester},
        sso_policy,
        sso_sign_in::{self, SsoResult, VerifiedIdentity},
    },
    app::App,
    db::Tx,
    error::{Error, Result},
    kinds::AuthMethod,
    model::{
        connection::{self, Connection, MappedProfile, client},
        sso_attempt::{CheckDetail, Detail},
        sso_session::SsoSession,
        token::{OidcRequestState, SsoIntent},
    },
    oidc::{Check, Refusal},
    saml::{Name, NameFormat},
    web::{Reply, error_body::status_of, sso_result},
};

/// What came of an answer.
enum Settled {
    /// The browser reads somewhere what came of a test, or that it was refused.
    Told(String),
    /// Somebody signs in, or does not.
    Came(SsoResult),
}

/// Does what the request was sent for. `seen` is the connection as the answer was checked by.
pub(super) async fn settle(
    app: &App,
    req: &HttpRequest,
    browser: &Browser,
    seen: &Connection,
    asked: &OidcRequestState,
    verified: Verified,
) -> Result<Reply> {
    let intent = asked.purpose.at_connection().ok_or(Error::NotFound)?;
    let next = oidc_request::next(&app.config().keys, asked)?;
    let held = browser.visitor.signed_in().map(|me| me.session.clone());
    let (client, seen, remembered) = (browser.client.clone(), seen.clone(), asked.remembered);
    let settled = app
        .write(move |tx| {
            let tester = Tester::of(&intent);
            let connection = connection::by_id(tx.conn, &seen.id)?;
            if connection.fingerprint() != seen.fingerprint() {
                let sentence = "The settings of the connection were changed during the sign-in.";
                let fault = Fault::new("settings_changed", true, sentence);
                return sso_attempts::note_fault(tx, &client, &connection, tester.as_ref(), &fault)
                    .map(Settled::Told);
            }
            let profile = connection.mapping()?.claimed_profile(&verified.claims, verified.unread.is_some());
            let name = Name { format: NameFormat::Subject, value: verified.profile.subject.clone() };
            let detail = detail(&verified, &profile, tester.is_some());
            let identity = (&name, &profile);
            let noted =
                sso_attempts::note_verified(tx, &client, &connection, tester.as_ref(), identity, detail)?;
            let attempt = match noted {
                Noted::Test(to) => {
                    client::note_auth_time(tx, &connection.id, verified.authenticated_at.is_some())?;
                    return Ok(Settled::Told(to));
                }
                Noted::Verified(attempt) => attempt,
            };
            if sso_policy::is_out_of_use(tx.conn, &connection)? {
                let why = ("paused", "An owner has to turn the connection on first.");
                let reference = sso_attempts::refuse(tx, &client, &connection, &attempt, why)?;
                return Ok(Settled::Came(SsoResult::Refused(reference)));
            }
            let named = (connection.issuer.as_str(), name.value.as_str());
            let sso = SsoSession::of_subject(&connection.id, named, verified.sid.as_deref());
            let identity = VerifiedIdentity {
                attempt,
                intent,
                remembered,
                name,
                profile,
                sso: Some(sso),
                session_ends_at: None,
            };
            sso_sign_in::complete_sso(tx, &client, held.as_ref(), &connection, identity).map(Settled::Came)
        })
        .await?;
    match settled {
        Settled::Told(to) => told(app, &to, &asked.purpose.at_connection()),
        Settled::Came(result) => sso_result::reply(app, req, result, next),
    }
}

/// Notes what was refused, for the owners.
pub(super) async fn refuse(
    app: &App,
    browser: &Browser,
    connection: &Connection,
    asked: &OidcRequestState,
    refusal: Refusal,
) -> Result<Reply> {
    let (client, connection) = (browser.client.clone(), connection.clone());
    let intent = asked.purpose.at_connection();
    let tester = intent.as_ref().and_then(Tester::of);
    let note = move |tx: &mut Tx| {
        let fault = fault(refusal);
        sso_attempts::note_fault(tx, &client, &connection, tester.as_ref(), &fault)
    };
    let to = app.write(note).await?;
    told(app, &to, &intent)
}

/// A browser reads what came of a test where it goes, or that it was refused; a program whose sign-in was refused gets an error.
fn told(app: &App, to: &str, intent: &Option<SsoIntent>) -> Result<Reply> {
    if intent.as_ref().and_then(Tester::of).is_some() {
        return Reply::go(to).with("location", to);
    }
    app.metrics().sign_in(AuthMethod::Sso, false);
    let error = SSO_REFUSED.error();
    Reply::go(to).status(status_of(&error)).with("error", error.to_string())?.with("code", error.code())
}

fn fault(refusal: Refusal) -> Fault {
    let claims = refusal.claims.as_ref();
    let detail = Detail {
        reason: Some(refusal.sentence()),
        checks: checks(&refusal.checks),
        attributes: claims.map(|claims| claims.listed()).unwrap_or_default(),
        ..Detail::default()
    };
    Fault { code: refusal.reason.code(), is_signed: claims.is_some(), detail }
}

fn detail(verified: &Verified, profile: &MappedProfile, is_test: bool) -> Detail {
    let mut checks = checks(&verified.checks);
    if is_test {
        checks.push(CheckDetail {
            says: "It says when the person signed in there (auth_time).".to_owned(),
            failed: verified.authenticated_at.is_none().then(|| {
                "Without it people cannot confirm there that it is them before something sensitive."
                    .to_owned()
            }),
            expected: None,
            found: verified.authenticated_at.map(|at| at.iso()),
        });
    }
    let mut failed = |says: &str, failed: &str| {
        let (says, failed) = (says.to_owned(), Some(failed.to_owned()));
        checks.push(CheckDetail { says, failed, expected: None, found: None });
    };
    if let Some(reason) = verified.unread {
        failed("Its user information adds what the ID token leaves out.", reason.sentence());
    }
    if profile.keeps_role {
        failed(
            "It names the groups of the person.",
            match verified.unread {
                Some(_) => "They were not told, so the role stays as it was.",
                None => {
                    "They are too many to be named, so the role stays as it was. Have the identity provider name only \
                     the groups that are assigned to the application."
                }
            },
        );
    }
    Detail { checks, attributes: verified.claims.listed(), ..Detail::default() }
}

fn checks(checks: &[Check]) -> Vec<CheckDetail> {
    let detail = |check: &Check| CheckDetail {
        says: check.says.to_owned(),
        failed: check.failed.map(|reason| reason.sentence().to_owned()),
        expected: check.expected.clone(),
        found: check.found.clone(),
    };
    checks.iter().map(detail).collect()
}
