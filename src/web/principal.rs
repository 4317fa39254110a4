//! Who asks: a person in a session, or a program with an API key.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use super::{
    CurrentUser, VerifiedUser,
    access::{Access, Guard},
    guard::Requirement,
    key_in_use::{self, KeyInUse},
};
use crate::error::{Error, Result};

/// A user who is signed in, or an API key that works. A route that takes one asks the key what it holds; it never signs in, steps
/// up, or makes keys.
#[derive(Debug, Clone)]
pub(crate) enum Principal<U = CurrentUser> {
    /// Somebody signed in.
    User(U),
    /// A program.
    ApiKey(KeyInUse),
}

impl Guard for Principal<CurrentUser> {
    const ACCESS: Access = Access::SignedInOrApiKey;
}

impl Guard for Principal<VerifiedUser> {
    const ACCESS: Access = Access::VerifiedOrApiKey;
}

impl<U: Requirement> FromRequest for Principal<U> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match key_in_use::of(req) {
            Ok(Some(key)) => Ok(Self::ApiKey(key)),
            Ok(None) => U::check(req).map(Self::User),
            Err(error) => Err(error),
        })
    }
}
