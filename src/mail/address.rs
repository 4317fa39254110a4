//! An email address, parsed once at the edge: one spelling for sending, one normal form for comparing.
//!
//! Mail always goes to the stored spelling. The normal form only answers "is this the same address?", and
//! it is made here, never by the database, whose idea of lower case depends on the engine.

use std::{fmt, str::FromStr};

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types::Text,
};
use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory},
};
use idna::{
    AsciiDenyList,
    uts46::{DnsLength, Hyphens, Uts46},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest part before the `@`, in bytes (RFC 5321 §4.5.3.1.1).
const LONGEST_LOCAL_PART: usize = 64;
/// The longest address, in bytes (RFC 5321 §4.5.3.1.3 less its angle brackets).
const LONGEST_ADDRESS: usize = 254;

/// An address as its owner spelled it, in Unicode's composed form (NFC).
///
/// Two values are equal when their spellings are; compare [`normalized`](Self::normalized) to ask whether
/// they name the same mailbox. There is no `Display`: whoever shows an address says so with
/// [`spelled`](Self::spelled).
#[derive(Clone, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub struct EmailAddress(String);

/// Why a text is not an address that mail can reach, as a sentence for the person who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// Nothing was typed.
    #[error("Enter your email address.")]
    Empty,
    /// There is no `@` with something on both sides, or more than one.
    #[error("Enter an email address like name@example.com.")]
    Shape,
    /// Something that cannot be seen, or a space, is inside.
    #[error("The address contains a space or an invisible character. Type it by hand, without spaces.")]
    Invisible,
    /// The part before the `@` has misplaced dots.
    #[error("The part before the @ cannot begin or end with a dot or have two dots in a row.")]
    Dots,
    /// The part before the `@` has a character that is not allowed there.
    #[error("The part before the @ contains a character that cannot be used in an address.")]
    LocalPart,
    /// The part before the `@` is more than 64 bytes.
    #[error("The part before the @ is too long.")]
    LocalPartTooLong,
    /// The whole is more than 254 bytes.
    #[error("The address is too long.")]
    TooLong,
    /// The part after the `@` is not a domain name.
    #[error("The part after the @ is not a domain like example.com.")]
    Domain,
    /// The part after the `@` is an IP address.
    #[error("Write a domain like example.com after the @, not a number.")]
    Number,
}

impl EmailAddress {
    /// Reads an address as somebody typed it.
    ///
    /// White space around it is dropped and the rest composed (NFC, so the Kelvin sign, which Unicode
    /// holds to be the letter K, is stored as one); nothing else is changed and nothing inside is
    /// stripped. Refused are quoted local parts, IP addresses, names without a dot (`localhost` excepted),
    /// everything that cannot be seen, and what a mail server could not be told.
    ///
    /// ```
    /// use vestibule::mail::EmailAddress;
    ///
    /// assert!(EmailAddress::parse(" ada@example.com ").is_ok());
    /// assert!(EmailAddress::parse("ada@example").is_err(), "no mail leaves for there");
    /// ```
    ///
    /// # Errors
    /// The first problem found.
    pub fn parse(typed: &str) -> Result<Self, AddressProblem> {
        let trimmed = typed.trim();
        if trimmed.is_empty() {
            return Err(AddressProblem::Empty);
        }
        // Long before any Unicode work: composing never makes a text three times shorter.
        if trimmed.len() > 4 * LONGEST_ADDRESS {
            return Err(AddressProblem::TooLong);
        }
        if trimmed.chars().any(is_invisible) {
            return Err(AddressProblem::Invisible);
        }
        let spelled = ComposingNormalizer::new_nfc().normalize(trimmed).into_owned();
        let (local, domain) = split(&spelled).ok_or(AddressProblem::Shape)?;
        check_local_part(local)?;
        let ascii = ascii_domain(domain)?;
        if spelled.len() > LONGEST_ADDRESS || local.len() + 1 + ascii.len() > LONGEST_ADDRESS {
            return Err(AddressProblem::TooLong);
        }
        Ok(Self(spelled))
    }

    /// The address as its owner spells it: where mail goes, and what people are shown.
    pub(crate) fn spelled(&self) -> &str {
        &self.0
    }

    /// Reads the address of a new account, or the new one of an account. In production, where strangers sign up, it leads
    /// out of this machine and means nothing to a shell.
    ///
    /// # Errors
    /// What is wrong with it, for the person who typed it.
    pub(crate) fn parse_new(typed: &str, is_production: bool) -> Result<Self, AddressProblem> {
        let address = Self::parse(typed)?;
        if is_production {
            address.check_public()?;
        }
        Ok(address)
    }

    fn check_public(&self) -> Result<(), AddressProblem> {
        let domain = self.domain();
        if NOWHERE.iter().any(|name| domain.strip_suffix(name).is_some_and(is_label_end)) {
            return Err(AddressProblem::Domain);
        }
        let local = split(&self.0).map_or("", |(local, _)| local);
        // A dash at the front begins an option of `sendmail` and others.
        if local.starts_with('-') || local.contains(|c| SHELL.contains(c)) {
            return Err(AddressProblem::LocalPart);
        }
        Ok(())
    }

    /// What whoever knows it recognises and nobody else learns: `a•••@example.com`.
    pub(crate) fn masked(&self) -> String {
        let (local, domain) = self.spelled().rsplit_once('@').unwrap_or((self.spelled(), ""));
        let first: String = local.chars().take(1).collect();
        format!("{first}•••@{domain}")
    }

    /// The form in which two spellings of one address are the same text.
    ///
    /// The local part is folded by Unicode's canonical caseless match (Unicode §3.13, D145) and composed;
    /// the domain is its lower-case A-label (UTS 46, non-transitional). What that decides:
    ///
    /// - `É` is `é` however composed; `Σ`, `σ` and the final `ς` are one; `ß`, `ẞ` and `ss` are one.
    /// - Folding knows no language: `I` is `i`, while the Turkish `İ` and `ı` each stay themselves.
    /// - Full-width `ａ` is not `a` before the `@`: mail servers keep them apart. Behind it they are one,
    ///   as IDNA has it. `straße.example` and `strasse.example` are two domains.
    /// - `name+tag@` and `name@` are two addresses, and so are `first.last@` and `firstlast@`.
    ///
    /// One form for two mailboxes does no harm: the second cannot be confirmed, and mail still goes to
    /// each stored spelling.
    pub(crate) fn normalized(&self) -> String {
        let (local, domain) = split(&self.0).unwrap_or((&self.0, ""));
        let decomposed = DecomposingNormalizer::new_nfd().normalize(local);
        let folded = CaseMapper::new().fold_string(&decomposed);
        let local = ComposingNormalizer::new_nfc().normalize(&folded);
        match ascii_domain(domain) {
            Ok(domain) => format!("{local}@{domain}"),
            Err(_) => format!("{local}@{domain}"),
        }
    }

    /// The domain as its lower-case A-label: what DNS is asked, and what an organisation proves.
    pub(crate) fn domain(&self) -> String {
        let domain = split(&self.0).map_or("", |(_, domain)| domain);
        ascii_domain(domain).unwrap_or_else(|_| domain.to_owned())
    }

    /// The part of [`domain`](Self::domain) that somebody registered, who has as many names below it as they like: its last
    /// two labels, or three below a country's `co.uk`. Below registries that are not known here neighbours share one.
    pub(crate) fn registered_domain(&self) -> String {
        let domain = self.domain();
        let labels: Vec<&str> = domain.split('.').collect();
        let count = match labels[..] {
            [.., registry, country] if country.len() == 2 && REGISTRIES.contains(&registry) => 3,
            _ => 2,
        };
        labels[labels.len().saturating_sub(count)..].join(".")
    }

    /// The address as it is told to a mail server: the local part as spelled, the domain in ASCII.
    ///
    /// A local part beyond ASCII needs a server that knows SMTPUTF8 (RFC 6531).
    ///
    /// # Errors
    /// Never for a parsed address. One that was changed in the database is looked at again here, so that
    /// nothing in it can reach the wire as a command.
    pub(crate) fn mailbox(&self) -> Result<lettre::Address, AddressProblem> {
        let Self(checked) = Self::parse(&self.0)?;
        let (local, domain) = split(&checked).ok_or(AddressProblem::Shape)?;
        // lettre's own check refuses combining marks, without which many languages cannot be written.
        Ok(lettre::Address::new_dangerous(local, ascii_domain(domain)?))
    }
}

/// What countries' registries sell names below. Not any short name: those are for sale, too.
const REGISTRIES: &[&str] =
    &["ac", "co", "com", "edu", "go", "gob", "gov", "ltd", "me", "mil", "ne", "net", "nom", "or", "org"];

/// Names that no mail server on the internet is found under (RFC 6761, RFC 7686; `localdomain` as machines have it), and
/// those of reverse look-ups. `example` is left to examples.
const NOWHERE: &[&str] =
    &["localhost", "localdomain", "invalid", "test", "onion", "in-addr.arpa", "ip6.arpa"];

/// Whether what is left of a domain without its last labels ends where a label does.
fn is_label_end(rest: &str) -> bool {
    rest.is_empty() || rest.ends_with('.')
}

/// What a shell, a mail server's alias or its routing may take for an instruction, between which and the address there is
/// often nothing but a script. An apostrophe is none of them here: it stands in people's names.
const SHELL: &str = "!#$%&*/?^`{|}~";

/// The two sides of the only `@`.
fn split(address: &str) -> Option<(&str, &str)> {
    let (local, domain) = address.split_once('@')?;
    (!local.is_empty() && !domain.is_empty() && !domain.contains('@')).then_some((local, domain))
}

/// Whether a character has nothing to show: white space, controls, formatting, fillers, private use.
pub(crate) fn is_invisible(c: char) -> bool {
    use GeneralCategory as Category;
    let ascii = c.is_ascii();
    if ascii {
        return c.is_ascii_control() || c == ' ';
    }
    matches!(
        CodePointMapData::<GeneralCategory>::new().get(c),
        Category::Control
            | Category::Format
            | Category::PrivateUse
            | Category::Unassigned
            | Category::Surrogate
            | Category::SpaceSeparator
            | Category::LineSeparator
            | Category::ParagraphSeparator
    ) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        // The blank Braille pattern is a symbol by category and white paper to the eye.
        || c == '\u{2800}'
}

/// A dot-atom (RFC 5322 §3.2.3), with everything visible beyond ASCII (RFC 6532 §3.2).
fn check_local_part(local: &str) -> Result<(), AddressProblem> {
    if local.len() > LONGEST_LOCAL_PART {
        return Err(AddressProblem::LocalPartTooLong);
    }
    if local.split('.').any(str::is_empty) {
        return Err(AddressProblem::Dots);
    }
    let is_allowed = |c: char| match c {
        '.' => true,
        c if c.is_ascii() => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c),
        c => !is_invisible(c),
    };
    // A mark at the front would be drawn on whatever stands before the address.
    if !local.chars().all(is_allowed) || local.chars().next().is_some_and(is_mark) {
        return Err(AddressProblem::LocalPart);
    }
    Ok(())
}

fn is_mark(c: char) -> bool {
    use GeneralCategory as Category;
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    matches!(category, Category::NonspacingMark | Category::SpacingMark | Category::EnclosingMark)
}

/// The domain as its lower-case A-label, by UTS 46 with every check on but one: labels such as `r3---sn` are in the DNS,
/// though they have the two hyphens that A-labels have.
fn ascii_domain(domain: &str) -> Result<String, AddressProblem> {
    let ascii = Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| if domain.starts_with('[') { AddressProblem::Number } else { AddressProblem::Domain })?;
    let last = ascii.rsplit('.').next().unwrap_or_default();
    // No top-level domain is a number (RFC 3696 §2): this is an IPv4 address, or half of one.
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AddressProblem::Number);
    }
    if ascii != "localhost" && !ascii.contains('.') {
        return Err(AddressProblem::Domain);
    }
    Ok(ascii.into_owned())
}

impl FromStr for EmailAddress {
    type Err = AddressProblem;

    fn from_str(typed: &str) -> Result<Self, AddressProblem> {
        Self::parse(typed)
    }
}

/// `***@example.com`: a log may know the domain, not the person.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "***@{}", self.domain())
    }
}

impl Serialize for EmailAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EmailAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Trusts the database: only parsed addresses are written to it.
impl<DB: Backend> FromSql<Text, DB> for EmailAddress
where
    String: FromSql<Text, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> deserialize::Result<Self> {
        String::from_sql(raw).map(Self)
    }
}

impl<DB: Backend> ToSql<Text, DB> for EmailAddress
where
    str: ToSql<Text, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.as_str().to_sql(out)
    }
}

#[cfg(test)]
mod tests;
