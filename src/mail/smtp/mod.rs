//! Handing an email to a mail server: the conversation, part by part, and how long each may take.

mod lenient;
mod reply;
mod server;

use std::{
    net::IpAddr,
    sync::Mutex,
    time::{Duration, Instant},
};

use lettre::{
    Message,
    transport::smtp::{
        Error,
        client::AsyncSmtpConnection,
        commands::{Data, Mail, Noop, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
        response::{Response, Severity},
    },
};
use tokio::time;

use self::{
    reply::{Stage, misunderstanding, refusal, silence},
    server::Server,
};
use super::{Refusal, hold};

/// How long [`Mailer::check`](super::Mailer::check) waits: somebody is looking at the answer.
const CHECK: Duration = Duration::from_secs(5);
/// Connections kept open for the next email, and for how long.
const KEPT: (usize, Duration) = (6, Duration::from_secs(30));

/// How long a mail server may take. Servers that ask others about a recipient, or let strangers wait, take their time
/// (RFC 5321 §4.5.3.2); whoever sends holds up nobody else meanwhile.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For a connection, TLS, the greeting and our sign-in together.
    opening: Duration,
    /// For the answer to a command about an email.
    command: Duration,
    /// For the answer to the content: whoever gives up early sends twice.
    content: Duration,
    /// For a sign of life on a connection that was kept.
    probe: Duration,
}

const PATIENCE: Patience = Patience {
    opening: Duration::from_secs(75),
    command: Duration::from_secs(300),
    content: Duration::from_secs(600),
    probe: Duration::from_secs(5),
};

/// A mail server, and the connections to it that wait for the next email.
pub struct Smtp {
    server: Server,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
    patience: Patience,
}

impl Smtp {
    /// [`Mailer::smtp`](super::Mailer::smtp) says how the address looks.
    pub fn to(url: &str) -> Result<Self, String> {
        Ok(Self { server: Server::parse(url)?, idle: Mutex::default(), patience: PATIENCE })
    }

    /// How this machine calls itself: by this host, unless it is one that only this machine knows.
    pub fn greet_as(&mut self, host: &str) {
        if host.contains('.') && host.parse::<IpAddr>().is_err() {
            self.server.hello = ClientId::Domain(host.to_owned());
        }
    }

    /// Host and port, without credentials.
    pub fn name(&self) -> &str {
        &self.server.name
    }

    /// Hands an email over.
    pub async fn send(&self, message: &Message) -> Result<(), Refusal> {
        let mut connection = self.connection().await?;
        let outcome = self.hand_over(&mut connection, message).await;
        // After anything else a late answer would be taken for the next email's.
        if outcome.is_ok() {
            self.keep(connection);
        }
        outcome
    }

    /// Connects and greets.
    pub async fn check(&self) -> Result<(), Refusal> {
        let connection = self.open(CHECK.min(self.patience.opening)).await?;
        self.keep(connection);
        Ok(())
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        message: &Message,
    ) -> Result<(), Refusal> {
        let (envelope, bytes) = (message.envelope(), message.formatted());
        let parameters = parameters(connection, message, &bytes)?;
        let sender = Mail::new(envelope.from().cloned(), parameters);
        self.say(Stage::From, connection.command(sender)).await?;
        for recipient in envelope.to() {
            self.say(Stage::Recipient, connection.command(Rcpt::new(recipient.clone(), Vec::new()))).await?;
        }
        self.say(Stage::Data, connection.command(Data)).await?;
        self.say(Stage::Content, connection.message(&bytes)).await
    }

    /// One part of the conversation, up to the answer that lets it go on.
    async fn say(
        &self,
        stage: Stage,
        answer: impl Future<Output = Result<Response, Error>>,
    ) -> Result<(), Refusal> {
        let (wanted, longest) = match stage {
            Stage::Data => (Severity::PositiveIntermediate, self.patience.command),
            Stage::Content => (Severity::PositiveCompletion, self.patience.content),
            _ => (Severity::PositiveCompletion, self.patience.command),
        };
        match time::timeout(longest, answer).await {
            Ok(Ok(response)) if response.code().severity == wanted => Ok(()),
            Ok(Ok(_)) => Err(misunderstanding(stage)),
            Ok(Err(error)) => Err(refusal(stage, &error, &self.server.host)),
            Err(_) => Err(silence(stage)),
        }
    }

    /// A connection that was kept and still answers, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, Refusal> {
        while let Some(mut kept) = self.kept() {
            let answer = time::timeout(self.patience.probe, kept.command(Noop)).await;
            if answer.is_ok_and(|answer| answer.is_ok()) {
                return Ok(kept);
            }
        }
        self.open(self.patience.opening).await
    }

    async fn open(&self, longest: Duration) -> Result<AsyncSmtpConnection, Refusal> {
        match time::timeout(longest, self.server.connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err((stage, error))) => Err(refusal(stage, &error, &self.server.host)),
            Err(_) => Err(silence(Stage::Greeting)),
        }
    }

    fn kept(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = hold(&self.idle);
        idle.retain(|(_, since)| since.elapsed() < KEPT.1);
        idle.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = hold(&self.idle);
        if idle.len() < KEPT.0 {
            idle.push((connection, Instant::now()));
        }
    }
}

/// What MAIL says beside the sender. Letters beyond ASCII before an @ need a server that knows SMTPUTF8 (RFC 6531 §3).
fn parameters(
    connection: &AsyncSmtpConnection,
    message: &Message,
    bytes: &[u8],
) -> Result<Vec<MailParameter>, Refusal> {
    let offers = |extension| connection.server_info().supports_feature(extension);
    let mut parameters = Vec::new();
    let envelope = message.envelope();
    if envelope.from().into_iter().chain(envelope.to()).any(|address| !address.to_string().is_ascii()) {
        if !offers(Extension::SmtpUtfEight) {
            return Err(Refusal::of_email(
                "Our mail server cannot carry addresses with letters beyond ASCII before the @ (SMTPUTF8). Set SMTP_URL \
                 to one that can.",
            ));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !bytes.is_ascii() && offers(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
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
        Message::builder()
            .envelope(envelope)
            .from(from)
            .to(to.into())
            .body("Hello Ada,\n".to_owned())
            .unwrap()
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
            assert_eq!(
                refusal,
                Refusal::of_server("The mail server cannot be reached: nothing listens there.")
            );
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
}
