//! The jobs that run on one node at a time: what each is called, and how often it runs.

use chrono::TimeDelta;

/// A job that runs on one node at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chore {
    /// Reminds people whose account is about to be deleted, and purges those whose time is up.
    Deletions,
    /// Warns and ends accounts whose address nobody confirms.
    Unconfirmed,
    /// Takes the second factors away from those who lost everything, after the delay.
    FactorResets,
    /// Reads the metadata of identity providers anew, looks at the records of domains, and warns owners.
    Sso,
    /// Removes rows whose time is up.
    Sweep,
    /// Writes a SQLite file anew after a purge. Due when somebody was purged.
    Scrub,
}

impl Chore {
    /// All of them.
    pub const ALL: [Chore; 6] =
        [Chore::Deletions, Chore::Unconfirmed, Chore::FactorResets, Chore::Sso, Chore::Sweep, Chore::Scrub];

    /// Its name, for operators and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Chore::Deletions => "deletions",
            Chore::Unconfirmed => "unconfirmed",
            Chore::FactorResets => "factor-resets",
            Chore::Sso => "sso",
            Chore::Sweep => "sweep",
            Chore::Scrub => "scrub",
        }
    }

    /// What it does, in a few words.
    pub fn does(self) -> &'static str {
        match self {
            Chore::Deletions => "reminds who is about to be deleted, and purges whose time is up",
            Chore::Unconfirmed => "warns and ends accounts whose address nobody confirms",
            Chore::FactorResets => {
                "takes the second factors away from those who lost everything, after the delay"
            }
            Chore::Sso => "reads metadata of identity providers, looks at records of domains, warns owners",
            Chore::Sweep => "removes sessions, links, counters, sign-ins and letters whose time is up",
            Chore::Scrub => "writes a SQLite file anew after a purge, so that nothing is left in it",
        }
    }

    /// From one run to the next.
    pub fn pause(self) -> TimeDelta {
        match self {
            Chore::Deletions => TimeDelta::minutes(1),
            Chore::Unconfirmed => TimeDelta::hours(1),
            Chore::FactorResets => TimeDelta::seconds(30),
            Chore::Sso => TimeDelta::minutes(5),
            Chore::Sweep => TimeDelta::minutes(10),
            // Until it is asked for.
            Chore::Scrub => TimeDelta::days(36_500),
        }
    }
}
