//! How a connection is opened, and what an operator is told where none can be.

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use diesel::{
    ConnectionError,
    connection::{CacheSize, SimpleConnection},
    prelude::*,
    sql_types::{Integer, Text},
};

use super::Conn;
use crate::{
    config::{DatabaseUrl, make_private_file, make_private_folder},
    error::POOLER_ADVICE,
};

/// How long a request waits for a connection, or for another writer, before it is told to come back.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

// What holds where DATABASE_URL does not say otherwise (libpq's names). A host that vanished is given up within ten
// seconds: four to connect, or six for what was sent and never acknowledged.
const DEFAULTS: [(&str, &str); 5] = [
    ("connect_timeout", "4"),
    ("tcp_user_timeout", "6000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "2"),
];

/// Where rows are, and how one gets there.
#[derive(Clone)]
pub(crate) enum Target {
    /// A file.
    Sqlite(PathBuf),
    /// A server, or a pooler in front of it that gives each transaction another connection.
    Postgres {
        /// With our defaults.
        url: String,
        /// Whether a pooler is in between: nothing may stay behind in a session.
        is_pooled: bool,
    },
}

/// Why the first connection is not there.
#[derive(Debug)]
pub struct NoConnection {
    /// What to look at, beginning with the setting.
    pub sentence: String,
    /// Whether it may come by waiting.
    pub may_come: bool,
}

impl Target {
    /// The target of an address.
    pub(crate) fn of(url: &DatabaseUrl, is_pooled: bool) -> Self {
        match url {
            DatabaseUrl::Sqlite(path) => Target::Sqlite(path.clone()),
            DatabaseUrl::Postgres(url) => Target::Postgres { url: with_defaults(url), is_pooled },
        }
    }

    /// A connection. A file that is gone is not made anew, and only `file` is opened where it is given.
    pub(crate) fn connect(&self, file: Option<FileNumber>) -> Result<Conn, ConnectionError> {
        match self {
            Target::Sqlite(path) => open_sqlite(path, "rw", "", file),
            Target::Postgres { url, is_pooled } => {
                let mut conn = PgConnection::establish(url)?;
                match is_pooled {
                    true => conn.set_prepared_statement_cache_size(CacheSize::Disabled),
                    false => conn
                        .batch_execute(
                            "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'",
                        )
                        .map_err(ConnectionError::CouldntSetupConfiguration)?,
                }
                Ok(Conn::Postgres(conn))
            }
        }
    }

    /// The very first connection, with a look at what is at its other end. On SQLite file and folder are made where they
    /// are missing.
    pub(crate) fn connect_first(&self) -> Result<Conn, NoConnection> {
        match self {
            Target::Sqlite(path) => first_sqlite(path),
            Target::Postgres { url, is_pooled } => {
                let mut conn = self.connect(None).map_err(|cause| refused(url, &cause))?;
                let unreadable = |cause: diesel::result::Error| NoConnection {
                    sentence: format!("DATABASE_URL: the database answers, and then fails: {cause}."),
                    may_come: false,
                };
                refuse_encoding(&mut conn).map_err(unreadable)?.map_or(Ok(()), Err)?;
                if !is_pooled {
                    refuse_pooler(self, &mut conn).map_err(unreadable)?.map_or(Ok(()), Err)?;
                }
                Ok(conn)
            }
        }
    }
}

/// FULL: a commit survives the loss of power, not only of the process. What is deleted is overwritten: a free page keeps
/// nobody's address. A connection keeps up to 16 MB of what it read since somebody else last committed. The file is not
/// mapped: with each commit SQLite would map it anew, and the next look-ups would fault it in page by page.
pub(crate) fn open_sqlite(
    path: &Path,
    mode: &str,
    more: &str,
    file: Option<FileNumber>,
) -> Result<Conn, ConnectionError> {
    let mut conn = SqliteConnection::establish(&format!("file:{}?mode={mode}", escaped(path)))?;
    // Before anything is read: SQLite would play the log of the file that was here into another one that is here now.
    if file.is_some() && file_number(path).ok() != file {
        return Err(ConnectionError::BadConnection(format!("{} is another file now", path.display())));
    }
    let pragmas = format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA secure_delete = ON; PRAGMA cache_size = -16000; {more}",
        ACQUIRE_TIMEOUT.as_millis()
    );
    // The journal of a new file is changed by one process at a time, and SQLite has the others wait for nothing.
    let start = Instant::now();
    loop {
        match conn.batch_execute(&pragmas) {
            Ok(()) => return Ok(Conn::Sqlite(conn)),
            Err(cause)
                if cause.to_string().contains("locked") && start.elapsed() < Duration::from_secs(1) =>
            {
                thread::sleep(Duration::from_millis(10));
            }
            Err(cause) => return Err(ConnectionError::CouldntSetupConfiguration(cause)),
        }
    }
}

/// A file itself, whatever it is called: device and inode.
pub(crate) type FileNumber = (u64, u64);

/// Which file lies there.
pub(crate) fn file_number(path: &Path) -> io::Result<FileNumber> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// A path inside SQLite's `file:` address (RFC 3986 §2.1).
fn escaped(path: &Path) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let bytes = path.as_os_str().as_bytes().iter();
    bytes.map(|&b| if is_plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn first_sqlite(path: &Path) -> Result<Conn, NoConnection> {
    let no = |sentence: String| NoConnection { sentence, may_come: false };
    let folder = path.parent().unwrap_or(Path::new(""));
    make_private_folder(folder).map_err(|cause| {
        no(format!(
            "DATABASE_URL: the folder {} cannot be made ({cause}). Make it, writable by the user that runs this.",
            folder.display()
        ))
    })?;
    if path.is_dir() {
        return Err(no(format!(
            "DATABASE_URL: {} is a folder. Write the path of a file in it, such as sqlite://{}/vestibule.db.",
            path.display(),
            path.display()
        )));
    }
    // Where it cannot be made, SQLite says why.
    let _ = make_private_file(path);
    open_sqlite(path, "rwc", "", None).map_err(|cause| {
        let advice = match cause.to_string().contains("not a database") {
            true => "Write the path of a SQLite file, or of one that is still to be made",
            false => {
                "See that file and folder are writable by the user that runs this, and that the disk has room"
            }
        };
        no(format!("DATABASE_URL: {} cannot be opened ({}). {advice}.", path.display(), cause_of(&cause)))
    })
}

fn cause_of(cause: &ConnectionError) -> String {
    let text = match cause {
        ConnectionError::BadConnection(text) => text.clone(),
        cause => cause.to_string(),
    };
    text.trim().trim_end_matches('.').replace('\t', "").replace('\n', "; ")
}

// What PostgreSQL or libpq says → what to do, and whether waiting helps. libpq speaks English, as this program sets no
// language for it; a server may speak another, and then its own sentence has to do.
const REFUSALS: [(&[&str], &str, bool); 8] = [
    (&["could not translate host name"], "See that the host's name is right and known to DNS", true),
    (
        &["password authentication failed", "no password supplied"],
        "See that user and password are right",
        false,
    ),
    (&["no pg_hba.conf entry"], "Let this machine and user in by a line of the server's pg_hba.conf", false),
    (&["certificate", "SSL", "TLS"], "See that sslmode and sslrootcert are right", false),
    (&["does not exist"], "Make it with createdb and createuser, or see that the names are right", false),
    (
        &["starting up", "shutting down", "recovery mode", "not yet accepting"],
        "The server is restarting",
        true,
    ),
    (
        &["too many clients", "too many connections", "connection slots"],
        "The server has no connection left: lower DATABASE_POOL, or raise its max_connections",
        true,
    ),
    (
        &[
            "Connection refused",
            "timeout expired",
            "No such file or directory",
            "No route to host",
            "unreachable",
            "closed the connection",
            "reset by peer",
            "read-only",
            "not writable",
        ],
        "See that the server runs, and that host and port are right",
        true,
    ),
];

fn refused(url: &str, cause: &ConnectionError) -> NoConnection {
    let message = without_secrets(url, &cause_of(cause));
    if let ConnectionError::InvalidConnectionUrl(_) | ConnectionError::InvalidCString(_) = cause {
        return unreadable_address();
    }
    if !message.contains("connection to server") && !message.contains("could not translate") {
        // libpq did not get as far as the network: it repeats the address, and the password with it.
        return match cause {
            ConnectionError::CouldntSetupConfiguration(_) => NoConnection {
                sentence: format!("DATABASE_URL: PostgreSQL answers, and then fails: {message}."),
                may_come: false,
            },
            _ => unreadable_address(),
        };
    }
    let known = REFUSALS.iter().find(|(words, ..)| words.iter().any(|word| message.contains(word)));
    let (advice, may_come) =
        known.map_or(("See that DATABASE_URL is right", false), |(_, advice, may)| (*advice, *may));
    NoConnection {
        sentence: format!("DATABASE_URL: cannot connect to PostgreSQL ({message}). {advice}."),
        may_come,
    }
}

fn unreadable_address() -> NoConnection {
    NoConnection {
        sentence: "DATABASE_URL cannot be read. Write postgres://user:password@host:5432/database; in user and password \
                   percent-encode everything but a to z and digits."
            .to_owned(),
        may_come: false,
    }
}

fn without_secrets(url: &str, message: &str) -> String {
    let message = message.replace(url, "***");
    let password = url
        .split_once("://")
        .and_then(|(_, rest)| rest.rsplit_once('@'))
        .and_then(|(user, _)| user.split_once(':'))
        .map_or("", |(_, password)| password);
    if password.is_empty() { message } else { message.replace(password, "***") }
}

/// The address with our defaults for what it leaves open.
fn with_defaults(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in DEFAULTS {
        if !url.contains(&format!("{name}=")) {
            let separator = if url.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{separator}{name}={value}"));
        }
    }
    url
}

/// Names and addresses are Unicode; a database in another encoding would refuse some of them, some day.
fn refuse_encoding(conn: &mut Conn) -> QueryResult<Option<NoConnection>> {
    let encoding: String =
        diesel::select(diesel::dsl::sql::<Text>("current_setting('server_encoding')")).get_result(conn)?;
    Ok((encoding != "UTF8").then(|| NoConnection {
        sentence: format!(
            "DATABASE_URL: the database is encoded in {encoding}. Make one with `createdb --encoding=UTF8 \
             --template=template0 NAME` and name that."
        ),
        may_come: false,
    }))
}

/// Two connections of ours that are one at the server: a pooler hands it from transaction to transaction.
fn refuse_pooler(target: &Target, first: &mut Conn) -> QueryResult<Option<NoConnection>> {
    // The server may have no second one to give just now.
    let Ok(mut second) = target.connect(None) else { return Ok(None) };
    let pid = |conn: &mut Conn| {
        diesel::sql_query("SELECT pg_backend_pid() AS pid")
            .get_result::<Backend>(conn)
            .map(|backend| backend.pid)
    };
    Ok((pid(first)? == pid(&mut second)?).then(|| NoConnection {
        sentence: format!("DATABASE_URL: two connections are one at the server. {POOLER_ADVICE}."),
        may_come: false,
    }))
}

#[derive(QueryableByName)]
struct Backend {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

#[cfg(test)]
mod tests;
