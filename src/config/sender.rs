//! Who mails come from.

use url::Host;

use super::{Site, values::Reader};

impl Reader {
    /// `MAIL_FROM`, a name and an address; where nobody wrote one, one that is always right.
    pub(crate) fn mail_from(&mut self, site: Option<&Site>) -> String {
        let Some(from) = self.text("MAIL_FROM") else { return usual_sender(site) };
        let address = match from.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((_, address)) => address,
            None => &from,
        };
        let is_plain = address.rsplit_once('@').is_some_and(|(local, _)| local.is_ascii());
        if !is_plain
            || address.trim().parse::<lettre::Address>().is_err()
            || from.chars().any(char::is_control)
        {
            self.problem("MAIL_FROM", &from, "a name and an address, such as Acme <no-reply@example.com>");
        }
        from
    }
}

/// Whatever the name and the host are, it can be written to the wire. A host that is no domain of mail, such as
/// `192.168.1.10` or `my_machine`, gives way to `localhost`.
fn usual_sender(site: Option<&Site>) -> String {
    let name = site.map_or("Vestibule", |site| &site.name);
    let quoted: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => " ".to_owned(),
            c => c.to_string(),
        })
        .collect();
    let domain = match site.and_then(|site| site.base_url.host()) {
        Some(Host::Domain(host)) => host.trim_end_matches('.'),
        _ => "localhost",
    };
    let is_plain = domain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    let is_domain = is_plain && lettre::Address::new("no-reply", domain).is_ok();
    let domain = if is_domain { domain } else { "localhost" };
    format!("\"{quoted}\" <no-reply@{domain}>")
}
