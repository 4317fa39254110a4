//! Where people find the house, how it looks there, and the server that its mail goes to.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;
use url::Url;

use super::{
    insecure::Insecurity,
    site::{Site, is_loopback},
    typed::MailRoute,
    values::Reader,
};

impl Reader {
    /// The house's name and address.
    pub(crate) fn site(&mut self, development: bool, listen: SocketAddr) -> Option<Site> {
        let base_url = self.base_url(development, listen);
        let accent = self.text("BRAND_ACCENT");
        if let Some(accent) = accent.as_deref().filter(|accent| !is_colour(accent)) {
            self.problem("BRAND_ACCENT", accent, "a colour such as #2251cc");
        }
        let mut file = |name| {
            let path = self.text(name).map(PathBuf::from)?;
            if !path.is_file() {
                self.problem(name, &path.display().to_string(), "the path of a file that is there");
            }
            Some(path)
        };
        let (logo, stylesheet) = (file("BRAND_LOGO"), file("BRAND_STYLESHEET"));
        let name = self.text("BRAND_NAME").unwrap_or_else(|| "Vestibule".to_owned());
        if name.chars().any(char::is_control) {
            self.problem("BRAND_NAME", &name, "a name in one line");
        }
        let name = name.replace(char::is_control, " ");
        Some(Site { name, base_url: base_url?, accent, logo, stylesheet })
    }

    fn base_url(&mut self, development: bool, listen: SocketAddr) -> Option<Url> {
        let example = if development { "http://localhost:3000" } else { "https://id.example.com" };
        let Some(text) = self.text("BASE_URL") else {
            if !development {
                self.problems.push(format!(
                    "BASE_URL is missing. Write an https address in production, such as {example}."
                ));
                return None;
            }
            return Url::parse(&follow(listen)).ok();
        };
        let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        let parsed = Url::parse(&text).ok().filter(is_web);
        let Some(url) = parsed else {
            // `localhost:3000`, `id.example.com`: what is missing is the scheme.
            let scheme = if development { "http" } else { "https" };
            let whole = Url::parse(&format!("{scheme}://{text}")).ok().filter(|_| !text.contains("://"));
            let meant = whole.map_or_else(|| example.to_owned(), |url| url.origin().ascii_serialization());
            self.problem("BASE_URL", &text, &format!("scheme and host without a path, such as {meant}"));
            return None;
        };
        let origin = url.origin().ascii_serialization();
        let is_bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !is_bare {
            let expected = format!("scheme and host without a path, a user or anything else: {origin}");
            self.problem("BASE_URL", &text, &expected);
            return None;
        }
        if url.host_str().is_some_and(|host| matches!(host, "0.0.0.0" | "[::]") || host.contains('*')) {
            self.problem("BASE_URL", &text, &format!("a name that people can type, such as {example}"));
            return None;
        }
        if !development && url.scheme() != "https" {
            self.problem("BASE_URL", &text, "an https address in production, such as https://id.example.com");
        }
        if development {
            self.warn_of_another_port(&url, listen);
        }
        Some(url)
    }

    /// This program speaks no https: where that is written, a proxy is meant to be there.
    fn warn_of_another_port(&mut self, url: &Url, listen: SocketAddr) {
        let port = listen.port();
        if url.scheme() != "http" || port == 0 || url.port_or_known_default() == Some(port) {
            return;
        }
        let mut here = url.clone();
        // Every address of http can have a port.
        let _ = here.set_port(Some(port));
        self.warnings.push(format!(
            "BASE_URL is `{}`, and LISTEN is `{listen}`, another port: links in emails lead nowhere, unless a proxy is \
             there. Write BASE_URL={}, or leave it out.",
            url.origin().ascii_serialization(),
            here.origin().ascii_serialization()
        ));
    }

    /// Where emails go.
    pub(crate) fn mail(&mut self, development: bool) -> MailRoute {
        let Some(text) = self.text("SMTP_URL") else {
            if !development && !self.unreadable.contains("SMTP_URL") {
                let hint = "smtps://user:password@mail.example.com";
                self.problems
                    .push(format!("SMTP_URL is missing. Write the mail server's address, such as {hint}."));
            }
            return MailRoute::Catch;
        };
        if let Some(path) = text.strip_prefix("folder:").filter(|path| !path.is_empty()) {
            return MailRoute::Folder(path.into());
        }
        match smtp_server(&text) {
            Err((is, instead)) => {
                self.problems.push(format!("SMTP_URL is {is}. Write {instead}."));
                return MailRoute::Catch;
            }
            Ok(server) => self.look_at_mail_server(development, &server),
        }
        MailRoute::Smtp(text)
    }

    fn look_at_mail_server(&mut self, development: bool, server: &MailServer) {
        let MailServer { host, port, .. } = server;
        match (server.begins_with_tls, port) {
            (true, Some(587 | 25)) => self.warnings.push(format!(
                "SMTP_URL is smtps:// on port {}, where servers usually begin without TLS. Write \
                 smtp://{host}:587?tls=required if it does not answer.",
                port.unwrap_or_default()
            )),
            (false, Some(465)) => self.warnings.push(format!(
                "SMTP_URL is smtp:// on port 465, where servers usually begin with TLS. Write smtps://{host} if it does \
                 not answer."
            )),
            _ => {}
        }
        if !development && !server.is_private {
            let is = format!(
                "SMTP_URL is of {host} without TLS, so that others on the way can read the links in emails"
            );
            let instead = format!("smtps://{host} or smtp://{host}:587?tls=required, with user and password");
            self.refuse_insecure(Insecurity::Smtp, &is, &instead);
        }
    }

    /// What is open to more than is said anywhere.
    pub(crate) fn warn_of_exposure(&mut self, development: bool, listen: SocketAddr, proxies: &[IpNet]) {
        let here = SocketAddr::from(([127, 0, 0, 1], listen.port()));
        let told = match (development, proxies.is_empty()) {
            _ if listen.ip().to_canonical().is_loopback() => None,
            (true, _) => Some(format!(
                "everybody in your networks reaches development mode. Write {here} if only you should"
            )),
            (false, true) => Some(format!(
                "other machines reach it, and TRUSTED_PROXIES is not set: anyone who reaches the port goes around the proxy and \
                 its TLS, and everyone who comes through it has the proxy's address. Write LISTEN={here} or \
                 TRUSTED_PROXIES=ADDRESS-OF-THE-PROXY"
            )),
            (false, false) => Some(format!(
                "other machines reach it, and anyone who reaches the port goes around the proxy and its TLS. Write LISTEN={here} \
                 where the proxy is on this machine, or see that nothing but the proxy reaches the port"
            )),
        };
        self.warnings.extend(told.map(|told| format!("LISTEN is `{listen}`: {told}.")));
        if proxies.iter().any(|network| network.prefix_len() == 0) {
            self.warnings.push(
                "TRUSTED_PROXIES holds every address there is, so that everybody says their own. Write the proxy's."
                    .to_owned(),
            );
        }
    }
}

/// The address that development is found at where none is written: `localhost`, which passkeys work on, wherever it leads
/// to what is listened on.
fn follow(listen: SocketAddr) -> String {
    let ip = listen.ip();
    let is_localhost =
        ip.is_unspecified() || ip == std::net::Ipv4Addr::LOCALHOST || ip.is_ipv6() && ip.is_loopback();
    match is_localhost {
        true => format!("http://localhost:{}", listen.port()),
        false => format!("http://{listen}"),
    }
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.chars().all(|c| c.is_ascii_hexdigit()))
}

struct MailServer {
    host: String,
    port: Option<u16>,
    /// TLS from the first byte.
    begins_with_tls: bool,
    /// On this machine, or never without TLS.
    is_private: bool,
}

/// What a mail server's address says, or what it is instead, and what to write. It is a secret, and not repeated.
fn smtp_server(text: &str) -> Result<MailServer, (String, String)> {
    let shapes = "smtps://user:password@host, smtp://host:587?tls=required or folder:PATH";
    let wrong = |is: &str, instead: &str| Err((is.to_owned(), instead.to_owned()));
    let escapes =
        "the `@`, `:`, `/`, `?`, `#` and `%` of user and password as %40, %3A, %2F, %3F, %23 and %25";
    let url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "smtp" | "smtps") => url,
        Err(_) if text.starts_with("smtp://") | text.starts_with("smtps://") => {
            return wrong("an address that cannot be taken apart", &format!("{shapes}, with {escapes}"));
        }
        _ => return wrong("not an address of a mail server", shapes),
    };
    let Some(host) = url.host_str() else { return wrong("without a host", shapes) };
    let is_odd = url.fragment().is_some() || text.matches('@').count() > 1 || url.path().contains('@');
    if is_odd {
        return wrong("an address that cannot be taken apart", escapes);
    }
    if url.port() == Some(0) {
        return wrong("with port 0", "another port, such as 587, or none");
    }
    if !matches!(url.path(), "" | "/") {
        return wrong("with a path behind the host", shapes);
    }
    if url.username().is_empty() != url.password().is_none_or(str::is_empty) {
        return wrong("with only one of user and password", "both: smtps://user:password@host");
    }
    let tls = url.query_pairs().find(|(key, _)| key == "tls").map(|(_, value)| value.into_owned());
    if let Some((key, _)) = url.query_pairs().find(|(key, _)| key != "tls") {
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
        return wrong(
            &format!("with `{key}`, an option that is not known"),
            "tls=required or tls=opportunistic, and no other option",
        );
    }
    let is_required = match tls.as_deref() {
        Some("required") => true,
        None | Some("opportunistic") => false,
        Some(_) => return wrong("with a `tls` that is not known", "tls=required or tls=opportunistic"),
    };
    let begins_with_tls = url.scheme() == "smtps";
    Ok(MailServer {
        host: host.to_owned(),
        port: url.port(),
        begins_with_tls,
        is_private: begins_with_tls || is_required || is_loopback(host),
    })
}
