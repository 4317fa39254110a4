//! What the record can say happened: each use case declares its own events, and `accounts::audit_events` is the list.

use serde::Serialize;

/// What is fixed about an event of one name.
#[derive(Debug)]
pub(crate) struct EventKind {
    /// Its name in the record.
    pub name: &'static str,
    /// What an organisation's pages call it, where it concerns one.
    pub title: Option<&'static str>,
    /// How long it is kept.
    pub retention: Retention,
    /// Whether it is an attempt that failed.
    pub is_failure: bool,
    /// Whether its detail names an account besides its actor and subject.
    pub names_account: bool,
}

/// How long an event is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retention {
    /// For good: it changed something.
    Lasting,
    /// As long as the history of sign-ins: what happens at sign-ins that work.
    History,
    /// As long as failed sign-ins: what anybody can cause who knows an address, as often as they like.
    Attempts,
}

impl EventKind {
    /// An event that is kept for good.
    pub(crate) const fn of(name: &'static str) -> Self {
        Self { name, title: None, retention: Retention::Lasting, is_failure: false, names_account: false }
    }

    /// An event that concerns an organisation, which its detail names as `organisation`; and what pages call it.
    pub(crate) const fn of_organisation(name: &'static str, title: &'static str) -> Self {
        Self { title: Some(title), ..Self::of(name) }
    }

    /// What happens at a sign-in that works.
    pub(crate) const fn of_sign_in(name: &'static str) -> Self {
        Self { retention: Retention::History, ..Self::of(name) }
    }

    /// What anybody can cause who knows an address.
    pub(crate) const fn attempt(name: &'static str) -> Self {
        Self { retention: Retention::Attempts, ..Self::of(name) }
    }

    /// An attempt that failed.
    pub(crate) const fn failure(name: &'static str) -> Self {
        Self { is_failure: true, ..Self::attempt(name) }
    }

    /// An event that concerns an organisation, and whose detail names an account: it is wiped with that account.
    pub(crate) const fn naming_an_account(name: &'static str, title: &'static str) -> Self {
        Self { names_account: true, ..Self::of_organisation(name, title) }
    }
}

/// Something that happened. It serializes as its detail: an object, and never secrets.
pub(crate) trait AuditEvent: Serialize {
    /// What is fixed about it.
    fn kind(&self) -> &'static EventKind;
}

/// Declares `Event`, what a use case records: its variants' fields are the detail. `accounts::audit_events` lists it.
macro_rules! audit_events {
    ($($(#[$doc:meta])* $variant:ident $fields:tt => $kind:ident($($word:literal),+),)+) => {
        /// What this use case records.
        #[allow(clippy::enum_variant_names, reason = "an event is called as in the record")]
        #[derive(Debug, serde::Serialize)]
        #[serde(untagged, rename_all_fields = "camelCase")]
        pub(crate) enum Event { $($(#[$doc])* $variant $fields,)+ }

        impl Event {
            /// Every one there is.
            pub(crate) const KINDS: &'static [$crate::model::audit::EventKind] =
                &[$($crate::model::audit::EventKind::$kind($($word),+),)+];
        }

        impl $crate::model::audit::AuditEvent for Event {
            fn kind(&self) -> &'static $crate::model::audit::EventKind {
                use $crate::model::audit::EventKind;
                match self { $(Event::$variant { .. } => const { &EventKind::$kind($($word),+) },)+ }
            }
        }
    };
}
pub(crate) use audit_events;
