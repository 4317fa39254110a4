//! The short-lived cookie: what outlives one request and nothing more (the flash, a pending sign-in, a browser's mark).
//!
//! Its text is sealed by [`Keys`], which names the key, so a node opens what another node sealed with the key before or
//! with the one that is announced: nobody loses a sign-in half-way while `SECRET_KEY` changes.

use std::collections::HashMap;

use actix_session::{
    SessionMiddleware,
    config::CookieContentSecurity,
    storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError},
};
use actix_web::cookie::{SameSite, time::Duration};

use super::{
    cookies::Own,
    state_seal::{SEAL, signature},
};
use crate::{app::App, secret::Keys};

type State = HashMap<String, String>;

/// Keeps the state in the cookie itself, sealed.
#[derive(Debug)]
pub(crate) struct SealedState(Keys);

/// The middleware that reads the cookie and sets it.
pub(crate) fn middleware(app: &App) -> SessionMiddleware<SealedState> {
    let is_https = app.config().site.is_https();
    SessionMiddleware::builder(SealedState(app.config().keys.clone()), signature())
        .cookie_name(Own::State.name(is_https).to_owned())
        .cookie_secure(is_https)
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .cookie_path("/".to_owned())
        .cookie_content_security(CookieContentSecurity::Signed)
        .build()
}

impl SessionStore for SealedState {
    /// What does not open is an empty state: it is of a key that is gone, or somebody made it up.
    async fn load(&self, sealed: &SessionKey) -> Result<Option<State>, LoadError> {
        let opened = self.0.open(SEAL, sealed.as_ref()).ok();
        Ok(Some(opened.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()))
    }

    async fn save(&self, state: State, _: &Duration) -> Result<SessionKey, SaveError> {
        let text = serde_json::to_string(&state).map_err(|cause| SaveError::Serialization(cause.into()))?;
        let sealed = self.0.seal(SEAL, &text).map_err(|cause| SaveError::Other(cause.into()))?;
        sealed
            .try_into()
            .map_err(|cause: <SessionKey as TryFrom<String>>::Error| SaveError::Other(cause.into()))
    }

    async fn update(&self, _: SessionKey, state: State, life: &Duration) -> Result<SessionKey, UpdateError> {
        self.save(state, life).await.map_err(|cause| UpdateError::Other(cause.into()))
    }

    async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> anyhow::Result<()> {
        Ok(())
    }

    async fn delete(&self, _: &SessionKey) -> anyhow::Result<()> {
        Ok(())
    }
}
