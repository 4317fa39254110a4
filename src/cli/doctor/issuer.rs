//! The issuer that applications know this site by: whether it is found where they look, from outside.

use serde_json::Value;

use super::finding::{Finding, Health, finding};
use crate::{app::App, model::application::client};

/// A finding where applications sign people in here.
pub(super) async fn issuer(app: &App) -> Option<Finding> {
    // The database has a finding of its own.
    let clients = app.read(client::all).await.ok()?;
    if clients.is_empty() {
        return None;
    }
    let issuer = app.config().site.origin();
    let address = app.config().site.link("/.well-known/openid-configuration");
    let Some(document) = app.outbound().document_at(address.clone()).await else {
        let says = format!(
            "{address} does not answer: applications find nobody there. Does BASE_URL lead to a server that runs?"
        );
        return Some(finding("issuer", Health::Warning, says));
    };
    let named = serde_json::from_str::<Value>(&document).ok();
    let named = named.as_ref().and_then(|document| document["issuer"].as_str());
    Some(match named {
        Some(named) if named == issuer => {
            finding("issuer", Health::Fine, format!("{issuer}, for {} application(s).", clients.len()))
        }
        named => {
            let named = named.map_or_else(|| "no issuer".to_owned(), |named| format!("the issuer {named}"));
            let says = format!(
                "{address} names {named}, not {issuer}: another server is there, or another BASE_URL."
            );
            finding("issuer", Health::Problem, says)
        }
    })
}
