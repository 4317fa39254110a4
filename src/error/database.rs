//! What a database says, in our words: trouble that passes, input that it does not take, or a mistake of ours.
//!
//! The one place that knows. PostgreSQL answers in the language of its server, and diesel keeps the SQLSTATE to itself.
//! So what is read first is what no language changes: diesel's kinds, names of our own, whether the server points into
//! the statement. English sentences come second, and SQLite knows only those.

use diesel::{
    ConnectionError,
    result::{DatabaseErrorInformation, DatabaseErrorKind as Kind, Error as Cause},
};

use super::{Error, Outage};

/// Said where named statements meet a pooler that hands each transaction another server connection.
pub(crate) const POOLER_ADVICE: &str =
    "This looks like PgBouncer in transaction mode: set DATABASE_POOLER=transaction";

/// Said where PostgreSQL writes nothing.
pub(crate) const READ_ONLY_ADVICE: &str = "PostgreSQL writes nothing here: DATABASE_URL leads to a standby, or \
                                    default_transaction_read_only is on in it or for its role or database";

enum Verdict {
    // No row.
    Missing,
    // The user that a row hangs on is gone.
    OwnerGone,
    // Another row that it hangs on is gone, or still has others that hang on it.
    Overtaken,
    // Somebody else was writing, for too long.
    Waited,
    // The server or the file went away, or it is the wrong one.
    Lost,
    // It is there, and cannot.
    Refused,
    // It does not take this text or number.
    Input,
    // A statement that is wrong.
    Fault,
}

// SQLite's own words for its result codes (sqlite3_errstr). READONLY also stands for a file that was moved.
const FILE_LOST: [&str; 6] = [
    "attempt to write a readonly database",
    "disk I/O error",
    "unable to open database file",
    "database disk image is malformed",
    "file is not a database",
    "locking protocol",
];
const REFUSED: [&str; 4] =
    ["database or disk is full", "out of memory", "no space left on device", "interrupted"];
const WAITED: [&str; 6] = [
    "database is locked",
    "database table is locked",
    "database schema is locked",
    "lock timeout",
    "deadlock detected",
    "could not serialize access",
];
// Data exceptions (SQLSTATE class 22). A NUL is 0x00 in every language.
const INPUT: [&str; 6] = [
    "0x00",
    "invalid byte sequence",
    "invalid input syntax",
    "out of range",
    "value too long",
    "unsupported Unicode escape",
];

fn verdict(cause: &Cause) -> Verdict {
    match cause {
        Cause::NotFound => Verdict::Missing,
        Cause::InvalidCString(_) => Verdict::Input,
        // diesel lost count of the transactions, because the connection broke.
        Cause::BrokenTransactionManager => Verdict::Lost,
        Cause::RollbackErrorOnCommit { commit_error, .. } => verdict(commit_error),
        Cause::DatabaseError(kind, told) => match kind {
            // The account ended while this was under way; or, by the name of the key (table_column_fkey), something else did.
            // SQLite tells no name: there one write follows the other, and each looks first at what it hangs on.
            Kind::ForeignKeyViolation => match told.constraint_name() {
                Some(name) if !name.ends_with("user_id_fkey") => Verdict::Overtaken,
                _ => Verdict::OwnerGone,
            },
            // 57P01 to 57P03 and 08xxx end the connection. 25006: a standby, or the operator's switch.
            Kind::ClosedConnection | Kind::UnableToSendCommand | Kind::ReadOnlyTransaction => Verdict::Lost,
            Kind::SerializationFailure => Verdict::Waited,
            Kind::Unknown => by_words(told.message()),
            _ => Verdict::Fault,
        },
        _ => Verdict::Fault,
    }
}

fn by_words(message: &str) -> Verdict {
    let has = |words: &[&str]| {
        let message = message.to_ascii_lowercase();
        words.iter().any(|words| message.contains(&words.to_ascii_lowercase()))
    };
    match message {
        _ if is_about_named_statements(message) || has(&FILE_LOST) => Verdict::Lost,
        _ if has(&WAITED) => Verdict::Waited,
        _ if has(&REFUSED) => Verdict::Refused,
        _ if has(&INPUT) => Verdict::Input,
        _ => Verdict::Fault,
    }
}

/// A statement that diesel prepared is not there, or is there already (26000, 42P05): the name is diesel's, in every
/// language.
fn is_about_named_statements(message: &str) -> bool {
    message.contains("__diesel_stmt_")
}

/// Whether PostgreSQL says it of itself and not of the statement: it points at no place in it, and at no row. Full disks
/// (53xxx), interventions (57xxx), faults of the system (58xxx, XXxxx) and plans that are out of date (0A000) look so.
fn is_of_the_server(told: &dyn DatabaseErrorInformation) -> bool {
    told.statement_position().is_none()
        && told.table_name().is_none()
        && told.column_name().is_none()
        && told.constraint_name().is_none()
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        match verdict(&cause) {
            Verdict::Missing => Error::NotFound,
            Verdict::OwnerGone => Error::Unauthenticated,
            Verdict::Overtaken => Error::Conflict,
            Verdict::Waited => Error::Busy,
            Verdict::Input => Error::Malformed("a text in it has a character that cannot be kept".to_owned()),
            Verdict::Lost => Error::Unavailable(Outage { is_lost: true, cause: explained(cause) }),
            Verdict::Refused => Error::Unavailable(Outage { is_lost: false, cause: cause.into() }),
            Verdict::Fault => Error::internal(cause),
        }
    }
}

fn explained(cause: Cause) -> anyhow::Error {
    let advice = match &cause {
        Cause::DatabaseError(Kind::ReadOnlyTransaction, _) => Some(READ_ONLY_ADVICE),
        Cause::DatabaseError(_, told) if is_about_named_statements(told.message()) => Some(POOLER_ADVICE),
        _ => None,
    };
    let cause = anyhow::Error::from(cause);
    match advice {
        Some(advice) => cause.context(advice),
        None => cause,
    }
}

impl From<ConnectionError> for Error {
    fn from(cause: ConnectionError) -> Self {
        Error::Unavailable(Outage { is_lost: true, cause: cause.into() })
    }
}

impl Error {
    /// The same where PostgreSQL said it: what it does not say of the statement, it says of itself.
    pub(crate) fn in_terms_of_postgres(self) -> Self {
        match self {
            Error::Internal(cause) => match cause.downcast::<Cause>() {
                Ok(cause @ Cause::DatabaseError(Kind::Unknown, _)) => {
                    let Cause::DatabaseError(_, told) = &cause else { return Error::internal(cause) };
                    match is_of_the_server(told.as_ref()) {
                        true => Error::Unavailable(Outage { is_lost: false, cause: cause.into() }),
                        false => Error::internal(cause),
                    }
                }
                Ok(cause) => Error::internal(cause),
                Err(cause) => Error::Internal(cause),
            },
            error => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a database says: the sentence, and where it points. One about a key is its name.
    struct ServerMessage(&'static str, Option<i32>);

    impl DatabaseErrorInformation for ServerMessage {
        fn message(&self) -> &str {
            self.0
        }
        fn details(&self) -> Option<&str> {
            None
        }
        fn hint(&self) -> Option<&str> {
            None
        }
        fn table_name(&self) -> Option<&str> {
            None
        }
        fn column_name(&self) -> Option<&str> {
            None
        }
        fn constraint_name(&self) -> Option<&str> {
            Some(self.0).filter(|name| name.ends_with("_fkey"))
        }
        fn statement_position(&self) -> Option<i32> {
            self.1
        }
    }

    fn outcome(kind: Kind, message: ServerMessage, is_postgres: bool) -> (&'static str, bool) {
        let error = Error::from(Cause::DatabaseError(kind, Box::new(message)));
        let error = if is_postgres { error.in_terms_of_postgres() } else { error };
        let is_lost = matches!(&error, Error::Unavailable(outage) if outage.is_lost);
        (error.code(), is_lost)
    }

    #[test]
    fn trouble_that_passes_is_told_from_input_and_from_mistakes() {
        const LOST: (&str, bool) = ("unavailable", true);
        const REFUSED: (&str, bool) = ("unavailable", false);
        const BUSY: (&str, bool) = ("busy", false);
        const INPUT: (&str, bool) = ("malformed", false);
        const FAULT: (&str, bool) = ("internal", false);
        let unable = Kind::UnableToSendCommand;
        for (kind, message, position, expected) in [
            (Kind::ClosedConnection, "terminating connection due to administrator command", None, LOST),
            (
                Kind::ClosedConnection,
                "breche la connexion suite à la demande de l'administrateur",
                None,
                LOST,
            ),
            (Kind::ClosedConnection, "the database system is shutting down", None, LOST),
            (unable, "no connection to the server", None, LOST),
            (unable, "server closed the connection unexpectedly", None, LOST),
            (unable, "could not receive data from server: Connection timed out", None, LOST),
            (Kind::ReadOnlyTransaction, "cannot execute INSERT in a read-only transaction", None, LOST),
            (
                Kind::ReadOnlyTransaction,
                "kann INSERT nicht in einer Read-Only-Transaktion ausführen",
                None,
                LOST,
            ),
            (Kind::Unknown, "prepared statement \"__diesel_stmt_0\" already exists", None, LOST),
            (Kind::Unknown, "la instrucción preparada «__diesel_stmt_3» no existe", None, LOST),
            (Kind::Unknown, "could not extend file \"base/5/1\": No space left on device", None, REFUSED),
            (
                Kind::Unknown,
                "konnte Datei »base/5/1« nicht erweitern: Auf dem Gerät ist kein Speicherplatz",
                None,
                REFUSED,
            ),
            (Kind::Unknown, "out of memory", None, REFUSED),
            (Kind::Unknown, "out of shared memory", None, REFUSED),
            (Kind::Unknown, "cached plan must not change result type", None, REFUSED),
            (Kind::Unknown, "canceling statement due to user request", None, REFUSED),
            (Kind::Unknown, "could not read block 3 in file \"base/5/1\": Input/output error", None, REFUSED),
            (Kind::Unknown, "permission denied for table users", None, REFUSED),
            (Kind::Unknown, "canceling statement due to lock timeout", None, BUSY),
            (Kind::Unknown, "deadlock detected", None, BUSY),
            (Kind::SerializationFailure, "could not serialize access due to concurrent update", None, BUSY),
            (Kind::Unknown, "invalid byte sequence for encoding \"UTF8\": 0x00", None, INPUT),
            (Kind::Unknown, "ungültige Byte-Sequenz für Kodierung »UTF8«: 0x00", None, INPUT),
            (Kind::Unknown, "integer out of range", None, INPUT),
            (Kind::Unknown, "relation \"userz\" does not exist", Some(15), FAULT),
            (Kind::Unknown, "syntax error at or near \"SELEKT\"", Some(1), FAULT),
            (Kind::NotNullViolation, "null value in column \"name\"", None, FAULT),
            (Kind::CheckViolation, "new row violates check constraint", None, FAULT),
        ] {
            assert_eq!(
                outcome(kind, ServerMessage(message, position), true),
                expected,
                "PostgreSQL: {message}"
            );
        }
        for (message, expected) in [
            ("database or disk is full", REFUSED),
            ("out of memory", REFUSED),
            ("attempt to write a readonly database", LOST),
            ("disk I/O error", LOST),
            ("unable to open database file", LOST),
            ("unable to open database file: /srv/v.db", LOST),
            ("database disk image is malformed", LOST),
            ("file is not a database", LOST),
            ("locking protocol", LOST),
            ("database is locked", BUSY),
            ("database table is locked: users", BUSY),
            ("database schema is locked: main", BUSY),
            ("no such table: userz", FAULT),
            ("near \"SELEKT\": syntax error", FAULT),
        ] {
            assert_eq!(
                outcome(Kind::Unknown, ServerMessage(message, None), false),
                expected,
                "SQLite: {message}"
            );
        }
    }

    #[test]
    fn a_row_whose_owner_is_gone_is_told_from_one_that_something_else_overtook() {
        for (message, code) in [
            ("FOREIGN KEY constraint failed", "sign_in_required"),
            ("sessions_user_id_fkey", "sign_in_required"),
            ("memberships_role_id_fkey", "conflict"),
            ("roles_organisation_id_fkey", "conflict"),
        ] {
            let told = ServerMessage(message, None);
            assert_eq!(outcome(Kind::ForeignKeyViolation, told, true).0, code, "{message}");
        }
    }

    #[test]
    fn trouble_that_passes_once_a_setting_is_right_points_at_it() {
        for (kind, message, advice) in [
            (Kind::Unknown, "prepared statement \"__diesel_stmt_0\" already exists", POOLER_ADVICE),
            (
                Kind::ReadOnlyTransaction,
                "kann INSERT nicht in einer Read-Only-Transaktion ausführen",
                READ_ONLY_ADVICE,
            ),
        ] {
            let cause = Cause::DatabaseError(kind, Box::new(ServerMessage(message, None)));
            let Error::Unavailable(outage) = Error::from(cause) else { panic!("{message}: it passes") };
            assert!(outage.cause.to_string().starts_with(advice), "{:#}", outage.cause);
        }
    }
}
