//! What a stranger's response costs before anybody knows who signed it, and what it makes the program say.

use rustix::time::{ClockId, clock_gettime};
use vestibule::saml::Reason;

use super::{
    Forgery, all_refused,
    forger::{Draft, ENVELOPED, EXCLUSIVE, Idp, Pen, bent, draft, presented, transform},
    read,
};

/// The exclusive transform with this list of prefixes.
fn listing(prefixes: &str) -> String {
    format!(
        "<ds:Transform Algorithm=\"{EXCLUSIVE}\"><ec:InclusiveNamespaces xmlns:ec=\"{EXCLUSIVE}\" \
         PrefixList=\"{prefixes}\"></ec:InclusiveNamespaces></ds:Transform>"
    )
}

fn with_transforms(idp: &Idp, transforms: &str) -> String {
    draft().assertion_signed(&Pen { transforms: transforms.to_owned(), ..idp.pen() })
}

/// The status with this inside, where no signature lies.
fn beside(honest: &str, inside: &str) -> String {
    bent(honest, "<samlp:Status>", &format!("{inside}<samlp:Status>"))
}

#[test]
pub fn transforms_are_exactly_two_and_their_lists_are_short() {
    let idp = Idp::rsa();
    let enveloped = transform(ENVELOPED);
    let ten = "a b c d e f g h i j";
    let long = "p".repeat(201);
    let list =
        |inside: &str| format!("{enveloped}<ds:Transform Algorithm=\"{EXCLUSIVE}\">{inside}</ds:Transform>");
    let inclusive = |attributes: &str, inside: &str| {
        format!(
            "<ec:InclusiveNamespaces xmlns:ec=\"{EXCLUSIVE}\"{attributes}>{inside}</ec:InclusiveNamespaces>"
        )
    };
    let forgeries: Vec<(&'static str, String)> = vec![
        ("no transform", String::new()),
        ("the signature left in", transform(EXCLUSIVE)),
        ("nothing canonical", enveloped.clone()),
        ("the wrong order", transform(EXCLUSIVE) + &enveloped),
        ("the signature taken out twice", enveloped.repeat(2)),
        ("canonical twice", transform(EXCLUSIVE).repeat(2)),
        ("three", enveloped.clone() + &transform(EXCLUSIVE).repeat(2)),
        ("three, the first twice", enveloped.repeat(2) + &transform(EXCLUSIVE)),
        ("with comments", enveloped.clone() + &transform(&format!("{EXCLUSIVE}WithComments"))),
        ("inclusive", enveloped.clone() + &transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315")),
        ("inclusive 1.1", enveloped.clone() + &transform("http://www.w3.org/2006/12/xml-c14n11")),
        ("eleven prefixes", enveloped.clone() + &listing(&format!("{ten} k"))),
        ("eleven times the same", enveloped.clone() + &listing(&"a ".repeat(11))),
        ("84,000 prefixes", enveloped.clone() + &listing(&"a ".repeat(84_000))),
        ("a long prefix", enveloped.clone() + &listing(&long)),
        ("blanks without end", enveloped.clone() + &listing(&" ".repeat(201))),
        ("no prefix at all", enveloped.clone() + &listing("a:b")),
        ("a strange keyword", enveloped.clone() + &listing("#all")),
        ("two lists", list(&inclusive(" PrefixList=\"a\"", "").repeat(2))),
        ("a list with something in it", list(&inclusive(" PrefixList=\"a\"", "a"))),
        (
            "a list of another namespace",
            list("<ds:InclusiveNamespaces PrefixList=\"a\"></ds:InclusiveNamespaces>"),
        ),
        ("a list that is none", list("<ds:XPath>1</ds:XPath>")),
        ("a transform of another namespace", enveloped.clone() + "<Transform Algorithm=\"x\"></Transform>"),
    ];
    let made: Vec<Forgery> = forgeries
        .into_iter()
        .map(|(name, transforms)| (name, with_transforms(&idp, &transforms), Reason::Transform))
        .collect();
    all_refused(made, |text| presented(text, &[&idp], &[]));

    let over = |canonicalization: &str| {
        bent(
            &draft().assertion_signed(&idp.pen()),
            &format!("<ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\">"),
            &format!("<ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\">{canonicalization}"),
        )
    };
    let many = inclusive(&format!(" PrefixList=\"{ten} k\""), "");
    all_refused(
        vec![("eleven prefixes over the signature", over(&many), Reason::Canonicalization)],
        |text| presented(text, &[&idp], &[]),
    );
}

#[test]
fn lists_that_identity_providers_send_are_read() {
    let idp = Idp::rsa();
    // Ours are declared where they are used: a list of prefixes that are not in scope changes nothing (§3 of the
    // recommendation).
    for prefixes in ["", "xs", "xsi xs", "#default ds xs xsi", " xs  xsi ", "a b c d e f g h i j"] {
        let text = with_transforms(&idp, &(transform(ENVELOPED) + &listing(prefixes)));
        assert_eq!(
            read(&presented(&text, &[&idp], &[])).map(|output| output.name.value).as_deref(),
            Ok("ada"),
            "{prefixes:?}"
        );
    }
}

/// At a relative one libxml2 stops in the middle of an element, with a line on stderr.
#[test]
pub fn namespaces_are_named_by_absolute_uris() {
    let idp = Idp::rsa();
    let honest = draft().assertion_signed(&idp.pen());
    let wrong = [
        "rel",
        "",
        " ",
        "a b",
        "/a",
        "//a.example/",
        "?a",
        "#a",
        ":a",
        "1a:b",
        "urn:",
        "urn:a b",
        "urn:\u{e4}",
        "urn:a%",
        "urn:a%zz",
        "urn:a#b#c",
        "urn:[a",
        "http://a.example/<",
        "a\\b:c",
        "urn:{a}",
        "urn:a|b",
        "urn:a^b",
        "urn:`a`",
    ];
    let made = wrong.iter().filter(|name| !name.is_empty()).map(|name| {
        let name = name.replace('<', "&lt;");
        ("a prefix", beside(&honest, &format!("<a xmlns:r=\"{name}\"></a>")), Reason::NamespaceName)
    });
    let default = ("by default", beside(&honest, "<a xmlns=\"rel\"></a>"), Reason::NamespaceName);
    let on_attribute =
        ("on an attribute", beside(&honest, "<a xmlns:r=\"rel\" r:a=\"1\"/>"), Reason::NamespaceName);
    all_refused(made.chain([default, on_attribute]).collect(), |text| presented(text, &[&idp], &[]));

    for right in ["urn:a", "http://a.example/b?c#d", "urn:a%20b", "x-y.z+1:~", "tag:a.example,2026:b"] {
        let text = beside(&honest, &format!("<a xmlns:r=\"{right}\"></a>"));
        assert!(read(&presented(&text, &[&idp], &[])).is_ok(), "{right}");
    }
    assert!(read(&presented(&beside(&honest, "<a xmlns=\"\"></a>"), &[&idp], &[])).is_ok());
}

/// Signed by nobody we know, and as dear as the limits allow: one document for each thing that costs.
fn dear() -> Vec<(&'static str, String)> {
    let stranger = Idp::rsa();
    let pen =
        Pen { transforms: transform(ENVELOPED) + &listing("a0 a1 a2 a3 a4 a5 a6 a7 a8 x"), ..stranger.pen() };
    let inside = |text: &str| {
        let Draft { response, assertion } = draft();
        let assertion =
            bent(&assertion, "</saml:AttributeStatement>", &format!("{text}</saml:AttributeStatement>"));
        Draft { response, assertion }.both_signed(&pen)
    };
    let nested = |attributes: &dyn Fn(usize) -> String, leaves: &str| {
        let open: String = (0..32).map(|level| format!("<b{}>", attributes(level))).collect();
        inside(&format!("{open}{leaves}{}", "</b>".repeat(32)))
    };
    let leaves = "<b></b>".repeat(1_850);
    let declared = (0..34).map(|n| format!(" xmlns:a{n}=\"urn:{n}\"")).collect::<String>();
    vec![
        (
            "declarations at the top",
            nested(&|level| if level == 0 { declared.clone() } else { String::new() }, &leaves),
        ),
        ("declarations all the way", nested(&|level| format!(" xmlns:a{level}=\"urn:{level}\""), &leaves)),
        (
            "one prefix, ever another name",
            inside(&(0..1_850).map(|n| format!("<b xmlns:a0=\"urn:{n}\"></b>")).collect::<String>()),
        ),
        (
            "attributes",
            inside(
                &format!("<b{}></b>", (0..38).map(|n| format!(" a{n}=\"\"")).collect::<String>()).repeat(600),
            ),
        ),
        ("text", inside(&format!("<b>{}</b>", "x".repeat(150_000)))),
        ("references to letters", inside(&format!("<b>{}</b>", "&#x41;".repeat(25_000)))),
    ]
}

/// CPU seconds that this thread spent.
fn cpu(work: impl Fn()) -> f64 {
    let now = || {
        let spent = clock_gettime(ClockId::ThreadCPUTime);
        spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
    };
    // The least of several: the others were disturbed.
    (0..5)
        .map(|_| {
            let before = now();
            work();
            now() - before
        })
        .fold(f64::MAX, f64::min)
}

/// Counted in processor time and beside an honest response of the same size, so that it says the same on any machine.
#[test]
fn nobody_but_the_identity_provider_makes_a_response_dear() {
    let idp = Idp::rsa();
    let many: String = (0..190)
        .map(|n| {
            format!(
                "<saml:Attribute Name=\"n{n}\">{}</saml:Attribute>",
                "<saml:AttributeValue>value</saml:AttributeValue>".repeat(8)
            )
        })
        .collect();
    let largest = draft()
        .assertion("</saml:AttributeStatement>", &format!("{many}</saml:AttributeStatement>"))
        .both_signed(&idp.pen());
    let largest = presented(&largest, &[&idp], &[]);
    assert!(read(&largest).is_ok());
    let usual = cpu(|| drop(read(&largest)));

    for (name, text) in dear() {
        let hostile = presented(&text, &[&idp], &[]);
        assert_eq!(
            read(&hostile),
            Err(Reason::BadSignature),
            "{name}: within the limits, and refused for its signature"
        );
        let cost = cpu(|| drop(read(&hostile)));
        println!("{name}: {:.1} ms, {:.1} x the largest honest one", cost * 1e3, cost / usual);
        assert!(cost < 4.0 * usual, "{name}: {cost} s beside {usual} s");
    }
}
