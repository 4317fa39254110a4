//! Who asks: a person in a session, a program with an API key, or a client with an access token.

use std::{
    future::{Ready, ready},
    rc::Rc,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use super::{
    CurrentUser, VerifiedUser,
    access::{Access, Guard},
    guard::Requirement,
    key_in_use::{self, KeyInUse},
    token_in_use::{self, TokenInUse},
};
use crate::error::{Error, Result};

/// A user who is signed in, or an API key or access token that works. A route that takes one asks what it holds; it never signs in,
/// steps up, or makes keys.
#[derive(Debug, Clone)]
pub(crate) enum Principal<U = CurrentUser> {
    /// Somebody signed in.
    User(U),
    /// A program.
    ApiKey(KeyInUse),
    /// A client of somebody's.
    Token(Rc<TokenInUse>),
}

/// A user who is signed in, or a client of theirs with an access token: what no API key opens.
#[derive(Debug, Clone)]
pub(crate) enum Reader {
    /// Somebody signed in.
    User(CurrentUser),
    /// A client of somebody's.
    Token(Rc<TokenInUse>),
}

impl Guard for Reader {
    const ACCESS: Access = Access::SignedIn;
}

impl FromRequest for Reader {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match token_in_use::of(req) {
            Ok(Some(token)) => Ok(Self::Token(token)),
            Ok(None) => CurrentUser::check(req).map(Self::User),
            Err(error) => Err(error),
        })
    }
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
            Ok(None) => match token_in_use::of(req) {
                Ok(Some(token)) => Ok(Self::Token(token)),
                Ok(None) => U::check(req).map(Self::User),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        })
    }
}
