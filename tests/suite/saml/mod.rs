//! SAML without HTTP: honest responses that must be read, and every forgery we know, which must not.

mod accepting;
mod canary;
mod content;
mod encrypted;
mod envelope;
mod forger;
mod hostile;
mod parsers;
mod providers;
mod requests;
mod signatures;
mod wrapping;

use vestibule::sso::{self, Presented, Reason, Statement};

/// Reads a response; a forgery with its reason, or what was said.
fn read(presented: &Presented) -> Result<Statement, Reason> {
    sso::read_response(presented).map_err(|refusal| {
        let failed: Vec<_> = refusal.checks.iter().filter_map(|check| check.failed).collect();
        assert_eq!(failed.first(), Some(&refusal.reason), "a refusal names the check that failed first");
        refusal.reason
    })
}

/// A forgery: what it is, its text, and why it must be refused.
type Forgery = (&'static str, String, Reason);

/// Asserts that each forgery is refused for its own reason, and reports all that are not.
fn all_refused(forgeries: Vec<Forgery>, presented: impl Fn(&str) -> Presented) {
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
