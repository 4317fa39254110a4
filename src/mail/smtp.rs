//! A mail server: what is asked of it, how long it may take, and what its refusals mean.

use std::{sync::Mutex, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    transport::smtp::{self, AsyncSmtpTransportBuilder, PoolConfig},
};
use tokio::{runtime::Handle, time};
use url::Url;

use super::{Refusal, hold};

/// How long the mail server may take to accept a connection, and how long for a whole letter.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long [`Mailer::check`](super::Mailer::check) waits: somebody is looking at the answer.
const CHECK_DEADLINE: Duration = Duration::from_secs(5);
/// Connections kept open for the next letter, and for how long.
const POOL: (u32, Duration) = (4, Duration::from_secs(30));

/// A mail server, and the pooled connections to it once the first letter has been sent.
pub struct Smtp {
    pub server: String,
    builder: AsyncSmtpTransportBuilder,
    transport: Mutex<Option<Transport>>,
    deadline: Duration,
}

type Transport = AsyncSmtpTransport<Tokio1Executor>;

impl Smtp {
    /// [`Mailer::smtp`](super::Mailer::smtp) says how the address looks.
    pub fn to(url: &str) -> Result<Self, String> {
        let shape = "Write the mail server like smtps://user:password@mail.example.com or \
                     smtp://mail.example.com:587?tls=required, with special characters percent-encoded.";
        let parsed = Url::parse(url).map_err(|_| shape.to_owned())?;
        let host = parsed.host_str().ok_or_else(|| shape.to_owned())?;
        if !parsed.username().is_empty() && parsed.password().is_none() {
            return Err("The mail server's address has a user name but no password.".into());
        }
        if let Some((key, _)) = parsed.query_pairs().find(|(key, _)| key != "tls") {
            return Err(format!("The mail server's address has an option that is not known: {key:?}."));
        }
        let builder = Transport::from_url(url).map_err(|error| match error.is_tls() {
            true => format!("TLS with the mail server cannot be set up: {error}."),
            false => shape.to_owned(),
        })?;
        let (connections, idle) = POOL;
        Ok(Self {
            server: parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            builder: builder
                .timeout(Some(DEADLINE))
                .pool_config(PoolConfig::new().max_size(connections).idle_timeout(idle)),
            transport: Mutex::new(None),
            deadline: DEADLINE,
        })
    }

    /// Hands a letter over.
    pub async fn send(&self, message: &Message) -> Result<(), Refusal> {
        let transport = self.transport();
        let (envelope, bytes) = (message.envelope(), message.formatted());
        match time::timeout(self.deadline, transport.send_raw(envelope, &bytes)).await {
            Ok(sent) => sent.map(drop).map_err(|error| refusal(&error)),
            Err(_) => Err(self.give_up(transport).await),
        }
    }

    /// Connects and greets.
    pub async fn check(&self) -> Result<(), Refusal> {
        let transport = self.transport();
        match time::timeout(self.deadline.min(CHECK_DEADLINE), transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(Refusal::temporary("The mail server does not answer.")),
            Ok(Err(error)) => Err(refusal(&error)),
            Err(_) => Err(self.give_up(transport).await),
        }
    }

    /// The pooled connections. Made at first use, because the pool needs a running Tokio.
    fn transport(&self) -> Transport {
        hold(&self.transport).get_or_insert_with(|| self.builder.clone().build()).clone()
    }

    /// Out of time. The connection goes back to its pool in the middle of a conversation, where a late
    /// answer would be taken for the next letter's: the whole pool is closed and a new one begun.
    async fn give_up(&self, transport: Transport) -> Refusal {
        hold(&self.transport).take();
        transport.shutdown().await;
        Refusal::temporary("The mail server did not answer in time.")
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        // The pool says goodbye from a task. Where Tokio is gone, so are the connections.
        if Handle::try_current().is_err() {
            std::mem::forget(hold(&self.transport).take());
        }
    }
}

/// What went wrong, in our words: the server's may name the person.
fn refusal(error: &smtp::Error) -> Refusal {
    if let Some(code) = error.status().map(u16::from) {
        return match code {
            // These speak of our sign-in or of the whole server, not of this letter (RFC 4954 §6, RFC 7504).
            521 | 530 | 534 | 535 | 538 => {
                Refusal::temporary(format!("The mail server does not take letters from us (SMTP {code})."))
            }
            500.. => {
                Refusal::permanent(format!("The mail server refused the letter for good (SMTP {code})."))
            }
            _ => Refusal::temporary(format!("The mail server asks to try again later (SMTP {code}).")),
        };
    }
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    if error.is_client() && cause.contains("SMTPUTF8") {
        return Refusal::permanent(
            "The mail server cannot carry addresses with letters beyond ASCII (SMTPUTF8).",
        );
    }
    Refusal::temporary(match () {
        () if error.is_client() && cause.contains("STARTTLS") => "The mail server offers no TLS (STARTTLS).",
        () if error.is_client() => "The mail server and this program have no way to sign in in common.",
        () if error.is_tls() => "TLS with the mail server failed.",
        () if error.is_timeout() => "The mail server did not answer in time.",
        () if error.is_response() => "The mail server's answer could not be understood.",
        () => "The mail server cannot be reached.",
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::{SocketAddr, TcpListener},
        thread,
    };

    use super::*;
    use crate::mail::{EmailAddress, tests::run};

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

    fn converse(mut stream: std::net::TcpStream, at: &str, answer: &str) -> Option<()> {
        let lines = BufReader::new(stream.try_clone().ok()?).lines();
        stream.write_all(b"220 test\r\n").ok()?;
        let mut is_data = false;
        for line in lines.map_while(Result::ok) {
            is_data &= line != ".";
            let usual = if is_data {
                continue;
            } else if line.starts_with("DATA") {
                is_data = true;
                "354 go on"
            } else {
                "250 fine"
            };
            let said = if line.starts_with(at) { answer } else { usual };
            is_data &= said.starts_with("354");
            if !said.is_empty() {
                stream.write_all(format!("{said}\r\n").as_bytes()).ok()?;
            }
        }
        Some(())
    }

    fn message_to(address: &str) -> Message {
        let to = EmailAddress::parse(address).unwrap().mailbox().unwrap();
        let from = "no-reply@acme.example".parse().unwrap();
        Message::builder().from(from).to(to.into()).body("Hello Ada,\n".to_owned()).unwrap()
    }

    fn message() -> Message {
        message_to("ada@example.com")
    }

    fn try_to_send(url: &str) -> Result<(), Refusal> {
        run(Smtp::to(url).unwrap().send(&message()))
    }

    #[test]
    fn a_refusal_is_permanent_only_when_it_is_about_the_letter() {
        for (at, answer, permanent) in [
            ("RCPT", "550 no such user ada@example.com", true),
            ("RCPT", "452 later", false),
            ("MAIL", "530 sign in first", false),
            ("MAIL", "421 closing", false),
            ("DATA", "554 no", true),
            (".", "552 too big", true),
            ("EHLO", "521 no mail here", false),
        ] {
            let refusal = try_to_send(&format!("smtp://{}", server(at, answer))).unwrap_err();

            assert_eq!(refusal.permanent, permanent, "{at} {answer}: {refusal}");
            assert!(refusal.reason.contains(&answer[..3]), "{refusal}");
            assert!(!refusal.reason.contains('@'), "{refusal}");
        }
    }

    #[test]
    fn a_server_that_is_down_is_temporary_trouble() {
        // Port 1 is the system's, and no test's.
        let smtp = Smtp::to("smtp://127.0.0.1:1").unwrap();

        let (sent, checked) = run(async { (smtp.send(&message()).await, smtp.check().await) });

        for refusal in [sent.unwrap_err(), checked.unwrap_err()] {
            assert_eq!(refusal, Refusal::temporary("The mail server cannot be reached."));
        }
    }

    #[test]
    fn a_server_without_tls_gets_nothing_when_tls_is_required() {
        let refusal = try_to_send(&format!("smtp://{}?tls=required", server("-", ""))).unwrap_err();

        assert_eq!(refusal, Refusal::temporary("The mail server offers no TLS (STARTTLS)."));
    }

    #[test]
    fn a_server_that_speaks_no_tls_at_all_gets_nothing_over_smtps() {
        let refusal = try_to_send(&format!("smtps://localhost:{}", server("-", "").port())).unwrap_err();

        assert!(!refusal.permanent, "{refusal}");
    }

    #[test]
    fn an_address_that_the_server_cannot_carry_is_refused_for_good() {
        let smtp = Smtp::to(&format!("smtp://{}", server("-", ""))).unwrap();

        let refusal = run(smtp.send(&message_to("josé@example.com"))).unwrap_err();

        assert!(refusal.permanent && refusal.reason.contains("SMTPUTF8"), "{refusal}");
    }

    #[test]
    fn a_server_that_falls_silent_costs_one_try_and_its_late_answers_are_not_believed() {
        let mut smtp = Smtp::to(&format!("smtp://{}", server(".", ""))).unwrap();
        smtp.deadline = Duration::from_millis(200);

        let (first, second) = run(async {
            (smtp.send(&message()).await.unwrap_err(), smtp.send(&message()).await.unwrap_err())
        });

        assert_eq!(first, Refusal::temporary("The mail server did not answer in time."));
        assert_eq!(second, first);
    }

    #[test]
    fn a_good_server_takes_several_letters_and_a_check() {
        let smtp = Smtp::to(&format!("smtp://{}", server("-", ""))).unwrap();

        run(async {
            smtp.check().await.unwrap();
            for _ in 0..3 {
                smtp.send(&message()).await.unwrap();
            }
        });
    }
}
