//! Whom mail can be written to, and who it comes from where nobody said.

use serde_json::json;
use vestibule::mail::EmailAddress;

use super::{app_that_sends_to, server::MailServer};
use crate::harness::{PASSWORD, TestApp, an_email};

/// Whatever sign-up takes, a server that knows SMTPUTF8 gets.
#[actix_web::test]
async fn every_address_that_signs_up_can_be_written_to() {
    let server = MailServer::open();
    let app = app_that_sends_to(&server).await;
    let long = format!("{}@{}.example", "l".repeat(64), "d".repeat(63));
    let longest = format!(
        "{}@{}.example.com",
        "ß".repeat(32),
        ["d".repeat(60), "e".repeat(60), "f".repeat(40)].join(".")
    );
    for (typed, on_the_wire) in [
        // Written with marks that stand over, under or around the letter before.
        ("संपर्क@उदाहरण.भारत", "संपर्क@xn--p1b6ci4b4b3a.xn--h2brj9c"),
        ("ที่อยู่@example.com", "ที่อยู่@example.com"),
        ("யாவரும்@example.com", "யாவரும்@example.com"),
        ("বাংলা@example.com", "বাংলা@example.com"),
        ("ខ្មែរ@example.com", "ខ្មែរ@example.com"),
        ("မြန်မာ@example.com", "မြန်မာ@example.com"),
        ("ලංකා@example.com", "ලංකා@example.com"),
        ("తెలుగు@example.com", "తెలుగు@example.com"),
        ("བོད@example.com", "བོད@example.com"),
        ("nguyễn@example.com", "nguyễn@example.com"),
        ("q\u{0323}\u{0307}@example.com", "q\u{0323}\u{0307}@example.com"),
        // Right to left.
        ("שלום@example.com", "שלום@example.com"),
        ("שָלום@example.com", "שָלום@example.com"),
        ("مثال@مثال.إختبار", "مثال@xn--mgbh0fb.xn--kgbechtv"),
        ("مُحمد@example.com", "مُحمد@example.com"),
        // Others.
        ("用户@例子.中国", "用户@xn--fsqu00a.xn--fiqs8s"),
        ("ユーザー@example.com", "ユーザー@example.com"),
        ("사용자@example.com", "사용자@example.com"),
        ("почта@пример.рф", "почта@xn--e1afmkfd.xn--p1ai"),
        ("ελλάδα@example.com", "ελλάδα@example.com"),
        ("հայ@example.com", "հայ@example.com"),
        ("ქართული@example.com", "ქართული@example.com"),
        ("አማርኛ@example.com", "አማርኛ@example.com"),
        ("🦀.🦀@example.com", "🦀.🦀@example.com"),
        ("𝒜da@example.com", "𝒜da@example.com"),
        // Plain ones need nothing new of the server.
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("o'brien+a/b=c@example.co.uk", "o'brien+a/b=c@example.co.uk"),
        ("a!#$%&*?^`{|}~b@example.com", "a!#$%&*?^`{|}~b@example.com"),
        (&long, &long),
        (&longest, &longest),
    ] {
        let before = server.taken().len();
        app.unverified_user(typed).await;
        app.send_emails().await;

        let [taken] = &server.taken()[before..] else { panic!("{typed}: one email") };
        assert_eq!(taken.to, on_the_wire, "{typed}");
        assert_eq!(
            taken.sender_line.contains("SMTPUTF8"),
            !on_the_wire.is_ascii(),
            "{typed}: {}",
            taken.sender_line
        );
        assert!(taken.text.contains(&format!("To: {on_the_wire}")), "{typed}: {}", taken.text);
    }
}

#[actix_web::test]
async fn what_cannot_be_written_to_is_refused_at_the_form() {
    let app = TestApp::open().await;
    for typed in [
        "\"ada lovelace\"@example.com",
        "\"ada\"@example.com",
        "ada(comment)@example.com",
        "\u{0301}ada@example.com",
        "\u{094d}क@example.com",
        "ada@[192.0.2.1]",
        "ada@[IPv6:2001:db8::1]",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@\u{0301}example.com",
        "<ada@example.com>",
        "Ada <ada@example.com>",
        "ada@example.com, ben@example.com",
        "mailto:ada@example.com@example.com",
        "ada\u{202e}@example.com",
        "ada@ex ample.com",
    ] {
        let person = json!({ "email": typed, "password": PASSWORD, "name": "Ada" });
        let answer = app.curl().post_json("/signup", person).await.is(422).json();
        assert!(answer["fields"]["email"].is_string(), "{typed}: {answer}");
    }
    assert_eq!(app.count("outbox").await, 0);
}

#[actix_web::test]
async fn in_production_nobody_signs_up_with_what_a_shell_would_read_or_at_this_machine() {
    let settings = [("MODE", "production"), ("BASE_URL", "https://id.example.com"), ("BCRYPT_COST", "10")];
    let app = TestApp::with(&settings).await;
    for typed in
        ["ada@localhost", "ada@dev.localhost", "a`id`@example.com", "ada|cat@example.com", "-oQ@example.com"]
    {
        let person = json!({ "email": typed, "password": PASSWORD, "name": "Ada" });
        let answer = app.curl().post_json("/signup", person).await.is(422).json();
        assert!(answer["fields"]["email"].is_string(), "{typed}: {answer}");
    }
    let development = TestApp::open().await;
    development.unverified_user("ada@localhost").await;
    development.unverified_user("a`id`@example.com").await;
}

#[actix_web::test]
async fn the_sender_that_nobody_chose_can_always_be_written() {
    let server = MailServer::open();
    let smtp = format!("smtp://{}", server.addr);
    let ascii = |name: &'static str| (name, "http://localhost:3000", "localhost");
    for (number, (name, base_url, domain)) in [
        ascii("Acme, Inc."),
        ascii("Acme (Test)"),
        ascii("Acme <Staging>"),
        ascii("Acme ‹Staging>"),
        ascii("J.P. Example: Portal"),
        ascii("Acme \"The Best\" Co"),
        // Quotes around the whole are taken for an environment file's.
        ascii("\"Acme\" & Sons"),
        ascii("Acme \\ Co"),
        ascii("Acme; Sons"),
        ascii("@acme"),
        ascii("acme@example.com"),
        ascii("[Acme]"),
        ascii("Grüße & Söhne"),
        ascii("株式会社アクメ"),
        ascii("🦀"),
        ascii("A very long name of a company that makes everything, everywhere, and has offices in each city of the world"),
        ("Acme", "http://192.168.1.10:3000", "localhost"),
        ("Acme", "http://[fd00::1]:3000", "localhost"),
        ("Acme", "http://devbox:3000", "devbox"),
        ("Acme", "http://my_machine:3000", "localhost"),
        ("Acme", "https://id.example.com.", "id.example.com"),
        ("Acme", "https://bücher.example", "xn--bcher-kva.example"),
    ]
    .into_iter()
    .enumerate()
    {
        let settings = [("BRAND_NAME", name), ("BASE_URL", base_url), ("SMTP_URL", smtp.as_str())];
        let values = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = vestibule::config::from_values(values.into_iter().collect());
        let config = config.unwrap_or_else(|problems| panic!("{name} at {base_url}: {problems:?}"));
        let mailer = vestibule::mail::Mailer::smtp(&smtp, &config.mail_from);
        let mailer = mailer.unwrap_or_else(|problem| panic!("{name} at {base_url}: {problem}"));
        let to = EmailAddress::parse("ada@example.com").unwrap();
        let email = an_email(to);

        mailer.send(&email, "id").await.unwrap_or_else(|refusal| panic!("{name} at {base_url}: {refusal}"));

        let taken = server.taken()[number].clone();
        assert_eq!(taken.sender_line, format!("MAIL FROM:<no-reply@{domain}>"), "{name} at {base_url}");
        let parsed = mail_parser::MessageParser::default().parse(&taken.text).unwrap();
        let shown = parsed.from().and_then(|from| from.first()).and_then(|from| from.name()).unwrap_or_default();
        // This reader takes quotes around a whole name for RFC 5322's, and folding costs a long one a space or two.
        let bare = |name: &str| name.trim_matches('"').replace(' ', "");
        assert_eq!(bare(shown), bare(name), "{}", taken.text);
    }
}
