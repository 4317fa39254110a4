//! The providers whose accounts people may sign in with: which there are, and how far each is trusted.
//!
//! Reading them asks nobody: whether a provider answers turns out when somebody signs in.

use std::collections::BTreeSet;

use url::Url;

use super::{
    provider::{AddressTrust, ClientCredential, Provider, ProviderKind, TENANT, is_guid, microsoft_issuer},
    settings::provider_keys,
    site::Site,
    values::Reader,
};
use crate::secret::Secret;

// The tenant of everybody with a personal account.
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// What no further provider may be called: those that are built in, the demonstration, and other ways to sign in.
const TAKEN: [&str; 13] = [
    "github",
    "google",
    "microsoft",
    "apple",
    DEMONSTRATION,
    "oidc",
    "saml",
    "sso",
    "password",
    "passkey",
    "email",
    "provider",
    "providers",
];

/// The most characters of a key: fewer than an id has, so that the two are never confused in an address.
const LONGEST_KEY: usize = 20;

/// The most characters of a name, which stands on a button.
const LONGEST_NAME: usize = 40;

/// The key of the demonstration provider.
pub(crate) const DEMONSTRATION: &str = "demo";

const USUAL_SCOPES: &str = "openid email profile";

impl Reader {
    /// Every provider, those that are built in first.
    pub(super) fn providers(&mut self, development: bool, site: Option<&Site>) -> Vec<Provider> {
        let mut found: Vec<Provider> = Vec::new();
        found.extend(self.github());
        found.extend(self.google());
        found.extend(self.microsoft());
        found.extend(self.apple());
        let keys = provider_keys(&self.text("OIDC_PROVIDERS").unwrap_or_default());
        let mut seen = BTreeSet::new();
        for key in keys {
            if !seen.insert(key.clone()) {
                self.problem("OIDC_PROVIDERS", &key, "each key once");
            } else if TAKEN.contains(&key.as_str()) {
                self.problem("OIDC_PROVIDERS", &key, "another key: this one stands for something else here");
            } else if !is_key(&key) {
                let expected = format!(
                    "keys of a to z and digits, at most {LONGEST_KEY} characters, starting with a letter"
                );
                self.problem("OIDC_PROVIDERS", &key, &expected);
            } else if let Some(provider) = self.oidc(&key, development) {
                if let Some(other) = found.iter().find(|other| other.is_of(&provider.issuer)) {
                    let (setting, other) = (of_key(&key, "ISSUER"), other.key.clone());
                    let expected = format!("another issuer: this one is that of {other}");
                    self.problem(&setting, &provider.issuer, &expected);
                }
                found.push(provider);
            }
        }
        found.extend(self.demonstration(development, site));
        found
    }

    /// The provider that this site itself is in development. Browser and program meet at this machine only: it answers nobody else.
    fn demonstration(&mut self, development: bool, site: Option<&Site>) -> Option<Provider> {
        let can_be = development && cfg!(feature = "development");
        let is_on = self.switch("DEMO_PROVIDER", can_be);
        if is_on && !development {
            self.problem("DEMO_PROVIDER", "on", "off in production: it signs anybody in");
        }
        let site = site.filter(|site| is_on && can_be && site.is_loopback())?;
        // With all that has to be encoded on the way, so that nobody forgets to.
        let secret = ClientCredential::Secret(Secret::from_text("made up: a+b/c=d%20&é"));
        let (issuer, id) = (site.link("/dev/oidc"), "vestibule".to_owned());
        Some(built_in(DEMONSTRATION, "Demonstration", ProviderKind::Oidc, issuer, id, secret))
    }

    fn github(&mut self) -> Option<Provider> {
        let (client_id, secret) = self.pair("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET")?;
        let issuer = "https://github.com".to_owned();
        Some(Provider {
            scopes: "user:email".to_owned(),
            ..built_in("github", "GitHub", ProviderKind::GitHub, issuer, client_id, secret)
        })
    }

    fn google(&mut self) -> Option<Provider> {
        let domains: Vec<String> =
            self.list("GOOGLE_DOMAINS").into_iter().filter(|word| word != "none").collect();
        for domain in &domains {
            if !is_domain(domain) {
                self.problem("GOOGLE_DOMAINS", domain, "domains such as example.com, separated by commas");
            }
        }
        let (client_id, secret) = self.pair("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET")?;
        let issuer = "https://accounts.google.com".to_owned();
        let domains = domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
        let google = built_in("google", "Google", ProviderKind::Google, issuer, client_id, secret);
        Some(Provider { domains, ..google })
    }

    fn microsoft(&mut self) -> Option<Provider> {
        let tenant =
            self.text("MICROSOFT_TENANT").unwrap_or_else(|| "common".to_owned()).to_ascii_lowercase();
        let is_one = is_guid(&tenant);
        if !is_one && !["common", "organizations", "consumers"].contains(&tenant.as_str()) {
            let expected = "common, organizations, consumers or the id of a tenant, such as \
                            8eaef023-2b34-4da1-9baa-8bc8c9d6a490";
            self.problem("MICROSOFT_TENANT", &tenant, expected);
        }
        let trusts = self.switch("MICROSOFT_TRUSTS_ADDRESSES", false);
        if trusts && !is_one {
            self.problems.push(
                "MICROSOFT_TRUSTS_ADDRESSES is `on`, and anyone can make a tenant that tells any address. Write the id of \
                 your own in MICROSOFT_TENANT, or leave it out."
                    .to_owned(),
            );
        }
        let (client_id, secret) = self.pair("MICROSOFT_CLIENT_ID", "MICROSOFT_CLIENT_SECRET")?;
        let issuer = match tenant.as_str() {
            "common" | "organizations" => microsoft_issuer(TENANT),
            "consumers" => microsoft_issuer(CONSUMERS),
            tenant => microsoft_issuer(tenant),
        };
        Some(Provider {
            trust: if trusts { AddressTrust::Always } else { AddressTrust::WhereVerified },
            tenant,
            ..built_in("microsoft", "Microsoft", ProviderKind::Microsoft, issuer, client_id, secret)
        })
    }

    fn apple(&mut self) -> Option<Provider> {
        const ALL: [&str; 4] = ["APPLE_CLIENT_ID", "APPLE_TEAM_ID", "APPLE_KEY_ID", "APPLE_KEY"];
        let [client_id, team, key_id, key] = self.all_or_none(ALL)?;
        if !key.starts_with("-----BEGIN PRIVATE KEY-----") {
            // What it is is not repeated: it may be half of the key.
            self.problems.push(
                "APPLE_KEY is no private key. Write the text of the .p8 file, or its path in APPLE_KEY_FILE."
                    .to_owned(),
            );
        }
        let credential = ClientCredential::Apple { team, key_id, key: Secret::from_text(key) };
        let issuer = "https://appleid.apple.com".to_owned();
        Some(Provider {
            scopes: "openid name email".to_owned(),
            ..built_in("apple", "Apple", ProviderKind::Apple, issuer, client_id, credential)
        })
    }

    fn oidc(&mut self, key: &str, development: bool) -> Option<Provider> {
        let setting = |suffix: &str| of_key(key, suffix);
        let name = self.text(&setting("NAME")).unwrap_or_else(|| key.to_owned());
        if name.chars().any(char::is_control) || name.chars().count() > LONGEST_NAME {
            let expected = format!("a name in one line of at most {LONGEST_NAME} characters");
            self.problem(&setting("NAME"), &name, &expected);
        }
        let scopes = self.text(&setting("SCOPES")).unwrap_or_else(|| USUAL_SCOPES.to_owned());
        let words: Vec<&str> = scopes.split_whitespace().collect();
        if !words.contains(&"openid") || words.contains(&"offline_access") {
            let expected = format!("scopes with openid and without offline_access, such as {USUAL_SCOPES}");
            self.problem(&setting("SCOPES"), &scopes, &expected);
        }
        let trust =
            match self.text(&setting("TRUSTS_ADDRESSES")).map(|word| word.to_ascii_lowercase()).as_deref() {
                None | Some("said") => AddressTrust::WhereVerified,
                Some("always") => AddressTrust::Always,
                Some("never") => AddressTrust::Never,
                Some(word) => {
                    self.problem(&setting("TRUSTS_ADDRESSES"), word, "said, always or never");
                    AddressTrust::Never
                }
            };
        let issuer = self.text(&setting("ISSUER"));
        let (client_id, secret) = (self.text(&setting("CLIENT_ID")), self.text(&setting("CLIENT_SECRET")));
        for (suffix, text) in [("ISSUER", &issuer), ("CLIENT_ID", &client_id), ("CLIENT_SECRET", &secret)] {
            let name = setting(suffix);
            if text.is_none() && !self.unreadable.contains(&name) {
                self.problems
                    .push(format!("{name} is missing. Write it, or take {key} out of OIDC_PROVIDERS."));
            }
        }
        let issuer = issuer?;
        if let Err(expected) = check_issuer(&issuer, development) {
            self.problem(&setting("ISSUER"), &issuer, expected);
        }
        let credential = ClientCredential::Secret(Secret::from_text(secret?));
        let words = words.join(" ");
        let oidc = built_in(key, &name, ProviderKind::Oidc, issuer, client_id?, credential);
        Some(Provider { scopes: words, trust, ..oidc })
    }

    /// A client's id and secret: both, or neither.
    fn pair(&mut self, id: &'static str, secret: &'static str) -> Option<(String, ClientCredential)> {
        let [id, secret] = self.all_or_none([id, secret])?;
        Some((id, ClientCredential::Secret(Secret::from_text(secret))))
    }

    /// The texts of settings that mean something together only. A problem for each that is missing beside another.
    fn all_or_none<const N: usize>(&mut self, names: [&'static str; N]) -> Option<[String; N]> {
        let texts = names.map(|name| self.text(name).filter(|text| text != "none"));
        let set = names.iter().zip(&texts).find(|(_, text)| text.is_some()).map(|(name, _)| *name);
        let is_whole = texts.iter().all(Option::is_some);
        if let Some(set) = set.filter(|_| !is_whole) {
            for (name, _) in names.iter().zip(&texts).filter(|(_, text)| text.is_none()) {
                if !self.unreadable.contains(*name) {
                    self.problems.push(format!("{name} is missing. Write it, or leave {set} out."));
                }
            }
        }
        is_whole.then(|| texts.map(Option::unwrap_or_default))
    }
}

fn built_in(
    key: &str,
    name: &str,
    kind: ProviderKind,
    issuer: String,
    client_id: String,
    credential: ClientCredential,
) -> Provider {
    Provider {
        key: key.to_owned(),
        kind,
        name: name.to_owned(),
        issuer,
        client_id,
        credential,
        scopes: USUAL_SCOPES.to_owned(),
        trust: AddressTrust::WhereVerified,
        domains: Vec::new(),
        connection: None,
        tenant: String::new(),
    }
}

fn of_key(key: &str, suffix: &str) -> String {
    format!("OIDC_{}_{suffix}", key.to_uppercase())
}

fn is_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.len() <= LONGEST_KEY
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_domain(text: &str) -> bool {
    text.contains('.') && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

/// What is to be written where it is not: OpenID Connect Discovery §3 wants https, and neither query nor fragment.
fn check_issuer(issuer: &str, development: bool) -> Result<(), &'static str> {
    let url = Url::parse(issuer).ok().filter(Url::has_host);
    let is_bare = |url: &Url| {
        url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    match url {
        Some(url) if is_bare(&url) && url.scheme() == "https" => Ok(()),
        Some(url) if is_bare(&url) && url.scheme() == "http" && development => Ok(()),
        Some(url) if url.scheme() == "http" && !development => Err("an https address in production"),
        _ => Err(
            "the provider's issuer, an https address without query or user, such as https://login.example.com",
        ),
    }
}
