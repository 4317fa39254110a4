//! Settings → a typed `Config`, with every problem reported at once, at start.
//!
//! A setting is an environment variable, or a key of the same name in lower case in the TOML file; the
//! environment wins. [`SETTINGS`] is the one list, and the table of docs/settings.md is checked against it.

mod addresses;
mod allowed;
mod database;
mod database_url;
mod development;
mod file;
mod guessable;
mod insecure;
mod libpq;
mod names;
mod pairs;
mod password;
mod permissions;
mod private;
mod problems;
mod provider;
mod providers;
mod reader;
mod sender;
mod settings;
mod site;
mod sources;
mod told;
mod typed;
mod values;

use std::{env::VarError, fs, path::Path};

use settings::missing_key;
use sources::{PROVIDERS, Sources};

#[expect(unused_imports, reason = "what is kept of a request is explained by it")]
pub(crate) use self::provider::TENANT;
#[cfg(feature = "development")]
pub(crate) use self::providers::DEMONSTRATION;
pub use self::{database_url::DatabaseUrl, reader::from_values, settings::SETTINGS, typed::Config};
pub(crate) use self::{
    development::development_key_path,
    permissions::{DeclaredPermission, example_permissions},
    private::{make_private_file, make_private_folder, mode_if_shared},
    problems::Problems,
    provider::{AddressTrust, ClientCredential, ClientSecret, OfConnection, Provider, ProviderKind},
    settings::Setting,
    site::Site,
    sources::{Source, file_setting},
    told::Told,
    typed::{Lifetimes, Limits, MailRoute, Mode, TOKEN_PREFIX},
    values::parse_span,
};

/// Reads the environment and, where it is named, the TOML file: the settings, and each of them as it holds. A command that
/// `only_looks` makes nothing that is not there.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(crate) fn read(file: Option<&Path>, only_looks: bool) -> Result<(Config, Vec<Told>), Problems> {
    let mut sources = Sources::default();
    if let Some(path) = file {
        let text = fs::read_to_string(path)
            .map_err(|cause| Problems(vec![format!("{} cannot be read: {cause}.", path.display())]))?;
        let values = file::parse_file(&text)
            .map_err(|cause| Problems(vec![format!("{}: {cause}", path.display())]))?;
        let source = Source::Settings(path.to_owned());
        values.into_iter().for_each(|(name, text)| sources.write(name, text, source.clone()));
    }
    let mut unreadable = Vec::new();
    let mut take = |sources: &mut Sources, name: String| match std::env::var(&name) {
        Ok(value) => sources.write(name, value, Source::Environment),
        Err(VarError::NotUnicode(_)) => {
            unreadable.push(format!("{name} is not UTF-8. Write it in that encoding."));
        }
        Err(VarError::NotPresent) => {}
    };
    // First: it says which names there are.
    take(&mut sources, PROVIDERS.to_owned());
    let keys = sources.provider_keys();
    for setting in SETTINGS.iter().filter(|setting| setting.name != PROVIDERS) {
        for name in setting.names(&keys) {
            if setting.is_secret {
                take(&mut sources, file_setting(&name));
            }
            take(&mut sources, name);
        }
    }
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    libpq::VARIABLES.into_iter().filter(is_set).for_each(|name| sources.note_libpq(name));
    if let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") {
        sources.look_for_credentials(folder.into());
    }
    // Other programs' variables are none of our business, so that a name that is nearly ours is only pointed out.
    let names: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    let ask = |name: &str, meant: &str| {
        format!("{name} is in the environment and is not a setting. Did you mean {meant}?")
    };
    let misspelt = names.iter().filter_map(|name| match missing_key(name, &keys) {
        Some(key) => Some(format!(
            "{name} is in the environment and is not a setting. Is {key} missing in {PROVIDERS}?"
        )),
        None => Some(ask(name, names::meant_by(name)?)),
    });
    let foreign = names.iter().filter_map(|name| Some((name, names::called_elsewhere(name)?)));
    match reader::from_sources(sources, only_looks) {
        Ok((mut config, told)) if unreadable.is_empty() => {
            let is_open = |meant: &str| {
                told.iter().any(|setting| setting.name == meant && setting.source == Source::Default)
            };
            config.warnings.extend(misspelt);
            config.hints =
                foreign.filter(|(_, meant)| is_open(meant)).map(|(name, meant)| ask(name, meant)).collect();
            Ok((config, told))
        }
        refused => {
            let problems = refused.err().map(|problems| problems.0).unwrap_or_default();
            let missing = |meant: &str| format!("{meant} is missing.");
            let foreign: Vec<String> = foreign
                .filter(|(_, meant)| problems.iter().any(|problem| problem.starts_with(&missing(meant))))
                .map(|(name, meant)| ask(name, meant))
                .collect();
            Err(Problems(unreadable.into_iter().chain(problems).chain(misspelt).chain(foreign).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
        let values = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        match from_values(values.collect()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.0,
        }
    }

    const KEY: (&str, &str) = ("SECRET_KEY", "a key that is long enough to be a secret key");

    #[test]
    fn a_key_is_all_that_development_needs() {
        assert_eq!(problems(&[KEY]), Vec::<String>::new());
        let values = BTreeMap::from([KEY].map(|(name, text)| (name.to_owned(), text.to_owned())));
        assert!(from_values(values).unwrap().example_notes);
    }

    #[test]
    fn every_problem_is_reported_at_once_with_what_to_write() {
        let found = problems(&[
            KEY,
            ("DATABASE_URL", "mysql://x"),
            ("BASE_URL", "example.com/login"),
            ("LISTEN", "3000"),
            ("SESSION_IDLE", "half an hour"),
            ("TRUSTED_PROXIES", "10.0.0.0/99"),
            ("BRAND_ACCENT", "red"),
            ("BCRYPT_COST", "99"),
            ("SESION_LIFE", "1h"),
        ]);
        assert_eq!(found.len(), 8, "{found:#?}");
        assert!(
            found.iter().all(|problem| problem.contains("Write") || problem.contains("Did you mean")),
            "{found:#?}"
        );
    }

    #[test]
    fn production_refuses_to_start_without_key_https_and_mail_server() {
        let found = problems(&[("MODE", "production")]).join("\n");
        for name in ["SECRET_KEY", "BASE_URL", "SMTP_URL"] {
            assert!(found.contains(name), "{found}");
        }
        let safe = [
            ("SECRET_KEY", "kT9wZ3vQ7xLr2MfY8sBn5HcD4gJp6aWe"),
            ("MODE", "production"),
            ("BASE_URL", "https://id.example.com"),
            ("SMTP_URL", "smtps://mail.example.com"),
        ];
        assert_eq!(problems(&safe), Vec::<String>::new());
    }

    #[test]
    fn a_problem_never_prints_a_password() {
        let found = problems(&[KEY, ("SMTP_URL", "hunter2"), ("DATABASE_URL", "mysql://root:hunter2@host")]);
        assert!(!found.join("").contains("hunter2"), "{found:?}");
    }

    #[test]
    fn each_problem_with_a_provider_says_what_to_write() {
        let acme = [
            ("OIDC_PROVIDERS", "acme"),
            ("OIDC_ACME_ISSUER", "https://login.acme.example/"),
            ("OIDC_ACME_CLIENT_ID", "ours"),
            ("OIDC_ACME_CLIENT_SECRET", "hunter2"),
        ];
        let with = |more: &[(&'static str, &'static str)]| problems(&[&[KEY][..], &acme, more].concat());
        assert_eq!(with(&[]), Vec::<String>::new());
        for (more, says) in [
            (
                &[("GITHUB_CLIENT_ID", "ours")][..],
                "GITHUB_CLIENT_SECRET is missing. Write it, or leave GITHUB_CLIENT_ID out.",
            ),
            (&[("GOOGLE_CLIENT_SECRET", "x")], "GOOGLE_CLIENT_ID is missing."),
            (&[("GOOGLE_DOMAINS", "example")], "GOOGLE_DOMAINS is `example`."),
            (&[("MICROSOFT_TENANT", "mine")], "MICROSOFT_TENANT is `mine`. Write common,"),
            (&[("MICROSOFT_TRUSTS_ADDRESSES", "on")], "anyone can make a tenant"),
            (&[("OIDC_PROVIDERS", "acme, github")], "OIDC_PROVIDERS is `github`. Write another key"),
            (&[("OIDC_PROVIDERS", "acme, acme")], "OIDC_PROVIDERS is `acme`. Write each key once."),
            (&[("OIDC_PROVIDERS", "acme, A-b")], "OIDC_PROVIDERS is `A-b`. Write keys of a to z"),
            (&[("OIDC_SCHOOL_ISSUER", "https://x.example")], "Is school missing in oidc_providers?"),
            (&[("OIDC_ACME_ISSUERS", "https://x.example")], "oidc_acme_issuers is not a setting."),
            (&[("OIDC_ACME_ISSUER", "login.acme.example")], "OIDC_ACME_ISSUER is `login.acme.example`."),
            (&[("OIDC_ACME_ISSUER", "https://x.example/?a=b")], "without query"),
            (
                &[("OIDC_ACME_ISSUER", "")],
                "OIDC_ACME_ISSUER is missing. Write it, or take acme out of OIDC_PROVIDERS.",
            ),
            (&[("OIDC_ACME_SCOPES", "email")], "scopes with openid"),
            (&[("OIDC_ACME_SCOPES", "openid offline_access")], "without offline_access"),
            (&[("OIDC_ACME_TRUSTS_ADDRESSES", "yes")], "Write said, always or never."),
        ] {
            let found = with(more);
            assert!(found.len() == 1 && found[0].contains(says), "{more:?}: {found:#?}");
            assert!(!found[0].contains("hunter2"), "{found:?}");
        }
        let apple = [
            ("APPLE_CLIENT_ID", "a"),
            ("APPLE_TEAM_ID", "b"),
            ("APPLE_KEY_ID", "c"),
            ("APPLE_KEY", "hunter2"),
        ];
        let found = with(&apple);
        assert!(found.len() == 1 && found[0].contains("the text of the .p8 file"), "{found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }

    #[test]
    fn providers_are_read_with_what_follows_from_them() {
        let file = "oidc_providers = [\"acme\"]\ngoogle_client_id = \"g\"\ngoogle_client_secret = \"s\"\n\
                    microsoft_client_id = \"m\"\nmicrosoft_client_secret = \"s\"\n\
                    [oidc.acme]\nissuer = \"http://localhost:9000\"\nclient_id = \"a\"\nclient_secret = \"s\"\nname = \"Acme\"";
        let mut values = file::parse_file(file).unwrap();
        values.insert(KEY.0.to_owned(), KEY.1.to_owned());
        let config = from_values(values.clone()).unwrap();
        let keys: Vec<&str> = config.providers.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, ["google", "microsoft", "acme", "demo"]);
        assert_eq!(config.provider("acme").unwrap().name, "Acme");
        let microsoft = config.provider("microsoft").unwrap();
        let of = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
        assert!(
            microsoft.is_of(&of("8eaef023-2b34-4da1-9baa-8bc8c9d6a490")) && !microsoft.is_of(&of("evil"))
        );
        assert_eq!(microsoft.metadata_url().unwrap(), of("common") + "/.well-known/openid-configuration");
        assert!(!format!("{config:?}").contains("\"s\""), "secrets do not print");

        for (name, text) in [
            ("MODE", "production"),
            ("SECRET_KEY", "kT9wZ3vQ7xLr2MfY8sBn5HcD4gJp6aWe"),
            ("BASE_URL", "https://id.example.com"),
            ("SMTP_URL", "smtps://mail.example.com"),
        ] {
            values.insert(name.to_owned(), text.to_owned());
        }
        let refused = from_values(values).unwrap_err().0;
        assert!(
            refused.len() == 1 && refused[0].contains("Write an https address in production"),
            "{refused:?}"
        );
    }

    #[test]
    fn the_file_speaks_toml_and_says_the_same_names_in_lower_case() {
        let values = file::parse_file(
            "listen = \"0.0.0.0:80\"\nmigrate = false\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]",
        )
        .unwrap();
        let mut values: BTreeMap<_, _> = values;
        values.insert(KEY.0.to_owned(), KEY.1.to_owned());
        let config = from_values(values).unwrap();
        assert_eq!(config.listen.port(), 80);
        assert!(!config.migrate);
        assert_eq!(config.trusted_proxies.len(), 2);
    }
}
