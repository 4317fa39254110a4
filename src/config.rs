//! Settings → a typed `Config`, with every problem reported at once, at start.
//!
//! A setting is an environment variable, or a key of the same name in lower case in the TOML file; the
//! environment wins. [`SETTINGS`] is the one list, and the table of docs/settings.md is checked against it.

mod addresses;
mod allowed;
mod database;
mod database_url;
mod development;
mod guessable;
mod insecure;
mod libpq;
mod names;
mod pairs;
mod password;
mod permissions;
mod private;
mod problems;
mod reader;
mod sender;
mod settings;
mod site;
mod sources;
mod told;
mod typed;
mod values;

use std::{env::VarError, fs, path::Path};

use sources::Sources;

pub use self::{database_url::DatabaseUrl, reader::from_values, settings::SETTINGS, typed::Config};
pub(crate) use self::{
    development::development_key_path,
    permissions::{DeclaredPermission, example_permissions},
    private::{make_private_file, make_private_folder, mode_if_shared},
    problems::Problems,
    settings::Setting,
    site::Site,
    sources::{Source, file_setting},
    told::Told,
    typed::{Lifetimes, Limits, MailRoute, Mode},
    values::parse_span,
};

/// Reads the environment and, where it is named, the TOML file: the settings, and each of them as it holds.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(crate) fn read(file: Option<&Path>) -> Result<(Config, Vec<Told>), Problems> {
    let mut sources = Sources::default();
    if let Some(path) = file {
        let text = fs::read_to_string(path)
            .map_err(|cause| Problems(vec![format!("{} cannot be read: {cause}.", path.display())]))?;
        let values = reader::parse_file(&text)
            .map_err(|cause| Problems(vec![format!("{}: {cause}", path.display())]))?;
        let source = Source::Settings(path.to_owned());
        values.into_iter().for_each(|(name, text)| sources.write(name, text, source.clone()));
    }
    let mut unreadable = Vec::new();
    let files = SETTINGS.iter().filter(|setting| setting.is_secret).map(|setting| file_setting(setting.name));
    for name in SETTINGS.iter().map(|setting| setting.name.to_owned()).chain(files) {
        match std::env::var(&name) {
            Ok(value) => sources.write(name, value, Source::Environment),
            Err(VarError::NotUnicode(_)) => {
                unreadable.push(format!("{name} is not UTF-8. Write it in that encoding."));
            }
            Err(VarError::NotPresent) => {}
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
    let misspelt = names.iter().filter_map(|name| Some(ask(name, names::meant_by(name)?)));
    let foreign = names.iter().filter_map(|name| Some((name, names::called_elsewhere(name)?)));
    match reader::from_sources(sources) {
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
    fn the_file_speaks_toml_and_says_the_same_names_in_lower_case() {
        let values = reader::parse_file(
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
