//! Settings → a typed `Config`, with every problem reported at once, at start.
//!
//! A setting is an environment variable, or a key of the same name in lower case in the TOML file; the
//! environment wins. [`SETTINGS`] is the one list, and the README's table is checked against it.

mod addresses;
mod database;
mod development;
mod insecure;
mod names;
mod pairs;
mod password;
mod private;
mod reader;
mod sender;
mod settings;
mod sources;
mod told;
mod values;

use std::{
    env::VarError,
    fmt, fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::TimeDelta;
use ipnet::IpNet;
use url::Url;

use crate::secret::Keys;
use sources::Sources;

pub use development::development_key_path;
pub use private::{make_private_file, make_private_folder, mode_if_shared};
pub use reader::from_values;
pub use settings::{SETTINGS, Setting};
pub use sources::{Source, file_setting};
pub use told::Told;

/// Whether real people's accounts are at stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// On a developer's machine: everything has a default, mail is caught.
    Development,
    /// For real accounts: refuses to start with anything unsafe.
    Production,
}

/// Where the rows are.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(String),
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::Sqlite(path) => write!(out, "sqlite://{}", path.display()),
            DatabaseUrl::Postgres(_) => out.write_str("postgres://***"),
        }
    }
}

/// Where letters go.
#[derive(Clone, PartialEq, Eq)]
pub enum MailRoute {
    /// Nothing is set: what listens on localhost:1025, else the built-in catcher (development only).
    Catch,
    /// A mail server.
    Smtp(String),
    /// One file per letter.
    Folder(PathBuf),
}

impl fmt::Debug for MailRoute {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MailRoute::Catch => out.write_str("catch"),
            MailRoute::Smtp(_) => out.write_str("smtp://***"),
            MailRoute::Folder(path) => write!(out, "folder:{}", path.display()),
        }
    }
}

/// The house's name and address, as pages and mails show them.
#[derive(Debug, Clone)]
pub struct Site {
    /// The name on pages and in mails.
    pub name: String,
    /// The address that people type, without a path.
    pub base_url: Url,
    /// The accent colour, `#rrggbb`.
    pub accent: Option<String>,
    /// A picture beside the name.
    pub logo: Option<PathBuf>,
    /// A stylesheet that follows ours.
    pub stylesheet: Option<PathBuf>,
}

impl Site {
    /// The full address of a local path. Always from the settings, never from a request.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// Scheme, host and port, as a browser sends them in `Origin`.
    pub fn origin(&self) -> String {
        self.base_url.origin().ascii_serialization()
    }

    /// Whether people come over https.
    pub fn is_https(&self) -> bool {
        self.base_url.scheme() == "https"
    }

    /// Whether it can only be reached from the machine that it runs on.
    pub fn is_loopback(&self) -> bool {
        self.base_url.host_str().is_some_and(is_loopback)
    }
}

/// Whether a host's name or address, in brackets or not, is always this machine (RFC 6761 §6.3).
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// How long things last.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// A confirmation link.
    pub verify_link: TimeDelta,
    /// A password reset link.
    pub reset_link: TimeDelta,
    /// A session without a request.
    pub session_idle: TimeDelta,
    /// A session at the most.
    pub session: TimeDelta,
    /// A remembered device's session without a request.
    pub remembered_idle: TimeDelta,
    /// A remembered device's session at the most.
    pub remembered: TimeDelta,
    /// How long one node holds a letter.
    pub mail_lease: TimeDelta,
    /// A step-up, in its session.
    pub step_up: TimeDelta,
    /// A sign-in between its first proof and its second.
    pub pending_sign_in: TimeDelta,
    /// A link to sign in, and its short code.
    pub magic_link: TimeDelta,
    /// From an operator's reset of second factors until it takes effect.
    pub factors_reset: TimeDelta,
    /// The link to a new address.
    pub email_change: TimeDelta,
    /// The old address's way back, after the change.
    pub email_undo: TimeDelta,
    /// From asking to be deleted to being deleted.
    pub deletion_grace: TimeDelta,
    /// From the reminder to the deletion.
    pub deletion_reminder: TimeDelta,
    /// An account whose address is not confirmed, until it is warned.
    pub unconfirmed_warning: TimeDelta,
    /// An account whose address is not confirmed.
    pub unconfirmed: TimeDelta,
    /// Sign-ins, and what was mailed when.
    pub history: TimeDelta,
    /// How long one node holds a job.
    pub job_lease: TimeDelta,
}

/// How often things may be tried.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Whether anything is limited at all.
    pub are_on: bool,
    /// Sign-in attempts a minute for one address.
    pub login_per_address: i32,
    /// Sign-in attempts a minute from one client.
    pub login_per_network: i32,
    /// Failures in a row until unknown browsers have to wait.
    pub login_failures: i32,
    /// How long they have to wait.
    pub login_cool_down: TimeDelta,
    /// Sign-ups an hour from one client.
    pub signups_per_network: i32,
    /// Passkey challenges a minute for one client.
    pub passkeys_per_network: i32,
    /// Letters of one kind a minute to one address.
    pub mails_per_minute: i32,
    /// Letters of one kind an hour to one address.
    pub mails_per_hour: i32,
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Development or production.
    pub mode: Mode,
    /// Where the rows are.
    pub database: DatabaseUrl,
    /// Connections to PostgreSQL.
    pub database_pool: u32,
    /// Whether a pooler in front of PostgreSQL gives each transaction another connection.
    pub is_pooled: bool,
    /// Whether `serve` brings the schema up.
    pub migrate: bool,
    /// Name and address.
    pub site: Site,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whether the address of the site was written, and does not follow `listen`.
    pub base_url_is_set: bool,
    /// Threads that answer requests.
    pub workers: usize,
    /// Networks whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Networks that may read the metrics.
    pub metrics_from: Vec<IpNet>,
    /// What seals, peppers and signs.
    pub keys: Keys,
    /// Where letters go.
    pub mail: MailRoute,
    /// Who they come from.
    pub mail_from: String,
    /// bcrypt's cost.
    pub bcrypt_cost: u32,
    /// Threads that hash.
    pub hash_threads: usize,
    /// Hashes that may wait.
    pub hash_queue: usize,
    /// Who is asked about names; the machine's own servers where there is none.
    pub dns_server: Option<SocketAddr>,
    /// Whether metadata may be read from private networks.
    pub private_metadata: bool,
    /// Whether an API caller's GET of a link confirms.
    pub verify_on_get: bool,
    /// Whether a link by mail signs people in.
    pub magic_links: bool,
    /// How long things last.
    pub lifetimes: Lifetimes,
    /// How often things may be tried.
    pub limits: Limits,
    /// Bytes in a request body.
    pub body_limit: usize,
    /// How long a body may take.
    pub body_timeout: Duration,
    /// How long requests in flight may take after SIGTERM.
    pub shutdown_timeout: Duration,
    /// What is logged.
    pub log: String,
    /// Whether log lines are JSON.
    pub log_json: bool,
    /// Whether each request is a line of the log.
    pub access_log: bool,
    /// What is said at start and by `doctor`, a sentence each.
    pub warnings: Vec<String>,
    /// The same of what may well mean nothing: said to whoever looks for it.
    pub hints: Vec<String>,
    /// Why `serve` does not start with these settings, where nothing else minds them.
    pub unfit_to_serve: Option<String>,
}

impl Config {
    /// Whether this is development mode.
    pub fn is_development(&self) -> bool {
        self.mode == Mode::Development
    }
}

/// Everything that is wrong with the settings, a sentence each, with what to write instead.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// The sentences.
    pub fn sentences(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "The settings need another look:")?;
        self.0.iter().try_for_each(|problem| writeln!(out, "  - {problem}"))
    }
}

impl std::error::Error for Problems {}

/// Reads the environment and, where it is named, the TOML file: the settings, and each of them as it holds.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn read(file: Option<&Path>) -> Result<(Config, Vec<Told>), Problems> {
    let mut sources = Sources::default();
    if let Some(path) = file {
        let text = fs::read_to_string(path)
            .map_err(|cause| Problems(vec![format!("{} cannot be read: {cause}.", path.display())]))?;
        let values = reader::parse_file(&text)
            .map_err(|cause| Problems(vec![format!("{}: {cause}", path.display())]))?;
        let source = Source::Settings(path.to_owned());
        values.into_iter().for_each(|(name, text)| sources.write(name, text, source.clone()));
    }
    let mut unreadable = Vec::new();
    let files = SETTINGS.iter().filter(|setting| setting.is_secret).map(|setting| file_setting(setting.name));
    for name in SETTINGS.iter().map(|setting| setting.name.to_owned()).chain(files) {
        match std::env::var(&name) {
            Ok(value) => sources.write(name, value, Source::Environment),
            Err(VarError::NotUnicode(_)) => {
                unreadable.push(format!("{name} is not UTF-8. Write it in that encoding."));
            }
            Err(VarError::NotPresent) => {}
        }
    }
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    database::LIBPQ.into_iter().filter(is_set).for_each(|name| sources.note_libpq(name));
    if let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") {
        sources.look_for_credentials(folder.into());
    }
    // Other programs' variables are none of our business, so that a name that is nearly ours is only pointed out.
    let names: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    let ask = |name: &str, meant: &str| {
        format!("{name} is in the environment and is not a setting. Did you mean {meant}?")
    };
    let misspelt = names.iter().filter_map(|name| Some(ask(name, names::meant_by(name)?)));
    let foreign = names.iter().filter_map(|name| Some((name, names::called_elsewhere(name)?)));
    match reader::from_sources(sources) {
        Ok((mut config, told)) if unreadable.is_empty() => {
            let is_open = |meant: &str| {
                told.iter().any(|setting| setting.name == meant && setting.source == Source::Default)
            };
            config.warnings.extend(misspelt);
            config.hints =
                foreign.filter(|(_, meant)| is_open(meant)).map(|(name, meant)| ask(name, meant)).collect();
            Ok((config, told))
        }
        refused => {
            let problems = refused.err().map(|problems| problems.0).unwrap_or_default();
            let missing = |meant: &str| format!("{meant} is missing.");
            let foreign: Vec<String> = foreign
                .filter(|(_, meant)| problems.iter().any(|problem| problem.starts_with(&missing(meant))))
                .map(|(name, meant)| ask(name, meant))
                .collect();
            Err(Problems(unreadable.into_iter().chain(problems).chain(misspelt).chain(foreign).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
        let values = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        match from_values(values.collect()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.0,
        }
    }

    const KEY: (&str, &str) = ("SECRET_KEY", "a key that is long enough to be a secret key");

    #[test]
    fn a_key_is_all_that_development_needs() {
        assert_eq!(problems(&[KEY]), Vec::<String>::new());
    }

    #[test]
    fn every_problem_is_reported_at_once_with_what_to_write() {
        let found = problems(&[
            KEY,
            ("DATABASE_URL", "mysql://x"),
            ("BASE_URL", "example.com/login"),
            ("LISTEN", "3000"),
            ("SESSION_IDLE", "half an hour"),
            ("TRUSTED_PROXIES", "10.0.0.0/99"),
            ("BRAND_ACCENT", "red"),
            ("BCRYPT_COST", "99"),
            ("SESION_LIFE", "1h"),
        ]);
        assert_eq!(found.len(), 8, "{found:#?}");
        assert!(
            found.iter().all(|problem| problem.contains("Write") || problem.contains("Did you mean")),
            "{found:#?}"
        );
    }

    #[test]
    fn production_refuses_to_start_without_key_https_and_mail_server() {
        let found = problems(&[("MODE", "production")]).join("\n");
        for name in ["SECRET_KEY", "BASE_URL", "SMTP_URL"] {
            assert!(found.contains(name), "{found}");
        }
        let safe = [
            ("SECRET_KEY", "kT9wZ3vQ7xLr2MfY8sBn5HcD4gJp6aWe"),
            ("MODE", "production"),
            ("BASE_URL", "https://id.example.com"),
            ("SMTP_URL", "smtps://mail.example.com"),
        ];
        assert_eq!(problems(&safe), Vec::<String>::new());
    }

    #[test]
    fn a_problem_never_prints_a_password() {
        let found = problems(&[KEY, ("SMTP_URL", "hunter2"), ("DATABASE_URL", "mysql://root:hunter2@host")]);
        assert!(!found.join("").contains("hunter2"), "{found:?}");
    }

    #[test]
    fn the_file_speaks_toml_and_says_the_same_names_in_lower_case() {
        let values = reader::parse_file(
            "listen = \"0.0.0.0:80\"\nmigrate = false\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]",
        )
        .unwrap();
        let mut values: BTreeMap<_, _> = values;
        values.insert(KEY.0.to_owned(), KEY.1.to_owned());
        let config = from_values(values).unwrap();
        assert_eq!(config.listen.port(), 80);
        assert!(!config.migrate);
        assert_eq!(config.trusted_proxies.len(), 2);
    }
}
