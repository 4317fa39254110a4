//! How emails leave: over SMTP, into a folder, or, in tests, into memory.

#[cfg(test)]
use std::sync::Mutex;
use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use tokio::task;

#[cfg(test)]
use super::hold;
use super::{Email, Refusal, smtp::Smtp};
use crate::config::make_private_folder;

/// Where emails go.
pub struct Mailer {
    from: Mailbox,
    way: Way,
}

enum Way {
    Smtp(Box<Smtp>),
    Folder(PathBuf),
    #[cfg(test)]
    Memory(Mutex<Vec<Email>>),
}

impl Mailer {
    /// Sends through a mail server: `smtps://user:password@host`, `smtp://host:587?tls=required`, or
    /// `smtp://localhost:1025` without TLS. `from` is like `Acme <no-reply@example.com>`.
    ///
    /// # Errors
    /// A sentence that says what to write instead. It never repeats the address: there is a password in it.
    pub fn smtp(url: &str, from: &str) -> Result<Self, String> {
        Ok(Self { from: sender(from)?, way: Way::Smtp(Box::new(Smtp::to(url)?)) })
    }

    /// The same, which greets the server by the name of the host that the site is at: many refuse a bare address of this
    /// machine's network.
    pub(crate) fn greeting_as(mut self, host: &str) -> Self {
        if let Way::Smtp(smtp) = &mut self.way {
            smtp.greet_as(host);
        }
        self
    }

    /// Writes each email to a file of its own in `folder`, which is made when it is missing.
    ///
    /// # Errors
    /// A sentence about `from`.
    pub(crate) fn folder(folder: impl Into<PathBuf>, from: &str) -> Result<Self, String> {
        Ok(Self { from: sender(from)?, way: Way::Folder(folder.into()) })
    }

    /// Keeps emails in memory, for tests.
    ///
    /// # Errors
    /// A sentence about `from`.
    #[cfg(test)]
    pub(crate) fn memory(from: &str) -> Result<Self, String> {
        Ok(Self { from: sender(from)?, way: Way::Memory(Mutex::default()) })
    }

    /// Sends a letter. The same `message_id` (letters, digits and `-_.`; the sender's domain is added)
    /// makes a second try the same email to whoever sorts it.
    ///
    /// # Errors
    /// A [`Refusal`], which says whom it is about.
    pub async fn send(&self, email: &Email, message_id: &str) -> Result<(), Refusal> {
        let message = self.compose(email, message_id)?;
        match &self.way {
            Way::Smtp(smtp) => smtp.send(&message).await,
            Way::Folder(folder) => {
                let path = folder.join(file_name(message_id));
                task::spawn_blocking(move || write_file(&path, &message.formatted()))
                    .await
                    .map_err(io::Error::other)
                    .flatten()
                    .map_err(|error| Refusal::of_server(format!("The mail folder: {}.", error.kind())))
            }
            #[cfg(test)]
            Way::Memory(sent) => {
                hold(sent).push(email.clone());
                Ok(())
            }
        }
    }

    /// Whether an email could leave now: connects and greets.
    ///
    /// # Errors
    /// A [`Refusal`] that says what is in the way.
    pub(crate) async fn check(&self) -> Result<(), Refusal> {
        match &self.way {
            Way::Smtp(smtp) => smtp.check().await,
            Way::Folder(folder) => make_private_folder(folder)
                .map_err(|error| Refusal::of_server(format!("The mail folder: {}.", error.kind()))),
            #[cfg(test)]
            Way::Memory(_) => Ok(()),
        }
    }

    /// The emails kept by [`memory`](Self::memory), oldest first; none from any other.
    #[cfg(test)]
    pub(crate) fn sent(&self) -> Vec<Email> {
        match &self.way {
            #[cfg(test)]
            Way::Memory(sent) => hold(sent).clone(),
            Way::Smtp(_) | Way::Folder(_) => Vec::new(),
        }
    }

    /// Where emails go, in words for the operator: no credentials.
    pub(crate) fn way(&self) -> String {
        match &self.way {
            Way::Smtp(smtp) => format!("over SMTP to {}", smtp.name()),
            Way::Folder(folder) => format!("into the folder {}", folder.display()),
            #[cfg(test)]
            Way::Memory(_) => "into memory".into(),
        }
    }

    fn compose(&self, email: &Email, message_id: &str) -> Result<Message, Refusal> {
        let unusable = |what: &str| Refusal::of_email(format!("The email has no usable {what}."));
        if email.subject.chars().any(char::is_control) {
            return Err(unusable("subject"));
        }
        if !is_message_id(message_id) {
            return Err(unusable("Message-ID"));
        }
        let to = email.to.mailbox().map_err(|_| unusable("recipient"))?;
        let domain = self.from.email.domain();
        // Said outright: read back from the header, an address would have to pass lettre's narrower rules.
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.clone()])
            .map_err(|_| unusable("recipient"))?;
        Message::builder()
            .envelope(envelope)
            .from(self.from.clone())
            .to(to.into())
            .subject(&email.subject)
            .date_now()
            .message_id(Some(format!("<{message_id}@{domain}>")))
            // Emails of one kind lie in one thread.
            .references(format!("<{}@{domain}>", email.kind))
            // RFC 3834 §5, and the header that Exchange reads instead: no holiday replies.
            .raw_header(header(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated",
            ))
            .raw_header(header(
                HeaderName::new_from_ascii_str("X-Auto-Response-Suppress"),
                "All",
            ))
            .multipart(
                MultiPart::alternative()
                    .singlepart(part(ContentType::TEXT_PLAIN, &email.text))
                    .singlepart(part(ContentType::TEXT_HTML, &email.html)),
            )
            .map_err(|_| unusable("form"))
    }
}

/// Shows the way, never the credentials.
impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailer({})", self.way())
    }
}

/// The sender, whose address must be ASCII so that every server can carry it. Where the domain is a mere name of a
/// machine, or an address in brackets, that is the operator's own choice.
fn sender(from: &str) -> Result<Mailbox, String> {
    let shape = || "Write the sender like Acme <no-reply@example.com>.".to_owned();
    let (name, typed) = match from.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) => (unquoted(name.trim()), address),
        None => (String::new(), from),
    };
    if name.chars().any(char::is_control) {
        return Err(shape());
    }
    let (local, domain) = typed.trim().rsplit_once('@').ok_or_else(shape)?;
    if !local.is_ascii() {
        return Err("Write the sender's address with plain characters before the @.".into());
    }
    let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned());
    let email = Address::new(local, domain).map_err(|_| shape())?;
    Ok(Mailbox::new((!name.is_empty()).then_some(name), email))
}

/// `"Acme, Inc."` → `Acme, Inc.` (RFC 5322 §3.2.4).
fn unquoted(name: &str) -> String {
    let Some(inside) = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return name.to_owned();
    };
    let mut plain = String::new();
    let mut characters = inside.chars();
    while let Some(c) = characters.next() {
        plain.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    plain.trim().to_owned()
}

fn is_message_id(id: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !id.is_empty()
        && id.len() <= 120
        && id.split('.').all(|atom| !atom.is_empty())
        && id.chars().all(is_allowed)
}

fn header(name: HeaderName, value: &str) -> HeaderValue {
    HeaderValue::new(name, value.into())
}

fn part(content_type: ContentType, body: &str) -> SinglePart {
    SinglePart::builder()
        .header(content_type)
        .header(ContentTransferEncoding::QuotedPrintable)
        .body(body.to_owned())
}

fn file_name(message_id: &str) -> String {
    format!("{message_id}.eml")
}

/// All of the file or none of it, readable by its owner alone: there are links in it.
fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_private_folder(folder)?;
    }
    let unfinished = path.with_extension("eml.part");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests;
