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
        ("r3---sn.example.com", "example.com"),
        ("ab--cd.com", "ab--cd.com"),
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
        ("ada@example-.com", Domain),
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
