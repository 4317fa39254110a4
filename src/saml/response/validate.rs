//! What an identity provider said, held against every rule of the standard and against the request.

use std::collections::HashSet;

use super::{
    statement::{Attribute, Checks, Name, NameFormat, Presented},
    verify::VerifiedResponse,
};
use crate::{
    clock::Timestamp,
    saml::{
        ASSERTION, Reason, SUCCESS, prefilter,
        time::{SKEW, has_begun, instant, is_over},
        xml::Element,
    },
};

const MAX_NAME: usize = 256;
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const UNSPECIFIED_NAME: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";

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

/// Makes every check, also after one has failed: a test sign-in shows them all.
pub(super) fn validate_assertion(
    verified: &VerifiedResponse,
    presented: &Presented,
    checks: &mut Checks,
) -> Option<ValidAssertion> {
    let assertion = &verified.assertion;
    check_sender(verified, presented, checks);
    check_request(verified, presented, checks);

    let (outcome, found) = audience(assertion, &presented.service.entity_id);
    checks.note("It is meant for us.", outcome, found);
    let (outcome, found) = in_its_time(assertion, presented.now);
    checks.note("It is valid at this moment.", outcome, found);
    let outcome = confirmation(assertion, presented);
    let remember_until =
        checks.note("Whoever bears it may use it here and now, for this request.", outcome, None);

    let signed_in = check_sign_in(assertion, presented, checks);

    let (outcome, found) = name(assertion);
    let name = checks.note("It names the person in a format that lasts.", outcome, found);
    let outcome = single_valued(assertion, &presented.identity_attributes);
    checks.note("Attributes that say who the person is have one value each.", outcome, None);

    Some(ValidAssertion {
        name: name?,
        assertion_id: assertion.attribute("ID")?.to_owned(),
        remember_until: remember_until?,
        signed_in: signed_in?,
    })
}

/// Who sent it, and whether it reports a success.
fn check_sender(verified: &VerifiedResponse, presented: &Presented, checks: &mut Checks) {
    let VerifiedResponse { response, assertion, .. } = verified;
    let outcome = match presented.provider.valid_until {
        Some(until) if is_over(until, presented.now) => Err(Reason::MetadataExpired),
        _ => Ok(()),
    };
    checks.note("The identity provider's metadata is still valid.", outcome, None);

    let outcome = match prefilter::status(response) {
        Some(SUCCESS) => Ok(()),
        _ => Err(Reason::StatusFailed),
    };
    checks.note("It reports a successful sign-in.", outcome, Some(prefilter::status_words(response)));

    let [outer, inner] = [response, assertion]
        .map(|element| element.children(ASSERTION, "Issuer").map(Element::whole_text).collect::<Vec<_>>());
    // The assertion must say it; the response may leave it out (saml-profiles §4.1.4.2).
    let fits = outer.iter().chain(&inner).all(|issuer| *issuer == presented.provider.entity_id);
    let outcome = if fits && inner.len() == 1 { Ok(()) } else { Err(Reason::WrongIssuer) };
    let found = [outer, inner].concat().join(", ");
    checks.note("It comes from the identity provider that was asked.", outcome, Some(found));
}

/// Where it was sent, what it answers, and when it was written. Of an unsigned response this proves nothing, but
/// what it gives away is taken.
fn check_request(verified: &VerifiedResponse, presented: &Presented, checks: &mut Checks) {
    let VerifiedResponse { response, assertion, .. } = verified;
    let request = &presented.request;
    let destination = response.attribute("Destination");
    let outcome = match destination {
        Some(destination) if destination == presented.service.acs_url => Ok(()),
        Some(_) => Err(Reason::WrongDestination),
        None if verified.response_is_signed => Err(Reason::NoDestination),
        None => Ok(()),
    };
    checks.note("It was sent to our callback.", outcome, destination.map(str::to_owned));

    let outcome = match response.attribute("InResponseTo") {
        Some(id) if id == request.id => Ok(()),
        Some(_) => Err(Reason::WrongRequest),
        None => Err(Reason::Unsolicited),
    };
    checks.note("It answers the request that this browser made.", outcome, None);

    let outcome = [response, assertion].into_iter().try_for_each(|element| {
        match instant(element, "IssueInstant")?.ok_or(Reason::UnreadableTime)? {
            at if !has_begun(at, presented.now) => Err(Reason::IssuedInTheFuture),
            at if is_over(at, request.sent_at) => Err(Reason::IssuedBeforeTheRequest),
            _ => Ok(()),
        }
    });
    let found = assertion.attribute("IssueInstant").map(str::to_owned);
    checks.note("It was issued after the request and not in the future.", outcome, found);
}

/// When the person signed in, and until when that holds.
fn check_sign_in(assertion: &Element, presented: &Presented, checks: &mut Checks) -> Option<AuthnStatement> {
    let outcome = sign_in(assertion).and_then(|signed_in| match has_begun(signed_in.at, presented.now) {
        true => Ok(signed_in),
        false => Err(Reason::SignedInInTheFuture),
    });
    let found = outcome.as_ref().ok().map(|signed_in| signed_in.at.exact());
    let signed_in = checks.note("It says when the person signed in.", outcome, found)?;

    if presented.request.force_authn {
        let outcome = match is_over(signed_in.at, presented.request.sent_at) {
            true => Err(Reason::SignedInTooLongAgo),
            false => Ok(()),
        };
        checks.note("The person signed in again for this request.", outcome, None);
    }
    // No skew: it caps our session, and a session that is over at once helps nobody.
    let ends_at = signed_in.session_ends_at;
    let outcome = match ends_at {
        Some(ends_at) if presented.now >= ends_at => Err(Reason::SessionOver),
        _ => Ok(()),
    };
    checks.note("The identity provider's session is not over.", outcome, ends_at.map(|at| at.exact()));
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

/// Finds a bearer confirmation that holds (saml-profiles §4.1.4.2), and until when any of them could be used.
fn confirmation(assertion: &Element, presented: &Presented) -> Result<Timestamp, Reason> {
    let subject = assertion.only(ASSERTION, "Subject").ok_or(Reason::NoName)?;
    let bearers: Vec<&Element> = subject
        .children(ASSERTION, "SubjectConfirmation")
        .filter(|one| one.attribute("Method") == Some(BEARER))
        .collect();
    let outcomes: Vec<_> = bearers.iter().map(|bearer| check_bearer(bearer, presented)).collect();
    if !outcomes.iter().any(Result::is_ok) {
        return Err(outcomes.iter().find_map(|outcome| outcome.err()).unwrap_or(Reason::NoBearer));
    }
    // Also of those that do not hold now: what cannot be used yet must still be known when it can.
    let data = bearers.iter().filter_map(|bearer| bearer.only(ASSERTION, "SubjectConfirmationData"));
    let ends = data.filter_map(|data| instant(data, "NotOnOrAfter").ok().flatten());
    ends.max().map(|until| until + SKEW).ok_or(Reason::NoConfirmationTime)
}

/// Whether this confirmation may be used here, now and for our request.
fn check_bearer(bearer: &Element, presented: &Presented) -> Result<(), Reason> {
    let data = bearer.only(ASSERTION, "SubjectConfirmationData").ok_or(Reason::NoBearer)?;
    match data.attribute("Recipient") {
        None => return Err(Reason::NoRecipient),
        Some(recipient) if recipient != presented.service.acs_url => return Err(Reason::WrongRecipient),
        Some(_) => {}
    }
    match data.attribute("InResponseTo") {
        None => return Err(Reason::Unsolicited),
        Some(id) if id != presented.request.id => return Err(Reason::WrongRequest),
        Some(_) => {}
    }
    if instant(data, "NotBefore")?.is_some_and(|from| !has_begun(from, presented.now)) {
        return Err(Reason::ConfirmationNotYetValid);
    }
    let until = instant(data, "NotOnOrAfter")?.ok_or(Reason::NoConfirmationTime)?;
    if is_over(until, presented.now) { Err(Reason::ConfirmationExpired) } else { Ok(()) }
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

fn name(assertion: &Element) -> (Result<Name, Reason>, Option<String>) {
    let subject = assertion.only(ASSERTION, "Subject");
    let names: Vec<&Element> = subject.iter().flat_map(|one| one.children(ASSERTION, "NameID")).collect();
    let [name] = names.as_slice() else { return (Err(Reason::NoName), None) };
    let format = name.attribute("Format").unwrap_or(UNSPECIFIED_NAME);
    let value = name.text().filter(|value| {
        let length = value.chars().count();
        (1..=MAX_NAME).contains(&length) && !value.chars().any(char::is_control)
    });
    let found = value.as_ref().map(|value| format!("{value} ({format})"));
    let outcome = match (value, NameFormat::from_uri(format)) {
        (None, _) => Err(Reason::BadName),
        (Some(_), None) => Err(Reason::NameFormat),
        (Some(value), Some(format)) => Ok(Name { format, value }),
    };
    (outcome, found)
}

/// Where two parsers could each take another value, neither is taken.
fn single_valued(assertion: &Element, identifying: &[String]) -> Result<(), Reason> {
    let mut seen = HashSet::new();
    for attribute in each_attribute(assertion) {
        let name = attribute.attribute("Name").unwrap_or_default();
        if !identifying.iter().any(|known| known == name) {
            continue;
        }
        let mut values = attribute.children(ASSERTION, "AttributeValue");
        let (first, second) = (values.next(), values.next());
        if second.is_some() || !seen.insert(name) || first.is_some_and(|value| value.text().is_none()) {
            return Err(Reason::ManyValues);
        }
    }
    Ok(())
}

fn each_attribute(assertion: &Element) -> impl Iterator<Item = &Element> {
    let statements = assertion.children(ASSERTION, "AttributeStatement");
    statements.flat_map(|statement| statement.children(ASSERTION, "Attribute"))
}

/// The attributes of all statements.
pub(super) fn attributes(assertion: &Element) -> Vec<Attribute> {
    let mut found: Vec<Attribute> = Vec::new();
    for attribute in each_attribute(assertion) {
        let name = attribute.attribute("Name").unwrap_or_default();
        let values = attribute.children(ASSERTION, "AttributeValue").map(Element::whole_text);
        let values = values.filter(|value| !value.is_empty());
        match found.iter_mut().find(|known| known.name == name) {
            Some(known) => known.values.extend(values),
            None => found.push(Attribute {
                name: name.to_owned(),
                friendly_name: attribute.attribute("FriendlyName").map(str::to_owned),
                values: values.collect(),
            }),
        }
    }
    found
}
