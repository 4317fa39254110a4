//! Why an exchange with a server elsewhere came to nothing.

use rustls::CertificateError;

/// Why an address was not asked, or did not answer, in a sentence for whoever gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The operator switched this off.
    #[error("This site reads no metadata from links. Paste it instead.")]
    Off,
    /// No address of a document.
    #[error("Write the whole address, such as https://idp.example.com/metadata.")]
    BadAddress,
    /// Anybody on the way could change it.
    #[error("The address has to begin with https://.")]
    NotHttps,
    /// No such host, or nobody could say.
    #[error("The host in the address was not found.")]
    NoHost,
    /// It leads to a place that only we can reach.
    #[error("The address leads into a private network, where this site does not go.")]
    Private,
    /// It did not come within the time limit, or not over TLS.
    #[error("The address did not answer in ten seconds, or not over TLS.")]
    NoAnswer,
    /// The host's certificate does not prove that it is that host. Says why.
    #[error("The certificate of the host in the address {0}.")]
    BadCertificate(&'static str),
    /// Something else came. Holds its HTTP status.
    #[error("The address answered with the status {0} and not with a document.")]
    Status(u16),
    /// Over a mebibyte.
    #[error("What the address answers is larger than metadata of an identity provider is.")]
    TooLarge,
    /// Not UTF-8.
    #[error("What the address answers is not UTF-8 text.")]
    NotText,
    /// A bearer token that is not one line of visible characters (RFC 6750 §2.1). Nothing was asked.
    #[error("The access token that came cannot be sent.")]
    BadToken,
}

impl From<ureq::Error> for Unreadable {
    fn from(cause: ureq::Error) -> Self {
        tracing::debug!(%cause, "an address did not answer");
        let tls = match &cause {
            ureq::Error::BodyExceedsLimit(_) => return Self::TooLarge,
            ureq::Error::Rustls(cause) => Some(cause),
            // Most of the handshake happens at the first byte that is read or written.
            ureq::Error::Io(cause) => cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
            _ => None,
        };
        match tls {
            Some(rustls::Error::InvalidCertificate(fault)) => Self::BadCertificate(in_words(fault)),
            _ => Self::NoAnswer,
        }
    }
}

/// What is wrong with a certificate, after "The certificate".
fn in_words(fault: &CertificateError) -> &'static str {
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "was issued for another name"
        }
        CertificateError::UnknownIssuer => {
            "was issued by an authority that this machine does not know, or its chain is not sent along"
        }
        CertificateError::Revoked => "was revoked",
        _ => "is not valid",
    }
}
