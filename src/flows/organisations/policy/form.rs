//! What is sent about a policy, as JSON or by the page's form.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{
    accounts::policy_changes::{LEAST_MINUTES, MOST_LISTED, MOST_MINUTES},
    clock::Timestamp,
    error::Errors,
    kinds::AuthMethod,
    model::{domain, network, organisation_policy::OrganisationPolicy},
    web::input::{self, flag},
};

/// The methods to choose from, each with its field in the form. None is called after what forms never keep.
pub(super) const METHODS: [(&str, AuthMethod); 5] = [
    ("byWord", AuthMethod::Password),
    ("byLink", AuthMethod::MagicLink),
    ("byPasskey", AuthMethod::Passkey),
    ("bySso", AuthMethod::Sso),
    ("byProvider", AuthMethod::Provider),
];

/// Whether to change nothing, and say whom it would keep out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DryQuery {
    #[serde(default, deserialize_with = "flag")]
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
    #[serde(flatten, deserialize_with = "others")]
    others: BTreeMap<String, Value>,
}

/// The page's own fields, and what `GET` says besides the policy.
fn others<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Value>, D::Error> {
    const BESIDES: [&str; 4] = ["dry", "effects", "yourAddress", "unmet"];
    let is_method = |name: &str| METHODS.iter().any(|(field, _)| *field == name);
    input::others(deserializer, &OrganisationPolicy::SETTINGS, |name| {
        is_method(name) || BESIDES.contains(&name)
    })
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
            session_idle: noted(
                minutes(idle, "Minutes without activity", LEAST_MINUTES.0),
                "sessionIdle",
                &mut errors,
            ),
            session_life: noted(
                minutes(life, "Minutes since signing in", LEAST_MINUTES.1),
                "sessionLife",
                &mut errors,
            ),
            sign_in_methods: noted(self.methods(), "signInMethods", &mut errors),
            networks: noted(listed(networks, network::parse), "networks", &mut errors),
            invited_domains: noted(listed(domains, domain), "invitedDomains", &mut errors),
        };
        if let (Some(idle), Some(life)) = (policy.session_idle, policy.session_life)
            && idle > life
        {
            let sentence =
                format!("Minutes without activity: enter at most {life}, the minutes since signing in.");
            errors.add("sessionIdle", sentence);
        }
        if errors.is_empty() { Ok(policy) } else { Err(errors) }
    }

    /// Whether nothing is to be changed.
    pub(super) fn is_dry(&self) -> bool {
        self.others.get("dry").is_some_and(|dry| flag(dry).unwrap_or(true))
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

fn uncommented(line: &str) -> &str {
    line.split_once('#').map_or(line, |(line, _)| line).trim()
}

/// The parts of a network or a range without blanks between them.
fn together(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut together = String::new();
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| words.get(at));
        let is_one =
            word.starts_with(['/', '-', '–']) || before.is_some_and(|word| word.ends_with(['/', '-', '–']));
        if before.is_some() && !is_one {
            together.push(' ');
        }
        together.push_str(word);
    }
    together
}

/// Each word of a list, or of a text.
fn words(value: Option<&Value>) -> Vec<String> {
    let split = |text: &str| {
        // Behind a `#` is what its author says of a line.
        let lines = text.lines().map(|line| together(uncommented(line))).collect::<Vec<_>>().join("\n");
        let parts = lines.split(|c: char| c == ',' || c == ';' || c.is_whitespace());
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    match value {
        Some(Value::String(text)) => split(text),
        Some(Value::Array(items)) => {
            let text = |item: &Value| {
                item.as_str().map_or_else(|| item.to_string(), |text| together(uncommented(text)))
            };
            items.iter().map(text).filter(|text| !text.is_empty()).collect()
        }
        None | Some(Value::Null) => Vec::new(),
        Some(other) => vec![other.to_string()],
    }
}

/// Whole minutes, at least `least`; nothing where nothing was typed.
fn minutes(value: Option<&Value>, label: &str, least: i32) -> Result<Option<i32>, String> {
    let number = match value {
        None => return Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(number) => number.as_i64().and_then(|number| i32::try_from(number).ok()),
    };
    match number.filter(|number| (least..=MOST_MINUTES).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(format!("{label}: enter a number, {least} to {MOST_MINUTES}.")),
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
    let (read, wrong): (Vec<_>, Vec<_>) = words.iter().map(|word| read(word)).partition(Result::is_ok);
    let wrong: Vec<String> = wrong.into_iter().filter_map(Result::err).collect();
    if !wrong.is_empty() {
        return Err(wrong.join(" "));
    }
    let mut listed: Vec<T> = read.into_iter().filter_map(Result::ok).collect();
    listed.sort();
    listed.dedup();
    Ok((!listed.is_empty()).then_some(listed))
}

/// A domain, also as it stands in an address or a link.
fn domain(typed: &str) -> Result<String, String> {
    let lower = typed.to_lowercase();
    let host = ["https://", "http://"].iter().find_map(|scheme| lower.strip_prefix(scheme)).unwrap_or(&lower);
    let host = host.split('/').next().unwrap_or_default().trim_end_matches('.');
    domain::parse(host).map_err(|_| format!("{typed} isn't a domain. Write one such as example.com."))
}
