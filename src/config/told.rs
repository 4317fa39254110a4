//! The settings as they hold, for an operator who looks: each with its value and where it was written. Secrets are hidden.

use std::collections::BTreeMap;

use super::{
    Config, SETTINGS, Setting,
    settings::provider_keys,
    sources::{PROVIDERS, Source},
    values::Reader,
};
use crate::secret::Role;

/// A setting as it holds.
#[derive(Debug)]
pub(crate) struct Told {
    /// Its name.
    pub name: String,
    /// Its value; of a secret only what may be shown.
    pub value: String,
    /// Where it was written.
    pub source: Source,
}

/// Every setting as it holds.
pub(crate) fn tell(reader: &Reader, sources: &BTreeMap<String, Source>, config: &Config) -> Vec<Told> {
    let keys = provider_keys(&reader.text(PROVIDERS).unwrap_or_default());
    let tell = |setting: &Setting, name: String| Told {
        value: if setting.is_secret {
            shown(&name, reader, config)
        } else {
            value(setting, &name, reader, config)
        },
        source: match reader.text(&name) {
            Some(_) => sources.get(&name).cloned().unwrap_or(Source::Default),
            None => Source::Default,
        },
        name,
    };
    let of = |setting: &'static Setting| setting.names(&keys).into_iter().map(move |name| (setting, name));
    SETTINGS.iter().flat_map(of).map(|(setting, name)| tell(setting, name)).collect()
}

fn value(setting: &Setting, name: &str, reader: &Reader, config: &Config) -> String {
    let word = |is_so: bool, yes: &str, no: &str| if is_so { yes.to_owned() } else { no.to_owned() };
    match name {
        "MODE" => word(config.is_development(), "development", "production"),
        "BASE_URL" => config.site.origin(),
        "MAIL_FROM" => config.mail_from.clone(),
        "LOG_FORMAT" => word(config.log_json, "json", "text"),
        name => reader
            .held
            .get(name)
            .cloned()
            .or_else(|| reader.text(name))
            .unwrap_or_else(|| setting.default.to_owned()),
    }
}

/// What may be shown of a secret: which key by its fingerprint, which kind of address.
fn shown(name: &str, reader: &Reader, config: &Config) -> String {
    let role = [Role::Current, Role::Next, Role::Previous].into_iter().find(|role| role.setting() == name);
    if let Some(role) = role {
        let ids =
            config.keys.fingerprints().filter(|(its, _)| *its == role).map(|(_, id)| format!("*** ({id})"));
        let ids = ids.collect::<Vec<_>>().join(", ");
        return if ids.is_empty() { "none".to_owned() } else { ids };
    }
    match name {
        "DATABASE_URL" => format!("{:?}", config.database),
        "SMTP_URL" => format!("{:?}", config.mail),
        name if reader.text(name).is_some() => "***".to_owned(),
        _ => "none".to_owned(),
    }
}
