//! SAML without HTTP: honest responses that must be read, and every forgery we know, which must not.

mod accepting;
mod canary;
pub mod content;
pub mod cost;
pub mod encrypted;
mod envelope;
pub mod forger;
pub mod hostile;
pub mod parsers;
pub mod providers;
mod requests;
pub mod signatures;
pub mod wrapping;

use std::cell::RefCell;

use vestibule::saml::{self, Presented, Reason, Statement};

thread_local! {
    // What the tests of forgeries make, where somebody else wants to try it.
    static COLLECTED: RefCell<Option<Vec<(Presented, Reason)>>> = const { RefCell::new(None) };
}

/// Every forgery that these tests make, as it is held against us.
pub fn collected(make: impl FnOnce()) -> Vec<(Presented, Reason)> {
    COLLECTED.set(Some(Vec::new()));
    make();
    COLLECTED.take().unwrap_or_default()
}

/// Reads a response; a forgery with its reason, or what was said.
fn read(presented: &Presented) -> Result<Statement, Reason> {
    saml::read_response(presented).map_err(|refusal| {
        let failed: Vec<_> = refusal.checks.iter().filter_map(|check| check.failed).collect();
        assert_eq!(failed.first(), Some(&refusal.reason), "a refusal names the check that failed first");
        refusal.reason
    })
}

/// A forgery: what it is, its text, and why it must be refused.
type Forgery = (&'static str, String, Reason);

/// Asserts that each forgery is refused for its own reason, and reports all that are not.
fn all_refused(forgeries: Vec<Forgery>, presented: impl Fn(&str) -> Presented) {
    let is_collected = COLLECTED.with_borrow_mut(|collected| {
        let Some(collected) = collected else { return false };
        collected.extend(forgeries.iter().map(|(_, text, wanted)| (presented(text), *wanted)));
        true
    });
    if is_collected {
        return;
    }
    let mut wrong = Vec::new();
    for (name, text, wanted) in &forgeries {
        match read(&presented(text)) {
            Ok(statement) => wrong.push(format!("{name}: accepted as {:?}", statement.name)),
            Err(reason) if reason != *wanted => wrong.push(format!("{name}: {reason:?}, not {wanted:?}")),
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {} forgeries:\n{}", wrong.len(), forgeries.len(), wrong.join("\n"));
}
