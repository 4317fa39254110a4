//! A mail server for development: takes every email, delivers none, shows them all.
//!
//! It speaks plain SMTP and is meant for a loopback address. It cannot carry local parts beyond ASCII
//! (SMTPUTF8); Mailpit can.

use std::{
    collections::VecDeque,
    fmt, io,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use chrono::{DateTime, Utc};
use mail_parser::MessageParser;
use mailin_embedded::{Action, Handler, Response, Server, response};

use super::{hold, listener::NAME};

/// How many emails are kept; the oldest makes room.
const EMAILS: usize = 200;
/// The largest email, in bytes.
const LARGEST: usize = 1024 * 1024;
/// How many people one email may go to.
const RECIPIENTS: usize = 100;
/// How many senders may be connected at once. Each waits on a thread, also while its connection idles.
const CONNECTIONS: u32 = 16;

/// The running server. It stops with the process.
#[derive(Clone)]
pub struct Catcher {
    addr: SocketAddr,
    kept: Arc<Kept>,
}

/// An email as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    /// Counts up from 1.
    pub id: u64,
    /// The sender's address.
    pub from: String,
    /// The recipients that the server was told, separated by commas.
    pub to: String,
    /// The subject, decoded.
    pub subject: String,
    /// The plain-text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// The `Message-ID`, without its angle brackets: the same for two tries of one email.
    pub message_id: String,
    /// The time in the `Date` header.
    pub sent_at: Option<DateTime<Utc>>,
    /// All of it as it came; bytes that are no UTF-8 are U+FFFD.
    pub source: String,
}

#[derive(Default)]
struct Kept {
    received: AtomicU64,
    emails: Mutex<VecDeque<Caught>>,
}

impl Catcher {
    /// Listens on `addr`; port 0 picks a free one.
    ///
    /// # Errors
    /// When the address is taken or the thread cannot start.
    pub fn start(addr: SocketAddr) -> io::Result<Self> {
        Self::start_for(addr, "")
    }

    /// The same for the page at the URL `shown_at`. The greeting says so, to other instances on this machine.
    ///
    /// # Errors
    /// When the address is taken or the thread cannot start.
    pub(crate) fn start_for(addr: SocketAddr, shown_at: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        let addr = listener.local_addr()?;
        let kept = Arc::new(Kept::default());
        let mut server = Server::new(Conversation { kept: kept.clone(), ..Conversation::default() });
        server
            .with_name(format!("localhost {NAME} {shown_at}").trim_end())
            .with_num_threads(CONNECTIONS)
            .with_tcp_listener(listener);
        thread::Builder::new().name("mail-catcher".into()).spawn(move || {
            if let Err(error) = server.serve() {
                tracing::error!(%error, "the mail catcher stopped");
            }
        })?;
        Ok(Self { addr, kept })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What is kept, newest first.
    pub fn emails(&self) -> Vec<Caught> {
        hold(&self.kept.emails).iter().rev().cloned().collect()
    }

    /// One email, while it is kept.
    pub(crate) fn email(&self, id: u64) -> Option<Caught> {
        hold(&self.kept.emails).iter().find(|message| message.id == id).cloned()
    }

    /// How many emails were ever taken, those no longer kept included.
    pub fn received(&self) -> u64 {
        self.kept.received.load(Ordering::Relaxed)
    }

    /// Throws away what is kept. Ids go on counting.
    pub fn clear(&self) {
        hold(&self.kept.emails).clear();
    }
}

impl fmt::Debug for Catcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Catcher({})", self.addr)
    }
}

/// One connection, which may bring several emails one after the other.
#[derive(Clone, Default)]
struct Conversation {
    kept: Arc<Kept>,
    from: String,
    to: Vec<String>,
    message: Vec<u8>,
    is_too_large: bool,
}

impl Handler for Conversation {
    fn mail(&mut self, _ip: IpAddr, _domain: &str, from: &str) -> Response {
        *self = Self { kept: self.kept.clone(), from: from.to_owned(), ..Self::default() };
        response::OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if self.to.len() == RECIPIENTS {
            return response::OUT_OF_SPACE;
        }
        self.to.push(to.to_owned());
        response::OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.is_too_large |= self.message.len() + line.len() > LARGEST;
        if !self.is_too_large {
            self.message.extend_from_slice(line);
        }
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let message = std::mem::take(&mut self.message);
        if self.is_too_large {
            // Hangs up as well: after a refusal at this point the server would go on reading data.
            let mut refused = Response::custom(552, "5.3.4 the email is too big".to_owned());
            refused.action = Action::Close;
            return refused;
        }
        self.kept.keep(&self.from, &self.to, &message);
        response::OK
    }
}

impl Kept {
    fn keep(&self, from: &str, to: &[String], message: &[u8]) {
        // Nothing comes of a message without a single header: it is kept empty.
        let parsed = MessageParser::default().parse(message);
        let parsed = parsed.as_ref();
        let mut emails = hold(&self.emails);
        // Numbered under the lock, so that the ids count up in the order of the list.
        let id = self.received.fetch_add(1, Ordering::Relaxed) + 1;
        if emails.len() == EMAILS {
            emails.pop_front();
        }
        emails.push_back(Caught {
            id,
            from: from.to_owned(),
            to: to.join(", "),
            subject: parsed.and_then(|mail| mail.subject()).unwrap_or_default().to_owned(),
            text: parsed.and_then(|mail| mail.body_text(0)).unwrap_or_default().into_owned(),
            html: parsed.and_then(|mail| mail.body_html(0)).unwrap_or_default().into_owned(),
            message_id: parsed.and_then(|mail| mail.message_id()).unwrap_or_default().to_owned(),
            sent_at: parsed
                .and_then(|mail| mail.date())
                .and_then(|date| DateTime::from_timestamp(date.to_timestamp(), 0)),
            source: String::from_utf8_lossy(message).into_owned(),
        });
    }
}

#[cfg(test)]
mod tests;
