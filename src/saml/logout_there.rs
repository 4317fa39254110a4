//! Single Logout that begins here (saml-profiles §4.4.3.1): a request is made, and its answer is read.

use serde::{Deserialize, Serialize};

use super::{
    ASSERTION, PROTOCOL, Reason, SUCCESS,
    idp::IdentityProvider,
    limits,
    logout::{LogoutMessage, MAX_MESSAGE, inflated},
    prefilter,
    response::{NameId, Service},
    start::{BindingMessage, Sent, send},
    xml::escaped,
};
use crate::{clock::Timestamp, error::Result, secret};

/// What an identity provider calls a session of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProviderSession {
    /// Whose it is.
    pub name_id: NameId,
    /// Which one, where it has an index (saml-core §2.7.2).
    pub index: Option<String>,
}

/// Our request for a logout, which can be sent.
#[derive(Debug)]
pub(crate) struct PreparedLogout {
    /// Its ID, which the answer names.
    pub id: String,
    /// How the browser is sent there.
    pub message: BindingMessage,
}

/// What became of a request of ours.
#[derive(Debug, PartialEq, Eq)]
pub struct LogoutAnswer {
    /// The ID of the request.
    pub in_response_to: String,
    /// Whether the identity provider ended the session, and all that came of it.
    pub succeeded: bool,
}

/// Asks an identity provider to end a session (saml-core §3.7.1); nothing where it takes no such requests.
pub(crate) fn ask_for_logout(
    service: &Service,
    provider: &IdentityProvider,
    session: &ProviderSession,
    relay_state: &str,
    now: Timestamp,
) -> Result<Option<PreparedLogout>> {
    let id = format!("_{}", secret::random_text(20)?);
    let sent = Sent { field: "SAMLRequest", id: &id, relay_state };
    let message = send(service, provider.logout.both(), &sent, |address, signature| {
        let index = session
            .index
            .as_ref()
            .map(|index| format!("<samlp:SessionIndex>{}</samlp:SessionIndex>", escaped(index)));
        format!(
            "<samlp:LogoutRequest xmlns:samlp=\"{PROTOCOL}\" Destination=\"{}\" ID=\"{id}\" IssueInstant=\"{}\" \
             Reason=\"urn:oasis:names:tc:SAML:2.0:logout:user\" Version=\"2.0\">\
             <saml:Issuer xmlns:saml=\"{ASSERTION}\">{}</saml:Issuer>{signature}{}{}</samlp:LogoutRequest>",
            escaped(address),
            now.iso(),
            escaped(&service.entity_id),
            name_id(&session.name_id),
            index.unwrap_or_default(),
        )
    })?;
    Ok(message.map(|message| PreparedLogout { id, message }))
}

fn name_id(name: &NameId) -> String {
    let qualifiers = [("NameQualifier", &name.qualifier), ("SPNameQualifier", &name.service_qualifier)];
    let qualifiers: String = qualifiers
        .into_iter()
        .filter_map(|(attribute, value)| Some(format!(" {attribute}=\"{}\"", escaped(value.as_ref()?))))
        .collect();
    format!(
        "<saml:NameID xmlns:saml=\"{ASSERTION}\" Format=\"{}\"{qualifiers}>{}</saml:NameID>",
        escaped(&name.format),
        escaped(&name.value),
    )
}

/// Reads the answer to a request. Whose it is, is not looked at: nothing is done because of it, and only the identity
/// provider and the browser have seen the RelayState that comes with it.
pub fn read_logout_answer(message: &LogoutMessage) -> Result<LogoutAnswer, Reason> {
    let text = match message {
        LogoutMessage::Post(field) if field.len() > 2 * MAX_MESSAGE => return Err(Reason::TooLarge),
        LogoutMessage::Post(field) => prefilter::decoded(field)?,
        LogoutMessage::Redirect(query) => inflated(query, "SAMLResponse")?,
    };
    if text.len() > MAX_MESSAGE {
        return Err(Reason::TooLarge);
    }
    let root = limits::read(&text)?;
    if !root.is(PROTOCOL, "LogoutResponse") {
        return Err(Reason::NotALogout);
    }
    let status = root.only(PROTOCOL, "Status").and_then(|status| status.only(PROTOCOL, "StatusCode"));
    // Part of the sessions that came of it may live on (saml-core §3.7.3.2).
    let is_whole = status.is_some_and(|code| {
        code.attribute("Value") == Some(SUCCESS) && code.only(PROTOCOL, "StatusCode").is_none()
    });
    Ok(LogoutAnswer {
        in_response_to: root.attribute("InResponseTo").unwrap_or_default().to_owned(),
        succeeded: is_whole,
    })
}
