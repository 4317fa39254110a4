//! What a command comes to, in sentences.

use std::fmt::Display;

use crate::{config::DatabaseUrl, error::Result};

/// What a command says when it cannot.
pub(crate) type Outcome = std::result::Result<(), String>;

/// It cannot, or there is nothing to do.
pub(crate) fn refused(sentence: impl Display) -> Outcome {
    Err(sentence.to_string())
}

pub(crate) fn sentence<T>(outcome: Result<T>) -> std::result::Result<T, String> {
    outcome.map_err(|error| error.cause())
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(work)
}

pub(crate) fn describe(database: &DatabaseUrl) -> String {
    format!("{database:?}")
}
