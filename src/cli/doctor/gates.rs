//! The hosts of applications: which proxy asks for each, and whether the way in leads here.

use super::finding::{Finding, Health, finding};
use crate::{
    app::App,
    model::application::{self, Application},
};

/// A finding for each application that is in use.
pub(super) async fn gates(app: &App) -> Vec<Finding> {
    let Ok(mut all) = app.read(application::all).await else {
        return vec![finding("gate", Health::Warning, "cannot be read until the schema is up.")];
    };
    all.retain(|one| one.disabled_at.is_none());
    if all.is_empty() {
        return vec![finding("gate", Health::Fine, "no application is registered.")];
    }
    if app.config().trusted_proxies.is_empty() {
        let says = "TRUSTED_PROXIES names no proxy, so the gate answers nobody. Name the address that the proxy comes from.";
        return vec![finding("gate", Health::Problem, says)];
    }
    let mut findings = Vec::new();
    for one in &all {
        findings.push(gate(app, one).await);
    }
    findings
}

async fn gate(app: &App, one: &Application) -> Finding {
    let host = &one.host;
    let refused_since_asked =
        one.refused.as_ref().filter(|(_, at)| one.asked.as_ref().is_none_or(|(_, asked)| at > asked));
    if let Some((peer, at)) = refused_since_asked {
        let says = format!(
            "{host}: {peer} asked on {} and is not in TRUSTED_PROXIES. Add it, if it is the proxy.",
            at.iso()
        );
        return finding("gate", Health::Warning, says);
    }
    let scheme = app.config().site.base_url.scheme();
    let start = one.link(scheme, "/start");
    let leads_to = app.outbound().location_of(start.clone()).await;
    let here = app.config().site.link("/gate/enter?");
    match (leads_to.filter(|to| to.starts_with(&here)), &one.asked) {
        (None, _) => {
            let says = format!(
                "{host}: {start} does not lead here. Paste what `vestibule app config {host}` prints into its proxy."
            );
            finding("gate", Health::Problem, says)
        }
        (Some(_), None) => finding(
            "gate",
            Health::Warning,
            format!("{host}: no proxy has asked yet. Is everything protected?"),
        ),
        (Some(_), Some((peer, at))) => {
            finding("gate", Health::Fine, format!("{host}: {peer} asked last, on {}.", at.iso()))
        }
    }
}
