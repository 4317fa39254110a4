//! The hosts of applications: which proxy asks for each, and whether the way in leads here.

use std::collections::BTreeMap;

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
    if all.is_empty() {
        return vec![finding("gate", Health::Fine, "no application is registered.")];
    }
    let mut findings: Vec<Finding> = all.iter().filter_map(disabled).collect();
    all.retain(|one| one.disabled_at.is_none());
    for one in &all {
        findings.push(gate(app, one).await);
    }
    findings.extend(shared_names(&all));
    findings
}

/// Whom nobody can use, though its proxy asks.
fn disabled(one: &Application) -> Option<Finding> {
    let (host, at) = (&one.host, one.disabled_at?);
    let says = format!(
        "{host} is disabled since {}: nobody comes in. `vestibule app enable {host}` lets people in again.",
        at.iso()
    );
    Some(finding("gate", Health::Warning, says))
}

async fn gate(app: &App, one: &Application) -> Finding {
    let host = &one.host;
    let refused_since_asked =
        one.refused.as_ref().filter(|(_, at)| one.asked.as_ref().is_none_or(|(_, asked)| at > asked));
    if app.config().trusted_proxies.is_empty() {
        let whom = refused_since_asked.map_or_else(
            || "Name the address that its proxy comes from.".to_owned(),
            |(peer, at)| format!("{peer} asked last, on {}: name it, if it is the proxy.", at.iso()),
        );
        let says = format!("{host}: TRUSTED_PROXIES names no proxy, so the gate answers nobody. {whom}");
        return finding("gate", Health::Problem, says);
    }
    if let Some((peer, at)) = refused_since_asked {
        let says = format!(
            "{host}: {peer} asked on {} and is not in TRUSTED_PROXIES. Add it, if it is the proxy.",
            at.iso()
        );
        return finding("gate", Health::Warning, says);
    }
    let asked_by = match &one.asked {
        Some((peer, at)) => format!("{peer} asked last, on {}.", at.iso()),
        None => "No proxy has asked yet: it does not run, or asks elsewhere.".to_owned(),
    };
    let scheme = app.config().site.base_url.scheme();
    let start = one.link(scheme, "/start");
    let here = app.config().site.link("/gate/enter?");
    let leads_here = app.outbound().location_of(start.clone()).await.is_some_and(|to| to.starts_with(&here));
    let (health, says) = match (leads_here, &one.asked) {
        (false, _) => {
            let config = format!("vestibule app config {host}");
            let paste = format!("Paste what `{config}` prints into its proxy.");
            (Health::Problem, format!("{start} does not lead here. {paste} {asked_by}"))
        }
        (true, None) => (Health::Warning, format!("{asked_by} Is everything protected?")),
        (true, Some(_)) => (Health::Fine, asked_by),
    };
    finding("gate", health, format!("{host}: {says}"))
}

/// Applications at one name, at different ports: browsers send cookies to every port (RFC 6265 §8.5).
fn shared_names(all: &[Application]) -> Vec<Finding> {
    let name = |one: &Application| match one.host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name.to_owned(),
        _ => one.host.clone(),
    };
    let mut by_name: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for one in all {
        by_name.entry(name(one)).or_default().push(&one.host);
    }
    let shared = by_name.into_values().filter(|hosts| hosts.len() > 1);
    let says = shared.map(|hosts| {
        format!(
            "{} are one host to a browser: each gets the cookies of the other. Give each a name of its own.",
            hosts.join(" and ")
        )
    });
    says.map(|says| finding("gate", Health::Warning, says)).collect()
}
