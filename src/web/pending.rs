//! A sign-in between its first factor and its second, as its browser holds it: in the short-lived cookie.

use std::future::{Ready, ready};

use actix_session::{Session, SessionExt};
use actix_web::{FromRequest, HttpRequest, dev::Payload};

use crate::{
    error::{Error, Result, Way, refusals},
    model::token::{CompleteSignUp, LinkIdentity, PendingSignIn, SignOutThere},
    secret::Secret,
};

refusals! {
    /// A sign-in that waited too long for its second factor, or got too many wrong codes.
    SIGN_IN_EXPIRED = (
        "sign_in_ended", 401,
        "That sign-in has ended: it took too long, or too many codes were wrong. Sign in again."
    ).redirect("/login", Way::RedirectSaying);
}

const KEY: &str = "pending";

/// The secret of a sign-in that waits in this browser. It opens `/login/2fa` and nothing else.
#[derive(Debug, Clone)]
pub(crate) struct PendingLogin(pub Secret<PendingSignIn>);

impl FromRequest for PendingLogin {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let held = req.get_session().get::<String>(KEY).ok().flatten();
        ready(held.map(|text| Self(Secret::from_text(text))).ok_or(SIGN_IN_EXPIRED.error()))
    }
}

/// Hands a browser the secret.
pub(crate) fn keep(session: &Session, secret: &Secret<PendingSignIn>) {
    if let Err(cause) = session.insert(KEY, secret.reveal()) {
        tracing::error!(%cause, "the pending sign-in could not be kept");
    }
}

/// Takes it back.
pub(crate) fn forget(session: &Session) {
    session.remove(KEY);
}

const LINKING: &str = "linking";

/// The SSO identity to link after the next password or passkey sign-in.
pub(crate) fn linking(session: &Session) -> Option<Secret<LinkIdentity>> {
    session.get::<String>(LINKING).ok().flatten().map(Secret::from_text)
}

/// Remembers it, or forgets it.
pub(crate) fn set_linking(session: &Session, secret: Option<&Secret<LinkIdentity>>) {
    set(session, LINKING, secret);
}

const SIGNING_OUT: &str = "signing_out";

/// The offer to sign out at the identity provider as well.
pub(crate) fn signing_out(session: &Session) -> Option<Secret<SignOutThere>> {
    session.get::<String>(SIGNING_OUT).ok().flatten().map(Secret::from_text)
}

/// Remembers it, or forgets it.
pub(crate) fn set_signing_out(session: &Session, secret: Option<&Secret<SignOutThere>>) {
    set(session, SIGNING_OUT, secret);
}

const SIGNING_UP: &str = "signing_up";

/// The sign-up with a provider that waits for an address.
pub(crate) fn signing_up(session: &Session) -> Option<Secret<CompleteSignUp>> {
    session.get::<String>(SIGNING_UP).ok().flatten().map(Secret::from_text)
}

/// Remembers it, or forgets it.
pub(crate) fn set_signing_up(session: &Session, secret: Option<&Secret<CompleteSignUp>>) {
    set(session, SIGNING_UP, secret);
}

fn set<T>(session: &Session, key: &str, secret: Option<&Secret<T>>) {
    let kept = match secret {
        Some(secret) => session.insert(key, secret.reveal()),
        None => {
            session.remove(key);
            Ok(())
        }
    };
    if let Err(cause) = kept {
        tracing::error!(%cause, key, "what a browser is to keep could not be kept");
    }
}
