//! A sentence for the next page. It waits in the short-lived cookie until that page shows it.

use actix_session::SessionExt;
use actix_web::HttpRequest;

const FLASH: &str = "flash";

/// Keeps a sentence for the next page.
pub(crate) fn set(req: &HttpRequest, message: &str) {
    if let Err(cause) = req.get_session().insert(FLASH, message) {
        tracing::error!(%cause, "the flash could not be kept");
    }
}

/// Takes the sentence out, to be shown now.
pub(crate) fn take(req: &HttpRequest) -> Option<String> {
    let session = req.get_session();
    let flash = session.get::<String>(FLASH).ok().flatten()?;
    session.remove(FLASH);
    if session.entries().is_empty() {
        session.purge();
    }
    Some(flash)
}
