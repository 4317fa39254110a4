//! What an identity provider said, held against every rule of the standard and against the request.

use super::{
    statement::{Checks, Name, NameId, Presented},
    subject,
    verify::{SUCCEEDED, VerifiedResponse},
};
use crate::{
    clock::Timestamp,
    saml::{
        ASSERTION, Reason, SUCCESS, prefilter,
        time::{has_begun, instant, is_over},
        xml::Element,
    },
};

/// What the checks found out.
pub(super) struct ValidAssertion {
    pub name: Name,
    pub assertion_id: String,
    pub remember_until: Timestamp,
    pub signed_in: AuthnStatement,
}

/// The sign-in at the identity provider.
pub(super) struct AuthnStatement {
    pub at: Timestamp,
    pub session_ends_at: Option<Timestamp>,
    pub session_index: Option<String>,
}

/// Makes every check, also after one has failed: a test sign-in shows them all. Beside what they found out, the NameID,
/// whatever it is worth.
pub(super) fn validate_assertion(
    verified: &VerifiedResponse,
    presented: &Presented,
    checks: &mut Checks,
) -> (Option<ValidAssertion>, Option<NameId>) {
    let assertion = &verified.assertion;
    check_sender(verified, presented, checks);
    check_request(verified, presented, checks);

    let us = &presented.service.entity_id;
    let (outcome, found) = audience(assertion, us);
    checks.note("It is meant for us.", outcome, Some(us.clone()), found);
    let (outcome, found) = in_its_time(assertion, presented.now);
    checks.note("It is valid at this moment.", outcome, Some(presented.now.iso()), found);
    let (outcome, expected, found) = subject::confirmation(assertion, presented);
    let remember_until =
        checks.note("Its subject confirmation is valid here and now.", outcome, Some(expected), found);

    let signed_in = check_sign_in(assertion, presented, checks);

    let name_id = subject::name_id(assertion, &presented.service.keys);
    let name = subject::check_name(assertion, &name_id, presented, checks);
    let outcome = subject::single_valued(assertion, &presented.identity_attributes);
    checks.note("Attributes that say who the person is have one value each.", outcome, None, None);

    let valid = (|| {
        Some(ValidAssertion {
            name: name?,
            assertion_id: assertion.attribute("ID")?.to_owned(),
            remember_until: remember_until?,
            signed_in: signed_in?,
        })
    })();
    (valid, name_id.ok())
}

/// Who sent it, and whether it reports a success.
fn check_sender(verified: &VerifiedResponse, presented: &Presented, checks: &mut Checks) {
    let VerifiedResponse { response, assertion, .. } = verified;
    let valid_until = presented.provider.valid_until;
    let outcome = match valid_until {
        Some(until) if is_over(until, presented.now) => Err(Reason::MetadataExpired),
        _ => Ok(()),
    };
    let until = valid_until.map(|until| format!("valid until {}", until.iso()));
    checks.note("The identity provider's metadata is still valid.", outcome, None, until);

    let outcome = match prefilter::status(response) {
        Some(SUCCESS) => Ok(()),
        _ => Err(Reason::StatusFailed),
    };
    checks.note(SUCCEEDED, outcome, Some("Success".to_owned()), Some(prefilter::status_words(response)));

    let [outer, inner] = [response, assertion]
        .map(|element| element.children(ASSERTION, "Issuer").map(Element::whole_text).collect::<Vec<_>>());
    // The assertion must say it; the response may leave it out (saml-profiles §4.1.4.2).
    let issuer = &presented.provider.entity_id;
    let fits = outer.iter().chain(&inner).all(|one| one == issuer);
    let outcome = if fits && inner.len() == 1 { Ok(()) } else { Err(Reason::WrongIssuer) };
    let mut found = [outer, inner].concat();
    found.dedup();
    let says = "It comes from the identity provider that was asked.";
    checks.note(says, outcome, Some(issuer.clone()), Some(found.join(", ")));
}

/// Where it was sent, what it answers, and when it was written. Of an unsigned response this proves nothing, but
/// what it gives away is taken.
fn check_request(verified: &VerifiedResponse, presented: &Presented, checks: &mut Checks) {
    let VerifiedResponse { response, assertion, .. } = verified;
    let (request, acs_url) = (&presented.request, &presented.service.acs_url);
    let destination = response.attribute("Destination");
    let outcome = match destination {
        Some(destination) if destination == acs_url => Ok(()),
        Some(_) => Err(Reason::WrongDestination),
        None if verified.response_is_signed => Err(Reason::NoDestination),
        None => Ok(()),
    };
    let found = destination.map(str::to_owned);
    checks.note("It was sent to our callback.", outcome, Some(acs_url.clone()), found);

    let answered = response.attribute("InResponseTo");
    let outcome = match answered {
        Some(id) if id == request.id => Ok(()),
        Some(_) => Err(Reason::WrongRequest),
        None => Err(Reason::Unsolicited),
    };
    let (expected, found) = (Some(request.id.clone()), answered.map(str::to_owned));
    checks.note("It answers the request that this browser made.", outcome, expected, found);

    let outcome = [response, assertion].into_iter().try_for_each(|element| {
        match instant(element, "IssueInstant")?.ok_or(Reason::UnreadableTime)? {
            at if !has_begun(at, presented.now) => Err(Reason::IssuedInTheFuture),
            at if is_over(at, request.sent_at) => Err(Reason::IssuedBeforeTheRequest),
            _ => Ok(()),
        }
    });
    let expected = format!("{} to {}", request.sent_at.iso(), presented.now.iso());
    let found = assertion.attribute("IssueInstant").map(str::to_owned);
    let says = "It was issued after the request and not in the future.";
    checks.note(says, outcome, Some(expected), found);
}

/// When the person signed in, and until when that holds.
fn check_sign_in(assertion: &Element, presented: &Presented, checks: &mut Checks) -> Option<AuthnStatement> {
    let outcome = sign_in(assertion).and_then(|signed_in| match has_begun(signed_in.at, presented.now) {
        true => Ok(signed_in),
        false => Err(Reason::SignedInInTheFuture),
    });
    let found = outcome.as_ref().ok().map(|signed_in| signed_in.at.iso());
    let signed_in = checks.note("It says when the person signed in.", outcome, None, found)?;

    if presented.request.force_authn {
        let outcome = match is_over(signed_in.at, presented.request.sent_at) {
            true => Err(Reason::SignedInTooLongAgo),
            false => Ok(()),
        };
        let expected = Some(format!("after {}", presented.request.sent_at.iso()));
        let found = Some(signed_in.at.iso());
        checks.note("The person signed in again for this request.", outcome, expected, found);
    }
    // No skew: it caps our session, and a session that is over at once helps nobody.
    let ends_at = signed_in.session_ends_at;
    let outcome = match ends_at {
        Some(ends_at) if presented.now >= ends_at => Err(Reason::SessionOver),
        _ => Ok(()),
    };
    let found = ends_at.map(|at| format!("until {}", at.iso()));
    checks.note("The identity provider's session is not over.", outcome, None, found);
    Some(signed_in)
}

/// Every restriction must name us, and there must be one (saml-core §2.5.1.4, saml-profiles §4.1.4.2).
fn audience(assertion: &Element, us: &str) -> (Result<(), Reason>, Option<String>) {
    let conditions: Vec<&Element> = assertion.children(ASSERTION, "Conditions").collect();
    let [conditions] = conditions.as_slice() else { return (Err(Reason::NoConditions), None) };
    let known = ["AudienceRestriction", "OneTimeUse", "ProxyRestriction"];
    let is_known = |one: &Element| &*one.namespace == ASSERTION && known.contains(&one.name.as_str());
    if let Some(unknown) = conditions.elements().find(|one| !is_known(one)) {
        return (Err(Reason::UnknownCondition), Some(unknown.name.clone()));
    }
    let restrictions = conditions.children(ASSERTION, "AudienceRestriction");
    let audiences: Vec<Vec<String>> = restrictions
        .map(|restriction| restriction.children(ASSERTION, "Audience").map(Element::whole_text).collect())
        .collect();
    let found = audiences.concat().join(", ");
    let outcome = match audiences.is_empty() {
        true => Err(Reason::NoConditions),
        false if audiences.iter().all(|names| names.iter().any(|name| name == us)) => Ok(()),
        false => Err(Reason::WrongAudience),
    };
    (outcome, Some(found))
}

/// `NotBefore` and `NotOnOrAfter` of the conditions (saml-core §2.5.1.2).
fn in_its_time(assertion: &Element, now: Timestamp) -> (Result<(), Reason>, Option<String>) {
    let Some(conditions) = assertion.only(ASSERTION, "Conditions") else { return (Ok(()), None) };
    let words = ["NotBefore", "NotOnOrAfter"].map(|name| conditions.attribute(name).unwrap_or("any time"));
    let outcome = (|| {
        if instant(conditions, "NotBefore")?.is_some_and(|from| !has_begun(from, now)) {
            return Err(Reason::NotYetValid);
        }
        if instant(conditions, "NotOnOrAfter")?.is_some_and(|until| is_over(until, now)) {
            return Err(Reason::Expired);
        }
        Ok(())
    })();
    (outcome, Some(words.join(" to ")))
}

/// The statements that somebody signed in (saml-core §2.7.2); of several, the strictest of everything.
fn sign_in(assertion: &Element) -> Result<AuthnStatement, Reason> {
    let statements: Vec<&Element> = assertion.children(ASSERTION, "AuthnStatement").collect();
    let instants: Vec<Timestamp> = statements
        .iter()
        .map(|statement| instant(statement, "AuthnInstant")?.ok_or(Reason::UnreadableTime))
        .collect::<Result<_, _>>()?;
    let ends: Vec<Option<Timestamp>> = statements
        .iter()
        .map(|statement| instant(statement, "SessionNotOnOrAfter"))
        .collect::<Result<_, _>>()?;
    Ok(AuthnStatement {
        at: instants.into_iter().min().ok_or(Reason::NoStatement)?,
        session_ends_at: ends.into_iter().flatten().min(),
        session_index: statements.iter().find_map(|one| one.attribute("SessionIndex")).map(str::to_owned),
    })
}
