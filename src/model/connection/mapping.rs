//! What the attributes of an identity provider mean here.

use serde::{Deserialize, Serialize};

use crate::{
    kinds::{Protocol, Role},
    mail::EmailAddress,
    model::name::Name,
    oidc::{Claims, profile},
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

    /// The claims that common OpenID providers use for the same (OpenID Connect Core §5.1).
    pub(crate) const DEFAULT_CLAIM_NAMES: [&'static [&'static str]; 3] =
        [&["email", "preferred_username", "upn"], &["name"], &["groups", "roles"]];

    /// The attributes that say who the person is. Each may have one value.
    pub(crate) fn identity_attributes(&self) -> Vec<String> {
        let [email, name, _] = self.attribute_names(Protocol::Saml);
        [email, name].concat()
    }

    /// The names that are looked for: of the address, the name, and the groups.
    pub(crate) fn attribute_names(&self, protocol: Protocol) -> [Vec<String>; 3] {
        let [email, name, groups] = match protocol {
            Protocol::Saml => Self::DEFAULT_ATTRIBUTE_NAMES,
            Protocol::Oidc => Self::DEFAULT_CLAIM_NAMES,
        };
        [names(&self.email, email), names(&self.name, name), names(&self.groups, groups)]
    }

    /// Who claims are about, and what they may do. Nobody asks whether the address is verified: the organisation speaks for its
    /// own domains, and for nothing else. `is_part`: there was more to read, and it could not be read.
    pub(crate) fn claimed_profile(&self, claims: &Claims, is_part: bool) -> MappedProfile {
        let [email, name, groups] = self.attribute_names(Protocol::Oidc);
        let told = groups.iter().find(|name| claims.get(name).is_some());
        let groups: Vec<String> =
            told.map(|name| claims.texts(name).into_iter().map(str::to_owned).collect()).unwrap_or_default();
        let keeps_role = groups.is_empty() && (claims.has_left_groups_out() || is_part && told.is_none());
        MappedProfile {
            email: email.iter().find_map(|name| EmailAddress::parse(claims.text(name)?).ok()),
            name: match self.name.trim() {
                "" => profile::name(claims).and_then(|name| Name::parse(&name).ok()),
                _ => name.iter().find_map(|name| Name::parse(claims.text(name)?).ok()),
            },
            // Of somebody new there is nothing to keep: the least, until their groups are told.
            role: if keeps_role { Role::Viewer } else { self.role(&groups) },
            groups,
            keeps_role,
        }
    }

    /// What somebody in these groups may do.
    fn role(&self, groups: &[String]) -> Role {
        let granted = self.roles.iter().filter(|(group, _)| groups.contains(group)).map(|(_, role)| *role);
        most_powerful(granted).unwrap_or(self.default_role)
    }

    /// Who a statement is about, and what they may do.
    pub(crate) fn profile(&self, statement: &Statement) -> MappedProfile {
        let [email, name, groups] = self.attribute_names(Protocol::Saml);
        let first = |names: &[String]| values(statement, names).into_iter().next();
        let name_id = statement.name_id.as_ref();
        let named = name_id.filter(|one| NameFormat::from_uri(&one.format) == Some(NameFormat::Email));
        let named = named.map(|one| one.value.clone());
        let address = first(&email).or(named);
        let groups = values(statement, &groups);
        MappedProfile {
            email: address.and_then(|address| EmailAddress::parse(&address).ok()),
            name: first(&name).and_then(|name| Name::parse(&name).ok()),
            role: self.role(&groups),
            groups,
            keeps_role: false,
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
    /// Whether their groups were too many to be told: whoever is a member stays what they are.
    #[serde(skip)]
    pub keeps_role: bool,
}

fn names(name: &str, usual: &[&str]) -> Vec<String> {
    match name.trim() {
        "" => usual.iter().map(|name| (*name).to_owned()).collect(),
        name => vec![name.to_owned()],
    }
}

/// The values of the first attribute that is there, by its name or by its name for people.
fn values(statement: &Statement, names: &[String]) -> Vec<String> {
    let there = |name: &String| {
        let mut attributes = statement.attributes.iter();
        attributes.find(|one| one.name == *name || one.friendly_name.as_ref() == Some(name))
    };
    names.iter().find_map(there).map(|one| one.values.clone()).unwrap_or_default()
}

fn most_powerful(roles: impl Iterator<Item = Role>) -> Option<Role> {
    // Declared from the most powerful down.
    roles.min_by_key(|role| Role::ALL.iter().position(|one| one == role))
}
