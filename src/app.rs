//! What a request may use: settings, clock, rows, mail, hashing, metrics.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::{
    accounts::{api_keys::Rates, permissions, signing_keys::KeptRing},
    clock::{Clock, Timestamp},
    config::{Config, MailRoute, example_permissions},
    db::{Conn, Database, Tx},
    error::{Error, Outage, Result},
    mail::{Mailer, listener, somebody_listens},
    metrics::Metrics,
    model::password::Hasher,
    outbound::Outbound,
    saml::ResponsePool,
    webauthn::RelyingParty,
};

#[cfg(feature = "development")]
use crate::mail::Catcher;

/// Where development mail is caught.
pub(crate) const CATCHER_PORT: u16 = 1025;

// Responses that are read side by side, and how long one may take, waiting included.
const SAML_PERMITS: usize = 2;
const SAML_BUDGET: Duration = Duration::from_secs(5);

// Codes that are exchanged at providers side by side: each may wait for ten seconds.
const EXCHANGES: usize = 32;

// Notes that are written side by side, and how long somebody's request waits for its own.
const NOTES: usize = 4;
const NOTE_PATIENCE: Duration = Duration::from_millis(200);

/// The house: one per process, shared by every request and job. Cloning is cheap.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    config: Arc<Config>,
    clock: Clock,
    db: Database,
    mailer: Mailer,
    catcher: Option<Catcher>,
    mail_shown_at: Option<String>,
    hasher: Hasher,
    metrics: Metrics,
    passkeys: RelyingParty,
    mail_notify: Notify,
    saml_pool: ResponsePool,
    outbound: Outbound,
    exchanges: Semaphore,
    key_rates: Rates,
    notes: Arc<Semaphore>,
    signing_keys: KeptRing,
}

impl App {
    /// Opens the house with the machine's clock.
    pub(crate) fn open(config: Config) -> Result<Self> {
        Self::open_with(config, Clock::system())
    }

    /// Opens the house with a clock of one's own.
    pub fn open_with(config: Config, clock: Clock) -> Result<Self> {
        let db = Database::open(&config.database, config.database_pool, config.is_pooled)
            .map_err(|no| Error::Unavailable(Outage::lost(no.sentence)))?;
        let hasher =
            Hasher::start(config.hash_threads, config.hash_queue, config.bcrypt_cost, config.keys.clone())?;
        let (mailer, catcher) = open_mail(&config)?;
        let is_elsewhere = matches!(config.mail, MailRoute::Catch) && catcher.is_none();
        let mail_shown_at = if is_elsewhere { listener::shown_at(catcher_addr()) } else { None };
        let outbound = Outbound::new(&config);
        let inner = Inner {
            outbound,
            exchanges: Semaphore::new(EXCHANGES),
            key_rates: Rates::default(),
            notes: Arc::new(Semaphore::new(NOTES)),
            signing_keys: KeptRing::default(),
            metrics: Metrics::new(hasher.gauge())?,
            passkeys: RelyingParty::of(&config.site)?,
            config: Arc::new(config),
            clock,
            db,
            mailer,
            catcher,
            mail_shown_at,
            hasher,
            mail_notify: Notify::new(),
            saml_pool: ResponsePool::new(SAML_PERMITS, SAML_BUDGET),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The database, for what is neither a read nor a write.
    pub fn db(&self) -> &Database {
        &self.0.db
    }

    /// Who carries the emails.
    pub(crate) fn mailer(&self) -> &Mailer {
        &self.0.mailer
    }

    /// Whether the built-in mail catcher runs here.
    pub(crate) fn catches_mail(&self) -> bool {
        self.0.catcher.is_some()
    }

    /// The built-in mail catcher, where it runs.
    #[cfg(feature = "development")]
    pub fn catcher(&self) -> Option<&Catcher> {
        self.0.catcher.as_ref()
    }

    /// Where another instance on this machine, which was there first, shows the mail that it catches from this one.
    pub(crate) fn mail_shown_at(&self) -> Option<&str> {
        self.0.mail_shown_at.as_deref()
    }

    /// The hashing threads.
    pub(crate) fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    /// How many password hashes wait or run.
    pub fn hashes_in_hand(&self) -> usize {
        self.0.hasher.gauge().in_hand()
    }

    /// The counters.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// The WebAuthn relying party: this site, as passkeys know it. Cloning is cheap.
    pub(crate) fn relying_party(&self) -> &RelyingParty {
        &self.0.passkeys
    }

    /// Where SAML responses are read.
    pub fn saml_pool(&self) -> &ResponsePool {
        &self.0.saml_pool
    }

    /// Who asks the world.
    pub(crate) fn outbound(&self) -> &Outbound {
        &self.0.outbound
    }

    /// A place for an exchange with a provider; [`Error::Busy`] where all are taken.
    pub(crate) fn exchange_permit(&self) -> Result<SemaphorePermit<'_>> {
        self.0.exchanges.try_acquire().map_err(|_| Error::Busy)
    }

    /// How often API keys are used, and wrong ones tried.
    pub(crate) fn key_rates(&self) -> &Rates {
        &self.0.key_rates
    }

    /// The keys for tokens, as they were read last: see [`crate::jobs::signing_keys::ring`].
    pub(crate) fn signing_keys(&self) -> &KeptRing {
        &self.0.signing_keys
    }

    /// A read: one connection. On SQLite what a request reads before it waits is of one moment; elsewhere each statement
    /// is of its own. It may run twice: the second time on a new connection, where the first one was broken.
    pub async fn read<T, F>(&self, query: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut Conn) -> Result<T> + Send + 'static,
    {
        self.0.db.read(query).await
    }

    /// A write: all of it or none of it, at one moment. Its emails leave after the commit.
    pub async fn write<T, F>(&self, change: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx) -> Result<T> + Send + 'static,
    {
        let (value, has_mail) = self.0.db.write(Arc::clone(&self.0.config), self.now(), change).await?;
        if has_mail {
            self.0.mail_notify.notify_one();
        }
        Ok(value)
    }

    /// Notes something that may be lost: that a session or a key is used. Neither a writer that takes long nor a full disk delays
    /// or fails what it is noted of: after a moment it is written while nobody waits, and not at all where many are.
    pub(crate) async fn note<F>(&self, what: &'static str, change: F)
    where
        F: FnOnce(&mut Tx) -> Result<()> + Send + 'static,
    {
        let Ok(permit) = Arc::clone(&self.0.notes).try_acquire_owned() else { return };
        let app = self.clone();
        let noted = tokio::spawn(async move {
            if let Err(error) = app.write(change).await {
                tracing::warn!(cause = error.cause(), what, "was not noted");
            }
            drop(permit);
        });
        // It goes on.
        let _ = tokio::time::timeout(NOTE_PATIENCE, noted).await;
    }

    /// Brings the catalogue of the application's permissions up to what its file declares, where there is one; else adds
    /// those of the example, where that is on.
    pub(crate) fn declare_permissions(&self) -> Result<()> {
        let config = self.config();
        let Some(declared) = &config.permissions else {
            let add = |tx: &mut Tx| permissions::add(tx, &example_permissions());
            return if config.example_notes {
                self.0.db.write_blocking(config, self.now(), add)
            } else {
                Ok(())
            };
        };
        let declare = |tx: &mut Tx| permissions::declare(tx, declared);
        let retired = self.0.db.write_blocking(config, self.now(), declare)?;
        if declared.is_empty() && retired > 0 {
            tracing::warn!(
                retired,
                "PERMISSIONS_FILE declares nothing: every permission of the application is retired and allows nothing"
            );
        }
        tracing::info!(declared = declared.len(), retired, "permissions of the application are declared");
        Ok(())
    }

    /// Waits until somebody here posts an email.
    pub(crate) async fn mail_queued(&self) {
        self.0.mail_notify.notified().await;
    }
}

fn catcher_addr() -> SocketAddr {
    ([127, 0, 0, 1], CATCHER_PORT).into()
}

/// What carries emails as these settings say.
pub(crate) fn open_mail(config: &Config) -> Result<(Mailer, Option<Catcher>)> {
    let local = catcher_addr();
    let local_url = format!("smtp://{local}");
    let (url, catcher) = match &config.mail {
        MailRoute::Folder(path) => {
            return Ok((Mailer::folder(path, &config.mail_from).map_err(problem)?, None));
        }
        MailRoute::Smtp(url) => (url, None),
        MailRoute::Catch if somebody_listens(local) => (&local_url, None),
        MailRoute::Catch => (&local_url, Some(start_catcher(config, local)?)),
    };
    let host = config.site.base_url.host_str().unwrap_or_default();
    Ok((Mailer::smtp(url, &config.mail_from).map_err(problem)?.greeting_as(host), catcher))
}

#[cfg(feature = "development")]
fn start_catcher(config: &Config, local: SocketAddr) -> Result<Catcher> {
    Catcher::start_for(local, &config.site.link("/dev/mail")).map_err(Error::internal)
}

/// There is none in this build.
#[cfg(not(feature = "development"))]
pub(crate) enum Catcher {}

#[cfg(not(feature = "development"))]
fn start_catcher(_: &Config, local: SocketAddr) -> Result<Catcher> {
    let sentence = "SMTP_URL is missing, this build has no mail catcher of its own, and nothing listens at";
    Err(problem(format!("{sentence} {local}. Write the mail server's address.")))
}

fn problem(sentence: String) -> Error {
    anyhow::anyhow!(sentence).into()
}
