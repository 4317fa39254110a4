//! What disowned sessions changed in organisations: what was surely somebody else's is undone at once, of single sign-on and of
//! who belongs there, and the owners read all of it.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use serde_json::Value;

use super::{
    deeds::{self, Deeds},
    judgement::Judgement,
    policy_back,
    roles_back::{self, Taken},
    single_sign_on::{self, Changed},
};
use crate::{
    accounts::{members, policy},
    clock::Timestamp,
    db::{Conn, Tx, schema::audit},
    error::{Error, Result},
    ids::{Id, InvitationId, OrganisationId, SessionId, UserId},
    kinds::{Permission, Role},
    mail::emails::{self, DisownedChange},
    model::{
        audit::Actor,
        invitation::{self, Search},
        membership,
        organisation::{self, Named},
        user::{self, User},
    },
    secret::Keys,
    urls,
};

/// What was done in organisations.
struct Abroad {
    deeds: Deeds,
    changed: Changed,
    taken: Vec<Taken>,
}

impl Abroad {
    /// What these sessions of `user` did since a moment, and all that came of it.
    fn of(
        conn: &mut Conn,
        keys: &Keys,
        user: &UserId,
        sessions: &HashSet<SessionId>,
        since: Timestamp,
    ) -> Result<Self> {
        let (mut people, mut sessions) = (HashSet::from([user.clone()]), sessions.clone());
        // Each round may find a connection by which others came, who gave roles in their turn.
        loop {
            let mut deeds = deeds::find(conn, &people, &sessions, since)?;
            let changed = single_sign_on::changed(conn, keys, (&people, &sessions), &deeds.delegates, since)?;
            if changed.sessions.len() == sessions.len() && changed.people.is_subset(&people) {
                if let Some(since) = changed.since() {
                    deeds.add_sso_role_changes(conn, since, |of| changed.is_of(of))?;
                }
                let taken = roles_back::taken(conn, &deeds)?;
                return Ok(Self { deeds, changed, taken });
            }
            people.extend(changed.people);
            sessions = changed.sessions;
        }
    }

    fn organisations(&self) -> HashSet<OrganisationId> {
        let deeds = self.deeds.all.iter().map(|deed| deed.organisation.clone());
        deeds.chain(self.changed.organisations()).collect()
    }

    /// The role that `user` had in an organisation before, as the audit calls it.
    fn role_before(&self, conn: &mut Conn, of: &OrganisationId, user: &UserId) -> Result<Option<String>> {
        match self.taken.iter().find(|one| one.organisation == *of && one.member == *user) {
            Some(taken) => Ok(taken.before.clone()),
            None => Ok(membership::held_role(conn, of, user)?.map(|role| role.audited())),
        }
    }

    /// What whoever presses a link for `user` has a say about: what they own sets single sign-on back, what they manage the
    /// roles there. Where they belong no more, unless these sessions brought that about, nothing happens, and nobody reads
    /// anything. An operator has a say about all.
    fn keep_what_is_theirs(&mut self, conn: &mut Conn, user: &UserId) -> Result<()> {
        for of in self.organisations() {
            let role = self.role_before(conn, &of, user)?;
            let is_owner = role.as_deref() == Some(Role::Owner.as_str());
            if role.is_none() {
                self.deeds.all.retain(|deed| deed.organisation != of);
            }
            if !is_owner {
                self.changed.forget(&of);
            }
            if !is_owner && !policy::may(conn, Named::Id(&of), user, Permission::MembersManage)? {
                self.taken.retain(|one| one.organisation != of);
            }
        }
        Ok(())
    }

    /// Only what they own has its policy put back.
    fn keep_own_policies(&mut self, conn: &mut Conn, user: &UserId) -> Result<()> {
        let changed: Vec<OrganisationId> =
            policy_back::organisations(&self.deeds).into_iter().cloned().collect();
        for of in changed {
            if self.role_before(conn, &of, user)?.as_deref() != Some(Role::Owner.as_str()) {
                policy_back::forget(&mut self.deeds, &of);
            }
        }
        Ok(())
    }
}

/// What happens in organisations when the button is pressed, for the page before it.
#[derive(Debug, Default)]
pub(crate) struct Undoing {
    /// What the connections are called that are turned off.
    pub connections: Vec<String>,
    /// The organisations in which roles, or the policy, go back to what they were.
    pub organisations: Vec<String>,
}

/// What [`contain`] would undo. Changes nothing.
pub(crate) fn undoing(conn: &mut Conn, keys: &Keys, user: &UserId, judged: &Judgement) -> Result<Undoing> {
    let mut sure = Abroad::of(conn, keys, user, &judged.sure, judged.since)?;
    sure.keep_what_is_theirs(conn, user)?;
    let connections = sure.changed.connections().map(str::to_owned).collect();
    sure.keep_own_policies(conn, user)?;
    let mut of: HashSet<&OrganisationId> = sure.taken.iter().map(|one| &one.organisation).collect();
    for changed in policy_back::organisations(&sure.deeds) {
        if policy_back::before(conn, changed, &sure.deeds)?.is_some() {
            of.insert(changed);
        }
    }
    let mut organisations = Vec::new();
    for of in of {
        match organisation::by_id(conn, of) {
            Err(Error::NotFound) => {}
            found => organisations.push(found?.name),
        }
    }
    organisations.sort();
    Ok(Undoing { connections, organisations })
}

/// Holds up whoever changes an organisation in which [`contain`] will, or answers an invitation that ends: in one order.
pub(super) fn hold(tx: &mut Tx, user: &UserId, judged: &Judgement) -> Result<()> {
    let abroad = Abroad::of(tx.conn, &tx.config.keys, user, &judged.sessions, judged.since)?;
    let mut organisations = abroad.organisations();
    let search = Search { by: Some(user), open_at: Some(tx.now), ..Search::default() };
    organisations
        .extend(invitation::list(tx.conn, &search, 0, i64::MAX)?.into_iter().map(|one| one.organisation_id));
    let mut organisations: Vec<OrganisationId> = organisations.into_iter().collect();
    organisations.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    organisations.iter().try_for_each(|of| organisation::lock(tx, of))
}

/// Undoes what was surely not done by `user`, and tells the owners of each organisation what was done there.
pub(super) fn contain(tx: &mut Tx, actor: &Actor, user: &UserId, judged: &Judgement) -> Result<()> {
    let is_operator = actor.user.is_none();
    let keys = &tx.config.keys;
    let mut all = Abroad::of(tx.conn, keys, user, &judged.sessions, judged.since)?;
    let sessions = if is_operator { &judged.sessions } else { &judged.sure };
    let mut sure = Abroad::of(tx.conn, keys, user, sessions, judged.since)?;
    // Whoever owned it then reads what happened, also where it stays as it is now.
    let owners: Vec<(OrganisationId, UserId)> = all
        .taken
        .iter()
        .filter(|one| one.before.as_deref() == Some(Role::Owner.as_str()))
        .map(|one| (one.organisation.clone(), one.member.clone()))
        .collect();
    if !is_operator {
        all.keep_what_is_theirs(tx.conn, user)?;
        sure.keep_what_is_theirs(tx.conn, user)?;
        sure.keep_own_policies(tx.conn, user)?;
    }
    let mut changes = changes(tx.conn, user, &all)?;
    let mut withdrawn = single_sign_on::withdraw(tx, actor, &sure.changed)?;
    let mut organisations: Vec<OrganisationId> =
        changes.keys().chain(withdrawn.keys()).cloned().collect::<HashSet<_>>().into_iter().collect();
    organisations.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    for of in organisations {
        // One that has ended meanwhile has nobody left to tell.
        let organisation = match organisation::by_id(tx.conn, &of) {
            Err(Error::NotFound) => continue,
            found => found?,
        };
        let mut withdrawn = withdrawn.remove(&of).unwrap_or_default();
        let path = match withdrawn.is_empty() {
            true => urls::organisation(&organisation.slug),
            false => urls::organisation_page(&organisation.slug, "sso"),
        };
        let taken: Vec<&Taken> = sure.taken.iter().filter(|one| one.organisation == of).collect();
        let is_deleted = roles_back::is_deleted_by(&sure.deeds, &of);
        withdrawn.extend(roles_back::give_back(tx, actor, &of, &taken, is_deleted)?);
        withdrawn.extend(policy_back::put_back(tx, actor, &of, &sure.deeds)?);
        let then = owners.iter().filter(|(at, _)| *at == of).map(|(_, owner)| owner);
        let readers = readers(tx, &of, then, &all.deeds)?;
        let member = user::by_id(tx.conn, user)?;
        let changes = changes.remove(&of).unwrap_or_default();
        for owner in readers {
            let site = &tx.config.site;
            let (to, of) =
                ((&owner.email, owner.name.as_str()), (&*organisation.name, member.email.spelled()));
            let email = emails::disowned_changes(site, to, of, &changes, &withdrawn, &path)?;
            tx.mail(Some(&owner.id), email)?;
        }
    }
    Ok(())
}

/// Whoever owns an organisation, and whoever owned it `then`; but nobody who does because of what is told.
fn readers<'a>(
    tx: &mut Tx,
    of: &OrganisationId,
    then: impl Iterator<Item = &'a UserId>,
    deeds: &Deeds,
) -> Result<Vec<User>> {
    let then: Vec<&UserId> = then.collect();
    let now = members::owners(tx.conn, of)?;
    let mut readers: Vec<User> = now
        .into_iter()
        .filter(|owner| then.contains(&&owner.id) || !deeds.delegates.has(of, &owner.id))
        .collect();
    for owner in then {
        if readers.iter().all(|one| one.id != *owner) {
            readers.extend(user::find(tx.conn, owner)?);
        }
    }
    readers.retain(User::is_verified);
    Ok(readers)
}

/// What was done, by organisation, the oldest first.
fn changes(
    conn: &mut Conn,
    user: &UserId,
    abroad: &Abroad,
) -> Result<HashMap<OrganisationId, Vec<DisownedChange>>> {
    type Row = (Timestamp, String, OrganisationId, Option<UserId>, Value);
    let own = abroad.deeds.all.iter().map(|deed| {
        (deed.at, deed.event.clone(), deed.organisation.clone(), deed.subject.clone(), deed.detail.clone())
    });
    let mut found: Vec<Row> = own.collect();
    if let Some(since) = abroad.changed.since() {
        // Whoever came by single sign-on as an owner did so in no session.
        let joined: Vec<(Timestamp, String, Option<UserId>, String)> = audit::table
            .filter(audit::event.eq("member_added"))
            .filter(audit::session_id.is_null())
            .filter(audit::at.ge(since))
            .order((audit::at, audit::id))
            .select((audit::at, audit::event, audit::subject_id, audit::detail))
            .load(conn)?;
        for (at, event, subject, detail) in joined {
            let detail: Value = serde_json::from_str(&detail)?;
            let Some(whose) = detail["organisation"].as_str().map(OrganisationId::from_text) else {
                continue;
            };
            if detail["role"] == Role::Owner.as_str() && abroad.changed.is_of(&whose) {
                found.push((at, event, whose, subject, detail));
            }
        }
        found.sort_by_key(|row| row.0);
    }
    let mut changes: HashMap<OrganisationId, Vec<DisownedChange>> = HashMap::new();
    for (at, event, organisation, subject, detail) in found {
        let person = match subject.filter(|person| person != user) {
            Some(person) => user::find(conn, &person)?.map(|person| person.email.spelled().to_owned()),
            None => invited(conn, &detail)?,
        };
        // Of a role that is given or changed, the one that they have since; of a domain that is closed, its emergency owner.
        let role = detail["to"].as_str().or(detail["role"].as_str()).map(|role| format!("as {role}"));
        let domain = detail["domain"].as_str().map(str::to_owned);
        let about: Vec<String> = domain.into_iter().chain(person).chain(role).collect();
        let about = Some(about.join(" ")).filter(|about| !about.is_empty());
        let change = DisownedChange { when: at.exact(), event: event.replace('_', " "), about };
        changes.entry(organisation).or_default().push(change);
    }
    Ok(changes)
}

/// The address that an invitation went to, where something is about one.
fn invited(conn: &mut Conn, detail: &Value) -> Result<Option<String>> {
    let Some(id) = detail["invitation"].as_str() else { return Ok(None) };
    let id: Option<InvitationId> = Id::parse(id);
    let found = id.map(|id| invitation::find(conn, &id)).transpose()?.flatten();
    Ok(found.map(|one| one.email.spelled().to_owned()))
}
