//! `ALLOW_INSECURE`: what production does not start with unless it is named there, and what development does not serve.

use super::{insecure::Insecurity, site::Site, values::Reader};

impl Reader {
    /// Reads `ALLOW_INSECURE`.
    pub(crate) fn read_allowed(&mut self) {
        for word in self.list("ALLOW_INSECURE") {
            match Insecurity::WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&word)) {
                Some((_, what)) => self.allowed.push(*what),
                None if word.eq_ignore_ascii_case("none") => {}
                None => {
                    let words = Insecurity::WORDS.map(|(word, _)| word).join(", ");
                    self.problem("ALLOW_INSECURE", &word, &format!("some of {words}, or leave it out"));
                }
            }
        }
    }

    /// Refuses what `is` unsafe, or only warns of it where `ALLOW_INSECURE` names it. `instead` is what to write.
    pub(crate) fn refuse_insecure(&mut self, what: Insecurity, is: &str, instead: &str) {
        let refusal = self.unless_allowed(what, is, instead, "where that is meant");
        self.problems.extend(refusal);
    }

    /// Why `serve` does not start where development mode could be reached by others: it is for the machine it runs on.
    pub(crate) fn exposed_development(&mut self, site: &Site, is_set: bool) -> Option<String> {
        if site.is_loopback() {
            return None;
        }
        let name = if is_set { "BASE_URL" } else { "LISTEN (which BASE_URL follows)" };
        let is = format!(
            "{name} is `{}`, which is not this machine, and development mode is safe on one machine only",
            site.origin()
        );
        self.unless_allowed(
            Insecurity::Development,
            &is,
            "http://localhost:3000, MODE=production for real accounts",
            "to try it on a phone in your own network",
        )
    }

    /// The refusal, unless `ALLOW_INSECURE` turns it into a warning.
    fn unless_allowed(&mut self, what: Insecurity, is: &str, instead: &str, when: &str) -> Option<String> {
        let word = what.word();
        if self.allowed.contains(&what) {
            self.warnings.push(format!("{is}. ALLOW_INSECURE={word} allows it."));
            return None;
        }
        Some(format!("{is}. Write {instead}, or ALLOW_INSECURE={word} {when}."))
    }
}
