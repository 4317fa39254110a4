//! Members of organisations at the door of a route that says what it needs.
//!
//! The route's table takes the permission from the handler's first argument, and the handler asks for that one and no other:
//! the two cannot differ.

use std::{marker::PhantomData, net::IpAddr, rc::Rc};

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use super::{
    access::{Access, Guard},
    guard::{Full, Requirement, SteppedUp, VerifiedUser},
    key_in_use::{self, KeyInUse},
    token_in_use::{self, TokenInUse},
};
use crate::{
    accounts::{
        access::{AccessRequest, By},
        policy::PERSON_REQUIRED,
    },
    clock::Timestamp,
    error::{Error, Result},
    ids::OrganisationId,
    kinds::Permission,
    oauth::ORGANISATION_READ,
};

/// A permission as a type, for signatures.
pub(crate) trait Needed: 'static {
    /// The permission as a value.
    const PERMISSION: Permission;
    /// Whether what the organisation asks of the session counts, too.
    const IS_BOUND: bool = true;
    /// What it takes of an API key: every route takes one whose permission a key can hold.
    const OF_KEY: OfKey =
        if Self::PERMISSION.fits_api_keys() { OfKey::Permission } else { OfKey::NoneEnters };
}

/// What a route takes of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfKey {
    /// That it holds the permission of the route.
    Permission,
    /// What the handler asks for besides, out of the application's catalogue; nothing else.
    Catalogue,
    /// None enters.
    NoneEnters,
}

macro_rules! needed {
    ($($name:ident),+) => {
        $(
            /// The permission of this name.
            #[derive(Debug, Clone)]
            pub(crate) struct $name;

            impl Needed for $name {
                const PERMISSION: Permission = Permission::$name;
            }
        )+
    };
}

needed!(
    OrganisationRead,
    MembersInvite,
    MembersManage,
    AuditRead,
    RolesManage,
    SettingsManage,
    KeysManage,
    OwnersManage,
    OrganisationDelete,
    SsoManage,
    ScimManage
);

/// An owner's change of the policy itself, which must not lock owners out of it: no policy binds it.
#[derive(Debug, Clone)]
pub(crate) struct PolicyChange;

impl Needed for PolicyChange {
    const PERMISSION: Permission = Permission::OwnersManage;
    const IS_BOUND: bool = false;
}

/// A member's own membership, which no program ends.
#[derive(Debug, Clone)]
pub(crate) struct OwnMembership;

impl Needed for OwnMembership {
    const PERMISSION: Permission = Permission::OrganisationRead;
    const OF_KEY: OfKey = OfKey::NoneEnters;
}

/// What the application has in the organisation: its own permissions decide, which the handler asks for.
#[derive(Debug, Clone)]
pub(crate) struct Catalogue;

impl Needed for Catalogue {
    const PERMISSION: Permission = Permission::OrganisationRead;
    const OF_KEY: OfKey = OfKey::Catalogue;
}

/// Someone with a confirmed address, or a program with an API key, at a route of the organisation in its path, which needs `P`.
/// Whether they have it is asked in the read or write that acts, by [`Member::access`].
#[derive(Debug, Clone)]
pub(crate) struct Member<P> {
    who: Who,
    slug: String,
    needs: PhantomData<P>,
}

#[derive(Debug, Clone)]
enum Who {
    Person(VerifiedUser),
    Program(KeyInUse),
    Token(Rc<TokenInUse>),
}

/// The same, stepped up. Who may not do it is told so before a step-up is asked for.
pub(crate) type SteppedUpMember<P> = SteppedUp<Member<P>>;

impl<P: Needed> Member<P> {
    /// The question that the handler has to ask.
    pub(crate) fn access(&self) -> AccessRequest {
        let (actor, by) = match &self.who {
            Who::Person(me) => (me.actor(), By::Session(me.traits())),
            Who::Program(key) => (key.actor(), By::ApiKey(Box::new((*key.presented).clone()), key.ip)),
            Who::Token(token) => {
                (token.actor(), By::Grant(Box::new((token.grant.id.clone(), token.by.clone()))))
            }
        };
        let (slug, permission, is_bound) = (self.slug.clone(), P::PERMISSION, P::IS_BOUND);
        let is_of_key = P::OF_KEY == OfKey::Permission;
        AccessRequest { actor, by, slug, permission, is_of_key, is_bound, now: self.now() }
    }
}

impl<P> Member<P> {
    /// The person. [`PERSON_REQUIRED`] for a program.
    pub(crate) fn person(&self) -> Result<&VerifiedUser> {
        match &self.who {
            Who::Person(me) => Ok(me),
            Who::Program(_) | Who::Token(_) => Err(PERSON_REQUIRED.error()),
        }
    }

    /// When this request arrived.
    pub(crate) fn now(&self) -> Timestamp {
        match &self.who {
            Who::Person(me) => me.now,
            Who::Program(key) => key.now,
            Who::Token(token) => token.now,
        }
    }

    /// Where the client is, as far as that is known.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match &self.who {
            Who::Person(me) => me.ip,
            Who::Program(key) => key.ip,
            Who::Token(token) => token.ip,
        }
    }

    /// The organisation in use in a person's session.
    pub(crate) fn current(&self) -> Option<&OrganisationId> {
        self.person().ok()?.organisation.as_ref().map(|current| &current.id)
    }
}

impl<P: Needed> Guard for Member<P> {
    const ACCESS: Access = match P::OF_KEY {
        OfKey::NoneEnters => Access::Verified,
        OfKey::Permission | OfKey::Catalogue => Access::VerifiedOrApiKey,
    };
    const NEEDS: Option<Permission> = Some(P::PERMISSION);
}

impl<P: Needed> Guard for SteppedUp<Member<P>, Full> {
    const ACCESS: Access = Access::VerifiedSteppedUp;
    const NEEDS: Option<Permission> = Some(P::PERMISSION);
}

impl<P: Needed> Requirement for Member<P> {
    fn check(req: &HttpRequest) -> Result<Self> {
        let key = match P::OF_KEY {
            OfKey::NoneEnters => None,
            OfKey::Permission | OfKey::Catalogue => key_in_use::of(req)?,
        };
        // What members read, a client reads for its person; and nothing else.
        let is_read = P::OF_KEY == OfKey::Permission && P::PERMISSION == Permission::OrganisationRead;
        let token = if is_read { token_in_use::of(req)? } else { None };
        let who = match (key, token) {
            (Some(key), _) => Who::Program(key),
            (None, Some(token)) => {
                token.require(ORGANISATION_READ)?;
                Who::Token(token)
            }
            (None, None) => Who::Person(VerifiedUser::check(req)?),
        };
        let slug = req.match_info().get("slug").ok_or(Error::NotFound)?.to_owned();
        Ok(Self { who, slug, needs: PhantomData })
    }

    fn access(&self) -> Option<AccessRequest> {
        Some(self.access())
    }
}

impl<P: Needed> FromRequest for Member<P> {
    type Error = Error;
    type Future = std::future::Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Self::check(req))
    }
}
