//! The npm package oidc-provider, running: a provider that nobody here wrote.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use super::{TestApp, free_port};

/// Whatever a secret may hold (RFC 6749 appendix A.2).
const SECRET: &str = "a b+/=%25%:;&?\"'\\~<>#x";
const CLIENT: &str = "ours: a+b";

/// It ends with the test.
pub struct OidcProvider {
    pub port: u16,
    process: Child,
    // Held open: what it says into a closed pipe would end it.
    _says: BufReader<ChildStdout>,
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl OidcProvider {
    /// Where its packages are; nothing, said aloud, where they are not on this machine.
    #[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
    pub fn modules() -> Option<String> {
        let modules = std::env::var("PEER_MODULES").ok();
        if modules.is_none() {
            eprintln!(
                "SKIPPED: PEER_MODULES is not set, so oidc-provider is not asked; `bin/test peers` installs it"
            );
        }
        modules
    }

    /// One at this port that knows this client (OpenID Connect Dynamic Client Registration 1.0 §2).
    pub fn start(modules: &str, port: u16, client: &Value) -> Self {
        let mut process = Command::new("node")
            .args(["--no-deprecation", "tests/peers/oidc-provider.js"])
            .arg(json!({ "port": port, "client": client }).to_string())
            .env("NODE_PATH", modules)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut listening = String::new();
        let mut says = BufReader::new(process.stdout.take().unwrap());
        says.read_line(&mut listening).unwrap();
        assert_eq!(listening.trim(), format!("http://localhost:{port}"), "it does not start");
        Self { port, process, _says: says }
    }

    /// A site at which people sign in with one, as *Peer*, and the one; `client` is what it knows of the site besides, by the address
    /// of that. Nothing where it is not on this machine.
    pub async fn with_site(client: impl FnOnce(&str) -> Value) -> Option<(TestApp, Self)> {
        let (modules, port) = (Self::modules()?, free_port());
        let issuer = format!("http://localhost:{port}");
        let app = TestApp::today_with(&[
            ("OIDC_PROVIDERS", "peer"),
            ("OIDC_PEER_ISSUER", &issuer),
            ("OIDC_PEER_CLIENT_ID", CLIENT),
            ("OIDC_PEER_CLIENT_SECRET", SECRET),
            ("OIDC_PEER_NAME", "Peer"),
        ])
        .await;
        let mut known = client(&app.base_url);
        known["client_id"] = CLIENT.into();
        known["client_secret"] = SECRET.into();
        known["redirect_uris"] = json!([format!("{}/auth/oidc/callback/peer", app.base_url)]);
        let provider = Self::start(&modules, port, &known);
        Some((app, provider))
    }
}
