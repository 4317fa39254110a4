//! What disowned sessions changed of an organisation's single sign-on goes out of use: by it they sign in as anybody.
//!
//! Connections are paused, what was required of a domain's people is released, and whoever came by such a connection since is
//! out again. A session that came by one is disowned with it, and what it changed of single sign-on as well.

use std::collections::{HashMap, HashSet};

use super::{deeds::Delegates, way_back::way_back};
use crate::{
    accounts::{connections::Event, domains, sessions, sso_changes::Circumstances, sso_policy},
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{ConnectionId, DomainId, OrganisationId, SessionId, UserId},
    mail::emails::{self, Withdrawn},
    model::{
        audit::{self, Actor},
        connection::{self, Connection, upkeep},
        domain::{self, Domain},
        identity, network, organisation,
        security_change::{self, Kind, SecurityChange},
        session,
        token::{self, PendingSignIn},
        user,
    },
    secret::Keys,
};

/// What disowned sessions changed, since when.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    connections: HashMap<ConnectionId, (Connection, Timestamp)>,
    // Where each domain's people were led before, if they are led elsewhere.
    domains: HashMap<DomainId, (Domain, Option<Option<ConnectionId>>)>,
    /// The sessions that are disowned, with those that came by what they changed.
    pub(super) sessions: HashSet<SessionId>,
    /// Whose they may be.
    pub(super) people: HashSet<UserId>,
}

impl Changed {
    /// What the connections are called that go out of use.
    pub(crate) fn connections(&self) -> impl Iterator<Item = &str> {
        self.connections.values().map(|(connection, _)| connection.name.as_str())
    }

    /// Since when people may have come by what was changed.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.connections.values().map(|(_, since)| *since).min()
    }

    /// Whether anything of an organisation was changed.
    pub(super) fn is_of(&self, organisation: &OrganisationId) -> bool {
        let mut connections = self.connections.values();
        connections.any(|(connection, _)| connection.organisation_id == *organisation)
    }

    fn size(&self) -> usize {
        self.connections.len() + self.domains.len() + self.sessions.len() + self.people.len()
    }

    /// Leaves out what is an organisation's.
    pub(super) fn forget(&mut self, organisation: &OrganisationId) {
        self.connections.retain(|_, (connection, _)| connection.organisation_id != *organisation);
        self.domains.retain(|_, (domain, _)| domain.organisation_id != *organisation);
    }

    pub(super) fn organisations(&self) -> HashSet<OrganisationId> {
        let of_connections = self.connections.values().map(|(one, _)| one.organisation_id.clone());
        of_connections.chain(self.domains.values().map(|(one, _)| one.organisation_id.clone())).collect()
    }
}

/// What these sessions of these people changed of single sign-on since a moment, wherever that is, and those who count as
/// them. Changes nothing.
pub(super) fn changed(
    conn: &mut Conn,
    keys: &Keys,
    (people, sessions): (&HashSet<UserId>, &HashSet<SessionId>),
    delegates: &Delegates,
    since: Timestamp,
) -> Result<Changed> {
    let people: HashSet<UserId> = people.iter().chain(delegates.people()).cloned().collect();
    let mut changed = Changed { sessions: sessions.clone(), people, ..Changed::default() };
    // Each round may find a connection by which others came.
    loop {
        let before = changed.size();
        // Whoever changed anything of it may have done so by this, whatever they are there now.
        for organisation in changed.organisations() {
            let connections = connection::of(conn, &organisation)?.into_iter().map(|one| one.id.to_string());
            let domains = domain::of(conn, &organisation)?.into_iter().map(|one| one.id.to_string());
            let targets: Vec<String> = connections.chain(domains).collect();
            changed.people.extend(security_change::changers(conn, Kind::SsoChanged, &targets)?);
        }
        for person in &changed.people.clone() {
            for change in security_change::list(conn, person)? {
                if change.kind == Kind::SsoChanged && change.at >= since {
                    look_at(conn, keys, &mut changed, (person, &change), delegates)?;
                }
            }
        }
        for (connection, since) in changed.connections.values() {
            let came = session::of_connection(conn, &connection.id, *since)?;
            let (sessions, people): (Vec<_>, Vec<_>) = came.into_iter().unzip();
            changed.sessions.extend(sessions);
            changed.people.extend(people);
        }
        if changed.size() == before {
            return Ok(changed);
        }
    }
}

fn look_at(
    conn: &mut Conn,
    keys: &Keys,
    changed: &mut Changed,
    (person, change): (&UserId, &SecurityChange),
    delegates: &Delegates,
) -> Result<()> {
    let (Some(by), Some(target)) = (&change.by, &change.target) else { return Ok(()) };
    let kept = change.before(keys)?;
    let Circumstances { is_led, led_before, came_by } =
        kept.map(|kept| serde_json::from_str(&kept)).transpose()?.unwrap_or_default();
    // Of a session that has ended, this is what tells how it came in.
    let way = came_by.and_then(|way| changed.connections.get(&way));
    if way.is_some_and(|(_, since)| by.began_at >= *since) {
        changed.sessions.insert(by.id.clone());
    }
    let is_theirs =
        |of: &OrganisationId| changed.sessions.contains(&by.id) || delegates.act(of, person, change.at);
    let (connection, domain) = (ConnectionId::from_text(target), DomainId::from_text(target));
    match connection::by_id(conn, &connection) {
        Ok(found) if is_theirs(&found.organisation_id) => {
            let known = changed.connections.entry(connection).or_insert((found, change.at));
            known.1 = known.1.min(change.at);
            return Ok(());
        }
        Ok(_) => return Ok(()),
        Err(Error::NotFound) => {}
        Err(error) => return Err(error),
    }
    // Neither is there any more where nothing is found.
    if let Some(found) = domain::by_id(conn, &domain)?.filter(|found| is_theirs(&found.organisation_id)) {
        let known = changed.domains.entry(domain).or_insert((found, None));
        // The oldest comes first.
        known.1 = known.1.take().or(is_led.then_some(led_before));
    }
    Ok(())
}

/// Takes out of use what was changed. Returns what that was, by organisation, for its owners.
pub(super) fn withdraw(
    tx: &mut Tx,
    actor: &Actor,
    changed: &Changed,
) -> Result<HashMap<OrganisationId, Vec<Withdrawn>>> {
    let mut organisations: Vec<OrganisationId> = changed.organisations().into_iter().collect();
    organisations.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    organisations.iter().try_for_each(|organisation| organisation::lock(tx, organisation))?;
    let mut withdrawn: HashMap<OrganisationId, Vec<Withdrawn>> = HashMap::new();
    for (connection, since) in changed.connections.values() {
        let told = withdrawn.entry(connection.organisation_id.clone()).or_default();
        told.push(pause(tx, actor, connection, *since)?);
        for domain in domain::domains_of_connection(tx.conn, &connection.id)? {
            told.extend(release(tx, actor, &domain)?);
        }
    }
    for (domain, led_before) in changed.domains.values() {
        let told = withdrawn.entry(domain.organisation_id.clone()).or_default();
        told.extend(release(tx, actor, domain)?);
        if let Some(before) = led_before {
            told.extend(lead_back(tx, actor, domain, before.as_ref())?);
        }
    }
    Ok(withdrawn)
}

/// Nobody signs in by a connection until an owner switches it on, and who came by it since is out.
fn pause(tx: &mut Tx, actor: &Actor, connection: &Connection, since: Timestamp) -> Result<Withdrawn> {
    upkeep::withdraw(tx, &connection.id)?;
    tell_who_was_entered(tx, connection, since)?;
    let (organisation, id) = (connection.organisation_id.clone(), connection.id.clone());
    audit::record(tx, actor, None, Event::ConnectionChanged { organisation, connection: id })?;
    sessions::end_of_connection(tx, actor, &connection.id, since)?;
    let people = identity::forget_since(tx, &connection.id, since)?;
    people.iter().try_for_each(|person| token::revoke::<PendingSignIn>(tx, person))?;
    Ok(Withdrawn::Paused { connection: connection.name.clone(), people: people.len() })
}

/// Whoever's account somebody came into by a connection that is withdrawn is asked about it, once more and whatever their
/// alert said then: by the link they undo what was added there.
fn tell_who_was_entered(tx: &mut Tx, connection: &Connection, since: Timestamp) -> Result<()> {
    let came = session::of_connection(tx.conn, &connection.id, since)?;
    let mut told = HashSet::new();
    for (session, person) in came {
        if !told.insert(person.clone()) {
            continue;
        }
        let person = user::by_id(tx.conn, &person)?;
        let device = format!("single sign-on with {}", connection.name);
        let secret = way_back(tx, &person, Some(session), None, &device, "")?;
        let (site, when) = (&tx.config.site, tx.now.exact());
        let (to, name, place) = (&person.email, &person.name, network::place(""));
        let email = emails::new_sign_in(site, to, name, &device, &when, &place, secret.reveal())?;
        tx.mail(Some(&person.id), email)?;
    }
    Ok(())
}

fn release(tx: &mut Tx, actor: &Actor, domain: &Domain) -> Result<Option<Withdrawn>> {
    let is_released = sso_policy::lift(tx, actor, domain)?;
    Ok(is_released.then(|| Withdrawn::Released { domain: domain.name.clone() }))
}

/// A domain's people are led where they were before, if that is still there.
fn lead_back(
    tx: &mut Tx,
    actor: &Actor,
    domain: &Domain,
    before: Option<&ConnectionId>,
) -> Result<Option<Withdrawn>> {
    let before = match before.map(|before| connection::owned(tx.conn, &domain.organisation_id, before)) {
        None | Some(Err(Error::NotFound)) => None,
        Some(found) => Some(found?),
    };
    let id = before.as_ref().map(|before| &before.id);
    if domain.connection_id.as_ref() == id {
        return Ok(None);
    }
    domains::lead(tx, actor, domain, id)?;
    let connection = before.map(|before| before.name);
    Ok(Some(Withdrawn::LedBack { domain: domain.name.clone(), connection }))
}
