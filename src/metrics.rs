//! What Prometheus reads: counters of requests and sign-ins, gauges of the queues.

use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use crate::{
    clock::Timestamp,
    error::{Error, Result},
    kinds::{AuthMethod, Factor},
    log,
    model::{outbox::Depth, password::HasherGauge},
};

/// The counters of one process.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: Histogram,
    sign_ins: IntCounterVec,
    second_factors: IntCounterVec,
    emails: IntCounterVec,
    job_runs: IntCounterVec,
    job_items: IntCounterVec,
    metadata: IntCounterVec,
    domains: IntCounterVec,
    provider_sign_ins: IntCounterVec,
    oidc_keys: IntCounterVec,
    hashes: IntGauge,
    outbox_waiting: IntGauge,
    outbox_age: IntGauge,
    outbox_parked: IntGauge,
    outbox_refused: IntGauge,
    lost_log_lines: IntCounter,
    csp_reports: IntCounter,
    scim_passed_over: IntCounter,
    directory_kept: IntCounter,
    hasher: HasherGauge,
}

impl Metrics {
    /// Counters at zero, and a gauge on the hashing queue.
    pub(crate) fn new(hasher: HasherGauge) -> Result<Self> {
        let registry = Registry::new();
        let make = || -> prometheus::Result<Self> {
            let counter = |name: &str, help: &str, labels: &[&str]| {
                let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
                registry.register(Box::new(counter.clone()))?;
                Ok::<_, prometheus::Error>(counter)
            };
            let lost =
                IntCounter::new("vestibule_log_lines_lost_total", "Lines of the log that nobody took")?;
            registry.register(Box::new(lost.clone()))?;
            let reports = IntCounter::new(
                "vestibule_csp_reports_total",
                "Reports of browsers that a page wanted what its policy forbids",
            )?;
            registry.register(Box::new(reports.clone()))?;
            let passed_over = IntCounter::new(
                "vestibule_scim_passed_over_total",
                "Attributes and members that directories sent and that are not kept",
            )?;
            registry.register(Box::new(passed_over.clone()))?;
            let kept = IntCounter::new(
                "vestibule_directory_kept_total",
                "Times that an owner stayed one against their directory's word, because an organisation cannot do without",
            )?;
            registry.register(Box::new(kept.clone()))?;
            let gauge = |name: &str, help: &str| {
                let gauge = IntGauge::new(name, help)?;
                registry.register(Box::new(gauge.clone()))?;
                Ok::<_, prometheus::Error>(gauge)
            };
            let buckets = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
            let opts = HistogramOpts::new("vestibule_request_seconds", "Time from request to answer")
                .buckets(buckets);
            let seconds = Histogram::with_opts(opts)?;
            registry.register(Box::new(seconds.clone()))?;
            Ok(Self {
                requests: counter(
                    "vestibule_requests_total",
                    "Requests by route and status",
                    &["route", "status"],
                )?,
                sign_ins: counter(
                    "vestibule_sign_ins_total",
                    "Sign-ins by method and outcome",
                    &["method", "outcome"],
                )?,
                second_factors: counter(
                    "vestibule_second_factors_total",
                    "Second factors at a sign-in by factor and outcome",
                    &["factor", "outcome"],
                )?,
                emails: counter("vestibule_emails_total", "Emails by outcome of an attempt", &["outcome"])?,
                job_runs: counter(
                    "vestibule_job_runs_total",
                    "Runs of a job by outcome",
                    &["job", "outcome"],
                )?,
                job_items: counter(
                    "vestibule_job_items_total",
                    "What jobs did, by kind: people reminded and warned, accounts and rows removed",
                    &["what"],
                )?,
                metadata: counter(
                    "vestibule_sso_metadata_total",
                    "Readings of identity providers' metadata by outcome",
                    &["outcome"],
                )?,
                domains: counter(
                    "vestibule_domain_checks_total",
                    "Looks at the records of domains by outcome",
                    &["outcome"],
                )?,
                provider_sign_ins: counter(
                    "vestibule_provider_sign_ins_total",
                    "Sign-ins with a provider by its key and outcome",
                    &["provider", "outcome"],
                )?,
                oidc_keys: counter(
                    "vestibule_oidc_keys_read_total",
                    "Readings of providers' keys by outcome",
                    &["outcome"],
                )?,
                hashes: gauge("vestibule_hash_queue", "Password hashes that wait or run")?,
                outbox_waiting: gauge("vestibule_outbox_emails", "Emails that wait to be sent")?,
                outbox_age: gauge("vestibule_outbox_age_seconds", "Age of the oldest email that waits")?,
                outbox_parked: gauge("vestibule_outbox_parked", "Emails that were given up")?,
                outbox_refused: gauge(
                    "vestibule_outbox_refused",
                    "Emails that wait because the mail server takes nothing from us",
                )?,
                lost_log_lines: lost,
                csp_reports: reports,
                scim_passed_over: passed_over,
                directory_kept: kept,
                seconds,
                hasher,
                registry: registry.clone(),
            })
        };
        make().map_err(Error::internal)
    }

    /// Counts a request. `route` is the pattern, never the path itself.
    pub(crate) fn request(&self, route: &str, status: u16, seconds: f64) {
        let mut digits = [0; 3];
        self.requests.with_label_values(&[route, three_digits(status, &mut digits)]).inc();
        self.seconds.observe(seconds);
    }

    /// Counts a sign-in that succeeded or did not.
    pub(crate) fn sign_in(&self, method: AuthMethod, has_succeeded: bool) {
        let outcome = if has_succeeded { "success" } else { "failure" };
        self.sign_ins.with_label_values(&[method.as_str(), outcome]).inc();
    }

    /// Counts a second factor at a sign-in; `None` where it had the shape of none.
    pub(crate) fn second_factor(&self, factor: Option<Factor>, has_succeeded: bool) {
        let outcome = if has_succeeded { "success" } else { "failure" };
        let factor = factor.map_or("none", |factor| factor.as_str());
        self.second_factors.with_label_values(&[factor, outcome]).inc();
    }

    /// Counts an attempt to send an email: `sent`, `deferred`, `refused` (us, not the email) or `parked`.
    pub(crate) fn email(&self, outcome: &str) {
        self.emails.with_label_values(&[outcome]).inc();
    }

    /// Counts a run of a job on this node: `done`, `failed` or `interrupted`.
    pub(crate) fn job_run(&self, job: &str, outcome: &str) {
        self.job_runs.with_label_values(&[job, outcome]).inc();
    }

    /// Counts what a job did: reminders, warnings, removed accounts and rows.
    pub(crate) fn job_items(&self, what: &str, count: usize) {
        self.job_items.with_label_values(&[what]).inc_by(count as u64);
    }

    /// Counts a reading of an identity provider's metadata: `read`, `refused` or `unreadable`.
    pub(crate) fn metadata(&self, outcome: &str) {
        self.metadata.with_label_values(&[outcome]).inc();
    }

    /// Counts a look at the record of a domain: `found`, `gone` or `unknown`.
    pub(crate) fn domain(&self, outcome: &str) {
        self.domains.with_label_values(&[outcome]).inc();
    }

    /// Counts a sign-in with a provider of the settings: `success`, `cancelled`, `refused` or `silent`.
    pub(crate) fn provider_sign_in(&self, provider: &str, outcome: &str) {
        self.provider_sign_ins.with_label_values(&[provider, outcome]).inc();
    }

    /// Counts a reading of a provider's keys: `read`, `refused` or `unreadable`.
    pub(crate) fn oidc_keys(&self, outcome: &str) {
        self.oidc_keys.with_label_values(&[outcome]).inc();
    }

    /// Counts a browser's report of what a page's policy forbade.
    pub(crate) fn csp_report(&self) {
        self.csp_reports.inc();
    }

    /// Counts what a directory sent that is not kept, and owners who stay against its word.
    pub(crate) fn directory(&self, passed_over: usize, kept: usize) {
        self.scim_passed_over.inc_by(passed_over as u64);
        self.directory_kept.inc_by(kept as u64);
    }

    /// Everything, in Prometheus's text format; without the outbox where it is not known.
    pub(crate) fn text(&self, outbox: Option<&Depth>, now: Timestamp) -> Result<String> {
        self.hashes.set(i64::try_from(self.hasher.in_hand()).unwrap_or(i64::MAX));
        if let Some(outbox) = outbox {
            self.outbox_waiting.set(outbox.waiting);
            self.outbox_age.set(outbox.oldest_at.map_or(0, |oldest| (now - oldest).num_seconds()));
            self.outbox_parked.set(outbox.parked);
            self.outbox_refused.set(outbox.refused);
        }
        let lost = &self.lost_log_lines;
        lost.inc_by(log::lost_lines().saturating_sub(lost.get()));
        let mut families = self.registry.gather();
        families.retain(|family| outbox.is_some() || !family.name().starts_with("vestibule_outbox_"));
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text).map_err(Error::internal)?;
        String::from_utf8(text).map_err(Error::internal)
    }
}

fn three_digits(status: u16, digits: &mut [u8; 3]) -> &str {
    for (place, digit) in [100, 10, 1].into_iter().zip(digits.iter_mut()) {
        *digit = b'0' + u8::try_from(status / place % 10).unwrap_or(0);
    }
    std::str::from_utf8(digits).unwrap_or("000")
}
