//! What is sent about an API key.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    accounts::api_keys::{Life, OVERLAP, Wanted},
    clock::span_in_words,
    config::{Lifetimes, parse_span},
    error::{Error, Errors, Result},
    model::api_key::KeyName,
    web::permission_form,
};

/// A new key: `expiresIn` is a span such as `90d`, or `never`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyForm {
    #[serde(default)]
    pub(super) name: String,
    pub(super) organisation: Option<String>,
    expires_in: Option<String>,
    #[serde(default, deserialize_with = "permission_form::list")]
    permissions: Option<BTreeSet<String>>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// A new secret: how long the one before works on, such as `24h`, or `none`.
#[derive(Deserialize)]
pub(crate) struct RollForm {
    overlap: Option<String>,
}

impl KeyForm {
    /// The key that is wanted, or every sentence about what is wrong with it.
    pub(super) fn wanted(&self) -> Result<Wanted> {
        let mut errors = Errors::default();
        let name = KeyName::parse(&self.name).map_err(|problem| errors.add("name", problem)).ok();
        let life = life(self.expires_in.as_deref());
        let life = life.map_err(|problem| errors.add("expiresIn", problem)).ok();
        let permissions = self.chosen();
        match (name, life) {
            (Some(name), Some(life)) => Ok(Wanted { name, permissions, life }),
            _ => Err(Error::Invalid(errors)),
        }
    }

    /// The short name of the one organisation that it is for.
    pub(super) fn only_for(&self) -> Option<String> {
        self.organisation.clone().filter(|slug| !slug.is_empty())
    }

    /// As a browser sends it.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let organisation = self.organisation.as_deref().map(|slug| pair("organisation", slug));
        let own = [pair("name", &self.name), pair("expiresIn", self.expires_in())];
        let chosen = self.chosen().into_iter().map(|name| ("permissions".to_owned(), name));
        own.into_iter().chain(organisation).chain(chosen).collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.chosen().contains(name)
    }

    fn chosen(&self) -> BTreeSet<String> {
        permission_form::chosen(self.permissions.as_ref(), &self.others).unwrap_or_default()
    }

    pub(super) fn expires_in(&self) -> &str {
        self.expires_in.as_deref().unwrap_or_default()
    }
}

fn life(typed: Option<&str>) -> Result<Life, String> {
    match typed.map(str::trim).unwrap_or_default() {
        "" => Ok(Life::Usual),
        "never" => Ok(Life::Unlimited),
        span => parse_span(span)
            .map(Life::For)
            .ok_or_else(|| "Write a whole number and d or h, such as 90d.".to_owned()),
    }
}

/// What a page offers for a key's life: the value and its words.
pub(super) fn lives(lifetimes: &Lifetimes) -> Vec<(&'static str, String)> {
    let longest = lifetimes.key_longest;
    let usual = longest.map_or(lifetimes.key, |longest| longest.min(lifetimes.key));
    let others = [("7d", 7), ("30d", 30), ("90d", 90), ("180d", 180), ("366d", 366)];
    let others = others.map(|(value, days)| (value, TimeDelta::days(days)));
    let others = others
        .into_iter()
        .filter(|(_, span)| *span != usual && longest.is_none_or(|longest| *span <= longest));
    let mut offered = vec![("", span_in_words(usual))];
    offered.extend(others.map(|(value, span)| (value, span_in_words(span))));
    if longest.is_none() {
        offered.push(("never", "It does not expire".to_owned()));
    }
    offered
}

impl RollForm {
    /// How long the earlier secret works on.
    pub(super) fn overlap(&self) -> Result<TimeDelta> {
        match self.overlap.as_deref().map(str::trim).unwrap_or_default() {
            "" => Ok(OVERLAP),
            "none" => Ok(TimeDelta::zero()),
            span => parse_span(span).ok_or_else(|| {
                let sentence = "Write a whole number and d or h, such as 24h, or none.";
                Error::Invalid(Errors::one("overlap", sentence))
            }),
        }
    }
}
