//! Where the house is found, and how it looks there.

use std::{net::IpAddr, path::PathBuf};

use url::Url;

/// The house's name and address, as pages and mails show them.
#[derive(Debug, Clone)]
pub struct Site {
    /// The name on pages and in mails.
    pub name: String,
    /// The address that people type, without a path.
    pub base_url: Url,
    /// The accent colour, `#rrggbb`.
    pub accent: Option<String>,
    /// A picture beside the name.
    pub logo: Option<PathBuf>,
    /// A stylesheet that follows ours.
    pub stylesheet: Option<PathBuf>,
}

impl Site {
    /// The full address of a local path. Always from the settings, never from a request.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// Scheme, host and port, as a browser sends them in `Origin`.
    pub fn origin(&self) -> String {
        self.base_url.origin().ascii_serialization()
    }

    /// Whether people come over https.
    pub(crate) fn is_https(&self) -> bool {
        self.base_url.scheme() == "https"
    }

    /// Whether it can only be reached from the machine that it runs on.
    pub(crate) fn is_loopback(&self) -> bool {
        self.base_url.host_str().is_some_and(is_loopback)
    }
}

/// Whether a host's name or address, in brackets or not, is always this machine (RFC 6761 §6.3).
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}
