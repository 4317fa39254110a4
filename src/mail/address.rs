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
    #[error("Write the address like name@example.com.")]
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
    pub fn spelled(&self) -> &str {
        &self.0
    }

    /// Reads the address of a new account, or the new one of an account. In production, where strangers sign up, it leads
    /// out of this machine and means nothing to a shell.
    ///
    /// # Errors
    /// What is wrong with it, for the person who typed it.
    pub fn parse_new(typed: &str, is_production: bool) -> Result<Self, AddressProblem> {
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
    pub fn normalized(&self) -> String {
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
    pub fn domain(&self) -> String {
        let domain = split(&self.0).map_or("", |(_, domain)| domain);
        ascii_domain(domain).unwrap_or_else(|_| domain.to_owned())
    }

    /// The part of [`domain`](Self::domain) that somebody registered, who has as many names below it as they like: its last
    /// two labels, or three below a country's `co.uk`. Below registries that are not known here neighbours share one.
    pub fn registered_domain(&self) -> String {
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
    pub fn mailbox(&self) -> Result<lettre::Address, AddressProblem> {
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
pub(super) fn is_invisible(c: char) -> bool {
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

/// The domain as its lower-case A-label, by UTS 46 with every check on.
fn ascii_domain(domain: &str) -> Result<String, AddressProblem> {
    let ascii = Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify)
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
mod tests {
    use super::*;

    fn parsed(typed: &str) -> EmailAddress {
        EmailAddress::parse(typed).unwrap_or_else(|problem| panic!("{typed:?}: {problem}"))
    }

    fn same(one: &str, other: &str) -> bool {
        parsed(one).normalized() == parsed(other).normalized()
    }

    fn problem(typed: &str) -> AddressProblem {
        EmailAddress::parse(typed).expect_err(typed)
    }

    #[test]
    fn edge_117_letters_of_every_alphabet_fold_in_rust() {
        assert!(same("ADA@Example.COM", "ada@example.com"));
        assert!(same("JOSÉ@example.com", "josé@example.com"));
        assert!(same("Ж@example.com", "ж@example.com"));
        assert!(same("ΟΔΟΣ@example.com", "οδος@example.com"));
        assert!(same("οδοσ@example.com", "οδος@example.com"));
        assert!(same("straße@example.com", "STRAẞE@example.com"));
        assert!(same("straße@example.com", "strasse@example.com"));
        assert_eq!(parsed("Ada.Lovelace@Example.COM").normalized(), "ada.lovelace@example.com");
    }

    #[test]
    fn edge_117_a_turkish_i_is_its_own_letter_and_a_plain_one_folds_everywhere() {
        assert!(same("IRIS@example.com", "iris@example.com"));
        assert!(!same("İris@example.com", "iris@example.com"));
        assert!(!same("ıris@example.com", "iris@example.com"));
    }

    #[test]
    fn edge_117_the_normal_form_of_a_normal_form_is_itself() {
        for typed in ["İris@example.com", "ᾼ\u{345}x@example.com", "ŚTRAẞE@Bücher.Example", "ǰ@example.com"]
        {
            let once = parsed(typed).normalized();
            assert_eq!(parsed(&once).normalized(), once, "{typed}");
        }
    }

    #[test]
    fn edge_118_a_kelvin_sign_is_stored_as_the_letter_it_is() {
        let typed = parsed("\u{212A}ay@example.com");

        assert_eq!(typed.spelled(), "Kay@example.com");
        assert_eq!(typed.mailbox().unwrap().to_string(), "Kay@example.com");
        assert!(same("\u{212A}ay@example.com", "kay@example.com"));
    }

    #[test]
    fn edge_118_mail_goes_to_the_spelling_and_not_to_the_normal_form() {
        let ada = parsed("  Ada.LOVELACE+Notes@Bücher.Example\n");

        assert_eq!(ada.spelled(), "Ada.LOVELACE+Notes@Bücher.Example");
        assert_eq!(ada.mailbox().unwrap().to_string(), "Ada.LOVELACE+Notes@xn--bcher-kva.example");
        assert_eq!(ada.normalized(), "ada.lovelace+notes@xn--bcher-kva.example");
    }

    #[test]
    fn edge_119_composed_and_decomposed_letters_are_one_spelling() {
        assert_eq!(parsed("jose\u{301}@example.com").spelled(), "jos\u{e9}@example.com");
        assert_eq!(parsed("ada@bu\u{308}cher.example").normalized(), "ada@xn--bcher-kva.example");
    }

    #[test]
    fn edge_119_a_domain_is_its_a_label_however_written() {
        assert!(same("ada@BÜCHER.example", "ada@xn--bcher-kva.example"));
        assert!(same("ada@ｅｘａｍｐｌｅ.com", "ada@example.com"));
        assert!(same("ada@example。com", "ada@example.com"));
        assert!(same("ada@\u{212A}elvin.example", "ada@kelvin.example"));
        assert!(!same("ada@straße.example", "ada@strasse.example"));
        assert!(!same("ａda@example.com", "ada@example.com"));
    }

    #[test]
    fn all_names_below_a_registered_domain_are_its_owners() {
        for (domain, registered) in [
            ("example.com", "example.com"),
            ("s1.example.com", "example.com"),
            ("a.b.c.d.Example.COM", "example.com"),
            ("mail.bücher.example", "xn--bcher-kva.example"),
            ("example.co.uk", "example.co.uk"),
            ("a.b.example.com.au", "example.com.au"),
            ("mail.example.or.jp", "example.or.jp"),
            // No registry, however short.
            ("s1.abc.com", "abc.com"),
            ("s1.abc.de", "abc.de"),
            ("s1.co.com", "co.com"),
            ("co.uk", "co.uk"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(parsed(&format!("ada@{domain}")).registered_domain(), registered, "{domain}");
        }
    }

    #[test]
    fn edge_119_nothing_invisible_is_let_in_or_stripped() {
        for c in "\0\r\n\t\u{7f}\u{85}\u{a0}\u{ad}\u{34f}\u{115f}\u{180e}\u{200b}\u{200d}\u{202e}\u{2060}\u{2800}\u{3000}\u{3164}\u{fe0f}\u{feff}\u{e000}\u{e0041}\u{fffe}\u{378}".chars() {
            assert_eq!(problem(&format!("a{c}da@example.com")), AddressProblem::Invisible, "{c:?}");
            assert_eq!(problem(&format!("ada@exa{c}mple.com")), AddressProblem::Invisible, "{c:?}");
        }
        assert_eq!(problem("\u{200b}ada@example.com"), AddressProblem::Invisible);
        assert_eq!(problem("ada@example.com\r\nBcc: eve@example.com"), AddressProblem::Invisible);
        assert_eq!(problem("\u{301}ada@example.com"), AddressProblem::LocalPart);
    }

    #[test]
    fn edge_120_plus_addresses_and_dotted_ones_stay_apart() {
        assert!(!same("ada+one@example.com", "ada@example.com"));
        assert!(!same("ada+one@example.com", "ada+two@example.com"));
        assert!(!same("a.da@example.com", "ada@example.com"));
        assert_eq!(parsed("Ada+One@example.com").normalized(), "ada+one@example.com");
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_the_reason() {
        use AddressProblem::*;
        for (typed, expected) in [
            ("", Empty),
            (" \t ", Empty),
            ("ada", Shape),
            ("@example.com", Shape),
            ("ada@", Shape),
            ("ada@@example.com", Shape),
            ("ada@example.com@example.com", Shape),
            (".ada@example.com", Dots),
            ("ada.@example.com", Dots),
            ("a..da@example.com", Dots),
            ("\"ada\"@example.com", LocalPart),
            ("a,da@example.com", LocalPart),
            ("Ada<ada@example.com", LocalPart),
            ("ada@example", Domain),
            ("ada@.example.com", Domain),
            ("ada@example..com", Domain),
            ("ada@example.com.", Domain),
            ("ada@exa_mple.com", Domain),
            ("ada@-example.com", Domain),
            ("ada@example.com>", Domain),
            ("ada@xn--a.example", Domain),
            ("ada@127.0.0.1", Number),
            ("ada@[127.0.0.1]", Number),
            ("ada@[IPv6:::1]", Number),
            ("ada@２.３", Number),
        ] {
            assert_eq!(problem(typed), expected, "{typed:?}");
        }
    }

    #[test]
    fn lengths_are_counted_in_bytes_up_to_the_last_allowed_one() {
        let local = |n: usize| format!("{}@example.com", "a".repeat(n));
        let whole = |n: usize| {
            let label = "d".repeat(60);
            let start = format!("ada@{label}.{label}.{label}.");
            format!("{start}{}.com", "d".repeat(n - start.len() - 4))
        };

        assert_eq!(parsed(&local(64)).spelled().len(), 76);
        assert_eq!(problem(&local(65)), AddressProblem::LocalPartTooLong);
        assert_eq!(problem(&format!("{}@example.com", "é".repeat(33))), AddressProblem::LocalPartTooLong);
        assert_eq!(parsed(&whole(254)).spelled().len(), 254);
        assert_eq!(problem(&format!("a{}", whole(254))), AddressProblem::TooLong);
        assert_eq!(problem(&"a".repeat(1_000_000)), AddressProblem::TooLong);
    }

    #[test]
    fn ordinary_and_unusual_addresses_are_accepted_as_typed() {
        for typed in [
            "ada@example.com",
            "ada@localhost",
            "o'brien@example.co.uk",
            "user_name-1@sub.example.com",
            "a/b=c?d!e#f$g%h&i*j^k`l{m|n}o~p@example.com",
            "用户@例子.广告",
            "हिन्दी@example.com",
            "🦀@example.com",
        ] {
            let address = parsed(typed);
            assert_eq!(address.spelled(), typed);
            assert!(address.mailbox().is_ok(), "{typed}");
        }
    }

    #[test]
    fn strangers_sign_up_with_addresses_that_lead_out_and_mean_nothing_to_a_shell() {
        for (typed, problem) in [
            ("ada@localhost", AddressProblem::Domain),
            ("ada@LOCALHOST", AddressProblem::Domain),
            ("ada@mail.localhost", AddressProblem::Domain),
            ("ada@localhost.localdomain", AddressProblem::Domain),
            ("ada@mail.LocalDomain", AddressProblem::Domain),
            ("ada@mail.invalid", AddressProblem::Domain),
            ("ada@mail.test", AddressProblem::Domain),
            ("ada@a.b.ｔｅｓｔ", AddressProblem::Domain),
            ("ada@duckduckgogg42xjoc.onion", AddressProblem::Domain),
            ("ada@1.0.0.127.in-addr.arpa", AddressProblem::Domain),
            ("ada@in-addr.arpa", AddressProblem::Domain),
            ("ada@1.0.ip6.arpa", AddressProblem::Domain),
            ("a`id`@example.com", AddressProblem::LocalPart),
            ("$HOME@example.com", AddressProblem::LocalPart),
            ("ada|cat@example.com", AddressProblem::LocalPart),
            ("ada&@example.com", AddressProblem::LocalPart),
            ("*@example.com", AddressProblem::LocalPart),
            ("ada?@example.com", AddressProblem::LocalPart),
            ("!ada@example.com", AddressProblem::LocalPart),
            ("{a}@example.com", AddressProblem::LocalPart),
            ("#ada@example.com", AddressProblem::LocalPart),
            ("~ada@example.com", AddressProblem::LocalPart),
            ("/dev/null@example.com", AddressProblem::LocalPart),
            ("ada%example.org@example.com", AddressProblem::LocalPart),
            ("-oQ@example.com", AddressProblem::LocalPart),
        ] {
            assert_eq!(parsed(typed).check_public(), Err(problem), "{typed}");
        }
        for typed in [
            "ada@example.com",
            "o'brien@example.co.uk",
            "ada+one@example.com",
            "ada-lovelace_1@example.com",
            "prvs=ada=12@example.com",
            "संपर्क@उदाहरण.भारत",
            "ada@localhost.example",
            "ada@mail.example",
            "ada@test.com",
            "ada@mytest.invalid.org",
            "ada@e164.arpa",
            "ada@mail.latest",
            "ada@x.notin-addr.arpa",
        ] {
            assert_eq!(parsed(typed).check_public(), Ok(()), "{typed}");
        }
    }

    #[test]
    fn json_carries_the_spelling_and_reads_it_through_the_same_door() {
        let ada = parsed("Ada@Example.com");

        assert_eq!(serde_json::to_string(&ada).unwrap(), r#""Ada@Example.com""#);
        assert_eq!(serde_json::from_str::<EmailAddress>(r#"" Ada@Example.com ""#).unwrap(), ada);
        assert!(serde_json::from_str::<EmailAddress>(r#""ada""#).is_err());
    }

    #[test]
    fn a_log_never_names_the_person() {
        assert_eq!(format!("{:?}", parsed("ada@Example.com")), "***@example.com");
    }

    #[test]
    fn a_tampered_row_reaches_no_mail_server() {
        let tampered = EmailAddress("ada@example.com>\r\nRCPT TO:<eve@example.com".into());

        assert!(tampered.mailbox().is_err());
    }
}
