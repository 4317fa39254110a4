use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

use super::*;
use crate::mail::{
    Email, EmailAddress, EmailKind, Mailer,
    listener::{shown_at, somebody_listens},
};

fn open() -> Catcher {
    Catcher::start(([127, 0, 0, 1], 0).into()).unwrap()
}

fn an_email(text: &str) -> Email {
    Email {
        kind: EmailKind::Test,
        to: EmailAddress::parse("ada+notes@bücher.example").unwrap(),
        subject: "Grüße 🦀 from Acme".into(),
        text: text.into(),
        html: format!("<p>{text}</p>"),
    }
}

fn send(catcher: &Catcher, email: &Email, id: &str) -> Result<(), crate::mail::Refusal> {
    let url = format!("smtp://{}", catcher.addr());
    crate::mail::tests::run(async {
        Mailer::smtp(&url, "Zoë at Acme <no-reply@acme.example>").unwrap().send(email, id).await
    })
}

/// Says all of `lines` at once and returns the codes of the answers.
fn converse(catcher: &Catcher, lines: &[u8], answers: usize) -> Vec<String> {
    let mut stream = TcpStream::connect(catcher.addr()).unwrap();
    stream.write_all(lines).unwrap();
    let read = BufReader::new(stream).lines().map_while(Result::ok);
    read.filter(|line| line.as_bytes()[3] == b' ').map(|line| line[..3].to_owned()).take(answers).collect()
}

#[test]
fn an_email_arrives_as_it_was_written() {
    let catcher = open();
    let text =
        format!("Hello Zoë 🦀,\n\n.\n.. two dots\n.hidden\n\n{}\nFrom here = there", "long ".repeat(300));

    send(&catcher, &an_email(&text), "letter-1").unwrap();

    let [caught] = &catcher.emails()[..] else { panic!("one letter") };
    assert_eq!(caught.subject, "Grüße 🦀 from Acme");
    assert_eq!(caught.text.replace("\r\n", "\n").trim_end(), text);
    assert!(caught.html.replace("\r\n", "\n").contains(&text));
    assert_eq!(caught.to, "ada+notes@xn--bcher-kva.example");
    assert_eq!(caught.from, "no-reply@acme.example");
    assert_eq!(caught.message_id, "letter-1@acme.example");
    assert!(caught.sent_at.is_some());
    assert_eq!(catcher.email(caught.id).as_ref(), Some(caught));
}

#[test]
fn emails_come_newest_first_and_can_be_thrown_away() {
    let catcher = open();
    for id in ["one", "two"] {
        send(&catcher, &an_email(id), id).unwrap();
    }

    let ids: Vec<_> = catcher.emails().into_iter().map(|email| email.message_id).collect();
    assert_eq!(ids, ["two@acme.example", "one@acme.example"]);
    catcher.clear();
    assert!(catcher.emails().is_empty());
    assert!(catcher.email(1).is_none());
    assert_eq!(catcher.received(), 2);
}

#[test]
fn only_the_last_two_hundred_are_kept() {
    let kept = Kept::default();
    for _ in 0..EMAILS + 3 {
        kept.keep("", &[], b"Subject: hello\r\n\r\nhello");
    }

    let emails = kept.emails.lock().unwrap();
    assert_eq!((emails.len(), emails[0].id), (EMAILS, 4));
}

#[test]
fn an_email_of_more_than_a_mebibyte_is_refused_for_good() {
    let catcher = open();

    let refusal = send(&catcher, &an_email(&"a".repeat(LARGEST)), "big").unwrap_err();

    assert_eq!(refusal.about, crate::mail::About::Email);
    assert!(refusal.reason.contains("552"), "{refusal}");
    assert_eq!(catcher.received(), 0);
}

#[test]
fn a_sender_that_does_not_wait_for_answers_is_understood() {
    let catcher = open();
    let raw = "EHLO a\r\nMAIL FROM:<a@b.example> BODY=8BITMIME\r\nRCPT TO:<c@d.example>\r\nDATA\r\n\
               Subject: Hej\r\n\r\n..dot\r\nnaïve 🦀\r\n.\r\n\
               MAIL FROM:<a@b.example>\r\nRCPT TO:<e@f.example>\r\nDATA\r\nSubject: Two\r\n\r\nx\r\n.\r\nQUIT\r\n";

    let codes = converse(&catcher, raw.as_bytes(), 10);

    assert_eq!(codes, ["220", "250", "250", "250", "354", "250", "250", "250", "354", "250"]);
    let emails = catcher.emails();
    assert_eq!((emails[0].to.as_str(), emails[0].subject.as_str()), ("e@f.example", "Two"));
    assert_eq!(emails[1].text.replace("\r\n", "\n"), ".dot\nnaïve 🦀\n");
}

#[test]
fn what_is_no_mail_at_all_is_kept_as_it_can_be_and_harms_nothing() {
    let kept = Kept::default();
    for message in [
        &b""[..],
        b"\xff\xfe\0",
        b"Date: Mon, 99 Foo 0000 99:99:99 +9999\r\n\r\n",
        b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--x",
    ] {
        kept.keep("a@b.example", &[], message);
    }

    assert_eq!(kept.emails.lock().unwrap().len(), 4);
}

#[test]
fn another_instance_is_told_where_the_emails_are_shown() {
    let page = "http://localhost:3000/dev/mail";
    let first = Catcher::start_for(([127, 0, 0, 1], 0).into(), page).unwrap();

    assert_eq!(shown_at(first.addr()).as_deref(), Some(page));
    send(&first, &an_email("after a greeting of such length"), "one").unwrap();
    assert_eq!(first.received(), 1);
    assert_eq!(shown_at(open().addr()), None);
    assert_eq!(shown_at(([127, 0, 0, 1], 1).into()), None);
}

#[test]
fn a_taken_port_is_an_error_and_somebody_listens_there() {
    let catcher = open();

    assert!(Catcher::start(catcher.addr()).is_err());
    assert!(somebody_listens(catcher.addr()));
    // Port 1 is the system's, and no test's.
    assert!(!somebody_listens(([127, 0, 0, 1], 1).into()));
}
