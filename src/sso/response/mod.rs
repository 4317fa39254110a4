//! Reading a response: gate, signature, then every check that the standard asks of us, over the signed bytes only.

mod believed;
mod said;
mod statement;

use super::{
    ASSERTION, Reason, gate, limits,
    response::{
        believed::{Fault, OPENED, SHAPE, SIGNED},
        statement::Checks,
    },
    xml::Element,
};
pub use statement::{
    Attribute, Check, Claim, Name, NameFormat, Presented, Refusal, Request, Service, Statement,
};

/// Reads who a response claims to be from, to find the connection it may belong to.
pub fn claim(response: &str) -> Result<Claim, Reason> {
    let root = limits::read(&gate::decoded(response)?)?;
    gate::response(&root)?;
    let issuer = root.only(ASSERTION, "Issuer").and_then(Element::text);
    let inner = root.only(ASSERTION, "Assertion").and_then(|assertion| assertion.only(ASSERTION, "Issuer"));
    Ok(Claim {
        issuer: issuer.or_else(|| inner.and_then(Element::text)),
        in_response_to: root.attribute("InResponseTo").map(str::to_owned),
    })
}

/// Reads a response (saml-profiles §4.1.4): what it says if every check passes, why not otherwise.
///
/// Pure: the same in, the same out, whatever the time and the network. It costs some milliseconds of a core and runs
/// C on a stranger's text, so requests go through [`Desk::read`](super::Desk::read). That the assertion was not seen
/// before is for the caller to find out, in the transaction that acts on it.
pub fn read_response(presented: &Presented) -> Result<Statement, Box<Refusal>> {
    let mut checks = Checks::default();
    let believed = match believed::believe(presented) {
        Ok(believed) => believed,
        Err(Fault { reason, found }) => {
            let says = believed::stage(reason);
            if says != SHAPE {
                checks.note(SHAPE, Ok(()), None);
            }
            checks.note::<()>(says, Err(reason), found);
            return Err(Box::new(Refusal { reason, checks: checks.0, attributes: Vec::new() }));
        }
    };
    checks.note(SHAPE, Ok(()), None);
    if believed.was_encrypted {
        checks.note(OPENED, Ok(()), None);
    }
    checks.note(SIGNED, Ok(()), Some(believed.signed_by.clone()));
    let said = said::said(&believed, presented, &mut checks);
    let attributes = said::attributes(&believed.assertion);
    let refused = checks.0.iter().find_map(|check| check.failed);
    match (said, refused) {
        (Some(said), None) => Ok(Statement {
            issuer: presented.provider.entity_id.clone(),
            name: said.name,
            attributes,
            assertion_id: said.assertion_id,
            remember_until: said.remember_until,
            authenticated_at: said.signed_in.at,
            session_ends_at: said.signed_in.session_ends_at,
            session_index: said.signed_in.session_index,
            signed_by: believed.signed_by,
            was_encrypted: believed.was_encrypted,
            checks: checks.0,
        }),
        (_, reason) => {
            let reason = reason.unwrap_or(Reason::UnreadableContent);
            Err(Box::new(Refusal { reason, checks: checks.0, attributes }))
        }
    }
}
