//! The jobs that run on one node at a time: what each is called, and how often it runs.

use chrono::TimeDelta;

/// A job that runs on one node at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Reminds people whose account is about to be deleted, and ends accounts and organisations whose time is up.
    Deletions,
    /// Warns and ends accounts whose address nobody confirms.
    Unconfirmed,
    /// Takes the second factors away from those who lost everything, after the delay.
    FactorResets,
    /// Tells the owners of API keys that are about to end.
    ApiKeys,
    /// Tells applications that sessions ended.
    Deliveries,
    /// Announces and changes the keys that tokens are signed with.
    SigningKeys,
    /// Reads the metadata of identity providers anew, looks at the records of domains, and warns owners.
    Sso,
    /// Removes rows whose time is up.
    Sweep,
    /// Writes a SQLite file anew after a purge. Due when somebody was purged.
    Vacuum,
}

impl Job {
    /// All of them.
    pub const ALL: [Job; 9] = [
        Job::Deletions,
        Job::Unconfirmed,
        Job::FactorResets,
        Job::ApiKeys,
        Job::Deliveries,
        Job::SigningKeys,
        Job::Sso,
        Job::Sweep,
        Job::Vacuum,
    ];

    /// Its name, for operators and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Job::Deletions => "deletions",
            Job::Unconfirmed => "unconfirmed",
            Job::FactorResets => "factor-resets",
            Job::ApiKeys => "api-keys",
            Job::Deliveries => "deliveries",
            Job::SigningKeys => "signing-keys",
            Job::Sso => "sso",
            Job::Sweep => "sweep",
            Job::Vacuum => "vacuum",
        }
    }

    /// What it does, in a few words.
    pub(crate) fn does(self) -> &'static str {
        match self {
            Job::Deletions => {
                "reminds who is about to be deleted, and ends accounts and organisations whose time is up"
            }
            Job::Unconfirmed => "warns and ends accounts whose address nobody confirms",
            Job::FactorResets => {
                "takes the second factors away from those who lost everything, after the delay"
            }
            Job::ApiKeys => "tells the owners of API keys that are about to end",
            Job::Deliveries => "tells applications that sessions ended",
            Job::SigningKeys => "announces and changes the keys that tokens are signed with",
            Job::Sso => "reads metadata of identity providers, looks at records of domains, warns owners",
            Job::Sweep => "removes sessions, links, counters, sign-ins and emails whose time is up",
            Job::Vacuum => "writes a SQLite file anew after a purge, so that nothing is left in it",
        }
    }

    /// From one run to the next.
    pub(crate) fn pause(self) -> TimeDelta {
        match self {
            Job::Deletions => TimeDelta::minutes(1),
            Job::Unconfirmed => TimeDelta::hours(1),
            Job::FactorResets => TimeDelta::seconds(30),
            Job::ApiKeys => TimeDelta::minutes(30),
            Job::Deliveries => TimeDelta::seconds(5),
            Job::SigningKeys => TimeDelta::minutes(30),
            Job::Sso => TimeDelta::minutes(5),
            Job::Sweep => TimeDelta::minutes(10),
            // Until it is asked for.
            Job::Vacuum => TimeDelta::days(36_500),
        }
    }
}
