//! What the attributes of an identity provider mean here.

use serde::{Deserialize, Serialize};

use crate::{
    kinds::Role,
    mail::EmailAddress,
    model::name::Name,
    saml::{NameFormat, Statement},
};

/// What the attributes mean. An empty name stands for those that are usual: see [`Mapping::DEFAULT_ATTRIBUTE_NAMES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mapping {
    /// The attribute with the address.
    #[serde(default)]
    pub email: String,
    /// The attribute with the name.
    #[serde(default)]
    pub name: String,
    /// The attribute with the groups.
    #[serde(default)]
    pub groups: String,
    /// What a group may do. Of several, the most powerful.
    #[serde(default)]
    pub roles: Vec<(String, Role)>,
    /// What everybody else may do.
    pub default_role: Role,
    /// Which common identity provider it is set up like, by its key; empty for any other.
    #[serde(default)]
    pub like: String,
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            email: String::new(),
            name: String::new(),
            groups: String::new(),
            roles: Vec::new(),
            default_role: Role::Viewer,
            like: String::new(),
        }
    }
}

impl Mapping {
    /// The names that common identity providers use: for the address, the name, and the groups.
    pub(crate) const DEFAULT_ATTRIBUTE_NAMES: [&'static [&'static str]; 3] = [
        &[
            "email",
            "mail",
            "emailAddress",
            "user.email",
            "urn:oid:0.9.2342.19200300.100.1.3",
            "urn:oid:1.2.840.113549.1.9.1",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        ],
        &[
            "displayName",
            "name",
            "cn",
            "urn:oid:2.16.840.1.113730.3.1.241",
            "urn:oid:2.5.4.3",
            "http://schemas.microsoft.com/identity/claims/displayname",
        ],
        &[
            "groups",
            "group",
            "member",
            "memberOf",
            "Role",
            "eduPersonAffiliation",
            "urn:oid:1.3.6.1.4.1.5923.1.1.1.1",
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
            "http://schemas.xmlsoap.org/claims/Group",
        ],
    ];

    /// The attributes that say who the person is. Each may have one value.
    pub(crate) fn identity_attributes(&self) -> Vec<String> {
        [(&self.email, 0), (&self.name, 1)].into_iter().flat_map(|(name, kind)| names(name, kind)).collect()
    }

    /// The names that are looked for: of the address, the name, and the groups.
    pub(crate) fn attribute_names(&self) -> [Vec<String>; 3] {
        [names(&self.email, 0), names(&self.name, 1), names(&self.groups, 2)]
    }

    /// Who a statement is about, and what they may do.
    pub(crate) fn profile(&self, statement: &Statement) -> MappedProfile {
        let first = |name: &str, kind| values(statement, name, kind).into_iter().next();
        let name_id = statement.name_id.as_ref();
        let named = name_id.filter(|one| NameFormat::from_uri(&one.format) == Some(NameFormat::Email));
        let named = named.map(|one| one.value.clone());
        let address = first(&self.email, 0).or(named);
        let groups = values(statement, &self.groups, 2);
        let granted = self.roles.iter().filter(|(group, _)| groups.contains(group)).map(|(_, role)| *role);
        MappedProfile {
            email: address.and_then(|address| EmailAddress::parse(&address).ok()),
            name: first(&self.name, 1).and_then(|name| Name::parse(&name).ok()),
            role: most_powerful(granted).unwrap_or(self.default_role),
            groups,
        }
    }
}

/// Who a statement is about, as this house understands it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MappedProfile {
    /// Their address, where there is a good one.
    pub email: Option<EmailAddress>,
    /// What they want to be called, where that is said.
    #[serde(skip)]
    pub name: Option<Name>,
    /// What they may do.
    pub role: Role,
    /// The groups they are in.
    pub groups: Vec<String>,
}

fn names(name: &str, kind: usize) -> Vec<String> {
    match name.trim() {
        "" => Mapping::DEFAULT_ATTRIBUTE_NAMES[kind].iter().map(|name| (*name).to_owned()).collect(),
        name => vec![name.to_owned()],
    }
}

/// The values of the first attribute that is there, by its name or by its name for people.
fn values(statement: &Statement, name: &str, kind: usize) -> Vec<String> {
    let there = |name: &String| {
        let mut attributes = statement.attributes.iter();
        attributes.find(|one| one.name == *name || one.friendly_name.as_ref() == Some(name))
    };
    names(name, kind).iter().find_map(there).map(|one| one.values.clone()).unwrap_or_default()
}

fn most_powerful(roles: impl Iterator<Item = Role>) -> Option<Role> {
    // Declared from the most powerful down.
    roles.min_by_key(|role| Role::ALL.iter().position(|one| one == role))
}
