//! Which mail server, by which kind of TLS, and who we are there: what `SMTP_URL` says.

use std::{sync::Arc, time::Duration};

use lettre::transport::smtp::{
    Error,
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::{AsyncSmtpConnection, TlsParameters},
    commands::Starttls,
    extension::ClientId,
};
use tokio::sync::Mutex;
use url::{Host, Url};

use super::{
    lenient::{Hello, Lenient, Network},
    reply::Stage,
};

/// How long one address of the server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(20);

/// A mail server, as `SMTP_URL` names it.
pub(crate) struct Server {
    /// Host and, where it was written, port: for the operator, without credentials.
    pub name: String,
    /// The host alone: the name that its certificate has to carry.
    pub host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
    // How this machine calls itself (RFC 5321 §4.1.1.1).
    pub hello: ClientId,
}

enum Tls {
    Never,
    WhereOffered(TlsParameters),
    Required(TlsParameters),
    FromTheStart(TlsParameters),
}

impl Server {
    /// Reads `smtps://user:password@host`, `smtp://host:587?tls=required` or `?tls=opportunistic`, or `smtp://host`, which
    /// is without TLS.
    ///
    /// # Errors
    /// A sentence that says what to write instead, without the address: there is a password in it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let shape = || {
            "Write the mail server like smtps://user:password@mail.example.com or \
             smtp://mail.example.com:587?tls=required, with special characters percent-encoded."
                .to_owned()
        };
        let url = Url::parse(text).map_err(|_| shape())?;
        let written = url.host_str().filter(|host| !host.is_empty()).ok_or_else(shape)?;
        // An IPv6 address stands in brackets in an address, and nowhere else.
        let host = match Host::parse(written) {
            Ok(Host::Ipv6(ip)) => ip.to_string(),
            _ => written.to_owned(),
        };
        if !url.username().is_empty() && url.password().is_none() {
            return Err("The mail server's address has a user name but no password.".into());
        }
        if let Some((key, _)) = url.query_pairs().find(|(key, _)| key != "tls") {
            return Err(format!("The mail server's address has an option that is not known: {key:?}."));
        }
        let wanted = url.query_pairs().find(|(key, _)| key == "tls").map(|(_, value)| value.into_owned());
        let parameters = || {
            TlsParameters::new(host.clone())
                .map_err(|error| format!("TLS with the mail server cannot be set up: {error}."))
        };
        let (tls, usual_port) = match (url.scheme(), wanted.as_deref()) {
            ("smtp", None) => (Tls::Never, 25),
            ("smtp", Some("opportunistic")) => (Tls::WhereOffered(parameters()?), 587),
            ("smtp", Some("required")) => (Tls::Required(parameters()?), 587),
            ("smtps", _) => (Tls::FromTheStart(parameters()?), 465),
            _ => return Err(shape()),
        };
        let decoded = |part: &str| {
            let bytes = percent_encoding::percent_decode_str(part);
            bytes.decode_utf8().map(|text| text.into_owned()).map_err(|_| shape())
        };
        let credentials = match url.password() {
            Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
            None => None,
        };
        Ok(Self {
            name: url.port().map_or_else(|| written.to_owned(), |port| format!("{written}:{port}")),
            port: url.port().unwrap_or(usual_port),
            tls,
            credentials,
            host,
            hello: ClientId::default(),
        })
    }

    /// Connects, greets, turns TLS on and signs in.
    ///
    /// # Errors
    /// What went wrong, and in which part of it.
    pub(crate) async fn connect(&self) -> Result<AsyncSmtpConnection, (Stage, Error)> {
        match self.connect_by(Hello::Extended).await {
            // It is from before RFC 1869, and offers neither TLS nor a sign-in.
            Err((Stage::Greeting, error)) if knows_no_ehlo(&error) && self.asks_for_nothing() => {
                self.connect_by(Hello::Plain).await
            }
            connected => connected,
        }
    }

    fn asks_for_nothing(&self) -> bool {
        self.credentials.is_none() && !matches!(self.tls, Tls::Required(_))
    }

    async fn connect_by(&self, word: Hello) -> Result<AsyncSmtpConnection, (Stage, Error)> {
        let from_the_start = match &self.tls {
            Tls::FromTheStart(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let place = (self.host.as_str(), self.port);
        let connected = Network::connect_tokio1(place, Some(CONNECT), from_the_start, None).await;
        let network = Arc::new(Mutex::new(connected.map_err(|error| (Stage::Greeting, error))?));
        let mut connection = greet(Lenient::new(network.clone(), word), &self.hello)
            .await
            .map_err(|error| (Stage::Greeting, error))?;
        let wanted = match &self.tls {
            Tls::WhereOffered(parameters) if connection.can_starttls() => Some(parameters),
            Tls::Required(parameters) => Some(parameters),
            _ => None,
        };
        if let Some(parameters) = wanted {
            let started = start_tls(connection, network, parameters, &self.hello).await;
            connection = started.map_err(|error| (Stage::StartTls, error))?;
        }
        if let Some(credentials) = &self.credentials {
            let signed_in = connection.auth(DEFAULT_MECHANISMS, credentials).await;
            signed_in.map_err(|error| (Stage::Auth, error))?;
        }
        Ok(connection)
    }
}

/// Whether the server does not know the command (RFC 5321 §3.2).
fn knows_no_ehlo(error: &Error) -> bool {
    error.status().is_some_and(|code| [500, 502].contains(&u16::from(code)))
}

/// Whatever was said without TLS is forgotten with `plain`, read or not (RFC 3207 §4.2).
async fn start_tls(
    mut plain: AsyncSmtpConnection,
    network: Arc<Mutex<Network>>,
    parameters: &TlsParameters,
    hello: &ClientId,
) -> Result<AsyncSmtpConnection, Error> {
    if !plain.can_starttls() {
        // Says so, and nothing to the server.
        plain.starttls(parameters.clone(), hello).await?;
    }
    plain.command(Starttls).await?;
    drop(plain);
    network.lock().await.upgrade_tls(parameters.clone()).await?;
    greet(Lenient::greeted(network), hello).await
}

async fn greet(stream: Lenient, hello: &ClientId) -> Result<AsyncSmtpConnection, Error> {
    AsyncSmtpConnection::connect_with_transport(Box::new(stream), hello).await
}
