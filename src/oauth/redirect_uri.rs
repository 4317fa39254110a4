//! Where answers may go: addresses that are registered, compared character by character (RFC 9700 §2.1, RFC 8252 §7).

use url::{Host, Url};

/// An address that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RedirectUri(String);

/// Who comes back there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RedirectUse {
    /// A site: https, and http on this machine in development.
    Site,
    /// An application on somebody's own device: https, a scheme of its own with a dot, or this device.
    Device,
}

impl RedirectUri {
    /// One that may be registered, or a sentence about what is wrong with it. `is_development`: a site may be on this machine.
    pub(crate) fn register(text: &str, used: RedirectUse, is_development: bool) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("{text} {what}"));
        let Ok(url) = Url::parse(text) else { return wrong("is no address.") };
        if text.len() > 2_000 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("has characters that an address does not have, or too many.");
        }
        if url.fragment().is_some() || text.contains('*') {
            return wrong("has a fragment or an asterisk. It is compared as it is.");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("has a name or a password in it.");
        }
        match (url.scheme(), used) {
            ("https", _) => {}
            ("http", RedirectUse::Site) if is_development && is_this_device(&url) => {}
            ("http", RedirectUse::Device) if is_this_device(&url) => {}
            ("http", _) => return wrong("is not https."),
            // RFC 8252 §7.1: a name that its owner holds, in reverse.
            (scheme, RedirectUse::Device) if scheme.contains('.') => {}
            _ => {
                return wrong(
                    "has a scheme that is neither https nor one with a dot, such as com.example.app.",
                );
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// One that was registered before.
    pub(crate) fn registered(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether `asked` is this address. On the device itself its port may be any (RFC 8252 §7.3).
    pub(crate) fn is(&self, asked: &str, used: RedirectUse) -> bool {
        if self.0 == asked {
            return true;
        }
        if used != RedirectUse::Device {
            return false;
        }
        match (without_port(&self.0), without_port(asked)) {
            (Some(own), Some(asked)) => own == asked,
            _ => false,
        }
    }

    /// Whether any program on the device can be the one that answers there (RFC 8252 §8.6).
    pub(crate) fn is_unclaimed(asked: &str) -> bool {
        Url::parse(asked).map_or(true, |url| url.scheme() != "https")
    }
}

fn is_this_device(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// An address of this device over http, as it is written but for its port.
fn without_port(text: &str) -> Option<(String, String)> {
    let url = Url::parse(text).ok()?;
    let rest = text.strip_prefix("http://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            is_port.then_some(host)?
        }
        _ => authority,
    };
    let is_plain = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    (is_plain && is_this_device(&url)).then(|| (host.to_owned(), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_compared_as_it_is_case_b9_2() {
        let own = RedirectUri::registered("https://app.example.com/callback?a=1");
        assert!(own.is("https://app.example.com/callback?a=1", RedirectUse::Site));
        for other in [
            "https://app.example.com/callback",
            "https://app.example.com/callback?a=1&b=2",
            "https://app.example.com/callback?a=1#x",
            "https://APP.example.com/callback?a=1",
            "https://app.example.com:443/callback?a=1",
            "https://app.example.com/callback/?a=1",
            "http://app.example.com/callback?a=1",
            "https://app.example.com.evil.example/callback?a=1",
            "https://app.example.com/callback%3Fa=1",
            "",
        ] {
            for used in [RedirectUse::Site, RedirectUse::Device] {
                assert!(!own.is(other, used), "{other}");
            }
        }
    }

    #[test]
    fn on_the_device_itself_any_port_will_do() {
        for (registered, asked, is_same) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", true),
            ("http://127.0.0.1:8080/cb", "http://127.0.0.1:49152/cb", true),
            ("http://localhost/cb", "http://localhost:3000/cb", true),
            ("http://[::1]/cb", "http://[::1]:3000/cb", true),
            ("http://127.0.0.1/cb", "http://localhost:49152/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/other", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb?x=1", false),
            ("http://127.0.0.1/cb", "https://127.0.0.1:49152/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:4@evil.example/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example:1/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", false),
            ("https://app.example.com/cb", "https://app.example.com:8443/cb", false),
        ] {
            assert_eq!(
                RedirectUri::registered(registered).is(asked, RedirectUse::Device),
                is_same,
                "{asked}"
            );
            assert!(!RedirectUri::registered(registered).is(asked, RedirectUse::Site), "{asked}");
        }
    }

    #[test]
    fn what_may_be_registered_depends_on_who_comes_back() {
        use RedirectUse::{Device, Site};
        for (text, used, is_development, is_fine) in [
            ("https://app.example.com/cb", Site, false, true),
            ("http://app.example.com/cb", Site, true, false),
            ("http://localhost:8080/cb", Site, true, true),
            ("http://localhost:8080/cb", Site, false, false),
            ("http://127.0.0.1/cb", Device, false, true),
            ("com.example.app:/cb", Device, false, true),
            ("app:/cb", Device, false, false),
            ("javascript:alert(1)", Device, true, false),
            ("https://app.example.com/#x", Site, false, false),
            ("https://*.example.com/cb", Site, false, false),
            ("https://ada:pw@app.example.com/cb", Site, false, false),
            ("/cb", Site, true, false),
            ("https://app.example.com/c b", Site, false, false),
        ] {
            assert_eq!(RedirectUri::register(text, used, is_development).is_ok(), is_fine, "{text} {used:?}");
        }
    }
}
