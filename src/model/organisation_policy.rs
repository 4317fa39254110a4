//! What an organisation asks of whoever acts in it, as its row keeps it: JSON in one column, read with the rest of the row.

use chrono::TimeDelta;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{clock::Timestamp, kinds::AuthMethod};

/// The policy of an organisation. What is left out asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct OrganisationPolicy {
    /// From when a session needs a second factor.
    pub second_factor_from: Option<Timestamp>,
    /// How many minutes a session may go unused.
    pub session_idle: Option<i32>,
    /// How many minutes a session lasts.
    pub session_life: Option<i32>,
    /// How a session may begin.
    pub sign_in_methods: Option<Vec<AuthMethod>>,
    /// Where its client may be.
    #[serde(serialize_with = "written", deserialize_with = "read")]
    pub networks: Option<Vec<IpNet>>,
    /// The domains of addresses that can be invited, as A-labels.
    pub invited_domains: Option<Vec<String>>,
}

impl OrganisationPolicy {
    /// Each setting by its name in JSON.
    pub(crate) const SETTINGS: [&str; 6] =
        ["secondFactorFrom", "sessionIdle", "sessionLife", "signInMethods", "networks", "invitedDomains"];

    /// Whether it asks for something that `before` did not, or not so.
    pub(crate) fn asks_more_than(&self, before: &Self) -> bool {
        fn is_new<T: PartialEq>(after: &Option<T>, before: &Option<T>) -> bool {
            after.is_some() && after != before
        }
        is_new(&self.second_factor_from, &before.second_factor_from)
            || is_new(&self.session_idle, &before.session_idle)
            || is_new(&self.session_life, &before.session_life)
            || is_new(&self.sign_in_methods, &before.sign_in_methods)
            || is_new(&self.networks, &before.networks)
            || is_new(&self.invited_domains, &before.invited_domains)
    }

    /// How long a session may go unused.
    pub(crate) fn idle(&self) -> Option<TimeDelta> {
        self.session_idle.map(|minutes| TimeDelta::minutes(minutes.into()))
    }

    /// How long a session lasts.
    pub(crate) fn life(&self) -> Option<TimeDelta> {
        self.session_life.map(|minutes| TimeDelta::minutes(minutes.into()))
    }

    /// Whether single sign-on is the only way in.
    pub(crate) fn is_sso_only(&self) -> bool {
        self.sign_in_methods.as_deref() == Some(&[AuthMethod::Sso])
    }

    /// Whether an address at this domain (A-labels) can be invited.
    pub(crate) fn invites(&self, domain: &str) -> bool {
        self.invited_domains.as_ref().is_none_or(|domains| domains.iter().any(|one| one == domain))
    }

    /// Asks for one of [`Self::SETTINGS`] no more. Says whether there is one of that name.
    pub(crate) fn clear(&mut self, setting: &str) -> bool {
        match setting {
            "secondFactorFrom" => self.second_factor_from = None,
            "sessionIdle" => self.session_idle = None,
            "sessionLife" => self.session_life = None,
            "signInMethods" => self.sign_in_methods = None,
            "networks" => self.networks = None,
            "invitedDomains" => self.invited_domains = None,
            _ => return false,
        }
        true
    }
}

fn written<S: Serializer>(networks: &Option<Vec<IpNet>>, serializer: S) -> Result<S::Ok, S::Error> {
    let texts =
        networks.as_ref().map(|networks| networks.iter().map(ToString::to_string).collect::<Vec<_>>());
    texts.serialize(serializer)
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    let Some(texts) = Option::<Vec<String>>::deserialize(deserializer)? else { return Ok(None) };
    texts.iter().map(|text| text.parse().map_err(de::Error::custom)).collect::<Result<_, _>>().map(Some)
}

impl TryFrom<Option<String>> for OrganisationPolicy {
    type Error = serde_json::Error;

    /// What the column says; NULL asks for nothing.
    fn try_from(column: Option<String>) -> serde_json::Result<Self> {
        column.map_or_else(|| Ok(Self::default()), |text| serde_json::from_str(&text))
    }
}
