//! The browser that brings an answer.

use crate::{
    error::Result,
    web::{Client, MaybeUser, request_binding::RequestBinding, request_refused::METHOD_NOT_ALLOWED},
};

/// The browser that brings an answer.
pub(super) struct Browser {
    pub client: Client,
    pub visitor: MaybeUser,
    pub binding: RequestBinding,
}

impl Browser {
    /// An answer counts once: not for a HEAD, nor for a preview.
    pub(super) fn must_navigate(&self) -> Result<()> {
        if self.client.is_navigation { Ok(()) } else { Err(METHOD_NOT_ALLOWED.error()) }
    }
}
