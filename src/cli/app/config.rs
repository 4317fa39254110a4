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

/// What the configuration that is printed is for: a proxy before a gate, or software that signs people in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Software {
    /// nginx, with `auth_request`.
    Nginx,
    /// Caddy 2, with `forward_auth`.
    Caddy,
    /// Traefik, with `forwardAuth`.
    Traefik,
    /// Apache 2.4, with a hook in Lua.
    Apache,
    /// Envoy, with `ext_authz`; it was never run.
    Envoy,
    /// The npm package openid-client.
    OpenidClient,
    /// The PyPI package Authlib.
    Authlib,
    /// Apache, with mod_auth_openidc.
    #[value(name = "mod_auth_openidc")]
    ModAuthOpenidc,
    /// The command curl, for a service.
    Curl,
}

/// What the gate reads of a visitor's own request: a proxy that passes no other header on to it passes these.
const ASKED: [&str; 11] = [
    "Accept",
    "Access-Control-Request-Method",
    "Authorization",
    "Cookie",
    "Origin",
    "Referer",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
    "Sec-WebSocket-Key",
    "User-Agent",
    "X-Requested-With",
];

/// One header that tells the application who is there.
struct Header {
    /// `Remote-User`.
    name: String,
    /// `remote-user`.
    lower: &'static str,
    /// `remote_user`.
    variable: String,
    /// `Remote_User`, `Remote.User`: each that a program under WSGI, CGI or PHP cannot tell from it.
    twins: Vec<String>,
}

impl Header {
    fn new(lower: &'static str) -> Self {
        let words: Vec<String> = lower.split('-').map(capital).collect();
        let mut twins = vec![words[0].clone()];
        for word in &words[1..] {
            twins = twins
                .iter()
                .flat_map(|start| ["-", "_", "."].map(|dash| format!("{start}{dash}{word}")))
                .collect();
        }
        let name = twins.remove(0);
        Self { variable: lower.replace('-', "_"), lower, name, twins }
    }
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
    asked: &'static [&'static str],
    /// Whether `GATE_CACHE` lets a proxy keep an answer.
    is_cached: bool,
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

#[derive(Template)]
#[template(path = "proxy_apache.txt")]
struct Apache<'a>(Filled<'a>);

#[derive(Template)]
#[template(path = "proxy_envoy.txt")]
struct Envoy<'a>(Filled<'a>);

impl Envoy<'_> {
    /// Where the application and this site are: a name, an address, a port.
    fn places(&self) -> [(String, (&str, &str)); 2] {
        let here = format!("{}-vestibule", self.0.word);
        [(self.0.word.clone(), split(self.0.upstream)), (here, split(&self.0.vestibule))]
    }
}

/// `127.0.0.1:8000` → the address without brackets, and the port.
fn split(place: &str) -> (&str, &str) {
    let (address, port) = place.rsplit_once(':').unwrap_or((place, ""));
    (address.trim_matches(['[', ']']), port)
}

/// Prints it.
pub(super) fn print(
    app: &App,
    found: &Application,
    proxy: Software,
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
    let headers = header_names(&found.settings).into_iter().map(Header::new);
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
        asked: &ASKED,
        is_cached: app.config().lifetimes.gate_cache.num_seconds() > 0,
    };
    let printed = match proxy {
        Software::Nginx => Nginx(filled).render(),
        Software::Caddy => Caddy(filled).render(),
        Software::Traefik => Traefik(filled).render(),
        Software::Apache => Apache(filled).render(),
        Software::Envoy => Envoy(filled).render(),
        Software::OpenidClient | Software::Authlib | Software::ModAuthOpenidc | Software::Curl => {
            return refused(format!("{} is a gate: a proxy asks for it.", found.host));
        }
    };
    say!("{}", printed.map_err(|cause| cause.to_string())?.trim_end());
    Ok(())
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}
