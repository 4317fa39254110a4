//! The file of settings: TOML, with the names of the environment in lower case.

use std::collections::BTreeMap;

use super::SETTINGS;

/// The file → settings by name, in upper case. The error says where and what is wrong, and never repeats a line.
pub(crate) fn parse_file(text: &str) -> Result<BTreeMap<String, String>, String> {
    let table = text.parse::<toml::Table>().map_err(|cause| slip(text, &cause))?;
    let mut values = BTreeMap::new();
    for (key, value) in table {
        match value {
            toml::Value::Table(table) if key == "oidc" => {
                for (provider, value) in table {
                    match value {
                        toml::Value::Table(table) => table.into_iter().try_for_each(|(name, value)| {
                            insert(&mut values, &format!("oidc_{provider}_{name}"), &value)
                        })?,
                        value => insert(&mut values, &format!("oidc_{provider}"), &value)?,
                    }
                }
            }
            value => insert(&mut values, &key, &value)?,
        }
    }
    Ok(values)
}

/// Notes what a key of the file says.
fn insert(values: &mut BTreeMap<String, String>, key: &str, value: &toml::Value) -> Result<(), String> {
    let of_items = |items: &[toml::Value]| items.iter().map(text_of).collect::<Option<Vec<_>>>();
    let text = match value {
        toml::Value::Array(items) => of_items(items).map(|items| items.join(",")),
        value => text_of(value),
    };
    let text = text.ok_or_else(|| match value {
        toml::Value::Table(_) => {
            format!("[{key}] is a section. Write settings without one, as `name = \"value\"`.")
        }
        _ => format!("{key} is a list of lists. Write one text, with commas where there are several."),
    })?;
    match values.insert(key.to_uppercase(), text) {
        Some(_) => Err(format!("{} is there twice. Write it once.", key.to_lowercase())),
        None => Ok(()),
    }
}

/// Where TOML stumbles and over what. Its own `Display` quotes the line, which may hold a secret.
fn slip(text: &str, cause: &toml::de::Error) -> String {
    let before = cause.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let instead = match text.lines().nth(line - 1).and_then(unquoted) {
        Some(name) => format!("Put the value in quotes: `{name} = \"…\"`"),
        None => "Write it as TOML: `name = \"value\"`".to_owned(),
    };
    format!("line {line}, column {column}: {}. {instead}.", cause.message())
}

/// The setting whose value stands without quotes in this line, and is nothing else that TOML knows.
fn unquoted(line: &str) -> Option<String> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim().to_lowercase();
    let is_setting = SETTINGS.iter().any(|setting| setting.name.to_lowercase() == name);
    let is_bare = !value.trim_start().is_empty() && !value.trim_start().starts_with(['"', '\'', '[', '{']);
    (is_setting && is_bare && format!("x = {value}").parse::<toml::Table>().is_err()).then_some(name)
}

/// One value as it would stand in the environment.
fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Boolean(true) => Some("on".to_owned()),
        toml::Value::Boolean(false) => Some("off".to_owned()),
        toml::Value::Array(_) | toml::Value::Table(_) => None,
        other => Some(other.to_string()),
    }
}
