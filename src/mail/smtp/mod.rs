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
pub(crate) struct Smtp {
    server: Server,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
    patience: Patience,
}

impl Smtp {
    /// [`Mailer::smtp`](super::Mailer::smtp) says how the address looks.
    pub(crate) fn to(url: &str) -> Result<Self, String> {
        Ok(Self { server: Server::parse(url)?, idle: Mutex::default(), patience: PATIENCE })
    }

    /// How this machine calls itself: by this host, unless it is one that only this machine knows.
    pub(crate) fn greet_as(&mut self, host: &str) {
        if host.contains('.') && host.parse::<IpAddr>().is_err() {
            self.server.hello = ClientId::Domain(host.to_owned());
        }
    }

    /// Host and port, without credentials.
    pub(crate) fn name(&self) -> &str {
        &self.server.name
    }

    /// Hands an email over.
    pub(crate) async fn send(&self, message: &Message) -> Result<(), Refusal> {
        let mut connection = self.connection().await?;
        let outcome = self.hand_over(&mut connection, message).await;
        // After anything else a late answer would be taken for the next email's.
        if outcome.is_ok() {
            self.keep(connection);
        }
        outcome
    }

    /// Connects and greets.
    pub(crate) async fn check(&self) -> Result<(), Refusal> {
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
                "Our mail server cannot carry addresses with characters beyond ASCII before the @ (SMTPUTF8). Set SMTP_URL \
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
mod tests;
