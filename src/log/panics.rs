//! A panic is one line of the log: what was said, where, and in which request.

use std::panic::{self, PanicHookInfo};

/// Work that panicked. The log has its line already.
#[derive(Debug, thiserror::Error)]
#[error("it panicked, as the log says")]
pub(crate) struct Panicked;

/// Makes each panic of this process a line of the log.
pub(crate) fn install() {
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
        let thread = std::thread::current();
        tracing::error!(panic = what(info), location, thread = thread.name(), "panicked");
    }));
}

/// What the panic says. The standard library quotes a whole text that was cut in the wrong place, and that may be
/// anybody's.
fn what<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    let told = info.payload_as_str().unwrap_or("without words");
    let quotes_text =
        ["byte index", "out of bounds of", "when slicing"].iter().any(|part| told.contains(part));
    let end = if quotes_text { told.find(['`', '\'']).unwrap_or(told.len()) } else { told.len() };
    &told[..end]
}
