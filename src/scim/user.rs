//! A user as SCIM has one (RFC 7643 §4.1): what is kept of it, how it changes, and how it is told.

use scim_v2::filter::ValFilter;
use serde_json::{Map, Value, json};

use super::{
    Meta, USER_SCHEMA,
    attributes::{alone, boolean, keep, required, single, text, wrong},
    emails::{EmailValue, as_filtered, emails, keep_few, write_email, write_part},
    filter, lowered,
    patch::{Op, OpKind, Target},
};
use crate::{error::Result, mail::EmailAddress};

/// What is kept of a user. Everything else that comes is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct UserFields {
    /// Who it is to the identity provider.
    pub external_id: Option<String>,
    /// Who it is in the directory.
    pub user_name: String,
    /// Whether the person may come in.
    pub is_active: bool,
    /// What the person is called.
    pub display_name: Option<String>,
    /// The parts of their name.
    pub given_name: Option<String>,
    /// Another.
    pub family_name: Option<String>,
    /// The whole name.
    pub formatted_name: Option<String>,
    /// Email addresses, the order as it came.
    pub emails: Vec<EmailValue>,
}

impl UserFields {
    /// A new user, and how many attributes were passed over. Active unless it says otherwise.
    ///
    /// # Errors
    /// `invalidValue` where there is no `userName`, or an attribute has another shape.
    pub(crate) fn create(body: &Map<String, Value>) -> Result<(Self, usize)> {
        let user_name = required("userName", body.get("username").unwrap_or(&Value::Null))?;
        let mut user = Self { is_active: true, user_name, ..Self::default() };
        let passed_over = user.replace(body)?;
        Ok((user, passed_over))
    }

    /// The user as a PUT says (RFC 7644 §3.5.1): what is absent stays, null and an empty list clear. Returns how many
    /// attributes were passed over.
    ///
    /// # Errors
    /// As [`UserFields::patch`], and where there is no `userName`.
    pub(crate) fn replace(&mut self, body: &Map<String, Value>) -> Result<usize> {
        let mut results = Vec::new();
        if !body.contains_key("username") {
            results.push((false, Err(wrong("userName", "is missing or blank"))));
        }
        for (name, value) in body {
            let is_told_only = ["schemas", "id", "meta", "groups"].contains(&name.as_str());
            let is_absent = name == "active" && single(value).is_null();
            if !is_told_only && !is_absent {
                results.push((name == "active", self.set(OpKind::Replace, name, None, value)));
            }
        }
        self.passed_over(results)
    }

    /// The user after the operations of a PATCH, in their order. Returns how many were passed over.
    ///
    /// # Errors
    /// `invalidValue` where `userName` or `active` cannot be what it says, and `noTarget`.
    pub(crate) fn patch(&mut self, operations: &[Op]) -> Result<usize> {
        let mut results = Vec::new();
        for op in operations {
            let is_active = matches!(&op.target, Target::Attribute(name, None) if name == "active");
            results.push((is_active, self.apply(op)));
        }
        self.passed_over(results)
    }

    fn apply(&mut self, op: &Op) -> Result<bool> {
        match &op.target {
            Target::Attribute(name, part) if op.kind == OpKind::Remove => {
                self.remove(name, part.as_deref(), &op.value)
            }
            Target::Attribute(name, part) => self.set(op.kind, name, part.as_deref(), &op.value),
            Target::Filtered(name, filter, part) if name == "emails" => {
                self.change_emails(op.kind, filter, part.as_deref(), &op.value)
            }
            Target::Foreign | Target::Filtered(..) => Ok(false),
        }
    }

    /// How many parts of a request were not kept, of each whether it is about `active`. What cannot be done is one of them where the
    /// request puts the person out: that acts, whatever stands beside it.
    fn passed_over(&self, results: Vec<(bool, Result<bool>)>) -> Result<usize> {
        let puts_out =
            !self.is_active && results.iter().any(|(is_active, result)| *is_active && result.is_ok());
        let mut passed_over = 0;
        for (_, result) in results {
            match result {
                Ok(is_kept) => passed_over += usize::from(!is_kept),
                Err(_) if puts_out => passed_over += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(passed_over)
    }

    /// Sets an attribute. Says whether it is kept, whole: an optional one that cannot be read is not.
    fn set(&mut self, kind: OpKind, name: &str, part: Option<&str>, value: &Value) -> Result<bool> {
        Ok(match (name, part) {
            ("username", None) => {
                self.user_name = required("userName", value)?;
                true
            }
            ("active", None) => {
                let is_active = boolean("active", value)?;
                self.is_active = is_active.ok_or_else(|| wrong("active", "is neither true nor false"))?;
                true
            }
            ("externalid", None) => keep(&mut self.external_id, text("externalId", value)),
            ("displayname", None) => keep(&mut self.display_name, text("displayName", value)),
            ("name", None) => self.set_name(value),
            ("name", Some(part)) => match self.part_of_name(part) {
                Some(place) => keep(place, text("name", value)),
                None => false,
            },
            ("emails", None) => {
                let (mut new, mut is_all) = emails(value);
                if new.is_empty() && !is_all {
                    return Ok(false);
                }
                is_all &= keep_few(&mut new);
                match kind {
                    OpKind::Add => self.add_emails(new),
                    _ => self.emails = new,
                }
                keep_few(&mut self.emails) && is_all
            }
            // Without a filter: the one that counts.
            ("emails", Some("value")) => {
                let at = self.emails.iter().position(|email| email.primary == Some(true)).unwrap_or(0);
                if self.emails.is_empty() {
                    self.emails.push(EmailValue::default());
                }
                let is_kept = write_part(&mut self.emails[at], "value", value);
                self.emails.retain(|email| !email.value.is_empty());
                is_kept
            }
            _ => false,
        })
    }

    fn part_of_name(&mut self, part: &str) -> Option<&mut Option<String>> {
        match part {
            "givenname" => Some(&mut self.given_name),
            "familyname" => Some(&mut self.family_name),
            "formatted" => Some(&mut self.formatted_name),
            _ => None,
        }
    }

    /// The parts that are there; null and a blank text clear all of them.
    fn set_name(&mut self, value: &Value) -> bool {
        let mut is_all = true;
        match alone(value) {
            Value::Object(parts) => {
                for (part, value) in lowered(parts.clone()) {
                    if let Some(place) = self.part_of_name(&part) {
                        is_all &= keep(place, text("name", &value));
                    }
                }
            }
            value if matches!(text("name", value), Ok(None)) => {
                (self.given_name, self.family_name, self.formatted_name) = (None, None, None);
            }
            _ => is_all = false,
        }
        is_all
    }

    fn remove(&mut self, name: &str, part: Option<&str>, value: &Value) -> Result<bool> {
        match (name, part) {
            ("username" | "active", _) => Err(wrong(name, "cannot be removed")),
            // Some say which ones in the value.
            ("emails", None) if !alone(value).is_null() => {
                let (gone, is_all) = emails(value);
                let gone: Vec<String> = gone.into_iter().map(|email| super::folded(&email.value)).collect();
                self.emails.retain(|email| !gone.contains(&super::folded(&email.value)));
                Ok(is_all)
            }
            _ => self.set(OpKind::Replace, name, part, &Value::Null),
        }
    }

    fn add_emails(&mut self, new: Vec<EmailValue>) {
        for email in new {
            if email.primary == Some(true) {
                self.no_primary();
            }
            let same = |known: &&mut EmailValue| super::folded(&known.value) == super::folded(&email.value);
            match self.emails.iter_mut().find(same) {
                Some(known) => *known = email,
                None => self.emails.push(email),
            }
        }
    }

    fn no_primary(&mut self) {
        for email in &mut self.emails {
            email.primary = email.primary.map(|_| false);
        }
    }

    /// Changes the addresses that a filter chooses. Where it chooses none, one is made as the filter says, if it says how.
    fn change_emails(
        &mut self,
        kind: OpKind,
        chosen: &ValFilter,
        part: Option<&str>,
        value: &Value,
    ) -> Result<bool> {
        let is_chosen = |email: &EmailValue| filter::chooses(chosen, &json!(email));
        if kind == OpKind::Remove && part.is_none_or(|part| part == "value") {
            self.emails.retain(|email| !is_chosen(email));
            return Ok(true);
        }
        let mut places: Vec<usize> =
            self.emails.iter().enumerate().filter(|(_, email)| is_chosen(email)).map(|(at, _)| at).collect();
        if places.is_empty() && kind == OpKind::Remove {
            return Ok(true);
        }
        if places.is_empty() {
            self.emails.push(as_filtered(chosen)?);
            places.push(self.emails.len() - 1);
        }
        let mut is_taken = true;
        for at in places {
            is_taken = self.change_email(at, kind, part, value);
        }
        // What was made of something else than an address is none.
        self.emails.retain(|email| !email.value.is_empty());
        Ok(keep_few(&mut self.emails) && is_taken)
    }

    fn change_email(&mut self, at: usize, kind: OpKind, part: Option<&str>, value: &Value) -> bool {
        let value = if kind == OpKind::Remove { &Value::Null } else { value };
        let mut email = self.emails[at].clone();
        let is_kept = match part {
            None => write_email(&mut email, value),
            Some(part) => write_part(&mut email, part, value),
        };
        if email.primary == Some(true) {
            self.no_primary();
        }
        self.emails[at] = email;
        is_kept
    }

    /// The address that counts: the primary one, else the one for work, else the first, else the `userName` if it is one.
    pub(crate) fn address(&self) -> Option<EmailAddress> {
        let is_work =
            |email: &&EmailValue| email.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("work"));
        let chosen = self
            .emails
            .iter()
            .find(|email| email.primary == Some(true))
            .or_else(|| self.emails.iter().find(is_work))
            .or_else(|| self.emails.first());
        let text = chosen.map_or(self.user_name.as_str(), |email| email.value.as_str());
        EmailAddress::parse(text).ok()
    }

    /// What the person is called: as it is displayed, else whole, else by its parts.
    pub(crate) fn called(&self) -> Option<String> {
        let parts: Vec<&str> =
            [&self.given_name, &self.family_name].into_iter().flatten().map(String::as_str).collect();
        let by_parts = Some(parts.join(" ")).filter(|name| !name.is_empty());
        self.display_name.clone().or_else(|| self.formatted_name.clone()).or(by_parts)
    }
}

/// A user as JSON; of the groups, the id and what each is called.
pub(crate) fn user(fields: &UserFields, meta: Meta, groups: &[(String, String)]) -> Value {
    let mut told = json!({
        "schemas": [USER_SCHEMA], "id": meta.id, "userName": fields.user_name, "active": fields.is_active,
        "meta": meta.json("User"),
    });
    let name: Map<String, Value> = [
        ("formatted", &fields.formatted_name),
        ("familyName", &fields.family_name),
        ("givenName", &fields.given_name),
    ]
    .into_iter()
    .filter_map(|(part, text)| Some((part.to_owned(), text.clone()?.into())))
    .collect();
    if !name.is_empty() {
        told["name"] = name.into();
    }
    for (key, text) in [("externalId", &fields.external_id), ("displayName", &fields.display_name)] {
        if let Some(text) = text {
            told[key] = text.as_str().into();
        }
    }
    if !fields.emails.is_empty() {
        told["emails"] = json!(fields.emails);
    }
    if !groups.is_empty() {
        let told_of = |(id, called): &(String, String)| json!({ "value": id, "$ref": format!("{}/Groups/{id}", meta.base), "display": called, "type": "direct" });
        told["groups"] = groups.iter().map(told_of).collect();
    }
    told
}
