mod keys;
mod typed_text;

use super::*;
use crate::{clock::Timestamp, kinds::AfterHandOver};

fn site() -> Site {
    Site {
        name: "Acme & Sons".into(),
        base_url: "https://acme.example".parse().unwrap(),
        accent: None,
        logo: None,
        stylesheet: None,
    }
}

fn ada() -> EmailAddress {
    EmailAddress::parse("Ada@example.com").unwrap()
}

fn membership(when: &str, change: MembershipChange) -> Email {
    membership_changed(&site(), &ada(), "Ada", "Acme", change, when, "/organisations/acme").unwrap()
}

fn offer(then: AfterHandOver) -> Email {
    let (by, until) = (("Bea", "bea@example.com"), "28 November 2026, 14:05 UTC");
    hand_over(&site(), (&ada(), "Ada"), ("Acme", then), by, until, "t0ken").unwrap()
}

fn news(news: OrganisationNews) -> Email {
    organisation_news(&site(), (&ada(), "Ada"), "Acme", news, "/organisations").unwrap()
}

fn setup_link(used: SetupLinkUse) -> Email {
    setup_link_used(&site(), &ada(), "Ada", ("Acme", "Okta"), used, "today", "/organisations/acme/sso/x")
        .unwrap()
}

fn sso_change(change: SsoChange, not_me: Option<&str>) -> Email {
    let (device, when) = ("Chrome on macOS", "today");
    let by = SsoChangedBy { name: "Bea", address: "bea@example.com", when, device };
    sso_changed(&site(), (&ada(), "Ada"), "Acme", change, by, not_me, "/organisations/acme/sso").unwrap()
}

fn disowned(changes: &[DisownedChange], withdrawn: &[Withdrawn]) -> Email {
    let of = ("Acme", "bea@example.com");
    disowned_changes(&site(), (&ada(), "Ada"), of, changes, withdrawn, "/organisations/acme").unwrap()
}

fn all() -> Vec<Email> {
    let (site, ada) = (site(), ada());
    let asked = AskedFrom { device: "Chrome on macOS", when: "today", place: "the network 203.0.113.0/24" };
    let about = Some("eve@example.com".into());
    let changes = [DisownedChange { when: "today".into(), event: "member added".into(), about }];
    let (connection, domain) = ("Okta".to_owned(), "acme.example".to_owned());
    let withdrawn = [
        Withdrawn::Paused { connection: connection.clone(), people: 0 },
        Withdrawn::Paused { connection: connection.clone(), people: 1 },
        Withdrawn::Paused { connection: connection.clone(), people: 2 },
        Withdrawn::Released { domain: domain.clone() },
        Withdrawn::LedBack { domain: domain.clone(), connection: Some(connection) },
        Withdrawn::LedBack { domain, connection: None },
        Withdrawn::Restored,
        Withdrawn::PolicyBack,
        Withdrawn::TakenOut { address: "eve@example.net".into() },
        Withdrawn::RoleBack { address: "bea@example.com".into(), role: "Owner".into() },
    ];
    let reset = |occasion| reset_password(&site, &ada, "Ada", occasion, "t0ken", "1 hour").unwrap();
    let answered = |answer| {
        invitation_answered(&site, (&ada, "Ada"), ("Acme", "acme"), "eve@example.com", answer).unwrap()
    };
    let laptop = KeptCredentials { passkeys: vec!["Laptop".into()], ..KeptCredentials::default() };
    vec![
        verify_email(&site, &ada, "t0ken", "5tart", "24 hours").unwrap(),
        already_registered(&site, &ada, "Ada").unwrap(),
        reset(ResetOccasion::Asked),
        reset(ResetOccasion::Secured),
        reset(ResetOccasion::AccountMade),
        reset(ResetOccasion::ByOperator),
        invitation(&site, &ada, ("Bea", "Acme"), "Editor", "tomorrow", "t0ken").unwrap(),
        answered(InvitationAnswer::Accepted),
        answered(InvitationAnswer::Declined),
        answered(InvitationAnswer::AskedAgain),
        secured_elsewhere(&site, &ada, "Ada").unwrap(),
        reset_password_unconfirmed(&site, &ada, "t0ken", "5tart", "1 hour").unwrap(),
        password_changed(
            &site,
            &ada,
            "Ada",
            ("21 November 2026, 14:05 UTC", "Chrome on macOS"),
            &KeptCredentials {
                passkeys: vec!["Laptop".into()],
                organisations: vec!["Acme".into()],
                providers: vec!["GitHub".into()],
                has_app: true,
                keys: vec![key_in_words("Nightly build", "vstp_4Kx2…")],
            },
            "t0ken",
        )
        .unwrap(),
        password_changed(&site, &ada, "Ada", ("today", "curl"), &KeptCredentials::default(), "t0ken")
            .unwrap(),
        new_sign_in(&site, &ada, "Ada", "Chrome on macOS", "today", "the network 203.0.113.0/24", "t0ken")
            .unwrap(),
        confirm_new_address(&site, &ada, "t0ken", "24 hours").unwrap(),
        address_change_asked(&site, &ada, "Ada", "new@example.com", "t0ken", "24 hours").unwrap(),
        address_changed(&site, &ada, "Ada", "new@example.com", "t0ken", "7 days").unwrap(),
        factor_changed(&site, &ada, "Ada", FactorChange::AppAdded, "today", "Chrome on macOS", "t0ken")
            .unwrap(),
        recovery_code_used(&site, &ada, "Ada", "today", 3, "t0ken").unwrap(),
        identity_linked(&site, &ada, "Ada", "Acme", ("today", "Chrome on macOS"), "t0ken").unwrap(),
        identity_added(&site, &ada, "Ada", ("GitHub", Some("ada")), ("today", "Chrome on macOS"), "t0ken")
            .unwrap(),
        identity_removed(&site, &ada, "Ada", ("GitHub", None), ("today", "Chrome on macOS"), "t0ken")
            .unwrap(),
        wrong_codes(&site, &ada, "Ada", "today", "Chrome on macOS").unwrap(),
        copied_sign_in(&site, &ada, "Ada", ("Notes", "today"), "t0ken").unwrap(),
        offline_access(&site, &ada, "Ada", ("Notes", "today", "Chrome on macOS"), "t0ken").unwrap(),
        wrong_step_ups(&site, &ada, "Ada", "today", "Chrome on macOS").unwrap(),
        membership("today", MembershipChange::MadeOwner),
        membership("today", MembershipChange::Demoted { to: "Viewer" }),
        sign_in_again(&site, &ada, "Ada", "Okta").unwrap(),
        disowned(&changes, &[]),
        disowned(&changes, &withdrawn),
        sso_change(SsoChange::Made { connection: "Okta" }, None),
        sso_change(SsoChange::Metadata { connection: "Okta" }, Some("t0ken")),
        sso_change(SsoChange::SwitchedOn { connection: "Okta" }, None),
        sso_change(SsoChange::Settings { connection: "Okta" }, None),
        sso_change(SsoChange::SecondFactorDropped { connection: "Okta" }, Some("t0ken")),
        sso_change(SsoChange::Led { domain: "acme.example", connection: Some("Okta") }, None),
        sso_change(SsoChange::Led { domain: "acme.example", connection: None }, None),
        sso_change(
            SsoChange::Required { domain: "acme.example", emergency_owner: "bea@example.com" },
            Some("t0ken"),
        ),
        sso_change(SsoChange::Released { domain: "acme.example" }, None),
        membership("today", MembershipChange::Removed),
        membership("today", MembershipChange::AnotherOwner { address: "bea@example.com" }),
        magic_link(&site, &ada, "Ada", asked, "t0ken", None, "10 minutes").unwrap(),
        magic_link(&site, &ada, "", asked, "t0ken", Some("5tart"), "10 minutes").unwrap(),
        factor_reset(
            &site,
            &ada,
            "Ada",
            ResetStep::Asked { at: "tomorrow", delay: "24 hours", token: "t0ken" },
        )
        .unwrap(),
        factor_reset(
            &site,
            &ada,
            "Ada",
            ResetStep::SomeAsked { what: &laptop, at: "tomorrow", delay: "24 hours", token: "t0ken" },
        )
        .unwrap(),
        factor_reset(&site, &ada, "Ada", ResetStep::SomeDone { what: &laptop, when: "today" }).unwrap(),
        factor_reset(&site, &ada, "Ada", ResetStep::Stopped { when: "today" }).unwrap(),
        factor_reset(&site, &ada, "Ada", ResetStep::Done { when: "today" }).unwrap(),
        deletion_scheduled(&site, &ada, "Ada", "21 December 2026, 14:05 UTC", ("t0ken", "t0ken")).unwrap(),
        deletion_reminder(&site, &ada, "Ada", 3, "21 December 2026, 14:05 UTC", ("t0ken", "t0ken")).unwrap(),
        deletion_cancelled(&site, &ada, "Ada", "21 November 2026, 14:05 UTC").unwrap(),
        deletion_done(&site, &ada, "Ada").unwrap(),
        unverified_account_ends(&site, &ada, "28 November 2026, 14:05 UTC", "t0ken", "5tart").unwrap(),
        certificate_expires(
            &site,
            &ada,
            "Ada",
            ("Acme", "Okta"),
            ("today", false, false),
            "/organisations/acme/sso",
        )
        .unwrap(),
        certificate_expires(
            &site,
            &ada,
            "Ada",
            ("Acme", "Okta"),
            ("today", true, true),
            "/organisations/acme/sso",
        )
        .unwrap(),
        domain_record_gone(
            &site,
            &ada,
            "Ada",
            "Acme",
            ("acme.example", "_vestibule.acme.example"),
            ("today", false),
            "/organisations/acme/sso",
        )
        .unwrap(),
        domain_record_gone(
            &site,
            &ada,
            "Ada",
            "Acme",
            ("acme.example", "_vestibule.acme.example"),
            ("today", true),
            "/organisations/acme/sso",
        )
        .unwrap(),
        offer(AfterHandOver::Editor),
        offer(AfterHandOver::Viewer),
        offer(AfterHandOver::Leave),
        offer(AfterHandOver::Owner),
        news(OrganisationNews::Leaving { owner: None, until: Timestamp::from_unix(1_795_269_900) }),
        news(OrganisationNews::Leaving {
            owner: Some("ada@example.com"),
            until: Timestamp::from_unix(1_795_269_900),
        }),
        news(OrganisationNews::Restored),
        news(OrganisationNews::Gone),
        policy_ahead(&site, (&ada, "Ada"), "Acme", Some("28 November 2026, 14:05 UTC")).unwrap(),
        policy_ahead(&site, (&ada, "Ada"), "Acme", None).unwrap(),
        policy_changed(&site, (&ada, "Ada"), "Acme", ("bea@example.com", "now"), "/organisations").unwrap(),
        setup_link(SetupLinkUse::Made),
        setup_link(SetupLinkUse::Changed),
        setup_link(SetupLinkUse::Tested),
        test_email(&site, &ada).unwrap(),
    ]
    .into_iter()
    .chain(keys::all())
    .collect()
}

/// What a person reads on the page, word by word. Its head is the brand and the event, which an email without a page has as
/// its sender and its subject.
fn read_aloud(html: &str) -> Vec<String> {
    let body = html.split_once("<body").unwrap().1;
    let mut words = String::new();
    let mut is_in_tag = true;
    for c in body.chars() {
        match c {
            '<' => is_in_tag = true,
            '>' => {
                is_in_tag = false;
                words.push(' ');
            }
            c if !is_in_tag => words.push(c),
            _ => {}
        }
    }
    spoken(&words.replace("&#38;", "&").replace("&#39;", "'").replace("&#34;", "\""))
}

/// The words of a text, without the marks that lay it out.
fn spoken(text: &str) -> Vec<String> {
    let words = text.split_whitespace().map(|word| word.trim_end_matches([':', ',']).to_owned());
    let mut words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    // On the page the button's link is written out below it, as it is in the text.
    words.dedup();
    words
}

#[test]
fn both_faces_of_an_email_say_the_same_in_the_same_order() {
    for email in all() {
        let told = format!("A Acme & Sons {} {}", email.subject, email.text);
        assert_eq!(read_aloud(&email.html), spoken(&told), "{}", email.kind);
    }
}

#[test]
fn an_email_has_one_button_and_its_link_in_full_and_no_pictures() {
    for email in all() {
        assert_eq!(email.html.matches("background-color").count(), 1, "{}", email.kind);
        assert!(email.text.lines().any(|line| line.starts_with("https://acme.example/")), "{}", email.kind);
        for tracker in ["<img", "url(", "<link", "<script", "@import"] {
            assert!(!email.html.contains(tracker), "{}: {tracker}", email.kind);
        }
    }
}

#[test]
fn every_address_in_an_email_is_on_this_site() {
    for email in all() {
        for face in [&email.text, &email.html] {
            let elsewhere = face.replace("https://acme.example", "");
            assert!(!elsewhere.contains("://"), "{}", email.kind);
        }
    }
}

#[test]
fn an_email_is_readable_in_a_narrow_window() {
    for email in all() {
        for line in email.text.lines().filter(|line| !line.contains("://")) {
            assert!(line.chars().count() <= 100, "{}: {line}", email.kind);
        }
    }
}

#[test]
fn a_confirmation_says_where_and_how_long_and_keeps_its_token_whole() {
    let email = verify_email(&site(), &ada(), "a+b/c=&d", "5tart", "24 hours").unwrap();

    assert_eq!(email.subject, "Confirm your email address for Acme & Sons");
    assert_eq!(email.to.spelled(), "Ada@example.com");
    assert!(email.text.contains("\nhttps://acme.example/verify-email?token=a%2Bb%2Fc%3D%26d\n"));
    assert!(email.text.contains("works for 24 hours."));
    assert!(email.text.starts_with("Hello,\n"));
    assert!(email.html.contains("Acme &#38; Sons"));
}
