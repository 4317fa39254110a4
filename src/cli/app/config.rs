//! What to paste into the configuration of a proxy, filled in.

use askama::Template;
use clap::ValueEnum;

use crate::{
    app::App,
    cli::{
        out::say,
        outcome::{Outcome, refused},
    },
    flows::gate::header_names,
    model::application::{Application, PREFIX},
};

/// A proxy whose configuration is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proxy {
    /// nginx, with `auth_request`.
    Nginx,
    /// Caddy 2, with `forward_auth`.
    Caddy,
    /// Traefik, with `forwardAuth`.
    Traefik,
}

/// One header that tells the application who is there.
struct Header {
    /// `Remote-User`.
    name: String,
    /// `remote_user`.
    variable: String,
    /// `Remote_User`, which a program under WSGI, CGI or PHP cannot tell from it.
    twin: String,
}

/// What every configuration is filled in with.
struct Filled<'a> {
    host: &'a str,
    /// The host without its port.
    name: &'a str,
    /// For names in the configuration itself.
    word: String,
    port: u16,
    is_https: bool,
    prefix: &'a str,
    is_moved: bool,
    upstream: &'a str,
    vestibule: String,
    headers: Vec<Header>,
}

#[derive(Template)]
#[template(path = "proxy_nginx.txt")]
struct Nginx<'a>(Filled<'a>);

#[derive(Template)]
#[template(path = "proxy_caddy.txt")]
struct Caddy<'a>(Filled<'a>);

#[derive(Template)]
#[template(path = "proxy_traefik.txt")]
struct Traefik<'a>(Filled<'a>);

/// Prints it.
pub(super) fn print(
    app: &App,
    found: &Application,
    proxy: Proxy,
    upstream: &str,
    vestibule: Option<&str>,
) -> Outcome {
    let is_place = |place: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        place.contains(':') && place.chars().all(is_plain)
    };
    let vestibule = vestibule.map_or_else(|| app.config().listen.to_string(), str::to_owned);
    if let Some(place) = [upstream, &vestibule].into_iter().find(|place| !is_place(place)) {
        return refused(format!("{place} is no address with a port. Write one like 127.0.0.1:8000."));
    }
    let is_https = app.config().site.is_https();
    let (name, port) = match found.host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
        _ => (found.host.as_str(), None),
    };
    let headers = header_names(found.settings.style).into_iter().map(|header| {
        let name = header.split('-').map(capital).collect::<Vec<_>>().join("-");
        Header { variable: header.replace('-', "_"), twin: name.replace('-', "_"), name }
    });
    let filled = Filled {
        host: &found.host,
        name,
        word: found.host.replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
        port: port.unwrap_or(if is_https { 443 } else { 80 }),
        is_https,
        prefix: &found.settings.prefix,
        is_moved: found.settings.prefix != PREFIX,
        upstream,
        vestibule,
        headers: headers.collect(),
    };
    let printed = match proxy {
        Proxy::Nginx => Nginx(filled).render(),
        Proxy::Caddy => Caddy(filled).render(),
        Proxy::Traefik => Traefik(filled).render(),
    };
    say!("{}", printed.map_err(|cause| cause.to_string())?.trim_end());
    Ok(())
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}
