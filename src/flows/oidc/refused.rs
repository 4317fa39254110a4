//! An answer that comes to nothing: what the browser that brought it is told.

use crate::{
    accounts::{oidc_request, provider_sign_in},
    app::App,
    config::Provider,
    error::{Error, Result, refusals},
    jobs::issuers,
    model::token::{OidcIntent, OidcRequestState},
    oidc::Reason,
    urls,
    web::{
        Client, MaybeUser, Reply, error_body::status_of, request_binding::RequestBinding,
        request_refused::METHOD_NOT_ALLOWED,
    },
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
    pub asked: &'a OidcRequestState,
}

impl Refused<'_> {
    /// Before the request is used up: nothing is kept of it, for it can be sent any number of times.
    pub(super) fn unread(&self, reason: Reason) -> Result<Reply> {
        tracing::warn!(provider = self.provider.key, reason = reason.code(), "an answer is refused");
        self.say(provider_refused(self.provider.name.clone()), "refused")
    }

    /// Once it is used up, for this reason.
    pub(super) async fn by(&self, reason: Reason) -> Result<Reply> {
        let name = self.provider.name.clone();
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
    pub(super) async fn cancelled(&self) -> Result<Reply> {
        self.app.metrics().provider_sign_in(&self.provider.key, "cancelled");
        let name = &self.provider.name;
        let sentence = format!("You cancelled signing in with {name}.");
        back(self.came_from()?, &sentence, &provider_refused(name.clone()))
    }

    /// The page from which the person left.
    fn came_from(&self) -> Result<String> {
        let next = oidc_request::next(&self.app.config().keys, self.asked)?;
        let page = match self.asked.purpose {
            OidcIntent::SignIn | OidcIntent::Test { .. } => "/login",
            OidcIntent::StepUp { .. } => "/auth/confirm",
            OidcIntent::Link { .. } => return Ok("/me/providers".to_owned()),
        };
        Ok(urls::with_query(page, next.map(|next| ("next", next))))
    }
}
