//! Reading a response: gate, signature, then every check that the standard asks of us, over the signed bytes only.

mod statement;
mod subject;
mod validate;
mod verify;

use super::{
    ASSERTION, Reason, limits, prefilter,
    response::{
        statement::Checks,
        verify::{Fault, OPENED, SHAPE, SIGNED},
    },
    xml::Element,
};
pub(crate) use statement::{Attribute, Check, NameId, ResponseOrigin};
pub use statement::{Name, NameFormat, Presented, Refusal, Request, Service, Statement};
pub(super) use subject::name_id_in;

/// Reads who a response claims to be from, to find the connection it may belong to.
pub fn read_origin(response: &str) -> Result<ResponseOrigin, Reason> {
    let root = limits::read(&prefilter::decoded(response)?)?;
    prefilter::response(&root)?;
    let issuer = root.only(ASSERTION, "Issuer").and_then(Element::text);
    let inner = root.only(ASSERTION, "Assertion").and_then(|assertion| assertion.only(ASSERTION, "Issuer"));
    Ok(ResponseOrigin {
        issuer: issuer.or_else(|| inner.and_then(Element::text)),
        in_response_to: root.attribute("InResponseTo").map(str::to_owned),
    })
}

/// Reads a response (saml-profiles §4.1.4): what it says if every check passes, why not otherwise.
///
/// Pure: the same in, the same out, whatever the time and the network. It costs some milliseconds of a core and runs
/// C on a stranger's text, so requests go through [`ResponsePool::read`](super::ResponsePool::read). That the assertion was not seen
/// before is for the caller to find out, in the transaction that acts on it.
pub fn read_response(presented: &Presented) -> Result<Statement, Box<Refusal>> {
    let mut checks = Checks::default();
    let verified = match verify::decrypt_and_verify(presented) {
        Ok(verified) => verified,
        Err(Fault { reason, found, is_signed }) => {
            let says = verify::stage(reason);
            if says != SHAPE {
                checks.note(SHAPE, Ok(()), None, None);
            }
            if is_signed {
                checks.note(SIGNED, Ok(()), None, None);
            }
            checks.note::<()>(says, Err(reason), None, found);
            return Err(Box::new(Refusal { checks: checks.0, is_signed, ..reason.into() }));
        }
    };
    checks.note(SHAPE, Ok(()), None, None);
    if verified.was_encrypted {
        checks.note(OPENED, Ok(()), None, None);
    }
    checks.note(SIGNED, Ok(()), None, Some(format!("SHA-256 {}", verified.signed_by)));
    let (valid, name_id) = validate::validate_assertion(&verified, presented, &mut checks);
    let attributes = subject::attributes(&verified.assertion);
    let refused = checks.0.iter().find_map(|check| check.failed);
    match (valid, refused) {
        (Some(valid), None) => Ok(Statement {
            issuer: presented.provider.entity_id.clone(),
            name: valid.name,
            name_id,
            attributes,
            assertion_id: valid.assertion_id,
            remember_until: valid.remember_until,
            authenticated_at: valid.signed_in.at,
            session_ends_at: valid.signed_in.session_ends_at,
            session_index: valid.signed_in.session_index,
            signed_by: verified.signed_by,
            was_encrypted: verified.was_encrypted,
            checks: checks.0,
        }),
        (_, reason) => {
            let reason = reason.unwrap_or(Reason::UnreadableContent);
            Err(Box::new(Refusal { reason, checks: checks.0, is_signed: true, name_id, attributes }))
        }
    }
}
