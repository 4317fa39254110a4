//! What is at an address that the operator registered, or where it leads: asked by an operator's command only.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use ureq::{Agent, Body, http::Response, unversioned::resolver::DefaultResolver};
use url::Url;

use super::{client::Outbound, guard::Only};

const TIME_LIMIT: Duration = Duration::from_secs(5);

const LARGEST: u64 = 64 * 1024;

impl Outbound {
    /// What is at an address, up to 64 KiB of UTF-8; nothing where nothing is, or nobody answers in five seconds.
    pub(crate) async fn document_at(&self, address: String) -> Option<String> {
        self.at(address, |answer| {
            let body = (answer.status() == 200).then(|| answer.into_body())?;
            body.into_with_config().limit(LARGEST).read_to_string().ok()
        })
        .await
    }

    /// The `Location` of the answer at an address; nothing where it leads nowhere, or nobody answers in five seconds.
    pub(crate) async fn location_of(&self, address: String) -> Option<String> {
        let location =
            |answer: Response<Body>| Some(answer.headers().get("location")?.to_str().ok()?.to_owned());
        self.at(address, location).await
    }

    async fn at(
        &self,
        address: String,
        read: impl FnOnce(Response<Body>) -> Option<String> + Send + 'static,
    ) -> Option<String> {
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
            read(agent.get(&address).call().ok()?)
        });
        asked.await.ok().flatten()
    }
}

fn local_port(address: &str) -> Option<u16> {
    let url = Url::parse(address).ok()?;
    let is_local = url.host_str().is_some_and(|host| host == "localhost" || host.ends_with(".localhost"));
    url.port_or_known_default().filter(|_| is_local)
}
