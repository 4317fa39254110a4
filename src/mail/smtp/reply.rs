//! What a mail server's refusal means: the part of the conversation that was refused decides whom it is about.
//!
//! Before a recipient is named everything is about the server and us. Afterwards the enhanced status code decides
//! (RFC 3463), and where there is none the basic one, and where that is used for everything, the words beside it. Only a
//! bad mailbox and unwanted content end an email; all else is tried for days.

use std::{error::Error as _, io};

use lettre::transport::smtp::Error;
use rustls::CertificateError;

use super::super::{About, Refusal};

/// A part of the conversation with a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Connecting, the greeting, and EHLO.
    Greeting,
    /// Turning TLS on.
    StartTls,
    /// Signing in.
    Auth,
    /// MAIL: who sends.
    From,
    /// RCPT: who receives.
    Recipient,
    /// DATA, before any content.
    Data,
    /// After the content.
    Content,
}

impl Stage {
    /// Whether this is said before any recipient is named.
    fn is_before_recipients(self) -> bool {
        matches!(self, Self::Greeting | Self::StartTls | Self::Auth | Self::From)
    }

    /// What was refused, in the operator's words.
    fn refused(self) -> &'static str {
        match self {
            Self::Greeting => "it refuses the connection",
            Self::StartTls => "it refuses to turn TLS on",
            Self::Auth => "it refuses the user name and password in SMTP_URL",
            Self::From => "it refuses the sender in MAIL_FROM, or wants us to sign in",
            Self::Recipient => "it refuses to pass our email on to a recipient",
            Self::Data | Self::Content => "it refuses our email, whatever it says",
        }
    }
}

/// A refusal in numbers: `550 5.1.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reply {
    code: u16,
    enhanced: Option<(u16, u16)>,
}

impl Reply {
    fn numbers(self) -> String {
        match self.enhanced {
            Some((subject, detail)) => format!("{} {}.{subject}.{detail}", self.code, self.code / 100),
            None => self.code.to_string(),
        }
    }
}

/// What an error at `stage` means. `host` is the name that the server's certificate has to carry.
pub fn refusal(stage: Stage, error: &Error, host: &str) -> Refusal {
    let words = error.source().map(ToString::to_string).unwrap_or_default();
    if let Some(code) = error.status().map(u16::from) {
        return refused(stage, code, &words);
    }
    let reason = match certificate_problem(error) {
        Some(problem) => format!(
            "The mail server's certificate {} {host}. Look at SMTP_URL, or at the certificates that this machine trusts.",
            in_words(problem)
        ),
        None => trouble(stage, error, &words).to_owned(),
    };
    Refusal { about: if stage.is_before_recipients() { About::Server } else { About::Moment }, reason }
}

/// No answer in time.
pub fn silence(stage: Stage) -> Refusal {
    let (about, reason) = match stage.is_before_recipients() {
        true => (About::Server, "The mail server did not answer in time."),
        false => (About::Moment, "The mail server did not answer in time about this recipient."),
    };
    Refusal { about, reason: reason.to_owned() }
}

/// The answer is a success, and not the one that was asked for.
pub fn misunderstanding(stage: Stage) -> Refusal {
    let about = if stage.is_before_recipients() { About::Server } else { About::Moment };
    Refusal { about, reason: "The mail server's answer could not be understood.".to_owned() }
}

fn refused(stage: Stage, code: u16, words: &str) -> Refusal {
    let reply = Reply { code, enhanced: enhanced(code, words) };
    let about = about(stage, reply, words);
    let numbers = reply.numbers();
    let is_about_mailbox = match reply.enhanced {
        Some((subject, _)) => subject == 1,
        None => stage != Stage::Content,
    };
    let reason = match about {
        About::Email if is_about_mailbox => {
            format!("The mail server says that there is no such mailbox (SMTP {numbers}).")
        }
        About::Email => format!("The mail server refused the email for good (SMTP {numbers})."),
        _ if code < 500 => format!("The mail server asks to try again later (SMTP {numbers})."),
        About::Moment => {
            format!(
                "The mail server does not take the email now (SMTP {numbers}): the mailbox is full or closed."
            )
        }
        _ => format!("The mail server takes no email from us (SMTP {numbers}): {}.", stage.refused()),
    };
    Refusal { about, reason }
}

fn about(stage: Stage, reply: Reply, words: &str) -> About {
    if stage.is_before_recipients() {
        return About::Server;
    }
    if reply.code < 500 {
        return About::Moment;
    }
    // 500 to 504: commands; 521, 530 to 538: our sign-in or the whole server (RFC 4954 §6, RFC 7504).
    let is_bad_mailbox = matches!(reply.enhanced, Some((1, detail)) if !matches!(detail, 7 | 8));
    if matches!(reply.code, 500..=504 | 521 | 530..=538) && !is_bad_mailbox {
        return About::Us;
    }
    match reply.enhanced {
        Some(status) => by_enhanced_status(stage, status),
        None => by_basic_code(stage, reply.code, &words.to_lowercase()),
    }
}

/// RFC 3463 §3, as far as it tells whom a refusal is about.
fn by_enhanced_status(stage: Stage, status: (u16, u16)) -> About {
    match status {
        // The sender's address, and security or policy; a mailing system or protocol that does not like ours.
        (1, 7 | 8) | (5 | 7, _) => About::Us,
        (1, _) => About::Email,
        // Too long for the mailbox or the system; content that cannot be carried.
        (2 | 3, 3 | 4) | (6, _) => About::Email,
        // A full mailbox, a loop, a route: most of these end.
        (2..=4, _) => About::Moment,
        _ if stage == Stage::Content => About::Email,
        _ => About::Us,
    }
}

// What servers write beside a code without an enhanced one.
const NOBODY: [&str; 8] = [
    "unknown",
    "no such",
    "not exist",
    "not found",
    "no mailbox",
    "invalid recipient",
    "invalid mailbox",
    "not a valid",
];
const POLICY: [&str; 17] = [
    "relay",
    "authenticat",
    "log in",
    "sign in",
    "sender",
    "block",
    "blacklist",
    "listed",
    "denied",
    "prohibited",
    "policy",
    "reputation",
    "rcpthosts",
    "spf",
    "dkim",
    "dmarc",
    "helo",
];

fn by_basic_code(stage: Stage, code: u16, words: &str) -> About {
    let says = |any: &[&str]| any.iter().any(|phrase| words.contains(phrase));
    let is_policy = says(&POLICY) && !says(&NOBODY);
    match (stage, code) {
        // The recipient's domain takes no email at all (RFC 7504 §3).
        (_, 556) => About::Email,
        _ if is_policy => About::Us,
        (Stage::Recipient, 550 | 551 | 553) => About::Email,
        (Stage::Recipient, 552) => About::Moment,
        (Stage::Content, _) => About::Email,
        // Nothing of the content was seen yet.
        _ => About::Us,
    }
}

/// `5.1.1`, at the front of the words as RFC 2034 has it, or `(#5.1.1)` wherever qmail puts it. Both digits, without the
/// class, which has to be that of the code.
fn enhanced(code: u16, words: &str) -> Option<(u16, u16)> {
    let read = |text: &str| {
        let mut numbers = text.splitn(3, '.');
        let class: u16 = numbers.next()?.parse().ok()?;
        let subject = numbers.next()?.parse().ok()?;
        let rest = numbers.next()?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let detail = rest[..digits].parse().ok()?;
        (class == code / 100).then_some((subject, detail))
    };
    read(words.trim_start()).or_else(|| words.split('#').skip(1).find_map(read))
}

fn trouble(stage: Stage, error: &Error, words: &str) -> &'static str {
    match () {
        () if error.is_client() && words.contains("STARTTLS") => "The mail server offers no TLS (STARTTLS).",
        () if error.is_client() => "The mail server and this program have no way to sign in in common.",
        () if error.is_tls() || is_about_tls(error) => "TLS with the mail server failed.",
        () if error.is_timeout() => "The mail server did not answer in time.",
        () if error.is_response() && words.contains("incomplete") => "The mail server hung up.",
        () if error.is_response() => "The mail server's answer could not be understood.",
        () if stage == Stage::Greeting => "The mail server cannot be reached.",
        () => "The connection to the mail server broke.",
    }
}

/// Rustls speaks through an error of the network, which lettre wraps more than once.
fn rustls_error(error: &Error) -> Option<&rustls::Error> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        let of_network = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = of_network.and_then(|of_tls| of_tls.downcast_ref()) {
            return Some(found);
        }
        cause = inner.source();
    }
    None
}

fn is_about_tls(error: &Error) -> bool {
    rustls_error(error).is_some()
}

fn certificate_problem(error: &Error) -> Option<&CertificateError> {
    match rustls_error(error)? {
        rustls::Error::InvalidCertificate(problem) => Some(problem),
        _ => None,
    }
}

/// How it is not valid, before the name of the server.
fn in_words(problem: &CertificateError) -> &'static str {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "has expired and is not valid for"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "begins in the future and is not valid yet for"
        }
        CertificateError::UnknownIssuer => {
            "was made by somebody whom this machine does not trust, and is not valid for"
        }
        _ => "is not valid for",
    }
}
