//! What a visitor of an application needs, and which of it is missing.

use std::net::IpAddr;

use super::{
    api_keys::Presented,
    checks::{self, Asker, Check},
    organisation_policy::{Credential, GrantTraits, SessionTraits},
    sessions,
};
use crate::{
    clock::Timestamp,
    db::Conn,
    error::Result,
    ids::UserId,
    kinds::Role,
    model::{
        application::{MemberNeed, Needs},
        held_role::HeldRole,
        session::{Acr, Authentication, CurrentSession},
    },
};

/// What one check asks for besides what its host does. It never lifts anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Raised {
    /// How strongly somebody has to have shown who they are.
    pub acr: Option<Acr>,
    /// How many seconds ago at most.
    pub max_age: Option<i64>,
    /// A membership: the slug or id of the organisation, and what a [`MemberNeed`] has as its role.
    pub member: Option<(String, Option<String>)>,
}

impl Raised {
    /// What `vestibule-acr`, `vestibule-recent` and `vestibule-role` say, each once at most; nothing where one of them
    /// cannot be read. Other names are the visitor's own.
    pub(crate) fn of_query<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let mut raised = Self::default();
        for (name, value) in pairs {
            let is_new = match name {
                "vestibule-acr" => raised.acr.replace(Acr::from_word(value)?).is_none(),
                "vestibule-recent" => raised.max_age.replace(seconds(value)?).is_none(),
                "vestibule-role" => raised.member.replace(member(value)?).is_none(),
                // One that is misspelt would ask for nothing.
                name => !name.to_ascii_lowercase().replace('_', "-").starts_with("vestibule-"),
            };
            if !is_new {
                return None;
            }
        }
        Some(raised)
    }

    /// The same as a query has it.
    pub(crate) fn to_query(&self) -> Vec<(&'static str, String)> {
        let member = self.member.as_ref().map(|(organisation, role)| match role {
            Some(role) => format!("{organisation}:{role}"),
            None => organisation.clone(),
        });
        let acr = self.acr.map(|acr| ("vestibule-acr", acr.to_string()));
        let max_age = self.max_age.map(|max_age| ("vestibule-recent", max_age.to_string()));
        [acr, max_age, member.map(|member| ("vestibule-role", member))].into_iter().flatten().collect()
    }
}

/// Seconds, from 1 to a day.
fn seconds(text: &str) -> Option<i64> {
    text.parse().ok().filter(|seconds| (1..=86_400).contains(seconds))
}

/// `ORGANISATION` or `ORGANISATION:ROLE`, where the role may be a permission and have a colon of its own.
pub(crate) fn member(text: &str) -> Option<(String, Option<String>)> {
    let (organisation, role) = match text.split_once(':') {
        Some((organisation, role)) => (organisation, Some(role)),
        None => (text, None),
    };
    let is_word = |word: &str| {
        (1..=80).contains(&word.len())
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_:".contains(&b))
    };
    (is_word(organisation) && role.is_none_or(is_word))
        .then(|| (organisation.to_owned(), role.map(str::to_owned)))
}

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The account waits to be deleted.
    Account,
    /// The address is not confirmed.
    VerifiedEmail,
    /// They do not belong there, or not in that role.
    Membership,
    /// Nobody showed so strongly who they are.
    Acr(Acr),
    /// Nobody showed it lately.
    Freshness,
}

/// A visitor, as far as needs look at them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// Who.
    pub user: &'a UserId,
    /// Whether their address is confirmed.
    pub is_verified: bool,
    /// Whether their account waits to be deleted.
    pub is_leaving: bool,
    /// How they were authenticated.
    pub authentication: &'a Authentication,
    /// Through which session, from where: what organisations may ask something of.
    pub through: (&'a CurrentSession, Option<IpAddr>),
}

/// The first that `visitor` misses. Whether they belong there comes before what they can do about it.
pub(crate) fn missing(
    conn: &mut Conn,
    needs: &Needs,
    raised: &Raised,
    visitor: Candidate<'_>,
    now: Timestamp,
) -> Result<Option<Missing>> {
    if visitor.is_leaving {
        return Ok(Some(Missing::Account));
    }
    if !visitor.is_verified {
        return Ok(Some(Missing::VerifiedEmail));
    }
    if !is_member(conn, needs, raised, Who::User(visitor.user, Some(visitor.through)), now)? {
        return Ok(Some(Missing::Membership));
    }
    let asked = if needs.second_factor { Acr::TwoFactors } else { Acr::OneFactor };
    let acr = raised.acr.filter(|raised| raised.reaches(asked)).unwrap_or(asked);
    if !visitor.authentication.acr().reaches(acr) {
        return Ok(Some(Missing::Acr(acr)));
    }
    let max_age = [needs.max_age, raised.max_age].into_iter().flatten().min();
    let age = now.unix() - visitor.authentication.at(now).unix();
    Ok(max_age.is_some_and(|max_age| age > max_age).then_some(Missing::Freshness))
}

/// Who is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who<'a> {
    /// A user, and through which session, from where, where that counts.
    User(&'a UserId, Option<(&'a CurrentSession, Option<IpAddr>)>),
    /// A user, by what an application has of them.
    Grant(&'a UserId, &'a GrantTraits),
    /// A program with an API key, from there.
    ApiKey(&'a Presented, Option<IpAddr>),
}

/// Whether `who` belongs where it is needed, and may act there as the organisation's policy has it.
pub(crate) fn is_member(
    conn: &mut Conn,
    needs: &Needs,
    raised: &Raised,
    who: Who,
    now: Timestamp,
) -> Result<bool> {
    if needs.members.is_empty() && raised.member.is_none() {
        // A key of an organisation's own stands for nobody: it comes in where members of that organisation do.
        return Ok(!matches!(who, Who::ApiKey(by, _) if by.user().is_none()));
    }
    let traits;
    let who = match who {
        Who::User(user, Some((session, ip))) => {
            let provider = sessions::provider_of(conn, session)?;
            traits = SessionTraits::of(session, provider, ip, now);
            Asker::User(user, Some(Credential::Session(&traits)))
        }
        Who::User(user, None) => Asker::User(user, None),
        Who::Grant(user, by) => Asker::User(user, Some(by.into())),
        Who::ApiKey(by, ip) => Asker::ApiKey(by, ip),
    };
    let mut is_one = needs.members.is_empty();
    for MemberNeed { organisation, role } in &needs.members {
        is_one = is_one || has_role(conn, organisation.as_str(), role.as_deref(), who, now)?;
    }
    let is_raised = match &raised.member {
        Some((organisation, role)) => has_role(conn, organisation, role.as_deref(), who, now)?,
        None => true,
    };
    Ok(is_one && is_raised)
}

fn has_role(
    conn: &mut Conn,
    organisation: &str,
    role: Option<&str>,
    who: Asker,
    now: Timestamp,
) -> Result<bool> {
    if let Some(permission) = role.filter(|role| role.contains(':')) {
        let check = Check { permission: permission.to_owned(), owner: None };
        return match checks::check(conn, who, Some(organisation), &[check], now) {
            Ok(checked) => Ok(checked.results == [None]),
            // A permission that there never was is nobody's.
            Err(crate::error::Error::Invalid(_)) => Ok(false),
            Err(error) => Err(error),
        };
    }
    let membership = checks::membership_in(conn, who, organisation, now)?;
    let Some(membership) = membership.filter(|membership| !membership.organisation.is_leaving()) else {
        return Ok(false);
    };
    if let Some(credential) = who.credential()
        && membership.unmet(conn, credential, now)?.is_some()
    {
        return Ok(false);
    }
    // A key of the organisation's own has no role there.
    if membership.user.is_none() {
        return Ok(role.is_none());
    }
    Ok(match (role, role.and_then(Role::from_word), &membership.role) {
        (None, ..) => true,
        (_, Some(least), HeldRole::BuiltIn(held)) => !held.is_below(least),
        // It counts as a viewer's where only built-in roles are known.
        (_, Some(least), HeldRole::Custom { .. }) => least == Role::Viewer,
        (Some(role), None, held) => held.custom().is_some_and(|id| id.as_str() == role),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<Raised> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
        Raised::of_query(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    #[test]
    fn what_a_check_asks_for_is_read_or_the_check_is_refused() {
        assert_eq!(read("vestibule=1&role=admin&x"), Some(Raised::default()));
        let raised = read("vestibule-acr=2fa&vestibule-recent=300&vestibule-role=acme:notes:read").unwrap();
        assert_eq!((raised.acr, raised.max_age), (Some(Acr::TwoFactors), Some(300)));
        assert_eq!(raised.member, Some(("acme".to_owned(), Some("notes:read".to_owned()))));
        let again = serde_urlencoded::to_string(raised.to_query()).unwrap();
        assert_eq!(read(&again), Some(raised));
        for wrong in [
            "vestibule-acr=3fa",
            "vestibule-acr=",
            "vestibule-recent=0",
            "vestibule-recent=-1",
            "vestibule-recent=99999999",
            "vestibule-role=",
            "vestibule-role=acme:",
            "vestibule-role=Acme",
            "vestibule-rolle=acme",
            "vestibule-acr=2fa&vestibule-acr=1fa",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
