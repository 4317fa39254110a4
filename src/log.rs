//! The log: a line for each thing that happened, on stdout, as text or JSON.
//!
//! A line holds ids and never an address, a code, a token or a body. Each field stays within its line, and what looks like
//! an email address is masked wherever it comes from. Every line of a request has the request's id. Nobody waits for the
//! log: where its reader is gone or its disk is full, lines are lost and counted, and nothing else happens.

mod audited;
mod format;
mod panics;
mod request;
mod writer;

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

pub(crate) use self::{
    audited::{Actor, Audited},
    panics::Panicked,
    request::{Request, current, scope, sync_scope},
    writer::lost_lines,
};
pub use request::spawn_blocking;

use format::Format;
use writer::Lines;

// Whatever comes to the port and is no HTTP ends its connection, and would be an error of the server's there.
const NOISE: [&str; 2] = ["actix_http::h1::dispatcher=off", "actix_http::h1::decoder=off"];

/// The running log. What waits to be written is written before it is dropped, unless nobody takes it.
pub struct Log(Lines);

/// Starts the log of this process, with a `tracing` filter, and makes each panic a line of it. What clients send that is
/// no HTTP is no line, unless the filter names actix.
///
/// # Errors
/// Where the system gives no thread, or no second handle of stdout.
pub fn start(filter: &str, is_json: bool) -> io::Result<Log> {
    let lines = Lines::start()?;
    let mut filter = filter.to_owned();
    if !filter.contains("actix") {
        filter = format!("{filter},{}", NOISE.join(","));
    }
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let mut log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines.clone());
    // Colours are for whoever looks on. On a terminal `NO_COLOR` is minded.
    if is_json || !io::stdout().is_terminal() {
        log = log.with_ansi(false);
    }
    // A second start in one process (tests) keeps the first log.
    let _ = log.event_format(Format { is_json }).try_init();
    panics::install();
    Ok(Log(lines))
}

impl Log {
    /// Prints text for whoever looks on, in its place between the lines.
    pub fn print(&self, text: String) {
        self.0.push(text.into_bytes());
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush();
    }
}
