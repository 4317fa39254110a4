//! The settings as they hold, for an operator who looks: each with its value and where it was written. Secrets are hidden.

use std::collections::BTreeMap;

use super::{Config, SETTINGS, Setting, sources::Source, values::Reader};
use crate::secret::Role;

/// A setting as it holds.
#[derive(Debug)]
pub(crate) struct Told {
    /// Its name.
    pub name: &'static str,
    /// Its value; of a secret only what may be shown.
    pub value: String,
    /// Where it was written.
    pub source: Source,
}

/// Every setting as it holds.
pub(crate) fn tell(reader: &Reader, sources: &BTreeMap<String, Source>, config: &Config) -> Vec<Told> {
    let tell = |setting: &Setting| Told {
        name: setting.name,
        value: if setting.is_secret {
            shown(setting, reader, config)
        } else {
            value(setting, reader, config)
        },
        source: match reader.text(setting.name) {
            Some(_) => sources.get(setting.name).cloned().unwrap_or(Source::Default),
            None => Source::Default,
        },
    };
    SETTINGS.iter().map(tell).collect()
}

fn value(setting: &Setting, reader: &Reader, config: &Config) -> String {
    let word = |is_so: bool, yes: &str, no: &str| if is_so { yes.to_owned() } else { no.to_owned() };
    match setting.name {
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
fn shown(setting: &Setting, reader: &Reader, config: &Config) -> String {
    let role =
        [Role::Current, Role::Next, Role::Previous].into_iter().find(|role| role.setting() == setting.name);
    if let Some(role) = role {
        let ids =
            config.keys.fingerprints().filter(|(its, _)| *its == role).map(|(_, id)| format!("*** ({id})"));
        let ids = ids.collect::<Vec<_>>().join(", ");
        return if ids.is_empty() { "none".to_owned() } else { ids };
    }
    match setting.name {
        "DATABASE_URL" => format!("{:?}", config.database),
        "SMTP_URL" => format!("{:?}", config.mail),
        name if reader.text(name).is_some() => "***".to_owned(),
        _ => "none".to_owned(),
    }
}
