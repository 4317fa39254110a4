//! The settings as the program uses them: each with the type of what it means.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use chrono::TimeDelta;
use ipnet::IpNet;

use super::{database_url::DatabaseUrl, permissions::DeclaredPermission, provider::Provider, site::Site};
use crate::secret::Keys;

/// Whether real people's accounts are at stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// On a developer's machine: everything has a default, mail is caught.
    Development,
    /// For real accounts: refuses to start with anything unsafe.
    Production,
}

/// `TOKEN_PREFIX`, unless it is set.
pub(crate) const TOKEN_PREFIX: &str = "vst";

/// Where emails go.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum MailRoute {
    /// Nothing is set: what listens on localhost:1025, else the built-in catcher (development only).
    Catch,
    /// A mail server.
    Smtp(String),
    /// One file per email.
    Folder(PathBuf),
}

impl fmt::Debug for MailRoute {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MailRoute::Catch => out.write_str("catch"),
            MailRoute::Smtp(url) => write!(out, "{}://***", url.split(':').next().unwrap_or_default()),
            MailRoute::Folder(path) => write!(out, "folder:{}", path.display()),
        }
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
    /// How long one node holds an email.
    pub mail_lease: TimeDelta,
    /// A step-up, in its session.
    pub step_up: TimeDelta,
    /// A sign-in between its first factor and its second.
    pub pending_sign_in: TimeDelta,
    /// A link to sign in, and its short code.
    pub magic_link: TimeDelta,
    /// A request to an identity provider, until it is answered.
    pub saml_request: TimeDelta,
    /// A link by which an IT contact sets a connection up.
    pub sso_setup_link: TimeDelta,
    /// An invitation to an organisation, until it is answered.
    pub invitation: TimeDelta,
    /// From an operator's reset of second factors until it takes effect.
    pub factors_reset: TimeDelta,
    /// The link to a new address.
    pub email_change: TimeDelta,
    /// The old address's way back, after the change.
    pub email_undo: TimeDelta,
    /// The offer of an organisation to one of its members.
    pub hand_over: TimeDelta,
    /// From deleting an organisation to its end.
    pub organisation_grace: TimeDelta,
    /// What a proxy may keep of the gate's yes; zero where it asks at every request.
    pub(crate) gate_cache: TimeDelta,
    /// An API key, unless its maker says otherwise.
    pub key: TimeDelta,
    /// An API key at most; nothing where it need not expire.
    pub key_longest: Option<TimeDelta>,
    /// A token of a directory at most.
    pub(crate) scim_token: TimeDelta,
    /// An access token of the provider.
    pub(crate) access_token: TimeDelta,
    /// An ID token.
    pub(crate) id_token: TimeDelta,
    /// An authorization code.
    pub(crate) code: TimeDelta,
    /// A refresh token that is not used.
    pub(crate) refresh_idle: TimeDelta,
    /// A grant without a session, however often it is refreshed.
    pub(crate) refresh: TimeDelta,
    /// How long a spent refresh token gets the same answer again.
    pub(crate) refresh_grace: TimeDelta,
    /// A signing key in use.
    pub(crate) signing_key: TimeDelta,
    /// A short name that an organisation had.
    pub former_slug: TimeDelta,
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
    /// Failed sign-ins, and links that were asked for, in the audit.
    pub failed_sign_in: TimeDelta,
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
    /// Password hashes a minute that one neighbourhood of the network has made.
    pub login_per_neighbourhood: i32,
    /// Sessions of one account.
    pub sessions_per_account: usize,
    /// Failures in a row until unknown browsers have to wait.
    pub login_failures: i32,
    /// How long they have to wait.
    pub login_cool_down: TimeDelta,
    /// Sign-ups an hour from one client.
    pub signups_per_network: i32,
    /// Calls a minute into one directory.
    pub(crate) scim_per_minute: u32,
    /// Passkey challenges a minute for one client.
    pub passkeys_per_network: i32,
    /// Emails of one kind a minute to one address.
    pub mails_per_minute: i32,
    /// Emails of one kind an hour to one address.
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
    /// Whether that is one which this process made and nobody kept: there is none yet, and a command that only looks makes none.
    pub(crate) has_passing_key: bool,
    /// Where emails go.
    pub(crate) mail: MailRoute,
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
    /// Whether metadata of identity providers may be read from links.
    pub metadata_links: bool,
    /// Whether metadata may be read from private networks.
    pub private_metadata: bool,
    /// Whether an API caller's GET of a link confirms.
    pub verify_on_get: bool,
    /// Whether a link by mail signs people in.
    pub magic_links: bool,
    /// Whether a strong sign-in is a step-up as well.
    pub step_up_after_sign_in: bool,
    /// Whether browsers' makers may put the domain on their lists.
    pub hsts_preload: bool,
    /// How long things last.
    pub lifetimes: Lifetimes,
    /// How often things may be tried.
    pub limits: Limits,
    /// The providers whose accounts people may sign in with, in the order of their buttons.
    pub(crate) providers: Vec<Provider>,
    /// Whether people without an account get one by signing in with a provider.
    pub(crate) provider_sign_ups: bool,
    /// Whether operators alone create organisations.
    pub organisations_by_operators: bool,
    /// The catalogue of the application; nothing where no file declares one.
    pub(crate) permissions: Option<Vec<DeclaredPermission>>,
    /// Whether organisations have directories.
    pub(crate) scim: bool,
    /// Bytes in the body of a call into one.
    pub(crate) scim_body_limit: usize,
    /// What the secrets of new API keys begin with: three characters from a to z.
    pub(crate) token_prefix: String,
    /// Whether the example of notes is there.
    pub(crate) example_notes: bool,
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
    /// Whether pages end with the same thing as curl commands.
    pub shows_curl: bool,
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
    pub(crate) fn is_development(&self) -> bool {
        self.mode == Mode::Development
    }

    /// The provider with this key.
    pub(crate) fn provider(&self, key: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.key == key)
    }
}
