//! What every connection to the outside is made with.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::crypto::aws_lc_rs;
use ureq::{
    Agent, Error,
    config::ConfigBuilder,
    tls::{Certificate, RootCerts, TlsConfig},
    typestate::AgentScope,
    unversioned::transport::{ConnectionDetails, Connector, DefaultConnector, Transport},
};

/// What every connection is made with: TLS by the authorities that this machine knows. They are read once, when a connection
/// is first made.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    tls: OnceLock<TlsConfig>,
    // Keeps what it made of the first `TlsConfig` that it saw.
    connector: DefaultConnector,
}

impl Connections {
    /// Settings of an agent that asks once, and takes any answer for one.
    pub(super) fn config(&self, time_limit: Duration) -> ConfigBuilder<AgentScope> {
        Agent::config_builder()
            .tls_config(self.0.tls.get_or_init(tls).clone())
            .timeout_global(Some(time_limit))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent("Vestibule")
    }
}

impl Connector for Connections {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<()>) -> Result<Option<Self::Out>, Error> {
        self.0.connector.connect(details, chained)
    }
}

fn tls() -> TlsConfig {
    let roots = rustls_native_certs::load_native_certs().certs;
    let roots = roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect::<Vec<_>>();
    TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .build()
}
