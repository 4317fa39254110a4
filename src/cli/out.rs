//! What commands print. A reader that has gone is no fault: a command does what it was asked for, in silence. A disk
//! that is full is one, and told at the end.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

static TROUBLE: Mutex<Option<ErrorKind>> = Mutex::new(None);

/// Prints a line on stdout, as `println!` does, which panics where nobody reads.
macro_rules! say {
    ($($words:tt)*) => {
        $crate::cli::out::line(format_args!($($words)*))
    };
}
pub(crate) use say;

/// Prints a line on stdout, unless one before it could not be printed.
pub(crate) fn line(words: fmt::Arguments<'_>) {
    let mut trouble = TROUBLE.lock().unwrap_or_else(PoisonError::into_inner);
    if trouble.is_none() {
        *trouble = writeln!(io::stdout(), "{words}").err().map(|cause| cause.kind());
    }
}

/// Whether lines still arrive. Who prints a long list stops where they do not.
pub(crate) fn is_open() -> bool {
    TROUBLE.lock().unwrap_or_else(PoisonError::into_inner).is_none()
}

/// What an operator has to know of the lines that did not arrive, if anything.
///
/// # Errors
/// A sentence, where they were lost for another reason than that the reader had enough.
pub(crate) fn finish() -> super::outcome::Outcome {
    let flushed = io::stdout().flush().err().map(|cause| cause.kind());
    let trouble = TROUBLE.lock().unwrap_or_else(PoisonError::into_inner).or(flushed);
    match trouble {
        None | Some(ErrorKind::BrokenPipe) => Ok(()),
        Some(kind) => Err(format!("The output could not be written to stdout: {kind}.")),
    }
}

/// Prints a line on stderr, where somebody may or may not read it.
pub(crate) fn complain(words: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{words}");
}

/// Prints a value as JSON, or these words.
pub(crate) fn print(value: &Value, as_json: bool, words: &str) {
    match as_json {
        true => say!("{value}"),
        false => say!("{words}"),
    }
}

/// A member of a JSON object; empty where it is no text.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
