//! The npm package oidc-provider, running: a provider that nobody here wrote.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

/// It ends with the test.
pub struct OidcProvider {
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
        Self { process, _says: says }
    }

    /// A house that knows the provider at this port as *Peer*, with these settings besides.
    pub fn settings(port: u16, client_id: &str, secret: &str) -> Vec<(String, String)> {
        [
            ("OIDC_PROVIDERS", "peer"),
            ("OIDC_PEER_ISSUER", &format!("http://localhost:{port}")),
            ("OIDC_PEER_CLIENT_ID", client_id),
            ("OIDC_PEER_CLIENT_SECRET", secret),
            ("OIDC_PEER_NAME", "Peer"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}
