//! Single Logout that begins at the identity provider (saml-profiles §4.4): its request is read, and answered.

use std::io::Read;

use chrono::TimeDelta;
use flate2::read::DeflateDecoder;
use url::form_urlencoded;

use super::{
    ASSERTION, PROTOCOL, Reason, SUCCESS, engine,
    idp::IdentityProvider,
    limits, prefilter,
    response::{NameId, Service, name_id_in},
    signed_info::Method,
    start::{BindingMessage, Sent, send},
    time::{SKEW, has_begun, instant, is_over},
    xml::{Element, escaped},
};
use crate::{clock::Timestamp, error::Result, secret};

/// The largest message, unpacked: an honest one has a tenth of it.
pub(super) const MAX_MESSAGE: usize = 16 * 1024;

/// How long a request is good that does not say it.
const REQUEST_LIFE: TimeDelta = TimeDelta::minutes(5);

/// A request for a logout as it came.
#[derive(Debug)]
pub enum LogoutMessage {
    /// In the address: its query as it was sent, which is what is signed (saml-bindings §3.4.4.1).
    Redirect(String),
    /// In a form: the field `SAMLRequest`.
    Post(String),
}

/// A request for a logout that can be read; whose it is has to be found out.
#[derive(Debug)]
pub struct UnprovedLogout {
    root: Element,
    signature: Signature,
    issuer: String,
}

#[derive(Debug)]
enum Signature {
    /// The text that is signed, the URI of the algorithm, and the signature.
    Query { text: String, algorithm: String, value: Vec<u8> },
    /// The document carries its signature.
    Enveloped(String),
}

/// What an identity provider asks for.
#[derive(Debug)]
pub struct Logout {
    /// The ID of the request.
    pub id: String,
    /// Who signed out there.
    pub name_id: NameId,
    /// Of which sessions; none for all.
    pub session_indexes: Vec<String>,
    /// Until when the request could be presented again.
    pub remember_until: Timestamp,
}

impl UnprovedLogout {
    /// Reads a request, small and of one shape. Nothing of it is proved.
    pub fn read(message: &LogoutMessage) -> Result<Self, Reason> {
        let (text, detached) = match message {
            LogoutMessage::Post(field) => {
                if field.len() > 2 * MAX_MESSAGE {
                    return Err(Reason::TooLarge);
                }
                (prefilter::decoded(field)?, None)
            }
            LogoutMessage::Redirect(query) => {
                let (text, signature) = unpacked(query)?;
                (text, Some(signature))
            }
        };
        if text.len() > MAX_MESSAGE {
            return Err(Reason::TooLarge);
        }
        let root = limits::read(&text)?;
        if !root.is(PROTOCOL, "LogoutRequest") {
            return Err(Reason::NotALogout);
        }
        let issuer = root.only(ASSERTION, "Issuer").and_then(Element::text).ok_or(Reason::WrongIssuer)?;
        Ok(Self { signature: detached.unwrap_or(Signature::Enveloped(text)), root, issuer })
    }

    /// Who it claims to be from.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What is asked for, where this identity provider signed it for us just now.
    ///
    /// # Errors
    /// The [`Reason`] why it is not believed.
    pub fn verify(
        &self,
        provider: &IdentityProvider,
        service: &Service,
        now: Timestamp,
    ) -> Result<Logout, Reason> {
        if self.issuer != provider.entity_id {
            return Err(Reason::WrongIssuer);
        }
        let digested;
        let root = match &self.signature {
            Signature::Query { text, algorithm, value } => {
                prefilter::bare(&self.root)?;
                let method = Method::from_uri(algorithm).ok_or(Reason::SignatureAlgorithm)?;
                let by = method.signer(text.as_bytes(), value, &provider.certificates);
                by.map(|_| &self.root).ok_or(Reason::BadSignature)?
            }
            Signature::Enveloped(text) => {
                let signed = prefilter::bare(&self.root)?.ok_or(Reason::Unsigned)?;
                let by = signed.info.signer(&provider.certificates).ok_or(Reason::BadSignature)?;
                digested = limits::read(&engine::verified(text, &[by])?)?;
                Some(&digested)
                    .filter(|root| root.attribute("ID") == Some(&signed.id))
                    .ok_or(Reason::BadSignature)?
            }
        };
        check(root, service, now)
    }
}

fn check(root: &Element, service: &Service, now: Timestamp) -> Result<Logout, Reason> {
    if root.attribute("Version") != Some("2.0") {
        return Err(Reason::WrongVersion);
    }
    match root.attribute("Destination") {
        Some(destination) if destination == service.logout_url => {}
        Some(_) => return Err(Reason::WrongDestination),
        None => return Err(Reason::NoDestination),
    }
    let at = instant(root, "IssueInstant")?.ok_or(Reason::UnreadableTime)?;
    let until = instant(root, "NotOnOrAfter")?.unwrap_or(at + REQUEST_LIFE).min(at + REQUEST_LIFE);
    if !has_begun(at, now) {
        return Err(Reason::IssuedInTheFuture);
    }
    if is_over(until, now) {
        return Err(Reason::LogoutOver);
    }
    Ok(Logout {
        id: root.attribute("ID").filter(|id| !id.is_empty()).ok_or(Reason::MissingId)?.to_owned(),
        name_id: name_id_in(root, &service.keys)?,
        session_indexes: root.children(PROTOCOL, "SessionIndex").filter_map(Element::text).collect(),
        remember_until: until + SKEW,
    })
}

/// The answer to a request (saml-core §3.7.3.2), to where its identity provider takes answers; nothing where it takes none.
pub(crate) fn answer_logout(
    service: &Service,
    provider: &IdentityProvider,
    in_response_to: &str,
    relay_state: &str,
    now: Timestamp,
) -> Result<Option<BindingMessage>> {
    let id = format!("_{}", secret::random_text(20)?);
    let sent = Sent { field: "SAMLResponse", id: &id, relay_state };
    send(service, provider.logout_answers.both(), &sent, |address, signature| {
        format!(
            "<samlp:LogoutResponse xmlns:samlp=\"{PROTOCOL}\" Destination=\"{}\" ID=\"{id}\" InResponseTo=\"{}\" \
             IssueInstant=\"{}\" Version=\"2.0\"><saml:Issuer xmlns:saml=\"{ASSERTION}\">{}</saml:Issuer>{signature}\
             <samlp:Status><samlp:StatusCode Value=\"{SUCCESS}\"/></samlp:Status></samlp:LogoutResponse>",
            escaped(address),
            escaped(in_response_to),
            now.iso(),
            escaped(&service.entity_id),
        )
    })
}

/// The document in a query, and what is signed of that: the three fields as they were sent, in this order.
fn unpacked(query: &str) -> Result<(String, Signature), Reason> {
    let (request, relay_state) =
        (one(query, "SAMLRequest")?.ok_or(Reason::NotALogout)?, one(query, "RelayState")?);
    let (algorithm, sent_value) =
        (one(query, "SigAlg")?.ok_or(Reason::Unsigned)?, one(query, "Signature")?.ok_or(Reason::Unsigned)?);
    let signed: Vec<&str> = [Some(request), relay_state, Some(algorithm)].into_iter().flatten().collect();
    let text = inflated(query, "SAMLRequest")?;
    let signature = Signature::Query {
        text: signed.join("&"),
        algorithm: value(algorithm).unwrap_or_default(),
        value: prefilter::base64(&value(sent_value).unwrap_or_default()).ok_or(Reason::NotBase64)?,
    };
    Ok((text, signature))
}

/// The document in a field of a query (saml-bindings §3.4.4.1), small when it is unpacked.
pub(super) fn inflated(query: &str, field: &str) -> Result<String, Reason> {
    let packed = one(query, field)?.and_then(value).ok_or(Reason::NotALogout)?;
    let packed = prefilter::base64(&packed).ok_or(Reason::NotBase64)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_MESSAGE).unwrap_or_default() + 1;
    DeflateDecoder::new(packed.as_slice())
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|_| Reason::NotALogout)?;
    String::from_utf8(bytes).map_err(|_| Reason::NotUtf8)
}

/// A field of a query as it was sent; it may be there once.
fn one<'a>(query: &'a str, name: &str) -> Result<Option<&'a str>, Reason> {
    let mut found = query.split('&').filter(|pair| pair.split('=').next() == Some(name));
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(Reason::NotALogout),
        (one, None) => Ok(one),
    }
}

fn value(pair: &str) -> Option<String> {
    form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
}
