//! Settings → a typed `Config`, with every problem reported at once, at start.
//!
//! A setting is an environment variable, or a key of the same name in lower case in the TOML file; the
//! environment wins. [`SETTINGS`] is the one list, and the README's table is checked against it.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use chrono::TimeDelta;
use ipnet::IpNet;
use url::Url;

use crate::secret::{self, Keys};

/// One setting: its name, its default in words, and what it means.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What holds where it is not set; empty where there is no default.
    pub default: &'static str,
    /// What it means, in a sentence.
    pub meaning: &'static str,
}

const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    setting("MODE", "development", "`development` or `production`; production refuses unsafe settings"),
    setting("DATABASE_URL", "sqlite://data/vestibule.db", "`sqlite://PATH` or `postgres://…`"),
    setting("DATABASE_POOL", "8", "connections to PostgreSQL per node"),
    setting("MIGRATE", "on", "`off`: `serve` leaves the schema to `vestibule migrate`"),
    setting(
        "BASE_URL",
        "http://localhost:3000",
        "the address that people type; links in mails start with it",
    ),
    setting("LISTEN", "127.0.0.1:3000", "address and port to listen on"),
    setting("WORKERS", "cores", "threads that answer requests"),
    setting("TRUSTED_PROXIES", "none", "networks whose `X-Forwarded-For` counts: `10.0.0.0/8, ::1/128`"),
    setting(
        "METRICS_FROM",
        "127.0.0.0/8, ::1/128",
        "networks that may read `/metrics`; everyone else sees 404",
    ),
    setting(
        "SECRET_KEY",
        "made in `data/` in development",
        "32 characters or more; seals, peppers and signs",
    ),
    setting(
        "SECRET_KEY_PREVIOUS",
        "none",
        "older keys, separated by commas, that still open what they sealed",
    ),
    setting(
        "SMTP_URL",
        "localhost:1025 or the built-in catcher",
        "`smtps://user:pass@host`, `smtp://host:587?tls=required` or `folder:PATH`",
    ),
    setting("MAIL_FROM", "BRAND_NAME <no-reply@BASE_URL's host>", "who mails come from"),
    setting("MAIL_LEASE", "60s", "how long one node holds a letter before another may send it"),
    setting("BRAND_NAME", "Vestibule", "the name on pages and in mails"),
    setting("BRAND_ACCENT", "none", "the accent colour as `#rrggbb`"),
    setting("BRAND_LOGO", "none", "an SVG or PNG file shown beside the name"),
    setting("BRAND_STYLESHEET", "none", "a CSS file that follows ours"),
    setting("BCRYPT_COST", "12", "the cost of a password hash, 10 to 16; 4 and up in development"),
    setting("HASH_THREADS", "cores", "low-priority threads that hash passwords"),
    setting("HASH_QUEUE", "256", "how many hashes may wait; beyond that 503 with `Retry-After`"),
    setting(
        "DNS_SERVER",
        "those of the machine",
        "`ADDRESS:PORT` of the DNS server that is asked about domains and metadata",
    ),
    setting(
        "SSO_PRIVATE_METADATA",
        "off",
        "`on`: metadata of identity providers may be read from private networks and this machine",
    ),
    setting(
        "VERIFY_ON_GET",
        "on in development, off in production",
        "whether an API caller's GET of a link confirms",
    ),
    setting("VERIFY_LINK_LIFE", "24h", "how long a confirmation link works"),
    setting("RESET_LINK_LIFE", "1h", "how long a password reset link works"),
    setting("SESSION_IDLE", "30m", "a session ends after this long without a request"),
    setting("SESSION_LIFE", "24h", "a session ends this long after it began"),
    setting("REMEMBER_IDLE", "14d", "the same for a remembered device"),
    setting("REMEMBER_LIFE", "30d", "the same for a remembered device"),
    setting("STEP_UP_WINDOW", "5m", "how long a step-up is good for, in its session"),
    setting("PENDING_SIGN_IN", "10m", "how long a sign-in waits for its second proof"),
    setting("MAGIC_LINKS", "on", "`off`: nobody signs in with a link by mail"),
    setting("MAGIC_LINK_LIFE", "10m", "how long a link to sign in works, and its short code"),
    setting(
        "FACTORS_RESET_DELAY",
        "24h",
        "how long an owner can stop the removal of their second factors by an operator",
    ),
    setting(
        "EMAIL_CHANGE_LIFE",
        "24h",
        "how long the link to a new address works, and how long the old one can stop it",
    ),
    setting("EMAIL_UNDO_LIFE", "7d", "how long the old address can take itself back after a change"),
    setting("DELETION_GRACE", "30d", "how long somebody who asked to be deleted can change their mind"),
    setting("DELETION_REMINDER", "3d", "how long before the end they are reminded"),
    setting(
        "UNCONFIRMED_WARNING",
        "5d",
        "an account whose address is not confirmed is warned after this long",
    ),
    setting("UNCONFIRMED_LIFE", "7d", "and removed after this long"),
    setting("HISTORY_LIFE", "90d", "how long sign-ins, and what was mailed when, are kept"),
    setting("JOB_LEASE", "60s", "how long one node holds a job before another may take it over"),
    setting("THROTTLE", "on", "`off` lifts every limit below, for load tests; production refuses it"),
    setting("LOGIN_PER_ADDRESS", "5", "sign-in attempts a minute for one address"),
    setting("LOGIN_PER_NETWORK", "20", "sign-in attempts a minute from one client (IPv6: /64)"),
    setting("LOGIN_FAILURES", "10", "failures in a row until unknown browsers have to wait"),
    setting("LOGIN_COOL_DOWN", "15m", "how long they have to wait"),
    setting("SIGNUPS_PER_NETWORK", "30", "sign-ups an hour from one client"),
    setting("PASSKEYS_PER_NETWORK", "60", "passkey challenges a minute for one client"),
    setting("MAILS_PER_MINUTE", "1", "letters of one kind a minute to one address"),
    setting("MAILS_PER_HOUR", "5", "letters of one kind an hour to one address"),
    setting("BODY_LIMIT", "65536", "bytes in a request body"),
    setting("BODY_TIMEOUT", "30s", "how long a request body may take to arrive"),
    setting("SHUTDOWN_TIMEOUT", "30s", "how long requests in flight may take after SIGTERM"),
    setting("LOG", "info", "what is logged, as a `tracing` filter"),
    setting(
        "LOG_FORMAT",
        "text in development, json in production",
        "`text` or `json`, one line an event, on stdout",
    ),
];

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
    /// Whether `serve` brings the schema up.
    pub migrate: bool,
    /// Name and address.
    pub site: Site,
    /// Where to listen.
    pub listen: SocketAddr,
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

/// Reads the environment and, where it is named, the TOML file.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn read(file: Option<&Path>) -> Result<Config, Problems> {
    let mut values = BTreeMap::new();
    if let Some(path) = file {
        let text = fs::read_to_string(path)
            .map_err(|cause| Problems(vec![format!("{} cannot be read: {cause}.", path.display())]))?;
        values = parse_file(&text).map_err(|cause| Problems(vec![format!("{}: {cause}", path.display())]))?;
    }
    for setting in SETTINGS {
        if let Ok(value) = std::env::var(setting.name) {
            values.insert(setting.name.to_owned(), value);
        }
    }
    from_values(values)
}

fn parse_file(text: &str) -> Result<BTreeMap<String, String>, String> {
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

struct Reader {
    values: BTreeMap<String, String>,
    problems: Vec<String>,
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

    fn text(&self, name: &str) -> Option<String> {
        let value = self.values.get(name)?.trim();
        if value.is_empty() { None } else { Some(value.to_owned()) }
    }

    fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    fn parsed<T: FromStr>(&mut self, name: &'static str, default: T, expected: &str) -> T {
        let Some(text) = self.text(name) else { return default };
        text.parse().unwrap_or_else(|_| {
            self.problem(name, &text, expected);
            default
        })
    }

    fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found =
            choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text)).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            self.problem(name, &text, &words.join(" or "));
        }
        found
    }

    fn switch(&mut self, name: &'static str, default: bool) -> bool {
        let words =
            [("on", true), ("off", false), ("true", true), ("false", false), ("1", true), ("0", false)];
        self.choice(name, &words).unwrap_or(default)
    }

    fn span(&mut self, name: &'static str, default: &str) -> TimeDelta {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        parse_span(&text).unwrap_or_else(|| {
            self.problem(name, &text, "a whole number and s, m, h or d, such as 30m");
            TimeDelta::zero()
        })
    }

    fn networks(&mut self, name: &'static str, default: &[&str]) -> Vec<IpNet> {
        let given = self.list(name);
        let words: Vec<String> = match (given.is_empty(), self.text(name)) {
            (true, None) => default.iter().map(|word| (*word).to_owned()).collect(),
            _ => given,
        };
        let mut networks = Vec::new();
        for word in words.iter().filter(|word| *word != "none") {
            match word.parse::<IpNet>().or_else(|_| word.parse::<IpAddr>().map(IpNet::from)) {
                Ok(network) => networks.push(network),
                Err(_) => self.problem(name, word, "networks such as 10.0.0.0/8, or none"),
            }
        }
        networks
    }

    fn problem(&mut self, name: &str, found: &str, expected: &str) {
        self.problems.push(format!("{name} is `{found}`. Write {expected}."));
    }
}

/// `30m` → 30 minutes; more than zero, at most ten years.
fn parse_span(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i64 = number.trim().parse().ok()?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let total = number.checked_mul(seconds)?;
    (1..=315_360_000).contains(&total).then(|| TimeDelta::seconds(total))
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.chars().all(|c| c.is_ascii_hexdigit()))
}

/// The folder that development keeps its things in: beside the SQLite file, else `data`.
fn data_folder(database: &DatabaseUrl) -> PathBuf {
    match database {
        DatabaseUrl::Sqlite(path) => path.parent().unwrap_or(Path::new("")).to_owned(),
        DatabaseUrl::Postgres(_) => PathBuf::from("data"),
    }
}

/// Makes a folder that only its owner may look into, where it is missing: what the program keeps there is nobody
/// else's business.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The key that development makes once and keeps, readable by its owner only.
fn development_key(database: &DatabaseUrl) -> io::Result<String> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let folder = data_folder(database);
    let path = folder.join("secret.key");
    let keep = || -> io::Result<String> {
        let key = fs::read_to_string(&path)?;
        if secret::is_strong_key(&key) {
            Ok(key)
        } else {
            Err(io::Error::other("data/secret.key is too short"))
        }
    };
    if path.exists() {
        return keep();
    }
    make_private_folder(&folder)?;
    let key = secret::random_text(48).map_err(io::Error::other)?;
    // Written aside and linked into place: two nodes that start together end up with one key.
    let aside = folder.join(format!("secret.key.{}", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(key.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&aside, &path);
    fs::remove_file(&aside)?;
    match linked {
        Ok(()) => Ok(key),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => keep(),
        Err(cause) => Err(cause),
    }
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
            found.iter().all(|problem| problem.contains("Write") || problem.contains("README")),
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
            KEY,
            ("MODE", "production"),
            ("BASE_URL", "https://id.example.com"),
            ("SMTP_URL", "smtps://mail.example.com"),
        ];
        assert_eq!(problems(&safe), Vec::<String>::new());
    }

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

    #[test]
    fn a_problem_never_prints_a_password() {
        let found = problems(&[KEY, ("SMTP_URL", "hunter2"), ("DATABASE_URL", "mysql://root:hunter2@host")]);
        assert!(!found.join("").contains("hunter2"), "{found:?}");
    }

    #[test]
    fn the_file_speaks_toml_and_says_the_same_names_in_lower_case() {
        let values = parse_file(
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

    #[test]
    fn the_development_key_is_made_once_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let database = DatabaseUrl::Sqlite(folder.path().join("deep/house.db"));
        let first = development_key(&database).unwrap();
        assert_eq!(development_key(&database).unwrap(), first);
        let mode = fs::metadata(folder.path().join("deep/secret.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mode = fs::metadata(folder.path().join("deep")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "the database beside it is for its owner as well");
    }
}
