//! What is sent about a policy, as JSON or by the page's form.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    accounts::policy_changes::{LEAST_MINUTES, MOST_LISTED, MOST_MINUTES},
    clock::Timestamp,
    error::Errors,
    kinds::AuthMethod,
    model::{domain, organisation_policy::OrganisationPolicy},
    web::input::tick,
};

/// The methods to choose from, each with its field in the form. None is called after what forms never keep.
pub(super) const METHODS: [(&str, AuthMethod); 4] = [
    ("byWord", AuthMethod::Password),
    ("byLink", AuthMethod::MagicLink),
    ("byPasskey", AuthMethod::Passkey),
    ("bySso", AuthMethod::Sso),
];

/// Whether to change nothing, and say whom it would keep out.
#[derive(Deserialize)]
pub(crate) struct DryQuery {
    #[serde(default, deserialize_with = "tick")]
    pub(super) dry: bool,
}

/// A whole policy. Minutes are numbers, or text in a form; a list is one, or text with commas, blanks or line breaks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyForm {
    /// The page's own: whether to ask for a second factor, `on` or `off`. It also says that methods come as ticks.
    second_factor: Option<String>,
    second_factor_from: Option<String>,
    session_idle: Option<Value>,
    session_life: Option<Value>,
    sign_in_methods: Option<Value>,
    networks: Option<Value>,
    invited_domains: Option<Value>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl PolicyForm {
    /// The form that says this policy.
    pub(super) fn of(policy: &OrganisationPolicy) -> Self {
        let minutes = |minutes: Option<i32>| minutes.map(Value::from);
        let lines = |lines: Vec<String>| Some(Value::from(lines.join("\n")));
        let methods = policy.sign_in_methods.as_ref();
        Self {
            second_factor: Some(if policy.second_factor_from.is_some() { "on" } else { "off" }.to_owned()),
            second_factor_from: policy.second_factor_from.map(|from| from.iso()),
            session_idle: minutes(policy.session_idle),
            session_life: minutes(policy.session_life),
            sign_in_methods: None,
            networks: lines(policy.networks.iter().flatten().map(ToString::to_string).collect()),
            invited_domains: lines(policy.invited_domains.clone().unwrap_or_default()),
            others: METHODS
                .iter()
                .filter(|(_, method)| methods.is_none_or(|methods| methods.contains(method)))
                .map(|(field, _)| ((*field).to_owned(), Value::from("on")))
                .collect(),
        }
    }

    /// The policy that it says, or what is wrong with it.
    pub(super) fn read(&self) -> Result<OrganisationPolicy, Errors> {
        let mut errors = Errors::default();
        let (idle, life) = (self.session_idle.as_ref(), self.session_life.as_ref());
        let (networks, domains) = (self.networks.as_ref(), self.invited_domains.as_ref());
        let policy = OrganisationPolicy {
            second_factor_from: noted(self.from(), "secondFactorFrom", &mut errors),
            session_idle: noted(minutes(idle, LEAST_MINUTES.0), "sessionIdle", &mut errors),
            session_life: noted(minutes(life, LEAST_MINUTES.1), "sessionLife", &mut errors),
            sign_in_methods: noted(self.methods(), "signInMethods", &mut errors),
            networks: noted(listed(networks, network), "networks", &mut errors),
            invited_domains: noted(listed(domains, domain::parse), "invitedDomains", &mut errors),
        };
        if errors.is_empty() { Ok(policy) } else { Err(errors) }
    }

    /// Whether nothing is to be changed.
    pub(super) fn is_dry(&self) -> bool {
        self.others.get("dry").is_some_and(|dry| tick(dry).unwrap_or_default())
    }

    fn from(&self) -> Result<Option<Timestamp>, String> {
        let typed = self.second_factor_from.as_deref().map(str::trim).unwrap_or_default();
        match (self.second_factor.as_deref(), typed) {
            (Some("off"), _) | (None, "") => Ok(None),
            (_, typed) => Timestamp::from_text(typed)
                .map(Some)
                .ok_or_else(|| "Enter a date, such as 2026-12-24.".to_owned()),
        }
    }

    /// The methods that were chosen; all where none is named.
    fn methods(&self) -> Result<Option<Vec<AuthMethod>>, String> {
        let chosen = match &self.second_factor {
            Some(_) => self.chosen_methods(),
            None => {
                let words = words(self.sign_in_methods.as_ref());
                let known =
                    |word: &&String| METHODS.iter().find(|(_, method)| method.as_str() == word.as_str());
                if let Some(strange) = words.iter().find(|word| known(word).is_none()) {
                    let all = METHODS.map(|(_, method)| method.as_str()).join(", ");
                    return Err(format!("{strange} is not one of {all}."));
                }
                if self.sign_in_methods.is_none() {
                    return Ok(None);
                }
                let named = |method: &AuthMethod| words.iter().any(|word| word == method.as_str());
                METHODS.map(|(_, method)| method).into_iter().filter(named).collect()
            }
        };
        match chosen.len() {
            0 => Err("Choose at least one.".to_owned()),
            count if count == METHODS.len() => Ok(None),
            _ => Ok(Some(chosen)),
        }
    }

    /// The methods that are ticked.
    pub(super) fn chosen_methods(&self) -> Vec<AuthMethod> {
        let ticked = |field: &str| self.others.get(field).is_some_and(|tick| tick != "");
        METHODS.into_iter().filter(|(field, _)| ticked(field)).map(|(_, method)| method).collect()
    }

    /// Whether the page's box is ticked.
    pub(super) fn asks_second_factor(&self) -> bool {
        match self.second_factor.as_deref() {
            Some(word) => word == "on",
            None => self.second_factor_from.as_deref().is_some_and(|from| !from.is_empty()),
        }
    }

    /// The day, for a date's field; nothing where there is none.
    pub(super) fn day(&self) -> Option<String> {
        Some(Timestamp::from_text(self.second_factor_from.as_deref()?)?.iso_day())
    }

    /// What was typed into a field, as text.
    pub(super) fn text(&self, field: &str) -> String {
        let value = match field {
            "sessionIdle" => &self.session_idle,
            "sessionLife" => &self.session_life,
            "networks" => &self.networks,
            "invitedDomains" => &self.invited_domains,
            _ => &None,
        };
        match value {
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::String(text)) => text.clone(),
            value => words(value.as_ref()).join("\n"),
        }
    }
}

/// What was read of a field; nothing where that is wrong, which is noted.
fn noted<T>(read: Result<Option<T>, String>, field: &'static str, errors: &mut Errors) -> Option<T> {
    read.unwrap_or_else(|problem| {
        errors.add(field, problem);
        None
    })
}

/// Each word of a list, or of a text.
fn words(value: Option<&Value>) -> Vec<String> {
    let split = |text: &str| {
        let parts = text.split(|c: char| c == ',' || c == ';' || c.is_whitespace());
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    match value {
        Some(Value::String(text)) => split(text),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
        }
        None | Some(Value::Null) => Vec::new(),
        Some(other) => vec![other.to_string()],
    }
}

/// Whole minutes, at least `least`; nothing where nothing was typed.
fn minutes(value: Option<&Value>, least: i32) -> Result<Option<i32>, String> {
    let number = match value {
        None => return Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(number) => number.as_i64().and_then(|number| i32::try_from(number).ok()),
    };
    match number.filter(|number| (least..=MOST_MINUTES).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(format!("Enter a number of minutes, {least} to {MOST_MINUTES}.")),
    }
}

/// What a list says, in order and each once; nothing where it is empty.
fn listed<T: Ord>(
    value: Option<&Value>,
    read: fn(&str) -> Result<T, String>,
) -> Result<Option<Vec<T>>, String> {
    let words = words(value);
    if words.len() > MOST_LISTED {
        return Err(format!("Enter at most {MOST_LISTED}. These are {}.", words.len()));
    }
    let mut listed = words.iter().map(|word| read(word)).collect::<Result<Vec<_>, _>>()?;
    listed.sort();
    listed.dedup();
    Ok((!listed.is_empty()).then_some(listed))
}

/// A network, or one address.
fn network(typed: &str) -> Result<IpNet, String> {
    let one = typed.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical()));
    one.or_else(|_| typed.parse::<IpNet>().map(|network| network.trunc()))
        .map_err(|_| format!("{typed} is no network. Write one such as 203.0.113.0/24 or 2001:db8::/32."))
}
