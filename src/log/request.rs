//! The request that something happens in, for its lines: known on whichever thread its work is done.

use std::sync::{Arc, OnceLock};

use tokio::task::JoinError;

tokio::task_local! {
    static CURRENT: Arc<Request>;
}

/// A request, as the log knows it.
#[derive(Debug)]
pub(crate) struct Request {
    /// Its id.
    pub id: String,
    /// The client's address on the network, or `unknown`.
    pub client: String,
    user: OnceLock<String>,
    key: OnceLock<String>,
    code: OnceLock<&'static str>,
    application: OnceLock<String>,
    asked: OnceLock<AskedAbout>,
}

/// What a proxy asks the gate about.
#[derive(Debug)]
pub(crate) struct AskedAbout {
    /// The host.
    pub host: String,
    /// The path, without its query.
    pub path: String,
}

impl Request {
    /// A request of nobody yet.
    pub(crate) fn new(id: String, client: String) -> Self {
        let (user, key, code, application, asked) = Default::default();
        Self { id, client, user, key, code, application, asked }
    }

    /// It is this user's, by their session.
    pub(crate) fn set_user(&self, id: &str) {
        // A request is one user's: the first word counts.
        let _ = self.user.set(id.to_owned());
    }

    /// A program makes it, with this API key.
    pub(crate) fn set_key(&self, id: &str) {
        let _ = self.key.set(id.to_owned());
    }

    /// The id of the API key that it shows.
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.get().map(String::as_str)
    }

    /// It is refused, for this reason.
    pub(crate) fn set_code(&self, code: &'static str) {
        let _ = self.code.set(code);
    }

    /// Why it is refused.
    pub(crate) fn code(&self) -> Option<&'static str> {
        self.code.get().copied()
    }

    /// An application asks, that calls itself so.
    pub(crate) fn set_application(&self, client_id: &str) {
        let _ = self.application.set(client_id.to_owned());
    }

    /// Which application asks.
    pub(crate) fn application(&self) -> Option<&str> {
        self.application.get().map(String::as_str)
    }

    /// A proxy asks about another one.
    pub(crate) fn set_asked(&self, host: &str, path: &str) {
        let _ = self.asked.set(AskedAbout { host: host.to_owned(), path: path.to_owned() });
    }

    /// What a proxy asks about.
    pub(crate) fn asked(&self) -> Option<&AskedAbout> {
        self.asked.get()
    }

    /// Whose it is, where somebody is signed in.
    pub(crate) fn user(&self) -> Option<&str> {
        self.user.get().map(String::as_str)
    }
}

/// The request that this task or thread works for, if it is one.
pub(crate) fn current() -> Option<Arc<Request>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Runs a future as the work of a request.
pub(crate) async fn scope<F: Future>(request: Arc<Request>, work: F) -> F::Output {
    CURRENT.scope(request, work).await
}

/// Runs a closure, on another thread, as the work of the request that was [`current`] where it came from.
pub(crate) fn sync_scope<T>(request: Option<Arc<Request>>, work: impl FnOnce() -> T) -> T {
    match request {
        Some(request) => CURRENT.sync_scope(request, work),
        None => work(),
    }
}

/// Runs a closure on the blocking pool, as the work of the [`current`] request.
///
/// # Errors
/// Where it panicked, or the pool is closed.
pub async fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let request = current();
    tokio::task::spawn_blocking(move || sync_scope(request, work)).await
}
