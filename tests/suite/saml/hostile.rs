//! What a hostile document may cost: no connection, no file, no panic, little time and little memory.

use std::time::Duration;

use vestibule::saml::{Reason, ResponsePool};

use super::{
    Forgery, all_refused,
    canary::Canary,
    forger::{DSIG, Draft, Idp, Pen, XENC, bent, draft, presented, transform},
    read,
};
use crate::harness::constants;

#[test]
pub fn nothing_in_a_response_makes_us_open_anything() {
    let (idp, canary) = (Idp::rsa(), Canary::new());
    let honest = draft().assertion_signed(&idp.pen());
    let mut forgeries: Vec<Forgery> = Vec::new();
    let file = canary.file();
    let targets = [
        canary.http(),
        canary.http().replace("http:", "ftp:"),
        format!("file://{file}"),
        file,
        "/dev/zero".to_owned(),
    ];
    for target in &targets {
        let with = |change: &dyn Fn(&mut Pen)| {
            let mut pen = idp.pen();
            change(&mut pen);
            draft().assertion_signed(&pen)
        };
        let retrieval = format!("<ds:RetrievalMethod URI=\"{target}\"></ds:RetrievalMethod>");
        let xslt = format!(
            "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"><xsl:stylesheet \
             xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"><xsl:include href=\"{target}\"/>\
             <xsl:template match=\"/\"><xsl:copy-of select=\"document('{target}')\"/></xsl:template>\
             </xsl:stylesheet></ds:Transform>"
        );
        let second = format!(
            "<ds:Reference URI=\"{target}\"><ds:DigestMethod Algorithm=\"{XENC}sha256\"></ds:DigestMethod>\
             <ds:DigestValue>AAAA</ds:DigestValue></ds:Reference>"
        );
        let manifest = format!("<ds:Object><ds:Manifest>{second}</ds:Manifest></ds:Object>");
        forgeries.extend([
            ("a reference", with(&|pen| pen.reference = Some(target.clone())), Reason::ForeignReference),
            ("a second reference", with(&|pen| pen.more_references.clone_from(&second)), Reason::SignatureShape),
            ("a key", with(&|pen| pen.key_info = format!("<ds:KeyInfo>{retrieval}</ds:KeyInfo>")), Reason::ForeignReference),
            ("a style sheet", with(&|pen| pen.transforms.clone_from(&xslt)), Reason::Transform),
            ("a manifest", with(&|pen| pen.object.clone_from(&manifest)), Reason::SignatureObject),
            ("a document type", format!("<!DOCTYPE a SYSTEM \"{target}\">{honest}"), Reason::Doctype),
            ("an entity", format!("<!DOCTYPE a [<!ENTITY e SYSTEM \"{target}\">]>{}", bent(&honest, ">ada<", ">&e;<")), Reason::Doctype),
            ("a parameter", format!("<!DOCTYPE a [<!ENTITY % e SYSTEM \"{target}\">%e;]>{honest}"), Reason::Doctype),
            ("a style sheet for the document", format!("<?xml-stylesheet href=\"{target}\"?>{honest}"), Reason::Instruction),
            ("an inclusion", bent(&honest, "<samlp:Status>", &format!("<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"{target}\"/><samlp:Status>")), Reason::Unsigned),
        ]);
    }
    // An inclusion is only an element to us: the document is honest for the rest.
    let (included, refused): (Vec<_>, Vec<_>) =
        forgeries.into_iter().partition(|(name, ..)| *name == "an inclusion");
    for (_, text, _) in &included {
        assert!(read(&presented(text, &[&idp], &[])).is_ok());
    }
    assert_eq!((included.len(), refused.len()), (5, 45));
    all_refused(refused, |text| presented(text, &[&idp], &[]));
    assert!(canary.is_alone());
}

/// Documents that are large in one way each.
fn heavy(idp: &Idp) -> Vec<Forgery> {
    let pen = idp.pen();
    let honest = draft().assertion_signed(&pen);
    let inside = |text: &str| bent(&honest, "<samlp:Status>", &format!("{text}<samlp:Status>"));
    let deep = |levels: usize| inside(&format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels)));
    let attributes = |count: usize| {
        let many: String = (0..count).map(|n| format!(" a{n}=\"\"")).collect();
        inside(&format!("<a{many}/>"))
    };
    let output = |count: usize| {
        let many = "<saml:Attribute Name=\"n\"></saml:Attribute>".repeat(count);
        let Draft { response, assertion } = draft();
        let assertion =
            bent(&assertion, "</saml:AttributeStatement>", &format!("{many}</saml:AttributeStatement>"));
        Draft { response, assertion }.both_signed(&pen)
    };
    let prefixes: String = (0..3_000).map(|n| format!(" xmlns:p{n}=\"urn:{n}\"")).collect();
    let nested: String = (0..38).map(|n| format!("<a xmlns:p{n}=\"urn:{}\">", "u".repeat(3_000))).collect();
    vec![
        ("ten megabytes", inside(&"x".repeat(10_000_000)), Reason::TooLarge),
        (
            "just too much",
            inside(&" ".repeat(constants::number("src/saml/limits.rs", "MAX_RESPONSE"))),
            Reason::TooLarge,
        ),
        ("too deep", deep(40), Reason::TooDeep),
        ("very deep", deep(20_000), Reason::TooDeep),
        ("never closed", inside(&"<a>".repeat(30_000)), Reason::TooDeep),
        ("too many elements", inside(&"<a/>".repeat(2_000)), Reason::TooManyElements),
        ("very many elements", inside(&"<a/>".repeat(40_000)), Reason::TooManyElements),
        ("too many XML attributes", attributes(41), Reason::TooManyXmlAttributes),
        ("very many XML attributes", attributes(15_000), Reason::TooManyXmlAttributes),
        ("very many declarations", inside(&format!("<a{prefixes}/>")), Reason::TooManyXmlAttributes),
        (
            "very many equal XML attributes",
            inside(&format!("<a{}/>", " a=\"\"".repeat(30_000))),
            Reason::Malformed,
        ),
        ("too many attributes", output(198), Reason::TooManyAttributes),
        ("very many attributes", output(1_500), Reason::TooManyAttributes),
        (
            "very many transforms",
            {
                let pen =
                    Pen { transforms: transform(super::forger::EXCLUSIVE).repeat(1_900), ..pen.clone() };
                draft().assertion_signed(&pen)
            },
            Reason::Transform,
        ),
        (
            "very many signatures",
            inside(&format!("<ds:Signature xmlns:ds=\"{DSIG}\"/>").repeat(1_900)),
            Reason::MisplacedSignature,
        ),
        (
            "very many declarations, nested, and assertions that would keep them",
            {
                let nested: String = (0..38)
                    .map(|level| {
                        let many: String =
                            (0..38).map(|n| format!(" xmlns:p{level}x{n}=\"urn:u\"")).collect();
                        format!("<a{many}>")
                    })
                    .collect();
                let kept = "<EncryptedAssertion/>".repeat(1_800);
                inside(&format!("{nested}{kept}{}", "</a>".repeat(38)))
            },
            Reason::TooManyDeclarations,
        ),
        ("long declarations, nested", inside(&format!("{nested}{}", "</a>".repeat(38))), Reason::Unsigned),
        ("long names", inside(&format!("<{}/>", "a".repeat(100_000))), Reason::Malformed),
        ("very many entities", inside(&"&x;".repeat(60_000)), Reason::Entity),
        ("very long instruction", inside(&format!("<?{}?>", "x".repeat(100_000))), Reason::Instruction),
        ("very long comment", inside(&format!("<!--{}-->", "x".repeat(100_000))), Reason::Comment),
        (
            "very long document type",
            format!("<!DOCTYPE a [{}]>{honest}", "<!ENTITY e \"\">".repeat(5_000)),
            Reason::Doctype,
        ),
    ]
}

/// Those of them that the limits refuse.
fn too_heavy(idp: &Idp) -> Vec<Forgery> {
    let mut heavy = heavy(idp);
    heavy.retain(|(name, ..)| *name != "long declarations, nested");
    heavy
}

#[test]
pub fn large_deep_and_wide_documents_are_refused() {
    let idp = Idp::rsa();
    all_refused(too_heavy(&idp), |text| presented(text, &[&idp], &[]));
}

#[test]
fn a_hostile_document_costs_little_time_and_memory_and_so_does_the_largest_honest_one() {
    let idp = Idp::rsa();
    let heavy: Vec<_> = too_heavy(&idp).iter().map(|(_, text, _)| presented(text, &[&idp], &[])).collect();
    // This is what the limits leave.
    let full = {
        let many: String = (0..190)
            .map(|n| {
                let values = "<saml:AttributeValue>value</saml:AttributeValue>".repeat(8);
                format!("<saml:Attribute Name=\"n{n}\">{values}</saml:Attribute>")
            })
            .collect();
        let output =
            draft().assertion("</saml:AttributeStatement>", &format!("{many}</saml:AttributeStatement>"));
        presented(&output.both_signed(&idp.pen()), &[&idp], &[])
    };
    assert!(read(&full).is_ok());

    let before = peak_memory();
    // So often that a quarter of a minute for one of them would exhaust the runner's patience.
    for _ in 0..20 {
        assert!(read(&full).is_ok());
        assert!(heavy.iter().all(|response| read(response).is_err()));
    }
    if let (Some(before), Some(after)) = (before, peak_memory()) {
        let grown = after.saturating_sub(before);
        assert!(grown < 100_000, "memory grew by {grown} kB");
    }
}

/// The most memory that this process ever had, in kB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[actix_web::test]
async fn the_desk_reads_off_the_thread_and_survives_everything() {
    let idp = Idp::rsa();
    let pool = ResponsePool::new(2, Duration::from_secs(20));
    for (_, text, _) in heavy(&idp) {
        let _ = pool.read(presented(&text, &[&idp], &[])).await;
    }
    let honest = presented(&draft().both_signed(&idp.pen()), &[&idp], &[]);
    assert_eq!(pool.read(honest.clone()).await.unwrap().name.value, "ada");
    assert_eq!(pool.panics(), 0);

    let full = ResponsePool::new(0, Duration::from_millis(1));
    assert_eq!(full.read(honest).await.unwrap_err().reason, Reason::Busy);
}

/// Bytes of an honest response, one at a time, changed or left out: never believed with other content, never a panic.
#[test]
fn no_single_change_is_believed() {
    let idp = Idp::ec();
    let honest = draft().both_signed(&idp.pen());
    let output = read(&presented(&honest, &[&idp], &[])).unwrap();
    for at in (0..honest.len()).step_by(11) {
        let (before, after) = (&honest[..at], &honest[at + 1..]);
        let changed = char::from(honest.as_bytes()[at] ^ 1);
        for text in [format!("{before}{after}"), format!("{before}{changed}{after}")] {
            if let Ok(other) = read(&presented(&text, &[&idp], &[])) {
                assert_eq!(other, output, "at {at}: {text}");
            }
        }
    }
}
