//! XML of a stranger, read by a memory-safe parser into a small tree, refusing whatever SAML never needs.
//!
//! The text streams past once and the first offence ends the reading, so a hostile document costs no more than the
//! part of it that is harmless. What remains is bounded by the [`Limits`] on every side.

mod reading;

use std::rc::Rc;

pub(super) use self::reading::read;
use super::Reason;

/// How much of everything a document may have.
pub(super) struct Limits {
    /// Bytes of text.
    pub bytes: usize,
    /// Elements inside each other.
    pub depth: usize,
    /// Elements in all.
    pub elements: usize,
    /// XML attributes of one element, declarations of namespaces among them.
    pub attributes: usize,
    /// XML attributes in all.
    pub all_attributes: usize,
    /// Declarations of namespaces that hold at one place: each name is looked for among them.
    pub declarations: usize,
    /// Whether comments are skipped and CDATA is text; otherwise both are refused, since they can hide part of a name.
    pub is_lenient: bool,
    /// Whether a namespace has to be named by an absolute URI; an empty name, which takes one back, always may be.
    pub absolute_namespaces: bool,
}

/// An element, its names resolved.
#[derive(Debug)]
pub(super) struct Element {
    pub namespace: Rc<str>,
    pub name: String,
    pub attributes: Vec<Attribute>,
    pub nodes: Vec<Node>,
    /// The prefixes that hold in an `EncryptedAssertion`, an `EncryptedID` or a `SignedInfo`, which are read alone as well; else empty.
    pub scope: Scope,
    /// A `SignedInfo` as it stands in the text, where it is short; else empty.
    pub source: String,
}

/// Prefixes, the empty one for the default, each with its namespace.
pub(super) type Scope = Vec<(String, Rc<str>)>;

/// An attribute of an element. Unprefixed ones are in no namespace, which is the empty one here.
#[derive(Debug)]
pub(super) struct Attribute {
    pub namespace: Rc<str>,
    pub name: String,
    pub value: String,
}

/// What lies in an element.
#[derive(Debug)]
pub(super) enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    /// Whether this is the element `name` of `namespace`.
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && &*self.namespace == namespace
    }

    /// The value of an attribute in no namespace.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|one| one.name == name && one.namespace.is_empty());
        found.map(|one| one.value.as_str())
    }

    /// The elements directly inside.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The elements `name` of `namespace` directly inside.
    pub(crate) fn children<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Element> {
        self.elements().filter(move |element| element.is(namespace, name))
    }

    /// The one element `name` of `namespace` directly inside; none where there are several.
    pub(crate) fn only(&self, namespace: &str, name: &str) -> Option<&Element> {
        let mut found = self.elements().filter(|element| element.is(namespace, name));
        found.next().filter(|_| found.next().is_none())
    }

    /// The text of an element that holds nothing else, without the blanks around it.
    pub(crate) fn text(&self) -> Option<String> {
        let mut text = String::new();
        for node in &self.nodes {
            match node {
                Node::Text(part) => text.push_str(part),
                Node::Element(_) => return None,
            }
        }
        Some(trimmed(&text).to_owned())
    }

    /// All text inside, however deep, without the blanks around it.
    pub(crate) fn whole_text(&self) -> String {
        let mut text = String::new();
        self.gather(&mut text);
        trimmed(&text).to_owned()
    }

    fn gather(&self, text: &mut String) {
        for node in &self.nodes {
            match node {
                Node::Text(part) => text.push_str(part),
                Node::Element(element) => element.gather(text),
            }
        }
    }

    /// Calls `visit` on this element and on every one below it, parents first.
    pub(crate) fn walk<'a>(
        &'a self,
        visit: &mut impl FnMut(&'a Element) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        visit(self)?;
        self.elements().try_for_each(|element| element.walk(visit))
    }
}

/// The text without XML's blanks around it.
fn trimmed(text: &str) -> &str {
    text.trim_matches(is_blank)
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// An element's text with the declarations that hold where it was cut out, so that it can be read alone.
pub(super) fn in_scope<'a>(text: &str, scope: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let element = match text.trim_start().split_once("?>") {
        Some((declaration, element)) if declaration.starts_with("<?xml") => element.trim_start(),
        _ => text.trim_start(),
    };
    let tag = element.split('>').next().unwrap_or_default();
    let name_end = tag.find([' ', '\t', '\n', '\r', '/']).unwrap_or(tag.len());
    let (name, rest) = element.split_at(name_end);
    let mut whole = name.to_owned();
    for (prefix, uri) in scope {
        let declaration = match prefix {
            "" => "xmlns=".to_owned(),
            prefix => format!("xmlns:{prefix}="),
        };
        if !tag.contains(&declaration) {
            whole.push_str(&format!(" {declaration}\"{}\"", escaped(uri)));
        }
    }
    whole + rest
}

/// Text made safe for the content of an element and for an attribute's value in double quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars().filter(|character| is_char(*character)) {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            character => out.push(character),
        }
    }
    out
}

/// Whether a text is a URI with a scheme (RFC 3986 §3), of the letters that a URI may have.
fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_later =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '.');
    let is_of_uris =
        |character: char| character.is_ascii_alphanumeric() || "-._~:/?#@!$&'()*+,;=%".contains(character);
    let is_escaped = |at: usize| {
        rest.get(at + 1..at + 3).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    scheme.starts_with(|character: char| character.is_ascii_alphabetic())
        && scheme.chars().all(is_later)
        && !rest.is_empty()
        && rest.chars().all(is_of_uris)
        && rest.matches('#').count() <= 1
        && rest.match_indices('%').all(|(at, _)| is_escaped(at))
}

/// A name without a colon. All names of SAML and of XML signatures are ASCII, so no others are read.
pub(super) fn is_name(text: &str) -> bool {
    let is_first = |character: char| character.is_ascii_alphabetic() || character == '_';
    let is_later =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    text.starts_with(is_first) && text.chars().all(is_later) && text.len() <= 256
}

/// The letters that XML 1.0 §2.2 allows.
fn is_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
