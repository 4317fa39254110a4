//! A group as SCIM has one (RFC 7643 §4.2). Its members are changed by name, never read to be written back: a group may be large.

use scim_v2::filter::ValFilter;
use serde_json::{Map, Value, json};

use super::{
    GROUP_SCHEMA, Meta,
    attributes::{keep, required, text, wrong},
    filter::as_text,
    lowered,
    patch::{Op, OpKind, Target, plain_equality},
    refused::{ScimType, invalid},
};
use crate::{
    error::{Error, Result},
    ids::DirectoryPersonId,
};

/// What changes in a group.
#[derive(Debug, Default)]
pub(crate) struct GroupChange {
    /// What it is called from now on.
    pub display_name: Option<String>,
    /// What it is to the identity provider from now on; the inner nothing takes it away.
    pub external_id: Option<Option<String>>,
    /// Who comes and goes, in order.
    pub members: Vec<MemberChange>,
    /// How many attributes and members were passed over.
    pub passed_over: usize,
}

/// People by their ids, as they came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MemberChange {
    /// These come.
    Add(Vec<String>),
    /// These go.
    Remove(Vec<String>),
    /// These and nobody else.
    Set(Vec<String>),
}

impl GroupChange {
    /// What a POST or a PUT says: what is absent stays.
    ///
    /// # Errors
    /// `invalidValue` where there is no `displayName`, or an attribute has another shape.
    pub(crate) fn of_whole(body: &Map<String, Value>) -> Result<Self> {
        let mut change = Self::default();
        for (name, value) in body {
            if !["schemas", "id", "meta"].contains(&name.as_str()) {
                change.set(OpKind::Replace, name, value)?;
            }
        }
        match change.display_name {
            Some(_) => Ok(change),
            None => Err(wrong("displayName", "is missing or blank")),
        }
    }

    /// What the operations of a PATCH say.
    pub(crate) fn of_operations(operations: &[Op]) -> Result<Self> {
        let mut change = Self::default();
        for op in operations {
            match &op.target {
                Target::Attribute(name, part) if is_whole(name, part.as_deref()) => match op.kind {
                    OpKind::Remove => change.remove(name, part.is_some(), &op.value)?,
                    kind => change.set(kind, name, &op.value)?,
                },
                Target::Filtered(name, filter, part)
                    if name == "members" && is_whole(name, part.as_deref()) =>
                {
                    change.change_filtered(op.kind, filter)?;
                }
                Target::Attribute(name, _) | Target::Filtered(name, ..)
                    if name == "members" && op.kind == OpKind::Remove =>
                {
                    return Err(invalid(ScimType::InvalidPath, "A member goes as a whole."));
                }
                _ => change.passed_over += 1,
            }
        }
        Ok(change)
    }

    fn set(&mut self, kind: OpKind, name: &str, value: &Value) -> Result<()> {
        match name {
            "displayname" => self.display_name = Some(required("displayName", value)?),
            "externalid" => {
                let is_kept = keep(&mut self.external_id, text("externalId", value).map(Some));
                self.passed_over += usize::from(!is_kept);
            }
            "members" => {
                let members = self.read_members(value, false)?;
                self.members.push(match kind {
                    OpKind::Add => MemberChange::Add(members),
                    _ => MemberChange::Set(members),
                });
            }
            _ => self.passed_over += 1,
        }
        Ok(())
    }

    fn remove(&mut self, name: &str, is_part: bool, value: &Value) -> Result<()> {
        match name {
            "displayname" => return Err(wrong("displayName", "cannot be removed")),
            "externalid" => self.external_id = Some(None),
            // Without a value all of them go; an empty list names nobody.
            "members" if value.is_null() && is_part => {
                return Err(invalid(ScimType::NoTarget, "A removal names no member."));
            }
            "members" if value.is_null() => self.members.push(MemberChange::Set(Vec::new())),
            "members" => {
                let gone = self.read_members(value, true)?;
                self.members.push(MemberChange::Remove(gone));
            }
            _ => self.passed_over += 1,
        }
        Ok(())
    }

    fn change_filtered(&mut self, kind: OpKind, filter: &ValFilter) -> Result<()> {
        self.members.push(match (kind, named(filter)?) {
            (OpKind::Remove, Some(ids)) => MemberChange::Remove(ids),
            (OpKind::Remove, None) => MemberChange::Set(Vec::new()),
            (_, Some(ids)) => MemberChange::Add(ids),
            (_, None) => return Err(unreadable()),
        });
        Ok(())
    }

    /// The ids of people, from a list or a single object. Groups within groups are not kept. Whom a
    /// removal names has to be read.
    fn read_members(&mut self, value: &Value, is_removal: bool) -> Result<Vec<String>> {
        let list = match value {
            Value::Null => return Ok(Vec::new()),
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut ids = Vec::new();
        for one in list {
            let (id, is_person) = match one {
                Value::Object(parts) => {
                    let parts = lowered(parts.clone());
                    let kind = parts.get("type").and_then(Value::as_str).unwrap_or("user");
                    let id = text("members", parts.get("value").unwrap_or(&Value::Null))?;
                    let (by_address, is_group) = match parts.get("$ref").and_then(Value::as_str) {
                        Some(address) => (Some(last(address)), address.rsplit('/').nth(1) == Some("Groups")),
                        None => (None, false),
                    };
                    (id.or(by_address), !is_group && !kind.eq_ignore_ascii_case("group"))
                }
                one => (text("members", one)?, true),
            };
            match id.filter(|_| is_person) {
                Some(id) => ids.push(id),
                None if is_removal && is_person => {
                    return Err(wrong("members", "names nobody by value"));
                }
                None => self.passed_over += 1,
            }
        }
        Ok(ids)
    }
}

/// Whether a path means members as a whole, or another attribute without a part.
fn is_whole(name: &str, part: Option<&str>) -> bool {
    part.is_none_or(|part| name == "members" && ["value", "$ref"].contains(&part))
}

/// The id at the end of an address.
fn last(address: &str) -> String {
    address.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
}

fn unreadable() -> Error {
    invalid(ScimType::NoTarget, "A filter chooses no member by value")
}

/// The ids that a filter chooses; nothing: everybody. `noTarget` where that cannot be said of what is kept of a member.
fn named(filter: &ValFilter) -> Result<Option<Vec<String>>> {
    Ok(match filter {
        ValFilter::Or(all) => {
            let all = all.iter().map(named).collect::<Result<Option<Vec<_>>>>()?;
            all.map(|all| all.concat())
        }
        ValFilter::And(all) => {
            let mut chosen: Option<Vec<String>> = None;
            for one in all {
                chosen = match (chosen, named(one)?) {
                    (Some(ids), Some(other)) => {
                        Some(ids.into_iter().filter(|id| other.contains(id)).collect())
                    }
                    (ids, other) => ids.or(other),
                };
            }
            chosen
        }
        one => {
            let (name, value) = plain_equality(one).ok_or_else(unreadable)?;
            let text = as_text(value).ok_or_else(unreadable)?;
            match name.as_str() {
                "value" => Some(vec![text.into_owned()]),
                "$ref" => Some(vec![last(&text)]),
                "type" if text.eq_ignore_ascii_case("user") => None,
                "type" => Some(Vec::new()),
                _ => return Err(unreadable()),
            }
        }
    })
}

/// A group as JSON; of its members, their ids. Nothing says that members were not read.
pub(crate) fn group(
    display_name: &str,
    external_id: Option<&str>,
    meta: Meta,
    members: Option<&[DirectoryPersonId]>,
) -> Value {
    let mut told = json!({
        "schemas": [GROUP_SCHEMA], "id": meta.id, "displayName": display_name, "meta": meta.json("Group"),
    });
    if let Some(id) = external_id {
        told["externalId"] = id.into();
    }
    if let Some(members) = members.filter(|members| !members.is_empty()) {
        let told_of = |id: &DirectoryPersonId| json!({ "value": id, "$ref": format!("{}/Users/{id}", meta.base), "type": "User" });
        told["members"] = members.iter().map(told_of).collect();
    }
    told
}
