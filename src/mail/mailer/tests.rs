use super::*;
use crate::mail::{
    About, EmailAddress,
    tests::{an_email, run},
};

const FROM: &str = "Acme <no-reply@acme.example>";

fn written(email: &Email, from: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    run(async { Mailer::folder(folder.path(), from).unwrap().send(email, "id").await }).unwrap();
    fs::read_to_string(folder.path().join("id.eml")).unwrap()
}

#[test]
fn settings_that_cannot_work_are_refused_without_repeating_the_password() {
    for url in [
        "mail.example.com",
        "http://u:hunter2@mail.example.com",
        "smtp://u:hunter2@mail.example.com?tls=maybe",
        "smtp://u:hunter2@mail.example.com?tsl=required",
        "smtp://u@mail.example.com",
        "smtp://",
    ] {
        let problem = Mailer::smtp(url, FROM).unwrap_err();
        assert!(problem.ends_with('.') && !problem.contains("hunter2"), "{url}: {problem}");
    }
    for from in ["", "Acme", "Acme <no-reply>", "Acme\r\nBcc: e@f.gh <a@b.cd>", "josé@example.com"] {
        assert!(Mailer::memory(from).is_err(), "{from:?}");
    }
    let mailer = Mailer::smtp("smtps://u:hunter2@mail.example.com", FROM).unwrap();
    assert_eq!(format!("{mailer:?}"), "Mailer(over SMTP to mail.example.com)");
}

#[test]
fn an_email_is_text_first_then_html_with_the_headers_that_keep_machines_quiet() {
    let written = written(&an_email(), "\"Acme, Inc.\" <no-reply@acme.example>");

    for header in [
        "To: ada@example.com\r\n",
        "Subject: Confirm your address for Acme\r\n",
        "Message-ID: <id@acme.example>\r\n",
        "References: <verify_email@acme.example>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "X-Auto-Response-Suppress: All\r\n",
        "MIME-Version: 1.0\r\n",
        "Content-Type: multipart/alternative;",
        "From: =?utf-8?b?QWNtZSwgSW5jLg==?= <no-reply@acme.example>\r\n",
        "\r\nDate: ",
    ] {
        assert!(written.contains(header), "{header}\n{written}");
    }
    let position = |part: &str| written.find(part).unwrap_or_else(|| panic!("{part}\n{written}"));
    assert!(
        position("Content-Type: text/plain; charset=utf-8")
            < position("Content-Type: text/html; charset=utf-8")
    );
    assert_eq!(written.matches("Content-Transfer-Encoding: quoted-printable").count(), 2);
}

#[test]
fn nothing_in_an_email_becomes_a_header() {
    let mailer = Mailer::memory(FROM).unwrap();
    let injected = Email { subject: "Hello\r\nBcc: eve@example.com".into(), ..an_email() };

    run(async {
        assert_eq!(mailer.send(&injected, "id").await.unwrap_err().about, About::Email);
        for id in ["", "a b", "a\r\nBcc: eve@example.com", "../id", "a>", "a@b", ".a", "é"] {
            assert_eq!(mailer.send(&an_email(), id).await.unwrap_err().about, About::Email, "{id:?}");
        }
    });
    assert!(mailer.sent().is_empty());
    let long = Email { subject: "Grüße ".repeat(60), ..an_email() };
    assert!(written(&long, FROM).lines().all(|line| line.len() <= 998 && !line.starts_with("Bcc")));
}

#[test]
fn a_second_try_into_a_folder_is_the_same_file_and_leaves_no_scraps() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("mail");
    let mailer = Mailer::folder(&inside, FROM).unwrap();

    run(async {
        mailer.check().await.unwrap();
        mailer.send(&an_email(), "id").await.unwrap();
        mailer.send(&an_email(), "id").await.unwrap();
    });

    let names: Vec<_> = fs::read_dir(inside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["id.eml"]);
}

/// Each letter of Unicode that may stand before an @, at the front and in the middle, to find what lettre refuses.
#[test]
fn every_address_that_is_one_can_be_composed() {
    let mailer = Mailer::memory(FROM).unwrap();
    let mut composed = 0;
    for c in (' '..=char::MAX).step_by(37) {
        for typed in [format!("{c}a@example.com"), format!("a{c}@example.com")] {
            let Ok(to) = EmailAddress::parse(&typed) else { continue };
            let message = mailer.compose(&Email { to, ..an_email() }, "id");
            assert!(message.is_ok(), "{typed:?}: {message:?}");
            composed += 1;
        }
    }
    assert!(composed > 6_000, "{composed}");
}

#[test]
fn memory_keeps_emails_and_json_brings_them_back() {
    let mailer = Mailer::memory(FROM).unwrap();
    run(async { mailer.send(&an_email(), "id").await }).unwrap();

    let [sent] = &mailer.sent()[..] else { panic!("one letter") };
    let json = serde_json::to_string(sent).unwrap();
    assert!(json.contains(&format!("\"kind\":\"{}\"", sent.kind)));
    assert_eq!(&serde_json::from_str::<Email>(&json).unwrap(), sent);
}
