//! Texts that two parsers could read differently.

use vestibule::saml::Reason;

use super::{
    all_refused,
    forger::{Idp, bent, draft, presented},
    read,
};

#[test]
pub fn text_that_two_parsers_could_read_differently_is_refused_case_90() {
    let idp = Idp::rsa();
    let honest = draft().assertion_signed(&idp.pen());
    let named = |text: &str| bent(&honest, ">ada<", &format!(">{text}<"));
    let before = |text: &str| format!("{text}{honest}");
    let after = |text: &str| format!("{honest}{text}");
    let doctype = |inside: &str| before(&format!("<!DOCTYPE samlp:Response {inside}>"));
    let laughs = {
        let mut entities = "<!ENTITY a0 \"ha\">".to_owned();
        for n in 1..10 {
            entities.push_str(&format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10)));
        }
        entities
    };
    all_refused(
        vec![
            ("a comment inside the name", named("a<!---->da"), Reason::Comment),
            ("a comment after the name", named("ada<!-- -->.evil"), Reason::Comment),
            (
                "a comment elsewhere",
                bent(&honest, "<samlp:Status>", "<!-- --><samlp:Status>"),
                Reason::Comment,
            ),
            ("a comment first", before("<!-- -->"), Reason::Comment),
            ("a comment last", after("<!-- -->"), Reason::Comment),
            ("CDATA inside the name", named("a<![CDATA[d]]>a"), Reason::Cdata),
            ("an instruction inside the name", named("a<?x?>da"), Reason::Instruction),
            (
                "an instruction first",
                before("<?xml-stylesheet href=\"http://127.0.0.1:1\"?>"),
                Reason::Instruction,
            ),
            ("an instruction last", after("<?x?>"), Reason::Instruction),
            ("a second declaration", after("<?xml version=\"1.0\"?>"), Reason::LateDeclaration),
            ("an entity inside the name", named("a&d;a"), Reason::Entity),
            (
                "an entity in an attribute",
                bent(&honest, "Name=\"email\"", "Name=\"&email;\""),
                Reason::Entity,
            ),
            ("an element inside the name", named("a<b/>da"), Reason::BadSignature),
            ("a bare document type", doctype(""), Reason::Doctype),
            ("one with entities", doctype("[<!ENTITY d \"d\">]"), Reason::Doctype),
            ("one with a file", doctype("[<!ENTITY d SYSTEM \"file:///etc/passwd\">]"), Reason::Doctype),
            ("one from elsewhere", doctype("SYSTEM \"http://127.0.0.1:1/x.dtd\""), Reason::Doctype),
            (
                "one with a public name",
                doctype("PUBLIC \"-//X\" \"http://127.0.0.1:1/x.dtd\""),
                Reason::Doctype,
            ),
            (
                "one with a parameter",
                doctype("[<!ENTITY % p SYSTEM \"http://127.0.0.1:1/\"> %p;]"),
                Reason::Doctype,
            ),
            (
                "one with default attributes",
                doctype("[<!ATTLIST saml:NameID Format CDATA \"x\">]"),
                Reason::Doctype,
            ),
            ("one with IDs", doctype("[<!ATTLIST samlp:Status x ID #IMPLIED>]"), Reason::Doctype),
            ("a billion laughs", doctype(&format!("[{laughs}]")), Reason::Doctype),
            ("one in lower case", before("<!doctype samlp:Response>"), Reason::Doctype),
            ("a second root", after("<a/>"), Reason::AfterTheRoot),
            ("a second response", after(&honest), Reason::AfterTheRoot),
            ("text after the root", after("x"), Reason::AfterTheRoot),
            ("text before the root", before("x"), Reason::Malformed),
            ("a reference after the root", after("&amp;"), Reason::Malformed),
            ("nothing", String::new(), Reason::Malformed),
            ("blanks", "  \n".to_owned(), Reason::Malformed),
            ("half of it", honest[..honest.len() / 2].to_owned(), Reason::Malformed),
            ("tags that cross", bent(&honest, "</saml:NameID>", "</saml:Subject>"), Reason::Malformed),
            ("an end too many", after("</samlp:Response>"), Reason::Malformed),
            (
                "one attribute twice",
                bent(&honest, " Version=\"2.0\"", " Version=\"2.0\" Version=\"2.0\""),
                Reason::Malformed,
            ),
            (
                "one attribute twice, by two prefixes",
                bent(
                    &honest,
                    "<samlp:Status>",
                    "<samlp:Status xmlns:a=\"urn:x\" xmlns:b=\"urn:x\" a:y=\"1\" b:y=\"2\">",
                ),
                Reason::Malformed,
            ),
            (
                "a prefix that is not declared",
                bent(&honest, "<samlp:Status>", "<x:a/><samlp:Status>"),
                Reason::Malformed,
            ),
            (
                "two prefixes",
                bent(&honest, "<samlp:Status>", "<samlp:a:b/><samlp:Status>"),
                Reason::Malformed,
            ),
            (
                "XML's prefix for something else",
                bent(&honest, "<samlp:Status>", "<samlp:Status xmlns:xml=\"urn:x\">"),
                Reason::Malformed,
            ),
            (
                "a prefix for XML",
                bent(
                    &honest,
                    "<samlp:Status>",
                    "<samlp:Status xmlns:x=\"http://www.w3.org/XML/1998/namespace\">",
                ),
                Reason::Malformed,
            ),
            (
                "a prefix undone",
                bent(&honest, "<samlp:Status>", "<samlp:Status xmlns:saml=\"\">"),
                Reason::Malformed,
            ),
            ("a zero byte", named("ada\0"), Reason::Malformed),
            ("a zero byte by number", named("ada&#0;"), Reason::Malformed),
            ("half a letter by number", named("ada&#xD800;"), Reason::Malformed),
            ("a number that is none", named("ada&#x+41;"), Reason::Malformed),
            ("a number too large", named("ada&#x110000;"), Reason::Malformed),
            ("an ampersand alone", named("a & da"), Reason::Malformed),
            (
                "an angle bracket in an attribute",
                bent(&honest, "Name=\"email\"", "Name=\"<email\""),
                Reason::Malformed,
            ),
            ("the end of CDATA in text", named("ada]]>"), Reason::Malformed),
            (
                "a name that is none",
                bent(&honest, "<samlp:Status>", "<1a/><samlp:Status>"),
                Reason::Malformed,
            ),
            ("version 1.1", before("<?xml version=\"1.1\"?>"), Reason::Malformed),
            ("another encoding", before("<?xml version=\"1.0\" encoding=\"UTF-7\"?>"), Reason::NotUtf8),
            ("a declaration late", before(" <?xml version=\"1.0\"?>"), Reason::LateDeclaration),
        ],
        |text| presented(text, &[&idp], &[]),
    );

    let mut other = presented(&honest, &[&idp], &[]);
    let encoded = |bytes: &[u8]| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
    let wide: Vec<u8> = honest.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (field, wanted) in [
        (encoded(&wide), Reason::Malformed),
        (encoded(&[0xFE, 0xFF]), Reason::NotUtf8),
        (encoded(b"<a>\xC0\xBC</a>"), Reason::NotUtf8),
        (honest.clone(), Reason::NotBase64),
        ("====".to_owned(), Reason::NotBase64),
        (encoded(honest.as_bytes()).replace('A', "-"), Reason::NotBase64),
    ] {
        other.response = field;
        assert_eq!(read(&other).unwrap_err(), wanted);
    }
}
