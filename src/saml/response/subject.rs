//! Whom an assertion is about, who may present it, and what else it says of the person.

use std::collections::HashSet;

use super::statement::{Attribute, Checks, Name, NameFormat, NameId, Presented};
use crate::{
    clock::Timestamp,
    saml::{
        ASSERTION, EMAIL_NAME, PERSISTENT_NAME, Reason, encrypted_assertion,
        key::ServiceKey,
        limits,
        time::{SKEW, has_begun, instant, is_over},
        xml::Element,
    },
};

const MAX_NAME: usize = 256;
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const UNSPECIFIED_NAME: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";

/// Who the person is: by the NameID where its format lasts, or by the attribute that the connection goes by.
pub(super) fn check_name(
    assertion: &Element,
    name_id: &Result<NameId, Reason>,
    presented: &Presented,
    checks: &mut Checks,
) -> Option<Name> {
    let Some(identifier) = &presented.identifier else {
        let found = name_id.as_ref().ok().map(|name| format!("{} ({})", name.value, name.format));
        let outcome = name_id.as_ref().map_err(|reason| *reason).and_then(|name| {
            let format = NameFormat::from_uri(&name.format).ok_or(Reason::NameFormat)?;
            Ok(Name { format, value: name.value.clone() })
        });
        let expected = format!("{PERSISTENT_NAME} or {EMAIL_NAME}");
        return checks.note("It names the person in a format that lasts.", outcome, Some(expected), found);
    };
    let mut values = each_attribute(assertion)
        .filter(|one| one.attribute("Name") == Some(identifier.as_str()))
        .flat_map(|one| one.children(ASSERTION, "AttributeValue"));
    let (first, second) = (values.next(), values.next());
    let outcome = match (first, second) {
        (None, _) => Err(Reason::NoIdentifier),
        (Some(_), Some(_)) => Err(Reason::ManyValues),
        (Some(value), None) => value.text().filter(|value| is_name(value)).ok_or(Reason::BadName),
    };
    let found = first.map(Element::whole_text);
    let outcome = outcome.map(|value| Name { format: NameFormat::Attribute, value });
    checks.note("One attribute identifies the person.", outcome, Some(identifier.clone()), found)
}

/// The NameID of an assertion.
pub(super) fn name_id(assertion: &Element, keys: &[ServiceKey]) -> Result<NameId, Reason> {
    name_id_in(assertion.only(ASSERTION, "Subject").ok_or(Reason::NoName)?, keys)
}

/// The one NameID directly inside as it came, opened where it is encrypted to us (saml-core §2.2.4).
pub(in crate::saml) fn name_id_in(subject: &Element, keys: &[ServiceKey]) -> Result<NameId, Reason> {
    let is_name_of = |one: &&Element| &*one.namespace == ASSERTION && one.name.ends_with("ID");
    let mut names = subject.elements().filter(is_name_of);
    let (Some(name), None) = (names.next(), names.next()) else { return Err(Reason::NoName) };
    let opened;
    let name = match name.name.as_str() {
        "NameID" => name,
        "EncryptedID" => {
            opened = limits::read(&encrypted_assertion::parse(name)?.open(keys)?)?;
            Some(&opened).filter(|opened| opened.is(ASSERTION, "NameID")).ok_or(Reason::BadName)?
        }
        _ => return Err(Reason::NoName),
    };
    let value = name.text().filter(|value| is_name(value)).ok_or(Reason::BadName)?;
    let attribute = |attribute| name.attribute(attribute).map(str::to_owned);
    Ok(NameId {
        format: attribute("Format").unwrap_or_else(|| UNSPECIFIED_NAME.to_owned()),
        value,
        qualifier: attribute("NameQualifier"),
        service_qualifier: attribute("SPNameQualifier"),
    })
}

fn is_name(value: &str) -> bool {
    (1..=MAX_NAME).contains(&value.chars().count()) && !value.chars().any(char::is_control)
}

/// Finds a bearer confirmation that holds (saml-profiles §4.1.4.2), and until when any of them could be used. What was
/// expected and found stands beside it.
pub(super) fn confirmation(
    assertion: &Element,
    presented: &Presented,
) -> (Result<Timestamp, Reason>, String, Option<String>) {
    let subject = assertion.only(ASSERTION, "Subject");
    let bearers: Vec<&Element> = subject
        .iter()
        .flat_map(|subject| subject.children(ASSERTION, "SubjectConfirmation"))
        .filter(|one| one.attribute("Method") == Some(BEARER))
        .collect();
    let data: Vec<&Element> =
        bearers.iter().filter_map(|bearer| bearer.only(ASSERTION, "SubjectConfirmationData")).collect();
    let words = |data: &&Element| {
        let parts = ["Recipient", "InResponseTo", "NotBefore", "NotOnOrAfter"];
        let written = parts.iter().filter_map(|name| Some(format!("{name} {}", data.attribute(name)?)));
        written.collect::<Vec<_>>().join(", ")
    };
    let outcome = (|| {
        subject.ok_or(Reason::NoName)?;
        let outcomes: Vec<_> = bearers.iter().map(|bearer| check_bearer(bearer, presented)).collect();
        if !outcomes.iter().any(Result::is_ok) {
            return Err(outcomes.iter().find_map(|outcome| outcome.err()).unwrap_or(Reason::NoBearer));
        }
        // Also of those that do not hold now: what cannot be used yet must still be known when it can.
        let ends = data.iter().filter_map(|data| instant(data, "NotOnOrAfter").ok().flatten());
        ends.max().map(|until| until + SKEW).ok_or(Reason::NoConfirmationTime)
    })();
    let Presented { service, request, now, .. } = presented;
    let expected = format!("Recipient {}, InResponseTo {}, at {}", service.acs_url, request.id, now.iso());
    (outcome, expected, (!data.is_empty()).then(|| data.iter().map(words).collect::<Vec<_>>().join("; ")))
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

/// Where two parsers could each take another value, neither is taken.
pub(super) fn single_valued(assertion: &Element, identifying: &[String]) -> Result<(), Reason> {
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
