//! The list of settings: each with its name, its default and its meaning.

/// One setting: its name, its default in words, and what it means.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What holds where it is not set; empty where there is no default.
    pub default: &'static str,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// Whether it is secret: hidden where settings are shown, and read from a file of its own as well.
    pub is_secret: bool,
}

const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning, is_secret: false }
}

const fn secret(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning, is_secret: true }
}

// What stands in a name for the key of a provider, in capitals.
const KEY: &str = "{KEY}";

impl Setting {
    /// The names that it has where these are the keys of providers: its own, or one for each key.
    pub(super) fn names(&self, keys: &[String]) -> Vec<String> {
        match self.name.contains(KEY) {
            true => keys.iter().map(|key| self.name.replace(KEY, &key.to_uppercase())).collect(),
            false => vec![self.name.to_owned()],
        }
    }

    /// The key of the provider that a name is about, where it is one that this setting has with some key.
    fn key_in<'a>(&self, name: &'a str) -> Option<&'a str> {
        let (before, after) = self.name.split_once(KEY)?;
        let key = name.strip_prefix(before)?.strip_suffix(after)?;
        let is_one =
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        is_one.then_some(key)
    }
}

/// The keys in a text of `OIDC_PROVIDERS`.
pub(super) fn provider_keys(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    words.filter(|word| *word != "none").map(str::to_owned).collect()
}

/// The key of a provider that is missing among `keys`, where `name` would be a setting with it.
pub(super) fn missing_key(name: &str, keys: &[String]) -> Option<String> {
    let name = name.strip_suffix("_FILE").unwrap_or(name);
    let key = SETTINGS.iter().find_map(|setting| setting.key_in(name))?.to_lowercase();
    (!keys.contains(&key)).then_some(key)
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    setting(
        "MODE",
        "development",
        "`development`, for one machine, or `production`, which refuses unsafe settings",
    ),
    setting(
        "ALLOW_INSECURE",
        "none",
        "unsafe settings that are meant: `verify_on_get`, `weak_key`, `smtp`, `postgres`, `development`; each is said at start",
    ),
    secret("DATABASE_URL", "sqlite://data/vestibule.db", "`sqlite://PATH` or `postgres://…`"),
    secret("DATABASE_PASSWORD", "none", "PostgreSQL's password, where `DATABASE_URL` is to hold none"),
    setting("DATABASE_POOL", "8", "connections to PostgreSQL per node"),
    setting(
        "DATABASE_POOLER",
        "off",
        "`transaction` where PgBouncer in transaction mode stands before PostgreSQL",
    ),
    setting("MIGRATE", "on", "`off`: `serve` leaves the schema to `vestibule migrate`"),
    setting(
        "BASE_URL",
        "http://localhost and the port of LISTEN in development",
        "the address that people type; links in mails start with it",
    ),
    setting("LISTEN", "127.0.0.1:3000", "address and port to listen on"),
    setting("WORKERS", "cores", "threads that answer requests"),
    setting(
        "TRUSTED_PROXIES",
        "none",
        "networks of proxies: their `X-Forwarded-For` counts, and they may ask the gate: `10.0.0.0/8, ::1/128`",
    ),
    setting(
        "METRICS_FROM",
        "`127.0.0.0/8, ::1/128` in development, none in production",
        "networks that may read `/metrics`; everyone else sees 404",
    ),
    secret(
        "SECRET_KEY",
        "made in `data/` in development",
        "32 characters or more, at random; seals, peppers and signs",
    ),
    secret(
        "SECRET_KEY_NEXT",
        "none",
        "the key that is announced before it becomes `SECRET_KEY`: it opens what other nodes seal with it already",
    ),
    secret(
        "SECRET_KEY_PREVIOUS",
        "none",
        "older keys, separated by commas, that still open what they sealed",
    ),
    secret(
        "SMTP_URL",
        "localhost:1025 or the built-in catcher",
        "`smtps://user:pass@host`, `smtp://host:587?tls=required` or `folder:PATH`",
    ),
    setting("MAIL_FROM", "BRAND_NAME <no-reply@BASE_URL's host>", "who mails come from"),
    setting("MAIL_LEASE", "60s", "how long one node holds an email before another may send it"),
    setting("BRAND_NAME", "Vestibule", "the name on pages and in mails"),
    setting("BRAND_ACCENT", "none", "the accent colour as `#rrggbb`"),
    setting("BRAND_LOGO", "none", "an SVG or PNG file shown beside the name"),
    setting("BRAND_STYLESHEET", "none", "a CSS file that follows ours"),
    setting("BCRYPT_COST", "12", "the cost of a password hash, 10 to 16; 4 and up in development"),
    setting("HASH_THREADS", "cores", "low-priority threads that hash passwords"),
    setting(
        "HASH_QUEUE",
        "256",
        "how many hashes may wait, and as many again of browsers that their account knows; beyond that, and where one would wait for more than 5 s, 503 with `Retry-After`",
    ),
    setting(
        "DNS_SERVER",
        "those of the machine",
        "`ADDRESS:PORT` of the DNS server that is asked about domains and metadata",
    ),
    setting(
        "SSO_METADATA_LINKS",
        "on",
        "`off`: metadata of identity providers is pasted, never read from a link",
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
    setting(
        "SESSIONS_PER_ACCOUNT",
        "100",
        "sessions of one account; one more ends the least recently used of the network (IPv4: /24, IPv6: /48) with the most",
    ),
    setting("STEP_UP_WINDOW", "5m", "how long a step-up is good for, in its session"),
    setting(
        "STEP_UP_AFTER_SIGN_IN",
        "off",
        "`on`: a sign-in by password or passkey, with the second factor where one is due, is a step-up as well; by email link never",
    ),
    setting("PENDING_SIGN_IN", "10m", "how long a sign-in waits for its second step"),
    setting("MAGIC_LINKS", "on", "`off`: no sign-in by email link"),
    setting("MAGIC_LINK_LIFE", "10m", "how long a link to sign in works, and its short code"),
    setting("SAML_REQUEST_LIFE", "60m", "how long someone may take to sign in at their identity provider"),
    setting(
        "SSO_SETUP_LINK_LIFE",
        "7d",
        "how long a link works by which an IT contact sets single sign-on up",
    ),
    setting("INVITATION_LIFE", "7d", "how long an invitation to an organisation can be answered"),
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
    setting("DELETION_GRACE", "30d", "how long someone who asked to be deleted can change their mind"),
    setting("DELETION_REMINDER", "3d", "how long before the end they are reminded"),
    setting(
        "UNCONFIRMED_WARNING",
        "5d",
        "an account whose address is not confirmed is warned after this long",
    ),
    setting("UNCONFIRMED_LIFE", "7d", "and removed after this long"),
    setting(
        "HISTORY_LIFE",
        "90d",
        "how long sign-ins, also in the audit, the network addresses in it, and what was mailed when, are kept",
    ),
    setting(
        "FAILED_SIGN_IN_LIFE",
        "90d",
        "how long failed sign-ins, and links that were asked for, are kept in the audit",
    ),
    setting("GITHUB_CLIENT_ID", "none", "with `GITHUB_CLIENT_SECRET`: people may sign in with GitHub"),
    secret("GITHUB_CLIENT_SECRET", "none", "the secret of that OAuth app"),
    setting("GOOGLE_CLIENT_ID", "none", "with `GOOGLE_CLIENT_SECRET`: people may sign in with Google"),
    secret("GOOGLE_CLIENT_SECRET", "none", "the secret of that OAuth client"),
    setting("GOOGLE_DOMAINS", "none", "Google Workspace domains: people of others are refused"),
    setting(
        "MICROSOFT_CLIENT_ID",
        "none",
        "with `MICROSOFT_CLIENT_SECRET`: people may sign in with Microsoft",
    ),
    secret("MICROSOFT_CLIENT_SECRET", "none", "the secret of that app registration, which expires there"),
    setting("MICROSOFT_TENANT", "common", "`common`, `organizations`, `consumers` or the id of a tenant"),
    setting(
        "MICROSOFT_TRUSTS_ADDRESSES",
        "off",
        "`on`, with the id of a tenant only: email addresses that it tells count as verified",
    ),
    setting(
        "APPLE_CLIENT_ID",
        "none",
        "a Services ID; with `APPLE_TEAM_ID`, `APPLE_KEY_ID` and `APPLE_KEY`: people may sign in with Apple",
    ),
    setting("APPLE_TEAM_ID", "none", "the id of the team that it belongs to"),
    setting("APPLE_KEY_ID", "none", "the id of its key"),
    secret("APPLE_KEY", "none", "that key: the text of the `.p8` file"),
    setting(
        "OIDC_PROVIDERS",
        "none",
        "keys of further OpenID providers that people may sign in with: `acme, school`",
    ),
    setting(
        "OIDC_{KEY}_ISSUER",
        "",
        "of each of them, such as `OIDC_ACME_ISSUER`: its issuer, exactly as it is written there",
    ),
    setting("OIDC_{KEY}_CLIENT_ID", "", "who this site is there"),
    secret("OIDC_{KEY}_CLIENT_SECRET", "", "and its secret"),
    setting("OIDC_{KEY}_NAME", "the key", "what its button says"),
    setting("OIDC_{KEY}_SCOPES", "openid email profile", "what is asked for, with blanks between"),
    setting(
        "OIDC_{KEY}_TRUSTS_ADDRESSES",
        "said",
        "when an email address that it tells counts as verified: where it is `said` (`email_verified`), `always` or `never`",
    ),
    setting("PROVIDER_SIGN_UPS", "on", "`off`: nobody gets an account by signing in with a provider"),
    setting("ORGANISATIONS_BY", "anyone", "who may create an organisation: `anyone` or `operators`"),
    setting("HAND_OVER_LIFE", "7d", "how long a member may take to accept an organisation"),
    setting("ORGANISATION_GRACE", "14d", "how long owners can restore an organisation that they deleted"),
    setting(
        "GATE_CACHE",
        "0s",
        "how long a [proxy](gate.md#when-every-check-counts) may let a visitor through without asking again, up to 10s: someone who is signed out is out that much later",
    ),
    setting("KEY_LIFE", "90d", "how long an API key works, unless its maker says otherwise"),
    setting("KEY_MAX_LIFE", "366d", "how long it may work at most; `off`: it need not expire"),
    setting(
        "TOKEN_PREFIX",
        "vst",
        "three characters (a to z) that the secrets of new API keys begin with; older keys work on",
    ),
    setting("SCIM", "on", "`off`: no organisation has a [directory](scim.md), and `/scim/` does not exist"),
    setting("SCIM_PER_MINUTE", "1500", "calls a minute into the directory of one organisation"),
    setting("SCIM_BODY_LIMIT", "4194304", "bytes in the body of such a call"),
    setting("SCIM_TOKEN_LIFE", "365d", "how long a token for such calls works at most"),
    setting(
        "ACCESS_TOKEN_LIFE",
        "10m",
        "how long an access token of an [application](provider.md) is good, from 60s to 3600s",
    ),
    setting("ID_TOKEN_LIFE", "5m", "how long an ID token is good"),
    setting("CODE_LIFE", "60s", "how long an application may take to exchange its code, up to 600s"),
    setting("REFRESH_IDLE", "14d", "a refresh token ends after this long without use"),
    setting("REFRESH_LIFE", "90d", "and with everything after it this long after the person allowed it"),
    setting(
        "REFRESH_GRACE",
        "30s",
        "how long a refresh token that was used gets the same answer again, up to 60s; after that its use counts as that of a copy",
    ),
    setting(
        "SIGNING_KEY_LIFE",
        "90d",
        "how long a key signs tokens before the next one does, at least 172800s",
    ),
    setting(
        "FORMER_SLUG_LIFE",
        "90d",
        "how long a former short name leads to its organisation, and that of a deleted one stays taken",
    ),
    setting(
        "PERMISSIONS_FILE",
        "none",
        "a TOML file with the permissions of the application behind this site, read at start",
    ),
    setting(
        "EXAMPLE_NOTES",
        "on in development, off in production",
        "whether organisations have notes, an example of what an application does",
    ),
    setting(
        "DEMO_PROVIDER",
        "on in development, off in production",
        "whether people can sign in with the demonstration provider at `/dev/oidc`, which signs anybody in; only where `BASE_URL` is this machine, and production refuses it",
    ),
    setting("JOB_LEASE", "60s", "how long one node holds a job before another may take it over"),
    setting("THROTTLE", "on", "`off` lifts every limit below, for load tests; production refuses it"),
    setting("LOGIN_PER_ADDRESS", "5", "sign-in attempts a minute for one address"),
    setting("LOGIN_PER_NETWORK", "20", "sign-in attempts a minute from one client (IPv6: /64)"),
    setting(
        "LOGIN_PER_NEIGHBOURHOOD",
        "120",
        "sign-ins and sign-ups a minute from one neighbourhood (IPv4: /24, IPv6: /48); a browser that the account knows does not count",
    ),
    setting("LOGIN_FAILURES", "10", "failures in a row until unknown browsers have to wait"),
    setting("LOGIN_COOL_DOWN", "15m", "how long they have to wait"),
    setting("SIGNUPS_PER_NETWORK", "30", "sign-ups an hour from one client"),
    setting("PASSKEYS_PER_NETWORK", "60", "passkey challenges a minute for one client"),
    setting("MAILS_PER_MINUTE", "1", "emails of one kind a minute to one address"),
    setting("MAILS_PER_HOUR", "5", "emails of one kind an hour to one address"),
    setting("BODY_LIMIT", "65536", "bytes in a request body"),
    setting("BODY_TIMEOUT", "30s", "how long a request body may take to arrive"),
    setting("SHUTDOWN_TIMEOUT", "30s", "how long requests in flight may take after SIGTERM"),
    setting("LOG", "info", "what is logged, as a `tracing` filter"),
    setting(
        "LOG_FORMAT",
        "text in development, json in production",
        "`text` or `json`, one line an event, on stdout",
    ),
    setting(
        "SHOW_CURL",
        "on in development, off in production",
        "whether pages end with the same thing as curl commands",
    ),
    setting(
        "HSTS_PRELOAD",
        "off",
        "`on`: asks browsers' makers to put the domain of `BASE_URL` on their https lists, with all names below it",
    ),
    setting("ACCESS_LOG", "on", "`off`: no line for each request"),
];
