//! Who may call a handler: the first argument in its signature says so, and nothing else does.

use actix_web::{
    HttpRequest,
    web::{Data, Path},
};

use super::{Client, Input, MagicLinkRequester, PendingLogin, Query};
use crate::kinds::Permission;

/// Who may call a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, signed in or not.
    Anyone,
    /// A browser that gave a first factor, and of which a second is due.
    Pending,
    /// The identity provider of an organisation, with a token of its directory.
    Directory,
    /// A user who is signed in, the address confirmed or not.
    SignedIn,
    /// A user who is signed in, or an API key.
    SignedInOrApiKey,
    /// A user who is signed in, also while the account waits to be deleted.
    IncludingScheduledDeletion,
    /// A user who is signed in and stepped up within the step-up window.
    SteppedUp,
    /// A user who is signed in with a confirmed address.
    Verified,
    /// A user who is signed in with a confirmed address, or an API key that holds what is needed.
    VerifiedOrApiKey,
    /// A user with a confirmed address who stepped up within the step-up window.
    VerifiedSteppedUp,
    /// A user with a confirmed address who stepped up by any method, however weak.
    VerifiedSteppedUpByAny,
}

/// A first argument of a handler. It turns away whoever is outside its [`Access`] before the handler runs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say who may call this handler",
    note = "the first argument of a handler is a guard of `web::guard`, or an extractor that lets anyone in"
)]
pub(crate) trait Guard {
    /// Whom it lets in.
    const ACCESS: Access;
    /// What they need in the organisation of the path.
    const NEEDS: Option<Permission> = None;
}

/// The arguments of a handler. The first one decides who may call it; where there is none, anyone may.
pub(crate) trait Arguments {
    /// Who may call the handler.
    const ACCESS: Access;
    /// What they need in the organisation of the path.
    const NEEDS: Option<Permission>;
}

impl Arguments for () {
    const ACCESS: Access = Access::Anyone;
    const NEEDS: Option<Permission> = None;
}

macro_rules! first_of {
    ($($others:ident)*) => {
        impl<G: Guard, $($others),*> Arguments for (G, $($others,)*) {
            const ACCESS: Access = G::ACCESS;
            const NEEDS: Option<Permission> = G::NEEDS;
        }
    };
}

first_of!();
first_of!(A);
first_of!(A B);
first_of!(A B C);
first_of!(A B C D);

impl Guard for PendingLogin {
    const ACCESS: Access = Access::Pending;
}

// Extractors that look at what was sent, and not at who sends it.

impl Guard for Client {
    const ACCESS: Access = Access::Anyone;
}

impl Guard for HttpRequest {
    const ACCESS: Access = Access::Anyone;
}

impl Guard for MagicLinkRequester {
    const ACCESS: Access = Access::Anyone;
}

impl<T> Guard for Data<T> {
    const ACCESS: Access = Access::Anyone;
}

impl<T> Guard for Input<T> {
    const ACCESS: Access = Access::Anyone;
}

/// Where a guard may fail, it keeps nobody out.
impl<G: Guard> Guard for Option<G> {
    const ACCESS: Access = Access::Anyone;
}

impl<T> Guard for Path<T> {
    const ACCESS: Access = Access::Anyone;
}

impl<T> Guard for Query<T> {
    const ACCESS: Access = Access::Anyone;
}
