//! Where an address leads that the operator registered: asked by an operator's command only.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use ureq::{Agent, unversioned::resolver::DefaultResolver};
use url::Url;

use super::{client::Outbound, guard::Only};

const TIME_LIMIT: Duration = Duration::from_secs(5);

impl Outbound {
    /// The `Location` of the answer at an address; nothing where it leads nowhere, or nobody answers in five seconds.
    pub(crate) async fn location_of(&self, address: String) -> Option<String> {
        let connections = self.connections.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let config = connections.config(TIME_LIMIT).build();
            // Names below localhost are this machine (RFC 6761 §6.3), whether or not its resolver knows.
            let agent = match local_port(&address) {
                Some(port) => {
                    let here = Only(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]);
                    Agent::with_parts(config, connections, here)
                }
                None => Agent::with_parts(config, connections, DefaultResolver::default()),
            };
            let answer = agent.get(&address).call().ok()?;
            Some(answer.headers().get("location")?.to_str().ok()?.to_owned())
        });
        asked.await.ok().flatten()
    }
}

fn local_port(address: &str) -> Option<u16> {
    let url = Url::parse(address).ok()?;
    let is_local = url.host_str().is_some_and(|host| host == "localhost" || host.ends_with(".localhost"));
    url.port_or_known_default().filter(|_| is_local)
}
