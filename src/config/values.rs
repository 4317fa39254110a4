//! One value at a time: a text, a number, a span, networks. What cannot be read is noted, with what to write instead.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use chrono::TimeDelta;
use ipnet::IpNet;

/// The texts of the settings by name, and what is wrong with them so far.
pub struct Reader {
    /// By name, as they were written.
    pub values: BTreeMap<String, String>,
    /// A sentence each.
    pub problems: Vec<String>,
}

impl Reader {
    /// What was written, unless it is blank.
    pub fn text(&self, name: &str) -> Option<String> {
        let value = self.values.get(name)?.trim();
        if value.is_empty() { None } else { Some(value.to_owned()) }
    }

    /// The items between commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// What reads as `T`; `expected` says what that looks like.
    pub fn parsed<T: FromStr>(&mut self, name: &'static str, default: T, expected: &str) -> T {
        let Some(text) = self.text(name) else { return default };
        text.parse().unwrap_or_else(|_| {
            self.problem(name, &text, expected);
            default
        })
    }

    /// The value of one of these words, in upper or lower case.
    pub fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found =
            choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text)).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            self.problem(name, &text, &words.join(" or "));
        }
        found
    }

    /// On or off.
    pub fn switch(&mut self, name: &'static str, default: bool) -> bool {
        let words =
            [("on", true), ("off", false), ("true", true), ("false", false), ("1", true), ("0", false)];
        self.choice(name, &words).unwrap_or(default)
    }

    /// A time such as `30m`.
    pub fn span(&mut self, name: &'static str, default: &str) -> TimeDelta {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        parse_span(&text).unwrap_or_else(|| {
            self.problem(name, &text, "a whole number and s, m, h or d, such as 30m");
            TimeDelta::zero()
        })
    }

    /// Networks and single addresses, or none.
    pub fn networks(&mut self, name: &'static str, default: &[&str]) -> Vec<IpNet> {
        let given = self.list(name);
        let words: Vec<String> = match (given.is_empty(), self.text(name)) {
            (true, None) => default.iter().map(|word| (*word).to_owned()).collect(),
            _ => given,
        };
        let mut networks = Vec::new();
        for word in words.iter().filter(|word| *word != "none") {
            match word.parse::<IpNet>().or_else(|_| word.parse::<IpAddr>().map(IpNet::from)) {
                Ok(network) => networks.push(network),
                Err(_) => self.problem(name, word, "networks such as 10.0.0.0/8, or none"),
            }
        }
        networks
    }

    /// Notes that a setting is `found`, and what to write instead.
    pub fn problem(&mut self, name: &str, found: &str, expected: &str) {
        self.problems.push(format!("{name} is `{found}`. Write {expected}."));
    }
}

/// `30m` → 30 minutes; more than zero, at most ten years.
fn parse_span(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i64 = number.trim().parse().ok()?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let total = number.checked_mul(seconds)?;
    (1..=315_360_000).contains(&total).then(|| TimeDelta::seconds(total))
}
