use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    thread,
};

use super::*;
use crate::mail::{About, EmailAddress, tests::run};

/// A mail server that answers the line that begins with `at` with `answer`, and everything else well.
fn server(at: &'static str, answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || converse(stream, at, answer));
        }
    });
    addr
}

fn converse(stream: std::net::TcpStream, at: &str, answer: &str) -> Option<()> {
    let lines = BufReader::new(stream.try_clone().ok()?).lines();
    let say = |mut to: &std::net::TcpStream, text: &str| {
        // Latin-1, whose bytes are the numbers of its letters.
        let bytes: Vec<u8> =
            text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect();
        to.write_all(&bytes).ok()
    };
    say(&stream, if at == "220" { answer } else { "220 test\r\n" })?;
    let mut is_data = false;
    for line in lines.map_while(Result::ok) {
        is_data &= line != ".";
        let usual = if is_data {
            continue;
        } else if line.starts_with("DATA") {
            is_data = true;
            "354 go on"
        } else if line.starts_with("EHLO") && at == "STARTTLS" {
            "250-test\r\n250 STARTTLS"
        } else {
            "250 fine"
        };
        let told = if line.starts_with(at) { answer } else { usual };
        is_data &= told.starts_with("354");
        if told.ends_with('\n') {
            say(&stream, told)?;
        } else if !told.is_empty() {
            say(&stream, &format!("{told}\r\n"))?;
        }
    }
    Some(())
}

fn message_to(address: &str) -> Message {
    let to = EmailAddress::parse(address).unwrap().mailbox().unwrap();
    let from: lettre::message::Mailbox = "no-reply@acme.example".parse().unwrap();
    let envelope = lettre::address::Envelope::new(Some(from.email.clone()), vec![to.clone()]).unwrap();
    Message::builder().envelope(envelope).from(from).to(to.into()).body("Hello Ada,\n".to_owned()).unwrap()
}

fn message() -> Message {
    message_to("ada@example.com")
}

fn try_to_send(url: &str) -> Result<(), Refusal> {
    run(Smtp::to(url).unwrap().send(&message()))
}

#[test]
fn a_refusal_names_numbers_and_no_people() {
    let answer = "550 5.1.1 no such user ada@example.com";

    let refusal = try_to_send(&format!("smtp://{}", server("RCPT", answer))).unwrap_err();

    assert_eq!(
        refusal,
        Refusal::of_email("The mail server says that there is no such mailbox (SMTP 550 5.1.1).")
    );
}

#[test]
fn only_the_digits_of_a_reply_decide_and_its_text_is_optional_and_in_any_encoding() {
    for (at, answer) in [
        (".", "250 2.0.0 Nachricht angenommen f\u{fc}r"),
        (".", "250"),
        (".", "250 "),
        (".", "250-\r\n250"),
        (".", "250-f\u{fc}r\r\n250-\u{80}\u{ff}\u{0}\r\n250 \u{e4}"),
        (".", "250 fine\n"),
        (".", "250\n"),
        (".", "250\tfine"),
        (".", "251"),
        ("220", "220 Gr\u{fc}\u{df} Gott\r\n"),
        ("220", "220\r\n"),
        ("220", "220-Gr\u{fc}\u{df}\r\n220\r\n"),
        ("EHLO", "250-m\u{fc}nchen.example\r\n250-X-\u{c3}\r\n250 8BITMIME"),
        ("EHLO", "250"),
        ("EHLO", "250 "),
        ("MAIL", "250 f\u{fc}r"),
        ("MAIL", "250"),
        ("RCPT", "250 \u{e9}"),
        ("RCPT", "250"),
        ("DATA", "354 \u{e9}"),
        ("DATA", "354"),
    ] {
        assert_eq!(try_to_send(&format!("smtp://{}", server(at, answer))), Ok(()), "{at}: {answer:?}");
    }
    for (at, answer, about) in [
        ("220", "554 Gesch\u{e4}ft geschlossen\r\n", About::Server),
        ("EHLO", "550 f\u{fc}r", About::Server),
        ("MAIL", "550", About::Server),
        ("RCPT", "550 5.1.1 Empf\u{e4}nger unbekannt", About::Email),
        ("RCPT", "450 sp\u{e4}ter", About::Moment),
        ("RCPT", "450", About::Moment),
        (".", "451 sp\u{e4}ter", About::Moment),
        (".", "554 5.6.0 f\u{fc}r", About::Email),
    ] {
        let refusal = try_to_send(&format!("smtp://{}", server(at, answer))).unwrap_err();
        assert_eq!(refusal.about, about, "{at}: {answer:?}: {refusal}");
        assert!(refusal.reason.contains(&answer[..3]), "{at}: {answer:?}: {refusal}");
    }
}

#[test]
fn a_server_that_is_down_is_trouble_of_the_server() {
    // Port 1 is the system's, and no test's.
    let smtp = Smtp::to("smtp://127.0.0.1:1").unwrap();

    let (sent, checked) = run(async { (smtp.send(&message()).await, smtp.check().await) });

    for refusal in [sent.unwrap_err(), checked.unwrap_err()] {
        assert_eq!(refusal, Refusal::of_server("The mail server cannot be reached: nothing listens there."));
    }
}

#[test]
fn a_server_without_tls_gets_nothing_when_tls_is_required() {
    let refusal = try_to_send(&format!("smtp://{}?tls=required", server("-", ""))).unwrap_err();

    assert_eq!(refusal, Refusal::of_server("The mail server offers no TLS (STARTTLS)."));
}

#[test]
fn a_server_that_refuses_to_turn_tls_on_gets_nothing() {
    for offer in ["454 4.7.0 TLS not available", "501 no parameters allowed"] {
        let addr = server("STARTTLS", offer);

        let refusal = try_to_send(&format!("smtp://{addr}?tls=required")).unwrap_err();

        assert_eq!(refusal.about, About::Server, "{offer}: {refusal}");
    }
}

#[test]
fn a_server_that_speaks_no_tls_at_all_gets_nothing_over_smtps() {
    let refusal = try_to_send(&format!("smtps://localhost:{}", server("-", "").port())).unwrap_err();

    assert_eq!(refusal.about, About::Server, "{refusal}");
}

#[test]
fn an_address_that_the_server_cannot_carry_is_refused_for_good() {
    let smtp = Smtp::to(&format!("smtp://{}", server("-", ""))).unwrap();

    let refusal = run(smtp.send(&message_to("josé@example.com"))).unwrap_err();

    assert!(refusal.about == About::Email && refusal.reason.contains("SMTPUTF8"), "{refusal}");
}

#[test]
fn a_server_that_falls_silent_costs_one_try_and_its_late_answers_are_not_believed() {
    for (at, about) in
        [("EHLO", About::Server), ("MAIL", About::Server), ("RCPT", About::Moment), (".", About::Moment)]
    {
        let mut smtp = Smtp::to(&format!("smtp://{}", server(at, ""))).unwrap();
        let short = Duration::from_secs(1);
        smtp.patience.command = short;
        match at {
            "EHLO" => smtp.patience.opening = short,
            _ => smtp.patience.content = short,
        }

        let (first, second) = run(async {
            (smtp.send(&message()).await.unwrap_err(), smtp.send(&message()).await.unwrap_err())
        });

        assert_eq!(first.about, about, "{at}");
        assert!(first.reason.starts_with("The mail server did not answer in time"), "{at}: {first}");
        assert_eq!(second, first);
    }
}

#[test]
fn a_good_server_takes_several_emails_and_a_check() {
    let smtp = Smtp::to(&format!("smtp://{}", server("-", ""))).unwrap();

    run(async {
        smtp.check().await.unwrap();
        for _ in 0..3 {
            smtp.send(&message()).await.unwrap();
        }
    });
}
