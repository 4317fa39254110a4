//! From texts to settings: which there are, what holds where one is not set, and which do not go together.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use url::Url;

use super::{
    Config, DatabaseUrl, Lifetimes, Limits, MailRoute, Mode, Problems, SETTINGS, Site,
    development::development_key, values::Reader,
};
use crate::secret::{self, Keys};

/// The file → settings by name, in upper case. The error is TOML's own sentence.
pub fn parse_file(text: &str) -> Result<BTreeMap<String, String>, String> {
    let table = text.parse::<toml::Table>().map_err(|cause| cause.to_string())?;
    let values = table.into_iter().map(|(key, value)| {
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Boolean(true) => "on".to_owned(),
            toml::Value::Boolean(false) => "off".to_owned(),
            toml::Value::Array(items) => {
                items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        (key.to_uppercase(), text)
    });
    Ok(values.collect())
}

/// Settings by name → a config, or everything that is wrong with them.
pub fn from_values(values: BTreeMap<String, String>) -> Result<Config, Problems> {
    let mut reader = Reader { values, problems: Vec::new() };
    let config = reader.config();
    reader.refuse_unknown_names();
    match config {
        Some(config) if reader.problems.is_empty() => Ok(config),
        _ => Err(Problems(reader.problems)),
    }
}

impl Reader {
    fn config(&mut self) -> Option<Config> {
        let mode =
            self.choice("MODE", &[("development", Mode::Development), ("production", Mode::Production)]);
        let mode = mode.unwrap_or(Mode::Development);
        let development = mode == Mode::Development;
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let site = self.site(development);
        let database = self.database();
        let keys = self.keys(development, &database);
        let mail = self.mail(development);
        let host = site.as_ref().and_then(|site| site.base_url.host_str()).unwrap_or("localhost").to_owned();
        let name = site.as_ref().map_or("Vestibule", |site| &site.name).to_owned();
        Some(Config {
            mode,
            database,
            database_pool: self.parsed("DATABASE_POOL", 8, "a number, such as 8"),
            migrate: self.switch("MIGRATE", true),
            listen: self.parsed(
                "LISTEN",
                SocketAddr::from(([127, 0, 0, 1], 3000)),
                "an address and a port, such as 127.0.0.1:3000",
            ),
            workers: self.parsed("WORKERS", cores, "a number of threads").max(1),
            trusted_proxies: self.networks("TRUSTED_PROXIES", &[]),
            metrics_from: self.networks("METRICS_FROM", &["127.0.0.0/8", "::1/128"]),
            mail,
            mail_from: self.mail_from(&name, &host),
            bcrypt_cost: self.bcrypt_cost(development),
            hash_threads: self.parsed("HASH_THREADS", cores, "a number of threads").max(1),
            hash_queue: self.parsed("HASH_QUEUE", 256, "a number").max(1),
            dns_server: self.dns_server(),
            private_metadata: self.switch("SSO_PRIVATE_METADATA", false),
            verify_on_get: self.switch("VERIFY_ON_GET", development),
            magic_links: self.switch("MAGIC_LINKS", true),
            lifetimes: Lifetimes {
                verify_link: self.span("VERIFY_LINK_LIFE", "24h"),
                reset_link: self.span("RESET_LINK_LIFE", "1h"),
                session_idle: self.span("SESSION_IDLE", "30m"),
                session: self.span("SESSION_LIFE", "24h"),
                remembered_idle: self.span("REMEMBER_IDLE", "14d"),
                remembered: self.span("REMEMBER_LIFE", "30d"),
                mail_lease: self.span("MAIL_LEASE", "60s"),
                step_up: self.span("STEP_UP_WINDOW", "5m"),
                pending_sign_in: self.span("PENDING_SIGN_IN", "10m"),
                magic_link: self.span("MAGIC_LINK_LIFE", "10m"),
                factors_reset: self.span("FACTORS_RESET_DELAY", "24h"),
                email_change: self.span("EMAIL_CHANGE_LIFE", "24h"),
                email_undo: self.span("EMAIL_UNDO_LIFE", "7d"),
                deletion_grace: self.span("DELETION_GRACE", "30d"),
                deletion_reminder: self.span("DELETION_REMINDER", "3d"),
                unconfirmed_warning: self.span("UNCONFIRMED_WARNING", "5d"),
                unconfirmed: self.span("UNCONFIRMED_LIFE", "7d"),
                history: self.span("HISTORY_LIFE", "90d"),
                job_lease: self.span("JOB_LEASE", "60s"),
            },
            limits: self.limits(development),
            body_limit: self.parsed("BODY_LIMIT", 65_536, "a number of bytes"),
            body_timeout: self.span("BODY_TIMEOUT", "30s").to_std().unwrap_or_default(),
            shutdown_timeout: self.span("SHUTDOWN_TIMEOUT", "30s").to_std().unwrap_or_default(),
            log: self.text("LOG").unwrap_or_else(|| "info".to_owned()),
            log_json: self.choice("LOG_FORMAT", &[("text", false), ("json", true)]).unwrap_or(!development),
            access_log: self.switch("ACCESS_LOG", true),
            site: site?,
            keys: keys?,
        })
    }

    fn site(&mut self, development: bool) -> Option<Site> {
        let base_url = self.base_url(development);
        let accent = self.text("BRAND_ACCENT");
        if let Some(accent) = accent.as_deref().filter(|accent| !is_colour(accent)) {
            self.problem("BRAND_ACCENT", accent, "a colour such as #2251cc");
        }
        let mut file = |name| {
            let path = self.text(name).map(PathBuf::from)?;
            if !path.is_file() {
                self.problem(name, &path.display().to_string(), "the path of a file that is there");
            }
            Some(path)
        };
        let (logo, stylesheet) = (file("BRAND_LOGO"), file("BRAND_STYLESHEET"));
        let name = self.text("BRAND_NAME").unwrap_or_else(|| "Vestibule".to_owned());
        Some(Site { name, base_url: base_url?, accent, logo, stylesheet })
    }

    fn base_url(&mut self, development: bool) -> Option<Url> {
        let text = self.text("BASE_URL").unwrap_or_else(|| "http://localhost:3000".to_owned());
        let is_whole =
            |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.path() == "/";
        let Some(url) = Url::parse(&text).ok().filter(is_whole) else {
            self.problem("BASE_URL", &text, "scheme and host without a path, such as https://id.example.com");
            return None;
        };
        if !development && url.scheme() != "https" {
            self.problem("BASE_URL", &text, "an https address in production, such as https://id.example.com");
        }
        Some(url)
    }

    fn database(&mut self) -> DatabaseUrl {
        let text = self.text("DATABASE_URL").unwrap_or_else(|| "sqlite://data/vestibule.db".to_owned());
        match text.split_once("://") {
            Some(("sqlite", path)) if !path.is_empty() => DatabaseUrl::Sqlite(path.into()),
            Some(("postgres" | "postgresql", _)) => DatabaseUrl::Postgres(without_kerberos(text)),
            _ => {
                let hint = "sqlite://data/vestibule.db or postgres://user:password@host/database";
                self.problems.push(format!("DATABASE_URL is not an address of a database. Write {hint}."));
                DatabaseUrl::Sqlite("data/vestibule.db".into())
            }
        }
    }

    fn keys(&mut self, development: bool, database: &DatabaseUrl) -> Option<Keys> {
        let current = match (self.text("SECRET_KEY"), development) {
            (Some(key), _) => key,
            (None, false) => {
                let hint = "32 characters or more, such as the output of `openssl rand -base64 48`";
                self.problems.push(format!("SECRET_KEY is missing. Write {hint}."));
                return None;
            }
            (None, true) => match development_key(database) {
                Ok(key) => key,
                Err(cause) => {
                    self.problems.push(format!("A secret key cannot be kept ({cause}). Set SECRET_KEY."));
                    return None;
                }
            },
        };
        let previous = self.list("SECRET_KEY_PREVIOUS");
        if std::iter::once(&current).chain(&previous).any(|key| !secret::is_strong_key(key)) {
            self.problems.push("SECRET_KEY is too short. Write 32 characters or more, at random.".to_owned());
        }
        Keys::derive(&current, &previous).ok()
    }

    fn mail(&mut self, development: bool) -> MailRoute {
        let Some(text) = self.text("SMTP_URL") else {
            if !development {
                let hint = "smtps://user:password@mail.example.com";
                self.problems
                    .push(format!("SMTP_URL is missing. Write the mail server's address, such as {hint}."));
            }
            return MailRoute::Catch;
        };
        match text.split_once(':') {
            Some(("smtp" | "smtps", _)) if Url::parse(&text).is_ok_and(|url| url.has_host()) => {
                MailRoute::Smtp(text)
            }
            Some(("folder", path)) if !path.is_empty() => MailRoute::Folder(path.into()),
            _ => {
                let hint = "smtps://user:password@host, smtp://host:587?tls=required or folder:PATH";
                self.problems.push(format!("SMTP_URL is not an address of a mail server. Write {hint}."));
                MailRoute::Catch
            }
        }
    }

    fn mail_from(&mut self, name: &str, host: &str) -> String {
        let from = self.text("MAIL_FROM").unwrap_or_else(|| format!("{name} <no-reply@{host}>"));
        if from.parse::<lettre::message::Mailbox>().is_err() {
            self.problem("MAIL_FROM", &from, "a name and an address, such as Acme <no-reply@example.com>");
        }
        from
    }

    fn bcrypt_cost(&mut self, development: bool) -> u32 {
        let least = if development { 4 } else { 10 };
        let cost = self.parsed("BCRYPT_COST", 12, "a number from 10 to 16");
        if !(least..=16).contains(&cost) {
            self.problem("BCRYPT_COST", &cost.to_string(), &format!("a number from {least} to 16"));
        }
        cost
    }

    fn dns_server(&mut self) -> Option<SocketAddr> {
        let text = self.text("DNS_SERVER")?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.problem("DNS_SERVER", &text, "an address and a port, such as 127.0.0.1:53");
        }
        parsed
    }

    fn limits(&mut self, development: bool) -> Limits {
        let are_on = self.switch("THROTTLE", true);
        if !are_on && !development {
            self.problems.push("THROTTLE is off. Write on in production, or leave it out.".to_owned());
        }
        let mut count = |name, default| self.parsed(name, default, "a whole number");
        Limits {
            are_on,
            login_per_address: count("LOGIN_PER_ADDRESS", 5),
            login_per_network: count("LOGIN_PER_NETWORK", 20),
            login_failures: count("LOGIN_FAILURES", 10),
            signups_per_network: count("SIGNUPS_PER_NETWORK", 30),
            passkeys_per_network: count("PASSKEYS_PER_NETWORK", 60),
            mails_per_minute: count("MAILS_PER_MINUTE", 1),
            mails_per_hour: count("MAILS_PER_HOUR", 5),
            login_cool_down: self.span("LOGIN_COOL_DOWN", "15m"),
        }
    }

    /// A misspelt key in the file would silently do nothing.
    fn refuse_unknown_names(&mut self) {
        for name in self.values.keys() {
            if !SETTINGS.iter().any(|setting| setting.name == name) {
                self.problems
                    .push(format!("{} is not a setting. The README lists them all.", name.to_lowercase()));
            }
        }
    }
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.chars().all(|c| c.is_ascii_hexdigit()))
}

/// Before each connection libpq looks for a Kerberos ticket unless told not to, and a process that ends meanwhile crashes
/// in that library's own clean-up. Whoever has Kerberos says so in the address (PostgreSQL, libpq `gssencmode`).
fn without_kerberos(url: String) -> String {
    if url.contains("gssencmode=") {
        return url;
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}gssencmode=disable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kerberos_is_looked_for_only_where_the_address_says_so() {
        for (written, used) in [
            ("postgres://db/v", "postgres://db/v?gssencmode=disable"),
            ("postgres://db/v?sslmode=require", "postgres://db/v?sslmode=require&gssencmode=disable"),
            ("postgres://db/v?gssencmode=require", "postgres://db/v?gssencmode=require"),
        ] {
            assert_eq!(without_kerberos(written.to_owned()), used);
        }
    }
}
