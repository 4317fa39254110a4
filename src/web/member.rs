//! Members of organisations at the door of a route that says what it needs.
//!
//! The route's table takes the permission from the handler's first argument, and the handler asks for that one and no other:
//! the two cannot differ.

use std::{marker::PhantomData, ops::Deref};

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use super::{
    access::{Access, Guard},
    guard::{Full, Requirement, SteppedUp, VerifiedUser},
};
use crate::{
    accounts::policy::AccessRequest,
    error::{Error, Result},
    kinds::Permission,
};

/// A permission as a type, for signatures.
pub(crate) trait Needed: 'static {
    /// The permission as a value.
    const PERMISSION: Permission;
    /// Whether what the organisation asks of the session counts, too.
    const IS_BOUND: bool = true;
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
    SsoManage
);

/// An owner's change of the policy itself, which must not lock owners out of it: no policy binds it.
#[derive(Debug, Clone)]
pub(crate) struct PolicyChange;

impl Needed for PolicyChange {
    const PERMISSION: Permission = Permission::OwnersManage;
    const IS_BOUND: bool = false;
}

/// Someone with a confirmed address at a route of the organisation in its path, which needs `P`. Whether they have it is
/// asked in the read or write that acts, by [`Member::access`].
#[derive(Debug, Clone)]
pub(crate) struct Member<P> {
    user: VerifiedUser,
    slug: String,
    needs: PhantomData<P>,
}

/// The same, stepped up. Who may not do it is told so before a step-up is asked for.
pub(crate) type SteppedUpMember<P> = SteppedUp<Member<P>>;

impl<P: Needed> Member<P> {
    /// The question that the handler has to ask.
    pub(crate) fn access(&self) -> AccessRequest {
        let (actor, session, slug) = (self.actor(), self.traits(), self.slug.clone());
        let (permission, is_bound) = (P::PERMISSION, P::IS_BOUND);
        AccessRequest { actor, session, slug, permission, is_bound, now: self.now }
    }
}

impl<P> Deref for Member<P> {
    type Target = VerifiedUser;

    fn deref(&self) -> &VerifiedUser {
        &self.user
    }
}

impl<P: Needed> Guard for Member<P> {
    const ACCESS: Access = Access::Verified;
    const NEEDS: Option<Permission> = Some(P::PERMISSION);
}

impl<P: Needed> Guard for SteppedUp<Member<P>, Full> {
    const ACCESS: Access = Access::VerifiedSteppedUp;
    const NEEDS: Option<Permission> = Some(P::PERMISSION);
}

impl<P: Needed> Requirement for Member<P> {
    fn check(req: &HttpRequest) -> Result<Self> {
        let user = VerifiedUser::check(req)?;
        let slug = req.match_info().get("slug").ok_or(Error::NotFound)?.to_owned();
        Ok(Self { user, slug, needs: PhantomData })
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
