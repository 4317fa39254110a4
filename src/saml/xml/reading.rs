//! The streaming pass: from text to tree, ended by the first thing that SAML never needs.

use std::rc::Rc;

use quick_xml::{
    Reader,
    events::{BytesDecl, BytesStart, Event},
};

use super::{Attribute, Element, Limits, Node, Scope, is_absolute_uri, is_blank, is_char, is_name};
use crate::saml::Reason;

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// Of so many elements the declarations around them are kept; an honest response has one encrypted assertion and two
/// signatures.
const MAX_SCOPES: usize = 4;
/// The longest `SignedInfo` that is kept, in bytes; an honest one has a tenth of it.
const MAX_SOURCE: usize = 8 * 1024;

/// Reads a document (XML 1.0, Namespaces in XML 1.0).
pub(in crate::saml) fn read(text: &str, limits: &Limits) -> Result<Element, Reason> {
    if text.len() > limits.bytes {
        return Err(Reason::TooLarge);
    }
    // Some write a byte order mark, which says nothing in UTF-8.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if !text.chars().all(is_char) {
        return Err(Reason::Malformed);
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut reading = Reading::new(limits);
    loop {
        let begins_at = reader.buffer_position();
        let is_first = begins_at == 0;
        match reader.read_event().map_err(|_| Reason::Malformed)? {
            Event::Decl(declaration) if is_first => check_declaration(&declaration)?,
            Event::Decl(_) => return Err(Reason::LateDeclaration),
            Event::PI(_) => return Err(Reason::Instruction),
            Event::DocType(_) => return Err(Reason::Doctype),
            Event::CData(part) if limits.is_lenient => {
                reading.text(std::str::from_utf8(&part).map_err(|_| Reason::NotUtf8)?)?;
            }
            Event::CData(_) => return Err(Reason::Cdata),
            Event::Comment(_) if limits.is_lenient => {}
            Event::Comment(_) => return Err(Reason::Comment),
            Event::Start(start) => reading.open(&start, begins_at)?,
            Event::Empty(start) => {
                reading.open(&start, begins_at)?;
                reading.close("");
            }
            Event::End(_) => {
                let ends_at = usize::try_from(reader.buffer_position()).unwrap_or_default();
                reading.close(text.get(..ends_at).unwrap_or_default());
            }
            Event::Text(part) => {
                let part = std::str::from_utf8(&part).map_err(|_| Reason::NotUtf8)?;
                if part.contains("]]>") {
                    return Err(Reason::Malformed);
                }
                reading.text(part)?;
            }
            Event::GeneralRef(name) => {
                let name = std::str::from_utf8(&name).map_err(|_| Reason::NotUtf8)?;
                let mut buffer = [0; 4];
                reading.reference(referred(name)?.encode_utf8(&mut buffer))?;
            }
            Event::Eof => return reading.finish(),
        }
    }
}

/// A declaration says version 1.0 and, where it names an encoding, UTF-8: a parser that believed another one would
/// read another document.
fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), Reason> {
    let version = declaration.version().map_err(|_| Reason::Malformed)?;
    let encoding = declaration.encoding().transpose().map_err(|_| Reason::Malformed)?;
    let is_utf8 = encoding.is_none_or(|name| name.eq_ignore_ascii_case(b"utf-8"));
    match (&*version == b"1.0", is_utf8) {
        (true, true) => Ok(()),
        (true, false) => Err(Reason::NotUtf8),
        (false, _) => Err(Reason::Malformed),
    }
}

/// What has been read so far.
struct Reading<'a> {
    limits: &'a Limits,
    /// The prefixes that are declared, the innermost last, each with the depth of its element.
    prefixes: Vec<(String, Rc<str>, usize)>,
    open: Vec<Element>,
    /// Where each open element begins.
    begin: Vec<usize>,
    elements: usize,
    attributes: usize,
    scopes: usize,
    root: Option<Element>,
}

impl<'a> Reading<'a> {
    fn new(limits: &'a Limits) -> Self {
        let prefixes = vec![("xml".to_owned(), Rc::from(XML), 0)];
        Self {
            limits,
            prefixes,
            open: Vec::new(),
            begin: Vec::new(),
            elements: 0,
            attributes: 0,
            scopes: 0,
            root: None,
        }
    }

    fn open(&mut self, start: &BytesStart<'_>, at: u64) -> Result<(), Reason> {
        if self.root.is_some() {
            return Err(Reason::AfterTheRoot);
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(Reason::TooManyElements);
        }
        let depth = self.open.len() + 1;
        if depth > self.limits.depth {
            return Err(Reason::TooDeep);
        }
        let found = self.attributes(start)?;
        self.attributes += found.len();
        if self.attributes > self.limits.all_attributes {
            return Err(Reason::TooManyXmlAttributes);
        }
        for (name, value) in &found {
            self.declare(name, value, depth)?;
        }
        let mut attributes = Vec::with_capacity(found.len());
        for (name, value) in found {
            let (prefix, local) = parts(&name)?;
            if prefix == Some("xmlns") || name == "xmlns" {
                continue;
            }
            let namespace = match prefix {
                Some(prefix) => self.resolve(prefix)?,
                None => Rc::from(""),
            };
            attributes.push(Attribute { namespace, name: local.to_owned(), value });
        }
        let is_same = |one: &Attribute, other: &Attribute| {
            (&one.namespace, &one.name) == (&other.namespace, &other.name)
        };
        for (index, one) in attributes.iter().enumerate() {
            if attributes.iter().take(index).any(|other| is_same(one, other)) {
                return Err(Reason::Malformed);
            }
        }
        let name = std::str::from_utf8(start.name().into_inner()).map_err(|_| Reason::NotUtf8)?.to_owned();
        let (prefix, local) = parts(&name)?;
        let namespace = match prefix {
            Some("xmlns") => return Err(Reason::Malformed),
            Some(prefix) => self.resolve(prefix)?,
            None => self.resolve("").unwrap_or_else(|_| Rc::from("")),
        };
        let scope = match local {
            "EncryptedAssertion" | "EncryptedID" | "SignedInfo" if self.scopes < MAX_SCOPES => self.scope(),
            _ => Vec::new(),
        };
        let (name, nodes, source) = (local.to_owned(), Vec::new(), String::new());
        self.open.push(Element { namespace, name, attributes, nodes, scope, source });
        self.begin.push(usize::try_from(at).unwrap_or(usize::MAX));
        Ok(())
    }

    /// The attributes as they stand, their values read.
    fn attributes(&self, start: &BytesStart<'_>) -> Result<Vec<(String, String)>, Reason> {
        let mut found: Vec<(String, String)> = Vec::new();
        // Counted before anything is compared: comparing each with each is what makes many of them dear.
        for attribute in start.attributes().with_checks(false) {
            if found.len() == self.limits.attributes {
                return Err(Reason::TooManyXmlAttributes);
            }
            let attribute = attribute.map_err(|_| Reason::Malformed)?;
            let name = std::str::from_utf8(attribute.key.into_inner()).map_err(|_| Reason::NotUtf8)?;
            let value = std::str::from_utf8(&attribute.value).map_err(|_| Reason::NotUtf8)?;
            if found.iter().any(|(other, _)| other == name) {
                return Err(Reason::Malformed);
            }
            found.push((name.to_owned(), attribute_value(value)?));
        }
        Ok(found)
    }

    /// Takes up an attribute that declares a prefix (Namespaces in XML 1.0 §3).
    fn declare(&mut self, name: &str, value: &str, depth: usize) -> Result<(), Reason> {
        let prefix = match name.strip_prefix("xmlns:") {
            Some(prefix) => prefix,
            None if name == "xmlns" => "",
            None => return Ok(()),
        };
        // Allowed, and says what is so anyway (Namespaces in XML 1.0 §3).
        if (prefix, value) == ("xml", XML) {
            return Ok(());
        }
        let is_reserved = matches!(prefix, "xml" | "xmlns") || matches!(value, XML | XMLNS);
        let is_undone = !prefix.is_empty() && value.is_empty();
        if is_reserved || is_undone || (!prefix.is_empty() && !is_name(prefix)) {
            return Err(Reason::Malformed);
        }
        if self.limits.absolute_namespaces && !value.is_empty() && !is_absolute_uri(value) {
            return Err(Reason::NamespaceName);
        }
        self.prefixes.push((prefix.to_owned(), Rc::from(value), depth));
        match self.prefixes.len() > self.limits.declarations {
            true => Err(Reason::TooManyDeclarations),
            false => Ok(()),
        }
    }

    fn resolve(&self, prefix: &str) -> Result<Rc<str>, Reason> {
        let found = self.prefixes.iter().rev().find(|(known, _, _)| known == prefix);
        found.map(|(_, namespace, _)| Rc::clone(namespace)).ok_or(Reason::Malformed)
    }

    /// The prefixes that hold here, each once, as declared last.
    fn scope(&mut self) -> Scope {
        self.scopes += 1;
        let mut scope = Scope::new();
        for (prefix, namespace, _) in self.prefixes.iter().skip(1).rev() {
            if !scope.iter().any(|(known, _)| known == prefix) {
                scope.push((prefix.clone(), Rc::clone(namespace)));
            }
        }
        scope
    }

    /// Closes the innermost element, which `text` ends with.
    fn close(&mut self, text: &str) {
        let depth = self.open.len();
        while self.prefixes.last().is_some_and(|(_, _, declared)| *declared == depth && depth > 0) {
            self.prefixes.pop();
        }
        let begin = self.begin.pop().unwrap_or_default();
        if let Some(mut element) = self.open.pop() {
            if element.name == "SignedInfo" && !element.scope.is_empty() {
                let source = text.get(begin..).filter(|source| source.len() <= MAX_SOURCE);
                source.unwrap_or_default().clone_into(&mut element.source);
            }
            match self.open.last_mut() {
                Some(parent) => parent.nodes.push(Node::Element(element)),
                None => self.root = Some(element),
            }
        }
    }

    /// Text as it stands: outside the root only blanks.
    fn text(&mut self, part: &str) -> Result<(), Reason> {
        match self.open.last_mut() {
            None if part.chars().all(is_blank) => Ok(()),
            None if self.root.is_some() => Err(Reason::AfterTheRoot),
            None => Err(Reason::Malformed),
            Some(element) => {
                let part = part.replace("\r\n", "\n").replace('\r', "\n");
                match element.nodes.last_mut() {
                    Some(Node::Text(text)) => text.push_str(&part),
                    _ => element.nodes.push(Node::Text(part)),
                }
                Ok(())
            }
        }
    }

    /// A letter that was referred to: it counts as it is, and belongs in an element.
    fn reference(&mut self, character: &str) -> Result<(), Reason> {
        let Some(element) = self.open.last_mut() else { return Err(Reason::Malformed) };
        match element.nodes.last_mut() {
            Some(Node::Text(text)) => text.push_str(character),
            _ => element.nodes.push(Node::Text(character.to_owned())),
        }
        Ok(())
    }

    fn finish(self) -> Result<Element, Reason> {
        if !self.open.is_empty() {
            return Err(Reason::Malformed);
        }
        self.root.ok_or(Reason::Malformed)
    }
}

/// The value of an attribute (XML 1.0 §3.3.3): blanks become spaces, references what they stand for.
fn attribute_value(raw: &str) -> Result<String, Reason> {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '<', '\t', '\n', '\r']) {
        let (before, from) = rest.split_at(at);
        value.push_str(before);
        if from.starts_with('<') {
            return Err(Reason::Malformed);
        }
        rest = match from.strip_prefix('&') {
            Some(named) => {
                let (name, after) = named.split_once(';').ok_or(Reason::Malformed)?;
                value.push(referred(name)?);
                after
            }
            None => {
                value.push(' ');
                from.strip_prefix("\r\n").or_else(|| from.get(1..)).unwrap_or_default()
            }
        };
    }
    value.push_str(rest);
    Ok(value)
}

/// The letter that `&name;` stands for: one of XML's own five, or a number (XML 1.0 §4.1, §4.6).
fn referred(name: &str) -> Result<char, Reason> {
    let number = match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => name.strip_prefix('#').ok_or(Reason::Entity)?,
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(Reason::Malformed);
    }
    let character = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    character.filter(|character| is_char(*character)).ok_or(Reason::Malformed)
}

/// A name's prefix and its local part.
fn parts(name: &str) -> Result<(Option<&str>, &str), Reason> {
    let (prefix, local) = match name.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, name),
    };
    if is_name(local) && prefix.is_none_or(is_name) { Ok((prefix, local)) } else { Err(Reason::Malformed) }
}
