//! From texts to settings: which there are, what holds where one is not set, and which do not go together.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    slice,
};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::{
    Config, DatabaseUrl, Lifetimes, Limits, Mode, Problems, SETTINGS, TOKEN_PREFIX,
    development::{development_key, development_key_path},
    guessable::is_guessable,
    insecure::Insecurity,
    names::{called_elsewhere, meant_by},
    settings::{missing_key, provider_keys},
    sources::{PROVIDERS, Resolved, Source, Sources},
    told::{Told, tell},
    values::Reader,
};
use crate::secret::{self, Keys};

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 3000);

/// What is said where development's key finds no place because the database beside it would find none either.
fn no_place(database: &DatabaseUrl, cause: &io::Error) -> Option<String> {
    let DatabaseUrl::Sqlite(path) = database else { return None };
    (!development_key_path(database).exists()).then(|| {
        format!(
            "DATABASE_URL is `sqlite://{}`, in a folder that cannot be made or written to ({cause}). Write the path of a file \
             in one that the user that runs this may write to.",
            path.display()
        )
    })
}

/// Settings by name → a config, or everything that is wrong with them.
///
/// ```
/// use std::collections::BTreeMap;
/// use vestibule::config;
///
/// let refused = config::from_values(BTreeMap::from([("LISTEN".to_owned(), "somewhere".to_owned())]));
/// assert!(refused.unwrap_err().to_string().contains("LISTEN is `somewhere`"));
/// ```
pub fn from_values(values: BTreeMap<String, String>) -> Result<Config, Problems> {
    let mut sources = Sources::default();
    values.into_iter().for_each(|(name, text)| sources.write(name, text, Source::Environment));
    from_sources(sources, false).map(|(config, _)| config)
}

/// What was written → a config and each setting as it holds, or everything that is wrong with them. Who `only_looks` leaves no
/// key of development behind.
pub(crate) fn from_sources(sources: Sources, only_looks: bool) -> Result<(Config, Vec<Told>), Problems> {
    let Resolved { values, sources, problems, unreadable, libpq } = sources.resolve();
    let mut reader = Reader { values, problems, unreadable, libpq, only_looks, ..Reader::default() };
    let config = reader.config();
    reader.compare_pairs();
    reader.refuse_unknown_names();
    match config {
        Some(config) if reader.problems.is_empty() => {
            let told = tell(&reader, &sources, &config);
            Ok((Config { warnings: reader.warnings, ..config }, told))
        }
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
        self.read_allowed();
        let listen = self.socket("LISTEN", LISTEN).unwrap_or(LISTEN);
        let base_url_is_set = self.text("BASE_URL").is_some();
        let site = self.site(development, listen);
        let database = self.database(development);
        let database = self.with_password(database);
        let keys = self.keys(development, &database);
        let mail = self.mail(development);
        let trusted_proxies = self.networks("TRUSTED_PROXIES", &[]);
        self.warn_of_exposure(development, listen, &trusted_proxies);
        Some(Config {
            mode,
            database,
            database_pool: self.whole("DATABASE_POOL", 8, 1..=1_000),
            is_pooled: self
                .choice("DATABASE_POOLER", &[("off", false), ("transaction", true)])
                .unwrap_or(false),
            migrate: self.switch("MIGRATE", true),
            listen,
            base_url_is_set,
            workers: self.whole("WORKERS", cores, 1..=1_024),
            trusted_proxies,
            // In production a proxy without TRUSTED_PROXIES would make everybody an address of this machine.
            metrics_from: match development {
                true => self.networks("METRICS_FROM", &["127.0.0.0/8", "::1/128"]),
                false => self.networks("METRICS_FROM", &[]),
            },
            mail,
            mail_from: self.mail_from(site.as_ref()),
            bcrypt_cost: self.bcrypt_cost(development),
            hash_threads: self.whole("HASH_THREADS", cores, 1..=1_024),
            hash_queue: self.whole("HASH_QUEUE", 256, 1..=1_000_000),
            dns_server: self.socket("DNS_SERVER", SocketAddr::from(([127, 0, 0, 1], 53))),
            metadata_links: self.switch("SSO_METADATA_LINKS", true),
            private_metadata: self.switch("SSO_PRIVATE_METADATA", false),
            verify_on_get: self.verify_on_get(development),
            magic_links: self.switch("MAGIC_LINKS", true),
            step_up_after_sign_in: self.switch("STEP_UP_AFTER_SIGN_IN", false),
            hsts_preload: self.switch("HSTS_PRELOAD", false),
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
                saml_request: self.span("SAML_REQUEST_LIFE", "60m"),
                sso_setup_link: self.span("SSO_SETUP_LINK_LIFE", "7d"),
                invitation: self.span("INVITATION_LIFE", "7d"),
                factors_reset: self.span("FACTORS_RESET_DELAY", "24h"),
                email_change: self.span("EMAIL_CHANGE_LIFE", "24h"),
                email_undo: self.span("EMAIL_UNDO_LIFE", "7d"),
                hand_over: self.span("HAND_OVER_LIFE", "7d"),
                organisation_grace: self.span("ORGANISATION_GRACE", "14d"),
                gate_cache: self.span_within("GATE_CACHE", "0s", 0..=10),
                key: self.span("KEY_LIFE", "90d"),
                key_longest: self.span_or_off("KEY_MAX_LIFE", "366d"),
                scim_token: self.span("SCIM_TOKEN_LIFE", "365d"),
                access_token: self.span_within("ACCESS_TOKEN_LIFE", "10m", 60..=3_600),
                id_token: self.span("ID_TOKEN_LIFE", "5m"),
                code: self.span_within("CODE_LIFE", "60s", 1..=600),
                refresh_idle: self.span("REFRESH_IDLE", "14d"),
                refresh: self.span("REFRESH_LIFE", "90d"),
                refresh_grace: self.span_within("REFRESH_GRACE", "30s", 0..=60),
                signing_key: self.span_within("SIGNING_KEY_LIFE", "90d", 172_800..=315_360_000),
                former_slug: self.span("FORMER_SLUG_LIFE", "90d"),
                deletion_grace: self.span("DELETION_GRACE", "30d"),
                deletion_reminder: self.span("DELETION_REMINDER", "3d"),
                unconfirmed_warning: self.span("UNCONFIRMED_WARNING", "5d"),
                unconfirmed: self.span("UNCONFIRMED_LIFE", "7d"),
                history: self.span("HISTORY_LIFE", "90d"),
                failed_sign_in: self.span("FAILED_SIGN_IN_LIFE", "90d"),
                job_lease: self.span("JOB_LEASE", "60s"),
            },
            limits: self.limits(development),
            providers: self.providers(development, site.as_ref()),
            provider_sign_ups: self.switch("PROVIDER_SIGN_UPS", true),
            organisations_by_operators: self
                .choice("ORGANISATIONS_BY", &[("anyone", false), ("operators", true)])
                .unwrap_or(false),
            token_prefix: self.token_prefix(),
            scim: self.switch("SCIM", true),
            scim_body_limit: self.whole("SCIM_BODY_LIMIT", 4_194_304, 65_536..=16_777_216),
            permissions: self.permissions(),
            example_notes: self.switch("EXAMPLE_NOTES", development),
            body_limit: self.whole("BODY_LIMIT", 65_536, 1_024..=16_777_216),
            body_timeout: self.span("BODY_TIMEOUT", "30s").to_std().unwrap_or_default(),
            shutdown_timeout: self.span("SHUTDOWN_TIMEOUT", "30s").to_std().unwrap_or_default(),
            log: self.log(),
            log_json: self.choice("LOG_FORMAT", &[("text", false), ("json", true)]).unwrap_or(!development),
            shows_curl: self.switch("SHOW_CURL", development),
            access_log: self.switch("ACCESS_LOG", true),
            unfit_to_serve: match &site {
                Some(site) if development => self.exposed_development(site, base_url_is_set),
                _ => None,
            },
            warnings: Vec::new(),
            hints: Vec::new(),
            site: site?,
            keys: keys?,
            has_passing_key: self.has_passing_key,
        })
    }

    fn keys(&mut self, development: bool, database: &DatabaseUrl) -> Option<Keys> {
        if self.unreadable.contains("SECRET_KEY") {
            return None;
        }
        let hint = "32 characters or more, such as the output of `openssl rand -base64 48`";
        let current = match (self.text("SECRET_KEY"), development) {
            (Some(key), _) => key,
            (None, false) => {
                self.problems.push(format!("SECRET_KEY is missing. Write {hint}."));
                return None;
            }
            (None, true) if self.only_looks && !development_key_path(database).exists() => {
                self.has_passing_key = true;
                secret::random_text(48).ok()?
            }
            (None, true) => match development_key(database) {
                Ok(key) => key,
                Err(cause) => {
                    self.problems.push(no_place(database, &cause).unwrap_or_else(|| {
                        format!("SECRET_KEY is missing, and none can be kept ({cause}). Write {hint}.")
                    }));
                    return None;
                }
            },
        };
        let (next, previous) = (self.list("SECRET_KEY_NEXT"), self.list("SECRET_KEY_PREVIOUS"));
        if !secret::is_strong_key(&current) {
            self.problems.push(format!("SECRET_KEY is too short. Write {hint}."));
        }
        let is_weak = |key: &String| !development && secret::is_strong_key(key) && is_guessable(key);
        let made = "made of words, repetitions or sequences, which can be guessed";
        for (name, keys) in [("SECRET_KEY", slice::from_ref(&current)), ("SECRET_KEY_NEXT", &next)] {
            if keys.iter().any(is_weak) {
                self.refuse_insecure(Insecurity::WeakKey, &format!("{name} is {made}"), hint);
            }
        }
        // It has to open what it sealed, however weak it is.
        if previous.iter().any(is_weak) {
            self.warnings.push(format!(
                "SECRET_KEY_PREVIOUS is {made}, and so can what still hangs on it. Take it out as soon as `vestibule doctor` \
                 says that nothing does."
            ));
        }
        for (name, keys) in [("SECRET_KEY_NEXT", &next), ("SECRET_KEY_PREVIOUS", &previous)] {
            if keys.iter().any(|key| !secret::is_strong_key(key)) {
                let instead = "whole keys of 32 characters or more, separated by commas, or leave it out";
                self.problems.push(format!("{name} is too short in one of its keys. Write {instead}."));
            }
        }
        Keys::derive(&current, &previous).and_then(|keys| keys.with_next(&next)).ok()
    }

    fn bcrypt_cost(&mut self, development: bool) -> u32 {
        let least = if development { 4 } else { 10 };
        self.whole("BCRYPT_COST", 12, least..=16)
    }

    fn token_prefix(&mut self) -> String {
        let prefix = self.text("TOKEN_PREFIX").unwrap_or_else(|| TOKEN_PREFIX.to_owned());
        if prefix.len() != TOKEN_PREFIX.len() || !prefix.bytes().all(|byte| byte.is_ascii_lowercase()) {
            self.problem("TOKEN_PREFIX", &prefix, "three characters from a to z, such as vst");
        }
        prefix
    }

    fn verify_on_get(&mut self, development: bool) -> bool {
        let is_on = self.switch("VERIFY_ON_GET", development);
        if is_on && !development {
            let is =
                "VERIFY_ON_GET is `on`, so that a scanner that opens the links in mails confirms addresses";
            self.refuse_insecure(Insecurity::VerifyOnGet, is, "off in production, or leave it out");
        }
        is_on
    }

    /// A filter of `tracing`. A bare word that is no level would be taken for a part of the program, and log nothing else.
    fn log(&mut self) -> String {
        let text = self.text("LOG").unwrap_or_else(|| "info".to_owned());
        let is_level = |word: &str| word.contains(['=', '[']) || word.parse::<LevelFilter>().is_ok();
        let text = text.split(',').map(str::trim).collect::<Vec<_>>().join(",");
        if !text.split(',').all(is_level) || EnvFilter::builder().parse(&text).is_err() {
            let levels =
                "off, error, warn, info, debug or trace, or a filter such as info,vestibule::mail=debug";
            self.problem("LOG", &text, levels);
        }
        text
    }

    fn limits(&mut self, development: bool) -> Limits {
        let are_on = self.switch("THROTTLE", true);
        if !are_on && !development {
            self.problems.push("THROTTLE is `off`. Write on in production, or leave it out.".to_owned());
        }
        let sessions_per_account = self.whole("SESSIONS_PER_ACCOUNT", 100, 1..=1_000_000);
        let scim_per_minute = self.whole("SCIM_PER_MINUTE", 1_500, 1..=1_000_000);
        let mut count = |name, default| self.whole(name, default, 1..=1_000_000);
        Limits {
            are_on,
            sessions_per_account,
            scim_per_minute,
            login_per_address: count("LOGIN_PER_ADDRESS", 5),
            login_per_network: count("LOGIN_PER_NETWORK", 20),
            login_per_neighbourhood: count("LOGIN_PER_NEIGHBOURHOOD", 120),
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
        let keys = provider_keys(&self.text(PROVIDERS).unwrap_or_default());
        let settings: BTreeSet<String> = SETTINGS.iter().flat_map(|setting| setting.names(&keys)).collect();
        for name in self.values.keys().filter(|name| !settings.contains(*name)) {
            let hint = match (missing_key(name, &keys), meant_by(name).or_else(|| called_elsewhere(name))) {
                (Some(key), _) => format!("Is {key} missing in {}?", PROVIDERS.to_lowercase()),
                (None, Some(meant)) => format!("Did you mean {}?", meant.to_lowercase()),
                (None, None) => "docs/settings.md lists them all.".to_owned(),
            };
            self.problems.push(format!("{} is not a setting. {hint}", name.to_lowercase()));
        }
    }
}
