//! What an owner types about a connection.

use serde::{Deserialize, Serialize};

use super::{client_fields::ClientFields, likes};
use crate::{
    error::Errors,
    kinds::{Protocol, Role},
    model::connection::{Connection, Mapping, upkeep::Settings},
    saml::NamePolicy,
    web::input,
};

const LONGEST_NAME: usize = 80;
const LONGEST_ATTRIBUTE: usize = 256;
const MOST_GROUPS: usize = 200;

/// Where the identity provider's metadata comes from, as it is typed: a link, a document, or by hand.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Source {
    #[serde(skip_serializing)]
    pub(super) metadata: String,
    pub(super) metadata_url: String,
    /// By hand; or the choice among several identity providers of a document.
    #[serde(skip_serializing)]
    pub(super) entity_id: String,
    #[serde(skip_serializing)]
    pub(super) sign_in_url: String,
    #[serde(skip_serializing)]
    pub(super) certificate: String,
}

impl Source {
    /// What to say where something was typed beside the link that is there already, and would not count.
    pub(crate) fn contradiction(&self, known_link: Option<&str>) -> Option<Errors> {
        let is_kept = known_link.is_some() && Some(self.metadata_url.trim()) == known_link;
        let sentence = "Clear this link to use what you entered below.";
        let ignored = [&self.metadata, &self.sign_in_url, &self.certificate];
        let is_ignored = is_kept && ignored.iter().any(|typed| !typed.trim().is_empty());
        is_ignored.then(|| Errors::one("metadataUrl", sentence))
    }

    /// Whether nothing was typed but the link that is known already.
    pub(crate) fn says_nothing_beside(&self, known_link: Option<&str>) -> bool {
        let link = self.metadata_url.trim();
        let typed = [&self.metadata, &self.entity_id, &self.sign_in_url, &self.certificate];
        (link.is_empty() || Some(link) == known_link) && typed.iter().all(|typed| typed.trim().is_empty())
    }
}

/// A connection as it is typed. An empty attribute stands for the usual names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Form {
    /// `saml`, which is meant where nothing is said, or `oidc`.
    pub(super) protocol: String,
    /// The common identity provider whose names were filled in.
    pub(super) like: String,
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) source: Source,
    #[serde(flatten)]
    pub(super) client: ClientFields,
    /// Whether the metadata is to come later, by a set-up link.
    #[serde(skip_serializing, deserialize_with = "input::tick")]
    pub(super) later: bool,
    #[serde(alias = "emailClaim")]
    pub(super) email_attribute: String,
    #[serde(alias = "nameClaim")]
    pub(super) name_attribute: String,
    #[serde(alias = "groupsClaim")]
    pub(super) groups_attribute: String,
    /// One line each: `Admins = owner`.
    pub(super) roles: String,
    pub(super) default_role: String,
    /// In which format names are asked for: `any`, `persistent` or `email`.
    pub(super) name_format: String,
    /// The attribute that identifies people; empty where the NameID does, or `sub`.
    #[serde(alias = "subjectClaim")]
    pub(super) identifier: String,
    #[serde(deserialize_with = "input::tick")]
    pub(super) sends_unsigned: bool,
    #[serde(rename = "takesUnsolicited", deserialize_with = "input::tick")]
    pub(super) allows_idp_initiated: bool,
    /// On unless it is turned off: who says nothing of it leaves nobody's second factor out.
    #[serde(default = "yes", deserialize_with = "input::tick")]
    pub(super) asks_second_factor: bool,
}

fn yes() -> bool {
    true
}

impl Form {
    /// A new connection, with the names of a common identity provider where one is named.
    pub(crate) fn blank(protocol: Option<Protocol>, like: Option<&str>) -> Self {
        let form = Self {
            protocol: protocol.as_ref().map(ToString::to_string).unwrap_or_default(),
            default_role: Role::Viewer.to_string(),
            name_format: NamePolicy::Any.to_string(),
            asks_second_factor: true,
            ..Self::default()
        };
        form.filled_like(like)
    }

    /// A connection as it is now.
    pub(crate) fn of(connection: &Connection, mapping: &Mapping) -> Self {
        Self {
            protocol: connection.protocol.to_string(),
            client: if connection.is_oidc() { ClientFields::of(connection) } else { ClientFields::default() },
            like: mapping.like.clone(),
            name: connection.name.clone(),
            source: Source {
                metadata_url: connection.metadata_url.clone().unwrap_or_default(),
                ..Source::default()
            },
            later: false,
            email_attribute: mapping.email.clone(),
            name_attribute: mapping.name.clone(),
            groups_attribute: mapping.groups.clone(),
            roles: mapping.roles.iter().map(|(group, role)| format!("{group} = {role}\n")).collect(),
            default_role: mapping.default_role.to_string(),
            name_format: connection.name_policy.to_string(),
            identifier: connection.identifier.clone(),
            sends_unsigned: connection.sends_unsigned,
            allows_idp_initiated: connection.allows_idp_initiated,
            asks_second_factor: connection.asks_second_factor,
        }
    }

    /// The same with one more group, as a viewer until its owners say otherwise.
    pub(crate) fn with_group(mut self, group: Option<&str>) -> Self {
        let group = group.filter(|group| !group.trim().is_empty() && !group.chars().any(char::is_control));
        if let Some(group) = group {
            let before = self.roles.trim_end();
            self.roles =
                format!("{before}{}{} = viewer\n", if before.is_empty() { "" } else { "\n" }, group.trim());
        }
        self
    }

    /// The same with the names of a common identity provider.
    pub(crate) fn filled_like(self, like: Option<&str>) -> Self {
        match likes::find(self.protocol(), like) {
            None => self,
            Some(like) => Self {
                like: like.key.to_owned(),
                email_attribute: like.email.to_owned(),
                name_attribute: like.shown.to_owned(),
                groups_attribute: like.groups.to_owned(),
                identifier: match like.identifier {
                    "" => self.identifier,
                    identifier => identifier.to_owned(),
                },
                ..self
            },
        }
    }

    /// How the identity provider is spoken to.
    pub(crate) fn protocol(&self) -> Protocol {
        Protocol::from_word(self.protocol.trim()).unwrap_or(Protocol::Saml)
    }

    /// What it comes to, or what is wrong with it, but for what one protocol alone has.
    pub(crate) fn check(&self) -> Result<Settings, Errors> {
        let mut errors = Errors::default();
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            errors.add("name", "Give it a name of 1 to 80 characters, such as Okta.");
        }
        if !matches!(self.protocol.trim(), "" | "saml" | "oidc") {
            errors.add("protocol", "Choose saml or oidc.");
        }
        let name_policy = match self.name_format.trim() {
            "" => Some(NamePolicy::Any),
            word => NamePolicy::from_word(word),
        };
        if name_policy.is_none() {
            errors.add("nameFormat", "Choose any, persistent or email.");
        }
        let attributes = [
            ("identifier", &self.identifier),
            ("emailAttribute", &self.email_attribute),
            ("nameAttribute", &self.name_attribute),
            ("groupsAttribute", &self.groups_attribute),
        ];
        for (field, typed) in attributes {
            if typed.trim().len() > LONGEST_ATTRIBUTE || typed.chars().any(char::is_control) {
                errors.add(field, "Write the attribute's name in one line, in at most 256 characters.");
            }
        }
        let roles = self.read_roles().map_err(|problem| errors.add("roles", problem)).unwrap_or_default();
        let default_role = match self.default_role.trim() {
            "" => Some(Role::Viewer),
            word => Role::from_word(word),
        };
        if default_role.is_none() {
            errors.add("defaultRole", "Choose owner, editor or viewer.");
        }
        let (Some(default_role), Some(name_policy)) = (default_role, name_policy) else { return Err(errors) };
        if !errors.is_empty() {
            return Err(errors);
        }
        let mapping = Mapping {
            email: self.email_attribute.trim().to_owned(),
            name: self.name_attribute.trim().to_owned(),
            groups: self.groups_attribute.trim().to_owned(),
            roles,
            default_role,
            like: likes::find(self.protocol(), Some(&self.like))
                .map_or_else(String::new, |one| one.key.to_owned()),
        };
        Ok(Settings {
            name: name.to_owned(),
            mapping,
            sends_unsigned: self.sends_unsigned,
            name_policy,
            identifier: self.identifier.trim().to_owned(),
            allows_idp_initiated: self.allows_idp_initiated,
            asks_second_factor: self.asks_second_factor,
            client: None,
        })
    }

    fn read_roles(&self) -> Result<Vec<(String, Role)>, String> {
        let lines = self.roles.lines().map(str::trim).filter(|line| !line.is_empty());
        let roles: Option<Vec<(String, Role)>> = lines
            .map(|line| {
                // The name of a group may hold the sign itself: CN=Admins,DC=example.
                let (group, role) = line.rsplit_once('=')?;
                let group = group.trim();
                let role = Role::from_word(&role.trim().to_ascii_lowercase())?;
                (!group.is_empty()).then(|| (group.to_owned(), role))
            })
            .collect();
        match roles {
            Some(roles) if roles.len() <= MOST_GROUPS => Ok(roles),
            Some(_) => Err("Name at most 200 groups.".to_owned()),
            None => Err("Write a group and its role in each line, such as: Admins = owner".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(text: &str) -> Result<Vec<(String, Role)>, String> {
        Form { roles: text.to_owned(), ..Form::default() }.read_roles()
    }

    #[test]
    fn groups_are_read_a_line_each() {
        let read = roles(" Admins = owner \r\n\r\nCN=Staff,DC=example=Editor").unwrap();
        let expected = [("Admins", Role::Owner), ("CN=Staff,DC=example", Role::Editor)];
        assert_eq!(read, expected.map(|(group, role)| (group.to_owned(), role)));
        for wrong in ["Admins", "Admins = king", "= owner", "Admins = "] {
            assert!(roles(wrong).is_err(), "{wrong}");
        }
    }
}
