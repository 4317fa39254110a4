//! What an owner types about a connection, and the names that common identity providers use.

use serde::{Deserialize, Serialize};

use crate::{
    error::Errors,
    kinds::Role,
    model::connection::{Connection, Mapping, upkeep::Settings},
    web::input,
};

const LONGEST_NAME: usize = 80;
const LONGEST_ATTRIBUTE: usize = 256;
const MOST_GROUPS: usize = 200;

/// A connection as it is typed. An empty attribute stands for the usual names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Form {
    pub(super) name: String,
    #[serde(skip_serializing)]
    pub(super) metadata: String,
    pub(super) metadata_url: String,
    pub(super) email_attribute: String,
    pub(super) name_attribute: String,
    pub(super) groups_attribute: String,
    /// One line each: `Admins = owner`.
    pub(super) roles: String,
    pub(super) default_role: String,
    #[serde(deserialize_with = "input::tick")]
    pub(super) signs_requests: bool,
    #[serde(rename = "takesUnsolicited", deserialize_with = "input::tick")]
    pub(super) allows_idp_initiated: bool,
    #[serde(deserialize_with = "input::tick")]
    pub(super) asks_second_factor: bool,
}

/// An identity provider that many have, with the attributes it sends.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Like {
    /// In the address of the form.
    pub(super) key: &'static str,
    /// As its makers call it.
    pub(super) name: &'static str,
    pub(super) email: &'static str,
    pub(super) shown: &'static str,
    pub(super) groups: &'static str,
}

/// Those that are filled in at a press.
pub const LIKES: [Like; 5] = [
    Like { key: "okta", name: "Okta", email: "email", shown: "displayName", groups: "groups" },
    Like {
        key: "entra",
        name: "Microsoft Entra ID",
        email: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        shown: "http://schemas.microsoft.com/identity/claims/displayname",
        groups: "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
    },
    Like { key: "google", name: "Google Workspace", email: "email", shown: "name", groups: "groups" },
    Like {
        key: "keycloak",
        name: "Keycloak",
        email: "urn:oid:1.2.840.113549.1.9.1",
        shown: "name",
        groups: "member",
    },
    Like {
        key: "adfs",
        name: "AD FS",
        email: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        shown: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        groups: "http://schemas.xmlsoap.org/claims/Group",
    },
];

impl Form {
    /// A new connection, with the names of a common identity provider where one is named.
    pub fn blank(like: Option<&str>) -> Self {
        let form = Self { default_role: Role::Viewer.to_string(), ..Self::default() };
        form.filled_like(like)
    }

    /// A connection as it is now.
    pub fn of(connection: &Connection, mapping: &Mapping) -> Self {
        Self {
            name: connection.name.clone(),
            metadata: String::new(),
            metadata_url: connection.metadata_url.clone().unwrap_or_default(),
            email_attribute: mapping.email.clone(),
            name_attribute: mapping.name.clone(),
            groups_attribute: mapping.groups.clone(),
            roles: mapping.roles.iter().map(|(group, role)| format!("{group} = {role}\n")).collect(),
            default_role: mapping.default_role.to_string(),
            signs_requests: connection.signs_requests,
            allows_idp_initiated: connection.allows_idp_initiated,
            asks_second_factor: connection.asks_second_factor,
        }
    }

    /// The same with the names of a common identity provider.
    pub fn filled_like(self, like: Option<&str>) -> Self {
        match LIKES.iter().find(|one| Some(one.key) == like) {
            None => self,
            Some(like) => Self {
                email_attribute: like.email.to_owned(),
                name_attribute: like.shown.to_owned(),
                groups_attribute: like.groups.to_owned(),
                ..self
            },
        }
    }

    /// What it comes to, or what is wrong with it.
    pub fn check(&self) -> Result<Settings, Errors> {
        let mut errors = Errors::default();
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            errors.add("name", "Give it a name of 1 to 80 characters, such as Okta.");
        }
        let attributes = [
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
        let Some(default_role) = default_role else {
            errors.add("defaultRole", "Choose owner, editor or viewer.");
            return Err(errors);
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let mapping = Mapping {
            email: self.email_attribute.trim().to_owned(),
            name: self.name_attribute.trim().to_owned(),
            groups: self.groups_attribute.trim().to_owned(),
            roles,
            default_role,
        };
        Ok(Settings {
            name: name.to_owned(),
            mapping,
            signs_requests: self.signs_requests,
            allows_idp_initiated: self.allows_idp_initiated,
            asks_second_factor: self.asks_second_factor,
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

    #[test]
    fn what_is_filled_in_is_among_the_usual_names() {
        for like in LIKES {
            for (name, usual) in
                [like.email, like.shown, like.groups].into_iter().zip(Mapping::DEFAULT_ATTRIBUTE_NAMES)
            {
                // AD FS's claim for the name means an account's name elsewhere.
                assert!(usual.contains(&name) || name.ends_with("/claims/name"), "{}: {name}", like.name);
            }
        }
    }
}
