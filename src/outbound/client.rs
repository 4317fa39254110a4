//! Who asks: what the settings let it ask for, and the names of the world.

use std::{net::SocketAddr, sync::OnceLock, time::Duration};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{op::ResponseCode, rr::RData},
};

use url::Origin;

use super::connections::Connections;
use crate::config::Config;

// Once asked and once more, within this.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = Duration::from_secs(2);

/// Asks the world. One per process: its resolver and its settings of TLS are made once.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(super) dns_server: Option<SocketAddr>,
    pub(super) may_fetch: bool,
    pub(super) may_be_private: bool,
    // Where the demonstration provider is, in development.
    pub(super) own_origin: Option<Origin>,
    pub(super) may_be_plain: bool,
    pub(super) resolver: OnceLock<TokioResolver>,
    pub(super) connections: Connections,
}

/// Nobody could say, this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The DNS did not answer in time. Try again in a moment.")]
pub(crate) struct DnsUnavailable;

impl Outbound {
    /// Asks as the settings say.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            dns_server: config.dns_server,
            may_fetch: config.metadata_links,
            may_be_private: config.private_metadata,
            own_origin: config.is_development().then(|| config.site.base_url.origin()),
            may_be_plain: config.is_development(),
            resolver: OnceLock::new(),
            connections: Connections::default(),
        }
    }

    /// The TXT records of a name, each put together from its parts (RFC 1035 §3.3.14); none where the DNS says that there
    /// are none. [`DnsUnavailable`] where it does not say.
    pub(crate) async fn lookup_txt(&self, name: &str) -> Result<Vec<String>, DnsUnavailable> {
        let resolver = self.resolver()?;
        let asked = tokio::time::timeout(PATIENCE, resolver.txt_lookup(format!("{name}."))).await;
        match asked.map_err(|_| DnsUnavailable)? {
            Ok(found) => Ok(found.answers().iter().filter_map(|record| text(&record.data)).collect()),
            Err(NetError::Dns(DnsError::NoRecordsFound(none)))
                if matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError) =>
            {
                Ok(Vec::new())
            }
            Err(cause) => {
                tracing::debug!(%cause, "the DNS did not say");
                Err(DnsUnavailable)
            }
        }
    }

    /// Made when it is first needed, and again for as long as that fails, as without a `resolv.conf`. It remembers no answer:
    /// whoever changed a record and asks again must not read one from before.
    pub(super) fn resolver(&self) -> Result<&TokioResolver, DnsUnavailable> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let made = self.make_resolver()?;
        Ok(self.resolver.get_or_init(|| made))
    }

    fn make_resolver(&self) -> Result<TokioResolver, DnsUnavailable> {
        let builder = match self.dns_server {
            None => TokioResolver::builder_tokio().map_err(|_| DnsUnavailable)?,
            Some(server) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let mut builder = builder;
        let options = builder.options_mut();
        options.timeout = ATTEMPT;
        options.attempts = 1;
        options.cache_size = 0;
        builder.build().map_err(|_| DnsUnavailable)
    }
}

fn text(data: &RData) -> Option<String> {
    match data {
        RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
        _ => None,
    }
}

#[cfg(test)]
impl Outbound {
    /// One that goes where the strictest settings let it, but over plain HTTP as well.
    pub(super) fn in_tests() -> Self {
        Self {
            dns_server: None,
            may_fetch: true,
            may_be_private: false,
            own_origin: None,
            may_be_plain: true,
            resolver: OnceLock::new(),
            connections: Connections::default(),
        }
    }
}
