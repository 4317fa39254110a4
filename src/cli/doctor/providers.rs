//! The providers that people sign in with: what is registered there, and whether Apple's key can be read.

use openssl::pkey::{Id, PKey};

use super::finding::{Finding, Health, finding};
use crate::{
    cli::providers::addresses,
    config::{ClientCredential, Config, Provider, ProviderKind},
};

/// A finding for each provider of the settings.
pub(super) fn providers(config: &Config) -> Vec<Finding> {
    if config.providers.is_empty() {
        return vec![finding("providers", Health::Fine, "none: people sign in with an account here.")];
    }
    config.providers.iter().map(|provider| look_at(config, provider)).collect()
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
