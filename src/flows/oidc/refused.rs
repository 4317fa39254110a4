//! An answer that comes to nothing: what the browser that brought it is told.

use super::{browser::Browser, connected};
use crate::{
    accounts::{authn_request::SSO_REFUSED, oidc_request, provider_sign_in},
    app::App,
    config::Provider,
    error::{Error, Result, refusals},
    jobs::issuers,
    model::{
        connection::Connection,
        token::{OidcIntent, OidcRequestState},
    },
    oidc::{Reason, Refusal},
    urls,
    web::{Reply, error_body::status_of},
};

refusals! {
    /// What came from a provider was refused.
    PROVIDER_REFUSED = (
        "provider_refused", 403,
        "Signing in with {} did not work. Nothing was changed. Try again, or sign in another way."
    ).page("You are not signed in", "/login", "Back to sign in");
}

/// [`PROVIDER_REFUSED`] of this name.
pub(super) fn provider_refused(provider: String) -> Error {
    PROVIDER_REFUSED.about(provider)
}

/// A browser reads a sentence where it goes; a program gets an error.
pub(super) fn back(to: impl Into<String>, sentence: &str, error: &Error) -> Result<Reply> {
    let reply = Reply::done(to, sentence).status(status_of(error));
    reply.with("error", sentence)?.with("code", error.code())
}

/// How an answer is refused.
pub(super) struct Refused<'a> {
    pub app: &'a App,
    pub browser: &'a Browser,
    pub provider: &'a Provider,
    /// Whose it is, where an organisation connected it.
    pub connection: Option<&'a Connection>,
    pub asked: &'a OidcRequestState,
}

impl Refused<'_> {
    /// Before the request is used up: nothing is kept of it, for it can be sent any number of times.
    pub(super) fn unread(&self, reason: Reason) -> Result<Reply> {
        tracing::warn!(provider = self.provider.key, reason = reason.code(), "an answer is refused");
        match self.connection {
            Some(_) => Err(SSO_REFUSED.error()),
            None => self.say(provider_refused(self.provider.name.clone()), "refused"),
        }
    }

    /// Once it is used up, for this reason; the owners of a connection see all of it.
    pub(super) async fn by(&self, refusal: Refusal) -> Result<Reply> {
        if let Some(connection) = self.connection {
            return connected::refuse(self.app, self.browser, connection, self.asked, refusal).await;
        }
        let (name, reason) = (self.provider.name.clone(), refusal.reason);
        match reason {
            Reason::NoAnswer => self.with(reason.code(), issuers::provider_silent(name), "silent").await,
            _ => self.with(reason.code(), provider_refused(name), "refused").await,
        }
    }

    /// With a reason for the audit, and an error for the person.
    pub(super) async fn with(&self, reason: &str, error: Error, outcome: &str) -> Result<Reply> {
        let (actor, provider, reason) =
            (self.browser.client.actor(), self.provider.clone(), reason.to_owned());
        tracing::warn!(provider = provider.key, reason, "signing in with a provider is refused");
        self.app.write(move |tx| provider_sign_in::note_refused(tx, &actor, &provider, &reason)).await?;
        self.say(error, outcome)
    }

    fn say(&self, error: Error, outcome: &str) -> Result<Reply> {
        self.app.metrics().provider_sign_in(&self.provider.key, outcome);
        match self.asked.purpose {
            OidcIntent::SignIn => Err(error),
            _ => back(self.came_from()?, &error.to_string(), &error),
        }
    }

    /// The person did not go through with it there.
    pub(super) async fn cancelled(&self, refusal: Refusal) -> Result<Reply> {
        if matches!(self.asked.purpose, OidcIntent::Test { .. } | OidcIntent::TestByLink) {
            return self.by(refusal).await;
        }
        self.app.metrics().provider_sign_in(&self.provider.key, "cancelled");
        let name = &self.provider.name;
        let sentence = format!("You cancelled signing in with {name}.");
        back(self.came_from()?, &sentence, &provider_refused(name.clone()))
    }

    /// The page from which the person left.
    fn came_from(&self) -> Result<String> {
        let next = oidc_request::next(&self.app.config().keys, self.asked)?;
        let page = match self.asked.purpose {
            OidcIntent::SignIn | OidcIntent::Test { .. } | OidcIntent::TestByLink => "/login",
            OidcIntent::StepUp { .. } => "/auth/confirm",
            OidcIntent::Link { .. } => return Ok("/me/providers".to_owned()),
        };
        Ok(urls::with_query(page, next.map(|next| ("next", next))))
    }
}
