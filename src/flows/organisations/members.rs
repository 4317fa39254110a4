//! The members of an organisation: who they are, their roles, and taking one out.

use std::collections::BTreeSet;

use actix_web::web::{Data, Path};
use askama::Template;
use serde::{Deserialize, Serialize};

use super::{OrganisationView, path_of};
use crate::{
    accounts::{
        organisations,
        policy::{self, FORBIDDEN, KEY_FORBIDDEN, Membership},
        roles,
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Error, Result},
    ids::UserId,
    kinds::Permission,
    model::{
        held_role::HeldRole,
        invitation,
        membership::{self, Search},
        role,
    },
    web::{
        Input, Member, Query, Reply, SteppedUpMember,
        member::{MembersManage, OrganisationRead},
    },
};

// Members on one page.
const A_PAGE: usize = 50;

/// Who belongs to an organisation, as its members see it.
#[derive(Template, Serialize)]
#[template(path = "organisation.html")]
pub(crate) struct MembersPage {
    organisation: OrganisationView,
    you: You,
    members: Vec<MemberView>,
    next: Option<UserId>,
    /// How many invitations are open, for those who may invite; nobody else is told.
    invited: i64,
    /// What was searched for, and every role there is: those that the reader may give come with `true`.
    #[serde(skip)]
    query: SearchQuery,
    #[serde(skip)]
    roles: Vec<(HeldRole, bool)>,
    #[serde(skip)]
    may: May,
}

/// What the reader may do here.
#[derive(Serialize)]
struct You {
    role: HeldRole,
    permissions: BTreeSet<String>,
}

/// Which parts of the page are there for the reader.
struct May {
    see_members: bool,
    invite_members: bool,
    manage_members: bool,
    manage_owners: bool,
    manage_roles: bool,
    manage_keys: bool,
    manage_settings: bool,
    manage_sso: bool,
    manage_scim: bool,
    leave: bool,
    read_audit: bool,
    read_notes: bool,
}

/// A member as the others see them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberView {
    id: UserId,
    name: String,
    email: String,
    role: HeldRole,
    role_name: String,
    since: Timestamp,
    you: bool,
    /// How many invitations they sent are open, for those who manage members: these end with the right to send them.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_invitations: Option<i64>,
}

/// A role: the word of a built-in one, or the id of one of the organisation's own.
#[derive(Deserialize)]
pub(crate) struct RoleForm {
    #[serde(default)]
    role: String,
}

/// Who is looked for, and where the page before ended.
#[derive(Deserialize)]
pub(crate) struct SearchQuery {
    q: Option<String>,
    role: Option<String>,
    next: Option<UserId>,
}

impl SearchQuery {
    /// The address of the page after this one begins so.
    fn more(&self, next: &UserId) -> String {
        let fields =
            [("q", self.q.as_deref()), ("role", self.role.as_deref()), ("next", Some(next.as_str()))];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        serde_urlencoded::to_string(fields.collect::<Vec<_>>()).unwrap_or_default()
    }

    fn is_narrowed(&self) -> bool {
        self.q.is_some() || self.role.is_some()
    }

    fn is_for(&self, role: &HeldRole) -> bool {
        self.role.as_deref() == Some(role.to_string().as_str())
    }
}

impl May {
    fn of(mine: &Membership, owners: i64, read_notes: bool, has_directories: bool) -> Self {
        Self {
            see_members: mine.may(Permission::MembersRead),
            invite_members: mine.may(Permission::MembersInvite),
            manage_members: mine.may(Permission::MembersManage),
            manage_owners: mine.may(Permission::OwnersManage),
            manage_roles: mine.may(Permission::RolesManage),
            manage_keys: mine.may(Permission::KeysManage),
            manage_settings: mine.may(Permission::SettingsManage),
            manage_sso: mine.may(Permission::SsoManage),
            manage_scim: has_directories && mine.may(Permission::ScimManage),
            // The last owner stays.
            leave: !mine.role.is_owner() || owners > 1,
            read_audit: mine.may(Permission::AuditRead),
            read_notes,
        }
    }

    /// Whether the reader may change or take out a member.
    fn manage(&self, member: &MemberView) -> bool {
        !member.you && self.manage_members && (self.manage_owners || !member.role.is_owner())
    }
}

/// `GET /organisations/{slug}`: for its members; for everybody else there is nothing here.
pub(crate) async fn show(
    me: Member<OrganisationRead>,
    query: Query<SearchQuery>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, query) = (me.access(), query.into_inner());
    let search = (query.q.clone(), query.role.clone(), query.next.clone());
    let now = app.now();
    let (mine, permissions, roles, owners, invited, sent, mut found) = app
        .read(move |conn| {
            let mine = access.decide(conn)?;
            let (beginning, role, cursor) = search.clone();
            let role = role.map(|role| roles::named(conn, &mine.organisation.id, &role)).transpose()?;
            let mut search = Some(Search { cursor, beginning, role, user: None });
            // Whoever may not see the others sees themselves, and a key of the organisation's own is no member.
            if !mine.may(Permission::MembersRead) {
                search = mine.user.clone().map(|me| Search { user: Some(me), ..Search::default() });
            }
            // One more than a page tells whether there is another.
            let most = i64::try_from(A_PAGE + 1).map_err(Error::internal)?;
            let found = match search {
                Some(search) => membership::list(conn, &mine.organisation.id, &search, most)?,
                None => Vec::new(),
            };
            let permissions = mine.permissions(conn)?;
            let invited = match mine.may(Permission::MembersInvite) {
                true => invitation::count_open(conn, &mine.organisation.id, now)?,
                false => 0,
            };
            let shown: Vec<_> = found.iter().map(|member| &member.user_id).collect();
            let sent = match mine.may(Permission::MembersManage) {
                true => invitation::count_open_by(conn, &mine.organisation.id, &shown, now)?,
                false => Vec::new(),
            };
            let owners = membership::owner_count(conn, &mine.organisation.id)?;
            Ok((mine.clone(), permissions, choices(conn, &mine)?, owners, invited, sent, found))
        })
        .await?;
    let has_more = found.len() > A_PAGE;
    found.truncate(A_PAGE);
    let next = found.last().filter(|_| has_more).map(|last| last.user_id.clone());
    let has_notes = app.config().example_notes && permissions.contains("notes:read");
    let may = May::of(&mine, owners, has_notes, app.config().scim);
    let mut members: Vec<_> =
        found.into_iter().map(|member| MemberView::new(member, mine.user.as_ref())).collect();
    for member in members.iter_mut().filter(|_| may.manage_members) {
        let sent = sent.iter().find(|(sender, _)| sender.as_ref() == Some(&member.id));
        member.open_invitations = Some(sent.map_or(0, |(_, count)| *count));
    }
    Ok(Reply::page(MembersPage {
        next,
        members,
        you: You { role: mine.role.clone(), permissions },
        organisation: OrganisationView::new(mine.organisation, mine.role, me.current()),
        invited,
        query,
        roles,
        may,
    }))
}

/// Every role of the organisation, and whether `mine` may give it.
fn choices(conn: &mut Conn, mine: &Membership) -> Result<Vec<(HeldRole, bool)>> {
    let own = role::of(conn, &mine.organisation.id)?.into_iter().map(HeldRole::from);
    let mut choices = Vec::new();
    for role in policy::built_in().chain(own) {
        let can_give = match mine.require(Permission::MembersManage) {
            Ok(()) => mine.require_change(conn, &role, &role),
            refused => refused,
        };
        let can_give = match can_give {
            Ok(()) => true,
            Err(Error::Refused(FORBIDDEN | KEY_FORBIDDEN, _)) => false,
            Err(error) => return Err(error),
        };
        choices.push((role, can_give));
    }
    Ok(choices)
}

/// `PUT /organisations/{slug}/members/{member}` and `POST …/role`: gives a member another role.
pub(crate) async fn set_role(
    me: SteppedUpMember<MembersManage>,
    path: Path<(String, UserId)>,
    Input(form): Input<RoleForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, (slug, member)) = (me.access(), path.into_inner());
    let (mine, changed) = app
        .write(move |tx| {
            let mine = access.decide_locked(tx)?;
            let of = &mine.organisation.id;
            let role = roles::named(tx.conn, of, &form.role)?;
            organisations::change_role(tx, &access.actor, &mine, &member, &role)?;
            let search = Search { user: Some(member), ..Search::default() };
            let changed = membership::list(tx.conn, of, &search, 1)?.pop().ok_or(Error::NotFound)?;
            Ok((mine.user, changed))
        })
        .await?;
    Reply::done(path_of(&slug), "The role is changed.")
        .with("member", MemberView::new(changed, mine.as_ref()))
}

/// `DELETE /organisations/{slug}/members/{member}` and `POST …/remove`: takes a member out.
pub(crate) async fn remove(
    me: SteppedUpMember<MembersManage>,
    path: Path<(String, UserId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, (slug, member)) = (me.access(), path.into_inner());
    let to = if access.actor.user.as_ref() == Some(&member) {
        "/organisations".to_owned()
    } else {
        path_of(&slug)
    };
    app.write(move |tx| {
        let mine = access.decide_locked(tx)?;
        organisations::take_out(tx, &access.actor, &mine, &member)
    })
    .await?;
    Ok(Reply::done(to, "They no longer belong to the organisation."))
}

impl MemberView {
    fn new(member: membership::Member, me: Option<&UserId>) -> Self {
        Self {
            you: Some(&member.user_id) == me,
            id: member.user_id,
            name: member.name,
            email: member.email.spelled().to_owned(),
            role_name: member.role.words().to_owned(),
            role: member.role,
            since: member.since,
            open_invitations: None,
        }
    }
}
