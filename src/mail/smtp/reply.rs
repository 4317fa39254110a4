//! What a mail server's refusal means: the part of the conversation that was refused decides whom it is about.
//!
//! An email ends only where the server says for certain that its mailbox does not exist, or that it can never be carried: by
//! the enhanced status code (RFC 3463), where there is none by the basic one, and where that is used for everything by the
//! words beside it. All else is tried for days: about the server and us before a recipient is named, and afterwards about
//! this recipient at this moment, or about us.

use std::{error::Error as _, io};

use lettre::transport::smtp::Error;
use rustls::CertificateError;

use super::super::{About, Refusal};

/// A part of the conversation with a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
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
            Self::Data | Self::Content => "it refuses it for a reason of its own",
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
pub(crate) fn refusal(stage: Stage, error: &Error, host: &str) -> Refusal {
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
pub(crate) fn silence(stage: Stage) -> Refusal {
    let (about, reason) = match stage.is_before_recipients() {
        true => (About::Server, "The mail server did not answer in time."),
        false => (About::Moment, "The mail server did not answer in time about this recipient."),
    };
    Refusal { about, reason: reason.to_owned() }
}

/// The answer is a success, and not the one that was asked for.
pub(crate) fn misunderstanding(stage: Stage) -> Refusal {
    let about = if stage.is_before_recipients() { About::Server } else { About::Moment };
    Refusal { about, reason: "The mail server's answer could not be understood.".to_owned() }
}

fn refused(stage: Stage, code: u16, words: &str) -> Refusal {
    let reply = Reply { code, enhanced: enhanced(code, words) };
    let numbers = reply.numbers();
    // Addresses are quoted, and say whatever somebody calls a mailbox.
    let plain: Vec<&str> = words.split_whitespace().filter(|word| !word.contains('@')).collect();
    if let Some(sign) = hopeless(stage, reply, &plain.join(" ").to_lowercase()) {
        return Refusal::of_email(format!("The mail server says that {sign} (SMTP {numbers})."));
    }
    let about = match reply.enhanced {
        _ if stage.is_before_recipients() => About::Server,
        _ if code < 500 => About::Moment,
        Some((2..=4, _)) => About::Moment,
        None if code == 552 => About::Moment,
        _ => About::Us,
    };
    let reason = match (about, reply.enhanced) {
        _ if code < 500 => format!("The mail server asks to try again later (SMTP {numbers})."),
        (About::Moment, Some((3 | 4, _))) => {
            format!("The mail server cannot pass the email on now (SMTP {numbers}).")
        }
        (About::Moment, _) => {
            format!(
                "The mail server does not take the email now (SMTP {numbers}): the mailbox is full or closed, or does not \
                 take it."
            )
        }
        (About::Server, _) => {
            format!("The mail server takes no email from us (SMTP {numbers}): {}.", stage.refused())
        }
        _ => {
            format!("The mail server does not take this email from us (SMTP {numbers}): {}.", stage.refused())
        }
    };
    Refusal { about, reason }
}

// What servers write beside a code without an enhanced one: that there is nobody, and what else it may be.
const SOMEBODY: [&str; 3] = ["user", "recipient", "mailbox"];
const GONE: [&str; 7] =
    ["unknown", "no such", "not exist", "n't exist", "not found", "invalid", "not a valid"];
const POLICY: [&str; 26] = [
    "relaying",
    "relay access",
    "relay denied",
    "relay not",
    "not relay",
    "authenticat",
    "log in",
    "sign in",
    "sender",
    "from",
    "client",
    "your",
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
    "spam",
    "limit",
];
const SIZE: [&str; 4] = ["size", "too big", "too large", "too long"];
const FULL: [&str; 4] = ["mailbox", "quota", "storage", "full"];

/// What a server says that means for certain that nobody will ever take the email (RFC 3463 §3). A code that is used for
/// much else, as most are, says no such thing.
fn hopeless(stage: Stage, reply: Reply, words: &str) -> Option<&'static str> {
    const NOBODY: &str = "there is no such mailbox";
    let says = |any: &[&str]| any.iter().any(|phrase| words.contains(phrase));
    let is_seen = stage == Stage::Content;
    match (reply.code, reply.enhanced) {
        _ if reply.code < 500 || matches!(stage, Stage::Greeting | Stage::StartTls | Stage::Auth) => None,
        // Size and SMTPUTF8 are known with MAIL already (RFC 1870 §6.1, RFC 6531 §3.5).
        (_, Some((2, 3) | (3, 4))) => Some("the email is too big"),
        (552, None) if says(&SIZE) && !says(&FULL) => Some("the email is too big"),
        (_, Some((6, detail))) if is_seen || detail == 7 => Some("the email's content cannot be carried"),
        _ if stage.is_before_recipients() || says(&["sender", "this server does not accept"]) => None,
        // A domain without any email, too (RFC 7504 §3, RFC 7505 §4.2).
        (556, _) | (_, Some((1, 1 | 2 | 3 | 6 | 10))) => Some(NOBODY),
        (551, None) if !says(&POLICY) && !says(&["full", "quota"]) => Some(NOBODY),
        (550..=554, None | Some((0 | 1, 0)))
            if !is_seen && says(&SOMEBODY) && says(&GONE) && !says(&POLICY) =>
        {
            Some(NOBODY)
        }
        _ => None,
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
        () if stage == Stage::Greeting => unreachable(error),
        () => "The connection to the mail server broke.",
    }
}

/// Why there is no connection, as far as the system says.
fn unreachable(error: &Error) -> &'static str {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut kind = None;
    while let Some(one) = cause {
        kind = one.downcast_ref::<io::Error>().map(io::Error::kind).or(kind);
        if one.to_string().contains("failed to lookup address") {
            return "The mail server cannot be reached: its name leads nowhere.";
        }
        cause = one.source();
    }
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => "The mail server cannot be reached: nothing listens there.",
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            "The mail server cannot be reached: there is no way to its network."
        }
        _ => "The mail server cannot be reached.",
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
