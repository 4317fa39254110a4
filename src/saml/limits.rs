//! How large a response may be, and reading one within that.

use super::{
    Reason,
    xml::{self, Element, Limits},
};

/// The largest `SAMLResponse` that is read, in characters of base64.
pub(crate) const MAX_RESPONSE: usize = 256 * 1024;

const LIMITS: Limits = Limits {
    bytes: MAX_RESPONSE,
    depth: 40,
    elements: 2_000,
    attributes: 40,
    // An honest response has a tenth of these, however many attributes its person has.
    all_attributes: 5_000,
    declarations: 40,
    is_lenient: false,
    // libxml2 stops in the middle of an element at any other name, and says so on stderr (Canonical XML §1.3).
    absolute_namespaces: true,
};

/// Reads a text within the limits of a response.
pub(crate) fn read(text: &str) -> Result<Element, Reason> {
    xml::read(text, &LIMITS)
}
