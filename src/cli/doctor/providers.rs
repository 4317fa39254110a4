//! The providers that people sign in with: what is registered there, and whether their documents, and Apple's key, can be read.

use openssl::pkey::{Id, PKey};

use super::finding::{Finding, Health, finding};
use crate::{
    app::App,
    cli::providers::addresses,
    config::{ClientCredential, Config, Provider, ProviderKind},
    jobs::issuers,
    model::connection,
};

/// A finding for each provider of the settings.
pub(super) fn providers(config: &Config) -> Vec<Finding> {
    if config.providers.is_empty() {
        return vec![finding("providers", Health::Fine, "none: people sign in with an account here.")];
    }
    config.providers.iter().map(|provider| look_at(config, provider)).collect()
}

/// A finding for each provider whose discovery document, or whose keys, cannot be read now: those of the settings, and those of
/// organisations. People cannot sign in with it for the first time then.
pub(super) async fn documents(app: &App) -> Vec<Finding> {
    let keys = app.config().keys.clone();
    let connected = app.read(connection::all).await.unwrap_or_default();
    let connected = connected.into_iter().filter_map(|one| one.oidc_provider(&keys).ok());
    // The demonstration provider is this program itself, which need not run.
    let own = app.config().site.link("/");
    let own_settings = app.config().providers.iter().filter(|one| one.kind != ProviderKind::GitHub).cloned();
    let mut findings = Vec::new();
    for provider in own_settings.chain(connected).filter(|one| !one.issuer.starts_with(&own)) {
        if let Err(why) = issuers::check(app, &provider).await {
            let says = format!("{}: what it says of itself cannot be read. {why}", provider.key);
            findings.push(finding("providers", Health::Warning, says));
        }
    }
    findings
}

fn look_at(config: &Config, provider: &Provider) -> Finding {
    let key = &provider.key;
    if let ClientCredential::Apple { key: pem, .. } = &provider.credential {
        let read = PKey::private_key_from_pem(pem.reveal().as_bytes());
        if !read.is_ok_and(|read| read.id() == Id::EC) {
            let says =
                format!("{key}: APPLE_KEY is no EC private key. Put the .p8 file that Apple made there.");
            return finding("providers", Health::Problem, says);
        }
    }
    let (redirect, logout) = addresses(config, provider);
    if provider.kind == ProviderKind::Apple && !config.site.is_https() {
        let says = format!("{key}: Apple sends people back to https only, and BASE_URL is plain http.");
        return finding("providers", Health::Problem, says);
    }
    let logout = logout.map(|logout| format!(", and {logout} for back-channel logout")).unwrap_or_default();
    finding("providers", Health::Fine, format!("{key}: register the redirect URI {redirect}{logout}."))
}
