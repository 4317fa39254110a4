//! A directory as its owners see it.

use serde::Serialize;

use crate::{
    accounts::{directories::Place, directory_roles},
    clock::Timestamp,
    db::Conn,
    error::{Error, Result},
    ids::{DirectoryGroupId, DirectoryPersonId, DirectoryTokenId, UserId},
    model::{
        directory::{
            group::{self, Group},
            person::{self, Person, Search, Waits},
            token::{self, DirectoryToken},
        },
        held_role::HeldRole,
        membership,
        user::{self, User},
    },
};

/// People on one page.
const PAGE: i64 = 50;

/// Groups that are shown.
const MOST_GROUPS: i64 = 200;

/// All that a page shows of a directory.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DirectoryView {
    /// The role of newcomers.
    pub(super) default_role: HeldRole,
    pub(super) is_required: bool,
    pub(super) is_paused: bool,
    pub(super) last_call_at: Option<Timestamp>,
    pub(super) tokens: Vec<TokenView>,
    pub(super) counts: Counts,
    pub(super) people: Vec<PersonView>,
    /// The last of them, where there are more.
    pub(super) next: Option<DirectoryPersonId>,
    pub(super) groups: Vec<GroupView>,
}

/// A token; never its secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenView {
    pub(super) id: DirectoryTokenId,
    pub(super) name: String,
    /// Its last four characters.
    pub(super) ending: String,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) last_used_at: Option<Timestamp>,
    pub(super) last_used_from: Option<String>,
    pub(super) is_expired: bool,
}

/// How many people a directory lists.
#[derive(Serialize)]
pub(super) struct Counts {
    pub(super) active: i64,
    pub(super) waiting: i64,
    pub(super) left: i64,
}

/// An entry.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PersonView {
    pub(super) id: DirectoryPersonId,
    pub(super) user_name: String,
    pub(super) name: Option<String>,
    pub(super) address: Option<String>,
    pub(super) state: State,
    pub(super) changed_at: Timestamp,
}

/// What an entry comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Member,
    OwnAccount,
    UnprovedDomain,
    AnotherDomain,
    NoAddress,
    Left,
    /// The organisation cannot do without this owner.
    LeftKept,
}

/// A group.
#[derive(Serialize)]
pub(super) struct GroupView {
    pub(super) id: DirectoryGroupId,
    pub(super) name: String,
    pub(super) members: i64,
    pub(super) role: Option<HeldRole>,
}

/// Somebody whom the organisation keeps out.
#[derive(Serialize)]
pub(super) struct SuspendedView {
    pub(super) id: UserId,
    pub(super) name: String,
    pub(super) email: String,
}

impl From<User> for SuspendedView {
    fn from(user: User) -> Self {
        Self { id: user.id, name: user.name, email: user.email.spelled().to_owned() }
    }
}

impl TokenView {
    pub(super) fn of(token: DirectoryToken, now: Timestamp) -> Self {
        Self {
            is_expired: !token.is_live(now),
            id: token.id,
            name: token.name,
            ending: token.ending,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            last_used_from: token.last_used_ip,
        }
    }
}

impl State {
    /// In words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Member => "Member",
            Self::OwnAccount => "Waits to accept: had an account before",
            Self::UnprovedDomain => "Waits to accept: the domain is not verified",
            Self::AnotherDomain => "Waits to accept: the domain belongs to another organisation",
            Self::NoAddress => "Waits for the first sign-in: no address yet",
            Self::Left => "Left",
            Self::LeftKept => "Left, but cannot go: make someone else an owner first",
        }
    }

    pub(super) fn can_be_asked(self) -> bool {
        matches!(self, Self::OwnAccount | Self::UnprovedDomain | Self::AnotherDomain)
    }

    fn of(conn: &mut Conn, place: &Place, entry: &Person) -> Result<Self> {
        let is_member = match &entry.user_id {
            Some(user) => membership::role_of(conn, &place.organisation.id, user)?.is_some(),
            None => false,
        };
        Ok(match (entry.is_active, is_member, entry.waits_for) {
            (false, true, _) => Self::LeftKept,
            (false, false, _) => Self::Left,
            (true, true, _) => Self::Member,
            (true, false, Some(Waits::UnprovedDomain)) => Self::UnprovedDomain,
            (true, false, Some(Waits::AnotherDomain)) => Self::AnotherDomain,
            (true, false, Some(Waits::NoAddress)) => Self::NoAddress,
            (true, false, Some(Waits::OwnAccount) | None) => Self::OwnAccount,
        })
    }
}

impl DirectoryView {
    /// The page that `search` finds, after the entry `after`.
    pub(super) fn of(
        conn: &mut Conn,
        place: &Place,
        mut search: Search,
        after: Option<&DirectoryPersonId>,
        now: Timestamp,
    ) -> Result<Self> {
        let directory = &place.directory;
        if let Some(after) = after {
            let last = person::find(conn, &directory.id, after)?.ok_or(Error::NotFound)?;
            search.after = Some((last.created_at, last.id));
        }
        let mut found = person::list(conn, &directory.id, &search, 0, PAGE + 1)?;
        let goes_on = found.len() > PAGE as usize;
        found.truncate(PAGE as usize);
        let next = found.last().filter(|_| goes_on).map(|last| last.id.clone());
        let mut people = Vec::new();
        for entry in found {
            let state = State::of(conn, place, &entry)?;
            people.push(PersonView {
                state,
                name: entry.fields()?.called(),
                address: entry.address,
                id: entry.id,
                user_name: entry.user_name,
                changed_at: entry.changed_at,
            });
        }
        let mut groups = Vec::new();
        for one in group::list(conn, &directory.id, &[], None, (0, MOST_GROUPS))? {
            groups.push(GroupView::of(conn, place, one)?);
        }
        let tokens = token::of(conn, &directory.id)?;
        Ok(Self {
            default_role: directory_roles::default(conn, directory)?,
            is_required: directory.is_required,
            is_paused: directory.is_paused,
            last_call_at: directory.last_call_at,
            tokens: tokens.into_iter().map(|token| TokenView::of(token, now)).collect(),
            counts: Counts::of(conn, place)?,
            people,
            next,
            groups,
        })
    }
}

impl Counts {
    fn of(conn: &mut Conn, place: &Place) -> Result<Self> {
        let directory = &place.directory.id;
        let mut count = |search: Search| person::count(conn, directory, &search);
        let active = crate::scim::Term::Active(true);
        let all = count(Search::default())?;
        let active = count(Search { terms: vec![active], ..Search::default() })?;
        let waiting = count(Search { is_waiting: true, ..Search::default() })?;
        Ok(Self { active: active - waiting, waiting, left: all - active })
    }
}

impl GroupView {
    fn of(conn: &mut Conn, place: &Place, group: Group) -> Result<Self> {
        let role = match &group.role {
            Some(role) => directory_roles::held(conn, &place.organisation.id, role)?,
            None => None,
        };
        Ok(Self {
            members: group::member_count(conn, &group.id)?,
            id: group.id,
            name: group.display_name,
            role,
        })
    }
}

/// Whom the organisation keeps out.
pub(super) fn suspended(conn: &mut Conn, place: &crate::ids::OrganisationId) -> Result<Vec<SuspendedView>> {
    Ok(user::suspended(conn, place, None)?.into_iter().map(SuspendedView::from).collect())
}
