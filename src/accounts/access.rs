//! A question that a route asks: whether whoever acts, a person in a session or a program with an API key, may use a permission
//! in an organisation. The answer is that of [`policy`], and of what the organisation asks besides ([`organisation_policy`]).

use std::net::IpAddr;

use super::{
    api_keys::{INVALID_TOKEN, Presented},
    grants,
    organisation_policy::{self, Credential, GrantTraits, SessionTraits},
    policy::{self, Membership, PERSON_REQUIRED},
    sessions,
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{GrantId, UserId},
    kinds::Permission,
    model::{
        audit::Actor,
        organisation::{self, Named},
    },
};

/// By what somebody acts.
#[derive(Debug, Clone)]
pub(crate) enum By {
    /// In a session: what an organisation may ask of it.
    Session(SessionTraits),
    /// By an API key, from there.
    ApiKey(Box<Presented>, Option<IpAddr>),
    /// By an access token that rests on this grant.
    Grant(Box<(GrantId, GrantTraits)>),
}

impl<'a> From<&'a By> for Credential<'a> {
    fn from(by: &'a By) -> Self {
        match by {
            By::Session(session) => Self::Session(session),
            By::ApiKey(by, ip) => Self::ApiKey { ip: *ip, is_personal: by.user().is_some() },
            By::Grant(by) => (&by.1).into(),
        }
    }
}

/// A question: whether `actor` may use `permission` in the organisation called `slug`. What a route needs is asked with one.
#[derive(Debug, Clone)]
pub(crate) struct AccessRequest {
    /// Who acts, and in which session.
    pub actor: Actor,
    /// By what.
    pub by: By,
    /// Where.
    pub slug: String,
    /// What it takes.
    pub permission: Permission,
    /// Whether a key has to hold that itself; else what it takes of one is asked besides.
    pub is_of_key: bool,
    /// Whether what the organisation asks of the session counts, too.
    pub is_bound: bool,
    /// When.
    pub now: Timestamp,
}

impl AccessRequest {
    /// The answer, in a read, or in a write that takes locks of its own. The errors are those of [`Self::decide_unbound`],
    /// and of [`organisation_policy::require`].
    pub(crate) fn decide(&self, conn: &mut Conn) -> Result<Membership> {
        let mine = self.decide_unbound(conn)?;
        if self.is_bound {
            organisation_policy::require(conn, mine.who(), &self.by, self.now)?;
        }
        Ok(mine)
    }

    /// The same whatever the organisation asks of the session: to see why, and to leave. The errors are those of [`require`],
    /// and [`ORGANISATION_MOVED`] for members who use a former slug.
    pub(crate) fn decide_unbound(&self, conn: &mut Conn) -> Result<Membership> {
        let Some(mine) = self.membership(conn)? else { return Err(self.moved(conn)?) };
        mine.ensure_stays()?;
        match self.is_of_key {
            true => mine.require(self.permission)?,
            false => mine.require_of_role(self.permission)?,
        }
        Ok(mine)
    }

    fn membership(&self, conn: &mut Conn) -> Result<Option<Membership>> {
        match &self.by {
            By::Session(_) | By::Grant(_) => policy::membership(conn, Named::Slug(&self.slug), self.user()?),
            By::ApiKey(by, _) => policy::membership_by_key(conn, by, Named::Slug(&self.slug)),
        }
    }

    fn user(&self) -> Result<&UserId> {
        self.actor.user.as_ref().ok_or(Error::NotFound)
    }

    /// The session that acts. [`PERSON_REQUIRED`] where a key does.
    pub(crate) fn session(&self) -> Result<&SessionTraits> {
        match &self.by {
            By::Session(session) => Ok(session),
            By::ApiKey(..) | By::Grant(_) => Err(PERSON_REQUIRED.error()),
        }
    }

    /// That a request of its own would still find whoever acts. [`Error::Unauthenticated`] or [`INVALID_TOKEN`] otherwise.
    pub(crate) fn require_live(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        match &self.by {
            By::Session(_) => sessions::require_live(conn, &self.actor, now),
            By::ApiKey(by, _) => by.require_live(conn, now),
            By::Grant(by) => match grants::held(conn, &by.0, now)? {
                Some(_) => Ok(()),
                None => Err(INVALID_TOKEN.error()),
            },
        }
    }

    /// The same for an organisation that may wait to be deleted, whatever it asks of the session: what is asked for takes
    /// nothing from anybody.
    pub(crate) fn decide_even_leaving(&self, conn: &mut Conn) -> Result<Membership> {
        let Some(membership) = self.membership(conn)? else {
            return Err(self.moved(conn)?);
        };
        membership.require_even_leaving(self.permission)?;
        Ok(membership)
    }

    fn moved(&self, conn: &mut Conn) -> Result<Error> {
        let moved = match &self.by {
            By::Session(_) | By::Grant(_) => {
                policy::membership_by_former_slug(conn, &self.slug, self.user()?, self.now)?
            }
            By::ApiKey(by, _) => match policy::of_former_slug(conn, &self.slug, self.now)? {
                Some(id) => policy::membership_by_key(conn, by, Named::Id(&id))?,
                None => None,
            },
        };
        Ok(moved.map_or(Error::NotFound, |moved| policy::organisation_moved(moved.organisation.slug)))
    }

    /// The answer in a write, while nobody else changes the organisation or ends the session that acts.
    pub(crate) fn decide_locked(&self, tx: &mut Tx) -> Result<Membership> {
        self.decide_by(tx, Self::decide)
    }

    /// The same whatever the organisation asks of the session.
    pub(crate) fn decide_unbound_locked(&self, tx: &mut Tx) -> Result<Membership> {
        self.decide_by(tx, Self::decide_unbound)
    }

    /// The same for an organisation that may wait to be deleted.
    pub(crate) fn decide_even_leaving_locked(&self, tx: &mut Tx) -> Result<Membership> {
        self.decide_by(tx, Self::decide_even_leaving)
    }

    fn decide_by(
        &self,
        tx: &mut Tx,
        decide: fn(&Self, &mut Conn) -> Result<Membership>,
    ) -> Result<Membership> {
        sessions::hold_of(tx, &self.actor)?;
        let found = decide(self, tx.conn)?;
        organisation::lock(tx, &found.organisation.id)?;
        decide(self, tx.conn)
    }
}
