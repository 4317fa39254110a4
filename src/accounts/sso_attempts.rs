//! What came from an identity provider is noted, whether it was refused, tried, or proves somebody.

use super::{
    authentication,
    client_facts::ClientFacts,
    provisioning::{self, ProvisioningError},
};
use crate::{
    db::Tx,
    error::Result,
    ids::{AttemptId, UserId},
    model::{
        audit,
        connection::{self, Connection, MappedProfile},
        organisation,
        sso_attempt::{self, CheckDetail, Detail},
        token::SsoIntent,
    },
    saml, urls,
};

/// The answer came by another browser than the one that asked for it: its code, and why for the owners.
pub(crate) const ANOTHER_BROWSER: (&str, &str) =
    ("another_browser", "Another browser brought the response than the one that asked for it.");

/// Who tries a connection.
#[derive(Debug, Clone)]
pub(crate) enum Tester {
    /// One of its owners.
    Owner(UserId),
    /// The bearer of a set-up link.
    LinkBearer,
}

impl Tester {
    /// Nobody where somebody wants to come in, or to step up.
    pub(crate) fn of(intent: &SsoIntent) -> Option<Self> {
        match intent {
            SsoIntent::Test { user } => Some(Self::Owner(user.clone())),
            SsoIntent::TestByLink => Some(Self::LinkBearer),
            SsoIntent::SignIn | SsoIntent::StepUp { .. } => None,
        }
    }
}

/// Why what came lets nobody in, for the owners of its connection.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Its name.
    pub code: &'static str,
    /// Whether the identity provider signed it; else anybody can have sent it.
    pub is_signed: bool,
    /// What came, and the reason in a sentence.
    pub detail: Detail,
}

impl Fault {
    /// One that says nothing of what came.
    pub(crate) fn new(code: &'static str, is_signed: bool, sentence: &str) -> Self {
        let detail = Detail { reason: Some(sentence.to_owned()), ..Detail::default() };
        Self { code, is_signed, detail }
    }
}

/// What came of an identity that passed every check on the wire.
#[derive(Debug)]
pub(crate) enum Noted {
    /// It was a test: where its browser reads what came of it.
    Test(String),
    /// It proves somebody. Whether they may come in is still to be seen.
    Verified(AttemptId),
}

/// Notes what was refused; where its browser goes on. A test is shown to its owner, anything else is told in general words,
/// with a number to read out.
pub(crate) fn note_fault(
    tx: &mut Tx,
    client: &ClientFacts,
    connection: &Connection,
    tester: Option<&Tester>,
    fault: &Fault,
) -> Result<String> {
    note(tx, client, connection, tester, (fault.code, fault.is_signed), &fault.detail)
}

/// Notes an identity that its provider proved, with what it said of the person; `detail` is what came, and what was checked.
/// A test tells what would happen, and lets nobody in.
pub(crate) fn note_verified(
    tx: &mut Tx,
    client: &ClientFacts,
    connection: &Connection,
    tester: Option<&Tester>,
    (name, profile): (&saml::Name, &MappedProfile),
    detail: Detail,
) -> Result<Noted> {
    let foreseen = match (tester, &profile.email) {
        // Who has an account is for the owners to see.
        (Some(Tester::LinkBearer), None) => Err(ProvisioningError::NoAddress),
        (Some(Tester::LinkBearer), Some(_)) => Ok("Only the organisation's owners see this."),
        _ => provisioning::dry_run(tx.conn, connection, name, profile)?,
    };
    let detail = with_outcome(foreseen, name, profile, detail);
    if tester.is_none() {
        return sso_attempt::note(tx, &connection.id, None, true, "success", &detail).map(Noted::Verified);
    }
    // A test that would leave its person outside is none that went through; but a domain may be about to be led here.
    let refused = foreseen.err().filter(|refused| *refused != ProvisioningError::AnotherConnection);
    let outcome = match refused {
        Some(refused) => refused.code(),
        None => {
            connection::note_test(tx, connection)?;
            "success"
        }
    };
    note(tx, client, connection, tester, (outcome, true), &detail).map(Noted::Test)
}

fn with_outcome(
    foreseen: Result<&'static str, ProvisioningError>,
    name: &saml::Name,
    profile: &MappedProfile,
    detail: Detail,
) -> Detail {
    let reason = foreseen.err().map(|refused| refused.sentence().to_owned());
    if foreseen == Err(ProvisioningError::AnotherDomain) {
        // Whoever copied the metadata of somebody else's identity provider is not shown what it says of its people.
        return Detail { reason, ..Detail::default() };
    }
    let mut checks = detail.checks;
    checks.extend(reason.clone().map(|reason| CheckDetail {
        says: "The person may sign in with it.".to_owned(),
        failed: Some(reason),
        expected: None,
        found: None,
    }));
    Detail {
        reason,
        checks,
        subject: Some(name.value.clone()),
        email: profile.email.as_ref().map(|email| email.spelled().to_owned()),
        name: profile.name.as_ref().map(|name| name.as_str().to_owned()),
        role: Some(if profile.keeps_role { "The same as before" } else { profile.role.words() }.to_owned()),
        account: foreseen.ok().map(str::to_owned),
        ..detail
    }
}

/// Says that what proved somebody lets nobody in after all, and why. Its number, to read out.
pub(crate) fn refuse(
    tx: &mut Tx,
    client: &ClientFacts,
    connection: &Connection,
    attempt: &AttemptId,
    (code, reason): (&str, &str),
) -> Result<String> {
    sso_attempt::refuse(tx, attempt, code, reason)?;
    record_refusal(tx, client, connection, code)?;
    Ok(sso_attempt::reference(attempt))
}

fn note(
    tx: &mut Tx,
    client: &ClientFacts,
    connection: &Connection,
    tester: Option<&Tester>,
    (outcome, is_signed): (&str, bool),
    detail: &Detail,
) -> Result<String> {
    let id = match tester {
        Some(Tester::LinkBearer) => {
            sso_attempt::note_by_link(tx, &connection.id, is_signed, outcome, detail)?
        }
        Some(Tester::Owner(owner)) => {
            sso_attempt::note(tx, &connection.id, Some(owner), is_signed, outcome, detail)?
        }
        None => sso_attempt::note(tx, &connection.id, None, is_signed, outcome, detail)?,
    };
    if outcome != "success" {
        record_refusal(tx, client, connection, outcome)?;
    }
    Ok(match tester {
        Some(Tester::LinkBearer) => urls::with_query("/sso/setup", [("attempt", id.as_str())]),
        Some(Tester::Owner(_)) => {
            let slug = organisation::slug_of(tx.conn, &connection.organisation_id)?;
            format!("{}/attempts/{id}", urls::connection(&slug, &connection.id))
        }
        None => urls::with_query(urls::SSO_REFUSED, [("reference", sso_attempt::reference(&id))]),
    })
}

fn record_refusal(tx: &mut Tx, client: &ClientFacts, connection: &Connection, reason: &str) -> Result<()> {
    tracing::warn!(connection.id = %connection.id, reason, "a response of an identity provider is refused");
    let event =
        authentication::Event::SsoRefused { connection: connection.id.clone(), reason: reason.to_owned() };
    audit::record(tx, &client.actor(), None, event)
}
