//! A form that a step-up interrupted: kept sealed on the server for a few minutes, for one use in one session.

use std::mem;

use actix_session::SessionExt;
use actix_web::{HttpRequest, dev::Payload};
use futures_util::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{
    BrowserBinding, input, local_path,
    request_refused::{TIMEOUT, TOO_LARGE},
    visitor::Authenticated,
};
use crate::{
    app::App,
    db::Tx,
    error::{Error, Result},
    ids::SessionId,
    model::token::{self, ResumeRequest},
    secret::Secret,
};

const SEAL: &str = "interrupted";

/// What was interrupted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SavedRequest {
    session: SessionId,
    /// The digest of the mark of the browser that sent it.
    #[serde(default)]
    browser: Option<String>,
    /// Where it was going.
    pub path: String,
    /// What was typed.
    pub fields: Vec<(String, String)>,
}

/// A body, held back from the input behind a guard until that guard knows whether the request goes through.
pub(crate) struct HeldBody {
    body: Payload,
    reader: oneshot::Sender<Payload>,
}

impl HeldBody {
    /// Takes a body; whoever reads it waits.
    pub(crate) fn take(payload: &mut Payload) -> Self {
        let (reader, body) = oneshot::channel();
        let later = body.map(|body| body.unwrap_or(Payload::None)).flatten_stream();
        let body = mem::replace(payload, Payload::Stream { payload: later.boxed_local() });
        Self { body, reader }
    }

    /// Hands it on to the input.
    pub(crate) fn hand_on(self) {
        // Nobody reads it where the input gave up.
        drop(self.reader.send(self.body));
    }

    /// Keeps it from the input.
    pub(crate) fn keep(self) -> Payload {
        self.body
    }
}

/// Keeps a form; nothing where it holds a secret, which is never kept.
pub(crate) async fn save(
    app: &App,
    visitor: &Authenticated,
    req: &HttpRequest,
    body: Payload,
) -> Result<Option<String>> {
    let path = req.path();
    let whole = input::collect(body, app.config().body_limit);
    let whole = tokio::time::timeout(app.config().body_timeout, whole).await.map_err(|_| TIMEOUT.error())?;
    let bytes = match whole {
        // A document: it is asked for again, on its own page.
        Err(Error::Refused(TOO_LARGE, _)) if is_document(path) => return Ok(None),
        whole => whole?,
    };
    keep(app, visitor, req, input::pairs(&bytes)?).await
}

/// The same for a form that was read already.
pub(crate) async fn keep(
    app: &App,
    visitor: &Authenticated,
    req: &HttpRequest,
    fields: Vec<(String, String)>,
) -> Result<Option<String>> {
    let (path, browser) = (req.path(), BrowserBinding::digest(&req.get_session()));
    if fields.iter().any(|(name, _)| is_secret(name)) || local_path(Some(path)).is_none() {
        return Ok(None);
    }
    let form = SavedRequest { session: visitor.session.id.clone(), browser, path: path.to_owned(), fields };
    let sealed = app.config().keys.seal(SEAL, &serde_json::to_string(&form)?)?;
    let owner = visitor.user.id.clone();
    let address = visitor.user.email.normalized();
    let secret = app
        .write(move |tx| {
            tx.lock(&address)?;
            token::issue::<ResumeRequest>(tx, &owner, &sealed)
        })
        .await?;
    Ok(Some(secret.reveal().to_owned()))
}

/// Takes a form out again, once, in the session and the browser that sent it: another holder of the session plants nothing.
pub(crate) fn consume(
    tx: &mut Tx,
    session: &SessionId,
    browser: Option<&str>,
    secret: &Secret<ResumeRequest>,
) -> Result<SavedRequest> {
    let (_, sealed) = token::redeem(tx, secret)?;
    let form: SavedRequest = serde_json::from_str(&tx.config.keys.open(SEAL, &sealed)?)?;
    match form.session == *session && form.browser.as_deref() == browser {
        true => Ok(form),
        false => Err(Error::DeadLink),
    }
}

/// Where forms come that may be larger than others.
fn is_document(path: &str) -> bool {
    path.starts_with("/organisations/")
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "repeat", "code", "token", "secret"].iter().any(|word| name.contains(word))
}
