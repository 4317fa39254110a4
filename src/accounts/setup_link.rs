//! Set-up links: an owner lets a colleague who has no account here set one connection up, while it is not in use.
//!
//! A link may no more than its maker: it dies where that owner is one no more. What it changes is out of use until an owner
//! switches it on, and every owner hears of each use.

use chrono::TimeDelta;

use super::{
    connections, members, policy,
    sso_changes::{self, Target},
    sso_policy,
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Errors, Result},
    ids::{ConnectionId, OrganisationId, UserId},
    kinds::Permission,
    mail::emails::{self, SetupLinkUse, SsoChange},
    model::{
        audit::{self, Actor, audit_events},
        connection::{self, Connection, client, upkeep, upkeep::Settings},
        identity,
        organisation::{self, Named, Organisation},
        rate_limit::{self, Limit},
        token::{self, SetUpConnection, SetupLinkState},
    },
    secret::Secret,
    urls,
};

audit_events! {
    /// An owner made a link by which somebody without an account sets a connection up.
    SetupLinkMade { organisation: OrganisationId, connection: ConnectionId }
        => of_organisation("setup_link_made", "Set-up link created"),
    /// A set-up link was used.
    SetupLinkUsed { organisation: OrganisationId, connection: ConnectionId, by: &'static str }
        => of_organisation("setup_link_used", "Set-up link used"),
    /// Set-up links were revoked.
    SetupLinkRevoked { organisation: OrganisationId, connection: ConnectionId }
        => of_organisation("setup_link_revoked", "Set-up link revoked"),
}

// Of one connection in an hour: each is an email to every owner.
const MOST_USES: i32 = 30;

/// What a link opens.
#[derive(Debug)]
pub(crate) struct OpenedLink {
    /// The organisation that it belongs to.
    pub organisation: Organisation,
    /// The connection that it sets up.
    pub connection: Connection,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// Metadata that a link's bearer gave, and where it came from, if it is to be read anew.
pub(crate) type GivenMetadata = (String, Option<String>);

/// Whether people are known by a connection, or are led to it: a link changes nothing of it then.
pub(crate) fn is_in_use(conn: &mut Conn, connection: &Connection) -> Result<bool> {
    if identity::count(conn, &connection.id)? > 0 {
        return Ok(true);
    }
    Ok(!connection.is_paused && sso_policy::is_led_to(conn, &connection.id)?)
}

/// Makes a link to a connection that is not in use; older ones to it die. Every owner is told.
pub(crate) fn make(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &Organisation,
    owner: &UserId,
    id: &ConnectionId,
) -> Result<(Secret<SetUpConnection>, Timestamp)> {
    organisation::lock(tx, &organisation.id)?;
    let connection = connection::owned(tx.conn, &organisation.id, id)?;
    if is_in_use(tx.conn, &connection)? {
        let sentence = "People sign in by this connection. Make a new one, and a set-up link to that.";
        return Err(Error::Invalid(Errors::one("form", sentence)));
    }
    kill(tx, organisation, id)?;
    let life = tx.config.lifetimes.sso_setup_link;
    let expires_at = tx.now + life;
    let state = SetupLinkState { connection: id.clone(), until: expires_at.unix() };
    let secret = token::issue_with::<SetUpConnection>(tx, owner, &state, life)?;
    let event = Event::SetupLinkMade { organisation: organisation.id.clone(), connection: id.clone() };
    audit::record(tx, actor, None, event)?;
    tell(tx, organisation, &connection, SetupLinkUse::Made)?;
    Ok((secret, expires_at))
}

/// Until when a link to a connection works, where there is one.
pub(crate) fn outstanding(
    conn: &mut Conn,
    organisation: &OrganisationId,
    id: &ConnectionId,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    for owner in members::owners(conn, organisation)? {
        let links = token::all_outstanding::<SetUpConnection>(conn, &owner.id, now)?;
        if let Some(link) = links.into_iter().find(|link| link.connection == *id) {
            return Ok(Some(Timestamp::from_unix(link.until)));
        }
    }
    Ok(None)
}

/// Kills the links to a connection.
pub(crate) fn revoke(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &Organisation,
    id: &ConnectionId,
) -> Result<()> {
    connection::owned(tx.conn, &organisation.id, id)?;
    kill(tx, organisation, id)?;
    let event = Event::SetupLinkRevoked { organisation: organisation.id.clone(), connection: id.clone() };
    audit::record(tx, actor, None, event)
}

fn kill(tx: &mut Tx, organisation: &Organisation, id: &ConnectionId) -> Result<()> {
    for owner in members::owners(tx.conn, &organisation.id)? {
        token::revoke_where::<SetUpConnection>(tx, &owner.id, |link| link.connection == *id)?;
    }
    Ok(())
}

/// What a link opens at `now`. [`Error::DeadLink`] where it is unknown, over or revoked, its maker owns the organisation no
/// more, or the connection is in use or gone.
pub(crate) fn open(conn: &mut Conn, secret: &Secret<SetUpConnection>, now: Timestamp) -> Result<OpenedLink> {
    let token = token::peek(conn, secret)?;
    if !token.is_live(now) {
        return Err(Error::DeadLink);
    }
    let connection = connection::by_id(conn, &token.claim.connection).map_err(|error| match error {
        Error::NotFound => Error::DeadLink,
        error => error,
    })?;
    let of = Named::Id(&connection.organisation_id);
    if !policy::may(conn, of, &token.user_id, Permission::SsoManage)? || is_in_use(conn, &connection)? {
        return Err(Error::DeadLink);
    }
    let organisation = organisation::by_id(conn, &connection.organisation_id)?;
    let (made_at, expires_at) = (token.created_at, token.expires_at);
    Ok(OpenedLink { organisation, connection, made_at, expires_at })
}

/// Changes a connection by a link, which takes it out of use until an owner switches it on. Nobody is known by it, so it may
/// become one to another identity provider.
pub(crate) fn change(
    tx: &mut Tx,
    actor: &Actor,
    secret: &Secret<SetUpConnection>,
    settings: Settings,
    given: Option<GivenMetadata>,
) -> Result<Result<Connection, upkeep::Unfit>> {
    let OpenedLink { organisation, connection, .. } = hold(tx, secret)?;
    if let Some((metadata, url)) = given {
        let anew = Connection { issuer: String::new(), ..connection.clone() };
        if let Err(unfit) = connections::set_metadata(tx, actor, &anew, &metadata, url)? {
            return Ok(Err(unfit));
        }
    }
    if settings.client.as_ref().is_some_and(|client| client.issuer != connection.issuer) {
        client::forget_issuer(tx, &connection.id)?;
    }
    connections::set(tx, actor, &organisation.id, &connection.id, settings)?;
    upkeep::set_paused(tx, &connection.id, true)?;
    note_use(tx, actor, &organisation, &connection, SetupLinkUse::Changed)?;
    connection::by_id(tx.conn, &connection.id).map(Ok)
}

/// Notes that a link's bearer tests the connection.
pub(crate) fn note_test(
    tx: &mut Tx,
    actor: &Actor,
    secret: &Secret<SetUpConnection>,
) -> Result<ConnectionId> {
    let OpenedLink { organisation, connection, .. } = hold(tx, secret)?;
    note_use(tx, actor, &organisation, &connection, SetupLinkUse::Tested)?;
    Ok(connection.id)
}

/// The same as [`open`], while nobody changes the organisation.
fn hold(tx: &mut Tx, secret: &Secret<SetUpConnection>) -> Result<OpenedLink> {
    let organisation = open(tx.conn, secret, tx.now)?.organisation;
    organisation::lock(tx, &organisation.id)?;
    let opened = open(tx.conn, secret, tx.now)?;
    let limit = Limit::new("setup-link", opened.connection.id.as_str(), MOST_USES, TimeDelta::hours(1));
    rate_limit::consume(tx, &limit)?;
    Ok(opened)
}

/// Puts a connection into use that a link has changed, or that was paused as somebody else may have changed it; `seen` is the
/// fingerprint of what its owner looked at.
pub(crate) fn switch_on(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &OrganisationId,
    id: &ConnectionId,
    seen: &str,
) -> Result<Connection> {
    organisation::lock(tx, organisation)?;
    let connection = connection::owned(tx.conn, organisation, id)?;
    if seen != connection.fingerprint() {
        let sentence = "It was changed since you looked at it. Check it again, then turn it on.";
        return Err(Error::Invalid(Errors::one("form", sentence)));
    }
    if connection.is_blank() {
        let sentence = "It needs the metadata of the identity provider first.";
        return Err(Error::Invalid(Errors::one("form", sentence)));
    }
    if connection.is_paused {
        upkeep::set_paused(tx, id, false)?;
        let event = connections::Event::ConnectionSwitchedOn {
            organisation: organisation.clone(),
            connection: id.clone(),
        };
        audit::record(tx, actor, None, event)?;
        let change = SsoChange::SwitchedOn { connection: &connection.name };
        sso_changes::note(tx, actor, organisation, Target::Connection(id), change)?;
    }
    connection::by_id(tx.conn, id)
}

fn note_use(
    tx: &mut Tx,
    actor: &Actor,
    organisation: &Organisation,
    connection: &Connection,
    used: SetupLinkUse,
) -> Result<()> {
    let (of, id) = (organisation.id.clone(), connection.id.clone());
    let event = Event::SetupLinkUsed { organisation: of, connection: id, by: used.as_str() };
    audit::record(tx, actor, None, event)?;
    tell(tx, organisation, connection, used)
}

fn tell(tx: &mut Tx, organisation: &Organisation, connection: &Connection, used: SetupLinkUse) -> Result<()> {
    let path = urls::connection(&organisation.slug, &connection.id);
    let (site, when) = (tx.config.site.clone(), tx.now.exact());
    for owner in members::owners(tx.conn, &organisation.id)? {
        // Mail goes to people, never to claims.
        if !owner.is_verified() {
            continue;
        }
        let names = (organisation.name.as_str(), connection.name.as_str());
        let email = emails::setup_link_used(&site, &owner.email, &owner.name, names, used, &when, &path)?;
        tx.mail(Some(&owner.id), email)?;
    }
    Ok(())
}
