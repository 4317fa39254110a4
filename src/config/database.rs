//! `DATABASE_URL`: a SQLite file or a PostgreSQL server, and the addresses of other programs that are not quite one.

use std::path::Path;

use url::form_urlencoded;

use super::{
    database_url::{DatabaseUrl, with_parameter},
    insecure::Insecurity,
    libpq::{FOREIGN, MODES, OPTIONS},
    site::is_loopback,
    values::Reader,
};

/// What an address is instead of one of ours, and what to write.
type Wrong = (String, String);

const SHAPES: &str = "sqlite://data/vestibule.db or postgres://user:password@host/database";

impl Reader {
    /// Reads `DATABASE_URL`. The address is a secret: what is wrong is said without repeating it.
    pub(crate) fn database(&mut self, development: bool) -> DatabaseUrl {
        let text = self.text("DATABASE_URL").unwrap_or_else(|| "sqlite://data/vestibule.db".to_owned());
        let parsed = parse(&text);
        if let (Ok(DatabaseUrl::Postgres(_)), false) = (&parsed, development)
            && !is_private(&text)
        {
            self.refuse_insecure(
                Insecurity::Postgres,
                "DATABASE_URL is of a server on another machine without `sslmode=verify-full`, so that others on the \
                 way can read and change rows",
                "sslmode=verify-full behind its `?`, with sslrootcert=FILE where the certificate is of your own authority",
            );
        }
        if let (Ok(DatabaseUrl::Postgres(_)), false) = (&parsed, development) {
            for name in std::mem::take(&mut self.libpq) {
                let is = format!("{name} is set, and PostgreSQL's library minds it beside DATABASE_URL");
                self.refuse_insecure(
                    Insecurity::Postgres,
                    &is,
                    "what it says into DATABASE_URL and unset it",
                );
            }
        }
        parsed.unwrap_or_else(|(is, instead)| {
            self.problems.push(format!("DATABASE_URL is {is}. Write {instead}."));
            DatabaseUrl::Sqlite("data/vestibule.db".into())
        })
    }
}

fn parse(text: &str) -> Result<DatabaseUrl, Wrong> {
    let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
    match scheme {
        "sqlite" => sqlite(rest.strip_prefix("//").unwrap_or(rest)),
        "postgres" | "postgresql" if rest.starts_with("//") => postgres(text),
        _ => Err(stranger(scheme, text)),
    }
}

fn stranger(scheme: &str, text: &str) -> Wrong {
    let lower = scheme.to_lowercase();
    let family = lower.split(['+', '-']).next().unwrap_or_default();
    let is_postgres = matches!(family, "postgres" | "postgresql" | "pgsql" | "psql" | "pg" | "ecto")
        || lower == "jdbc" && text.get(5..).is_some_and(|rest| rest.starts_with("postgresql"));
    let is_file = matches!(family, "file" | "sqlite" | "sqlite3") || scheme.is_empty() && !text.contains('=');
    // Only a word that is a scheme is repeated: anything else may be half a password.
    let shown = match scheme.is_empty() || !text.contains("://") && !is_postgres && !is_file {
        true => "not an address of a database".to_owned(),
        false => format!("an address that begins with `{scheme}:`"),
    };
    if is_postgres {
        return (
            shown,
            "it with `postgres://` in front, such as postgres://user:password@host/database".into(),
        );
    }
    if is_file {
        return (shown, "a file as sqlite://PATH, such as sqlite://data/vestibule.db".into());
    }
    if ["host=", "dbname=", "user=", "server="].iter().any(|key| text.to_lowercase().contains(key)) {
        return ("a list of `key=value`".into(), "an address: postgres://user:password@host/database".into());
    }
    (shown, SHAPES.into())
}

fn sqlite(path: &str) -> Result<DatabaseUrl, Wrong> {
    let wrong = |why: &str, instead: String| Err((format!("`sqlite://{path}`, {why}"), instead));
    let drive = path.trim_start_matches('/').as_bytes();
    if path.is_empty() {
        return wrong("without a path", "sqlite://data/vestibule.db".into());
    }
    if path.contains(":memory:") || path.contains("mode=memory") {
        let instead = "the path of a file, such as sqlite://data/vestibule.db".into();
        return wrong("in memory, where every connection would have a database of its own", instead);
    }
    if path.contains('\\')
        || drive.first().is_some_and(u8::is_ascii_alphabetic) && drive.get(1) == Some(&b':')
    {
        let instead = "one such as sqlite:///var/lib/vestibule/vestibule.db".into();
        return wrong("which is a path of Windows", instead);
    }
    if let Some((file, _)) = path.split_once('?') {
        let instead = format!("sqlite://{file}; the file is made where it is missing");
        return wrong("with options behind `?`, and there are none", instead);
    }
    if path.starts_with('~') || path.contains('$') {
        let instead = "the whole path, such as sqlite:///home/ada/vestibule.db".into();
        return wrong("with something that only a shell fills in", instead);
    }
    if path.contains('%') {
        return wrong("with a `%`, and a path is read as it stands", "the characters themselves".into());
    }
    if path.ends_with('/') || Path::new(path).is_dir() {
        let instead = format!("a file in it: sqlite://{}/vestibule.db", path.trim_end_matches('/'));
        return wrong("which is a folder", instead);
    }
    // `sqlite:////var/…`, as other programs write a whole path.
    match path.strip_prefix("//") {
        Some(rest) => Ok(DatabaseUrl::Sqlite(format!("/{}", rest.trim_start_matches('/')).into())),
        None => Ok(DatabaseUrl::Sqlite(path.into())),
    }
}

/// Split as libpq does, so that what it would say of an address is said here in words. Libpq parses it again.
struct Parts<'a> {
    signs_in: bool,
    user_has_at: bool,
    hosts: Vec<&'a str>,
    options: Vec<(String, String)>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let rest = text.split_once("://").map_or("", |(_, rest)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = rest.split('/').next().unwrap_or_default();
        let (user, hosts) =
            authority.rsplit_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
        let options = form_urlencoded::parse(query.as_bytes());
        Self {
            signs_in: user.is_some(),
            user_has_at: user.is_some_and(|user| user.contains('@')),
            hosts: hosts.split(',').collect(),
            options: options.map(|(key, value)| (key.into_owned(), value.into_owned())).collect(),
        }
    }

    /// The last one counts.
    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn postgres(text: &str) -> Result<DatabaseUrl, Wrong> {
    let escapes =
        "the `@`, `:`, `/`, `?`, `#` and `%` of a user's name or password as %40, %3A, %2F, %3F, %23 and %25";
    let wrong = |is: &str, instead: &str| Err((is.to_owned(), instead.to_owned()));
    let parts = Parts::of(text);
    if text.contains(char::is_whitespace) {
        return wrong("an address with a blank in it", "a blank as %20");
    }
    let before_options = text.split('?').next().unwrap_or_default();
    let is_odd = match parts.signs_in {
        true => parts.user_has_at,
        false => before_options.contains('@'),
    };
    if is_odd || is_badly_escaped(text) {
        return wrong("an address that cannot be taken apart", escapes);
    }
    for host in &parts.hosts {
        match port_of(host) {
            Some(Ok(())) | None => {}
            Some(Err(())) if host.matches(':').count() > 1 => {
                return wrong("an address of IPv6 without brackets", "it as [2001:db8::5]:5432");
            }
            Some(Err(())) => {
                return wrong(
                    "an address whose port is not a number from 1 to 65535",
                    &format!("such a port, and {escapes}"),
                );
            }
        }
    }
    for (key, _) in &parts.options {
        if let Some((_, instead)) = FOREIGN.iter().find(|(keys, _)| keys.contains(&key.as_str())) {
            return wrong(&format!("an address with `{key}`, an option of another program"), instead);
        }
        if !OPTIONS.contains(&key.as_str()) {
            let is_word = parts.signs_in && key.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
            let named = if is_word && !key.is_empty() { format!("`{key}`, ") } else { String::new() };
            let is = format!("an address with {named}an option that PostgreSQL does not know");
            return wrong(&is, "it without that, or one of PostgreSQL's own connection parameters");
        }
    }
    match parts.option("sslmode") {
        Some(mode) if !MODES.contains(&mode) => {
            let shown: String = mode.chars().filter(|c| c.is_ascii_alphabetic() || *c == '-').collect();
            let instead = format!("one of {}; verify-full is the safe one", MODES.join(", "));
            Err((format!("an address with `sslmode={shown}`, which PostgreSQL does not know"), instead))
        }
        _ => Ok(DatabaseUrl::Postgres(without_kerberos(text.to_owned()))),
    }
}

/// Whether the port behind a host is one; `None` where there is no port.
fn port_of(host: &str) -> Option<Result<(), ()>> {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, rest)) => rest.split_once(':')?,
        None => host.split_once(':')?,
    };
    let is_port = port.is_empty() || port.parse::<u16>().is_ok_and(|port| port > 0);
    Some(if is_port && !name.contains(':') { Ok(()) } else { Err(()) })
}

/// A `%` that two hexadecimal digits do not follow.
fn is_badly_escaped(text: &str) -> bool {
    let is_escape =
        |rest: &str| rest.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    text.split('%').skip(1).any(|rest| !is_escape(rest))
}

/// Whether nobody between here and the server can read along: it is on this machine, or has to prove its name.
fn is_private(text: &str) -> bool {
    let parts = Parts::of(text);
    let named = ["host", "hostaddr"].into_iter().filter_map(|name| parts.option(name));
    let mut hosts = parts.hosts.iter().copied().chain(named.flat_map(|hosts| hosts.split(',')));
    let is_here = |host: &str| {
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, _)) => name,
            None if host.parse::<std::net::IpAddr>().is_ok() => host,
            None => host.split(':').next().unwrap_or_default(),
        };
        // A socket in the file system, written as in libpq.
        name.is_empty()
            || name.starts_with(['/', '@'])
            || name.to_uppercase().starts_with("%2F")
            || is_loopback(name)
    };
    parts.option("sslmode") == Some("verify-full") || parts.option("service").is_none() && hosts.all(is_here)
}

/// Before each connection libpq looks for a Kerberos ticket unless told not to, and a process that ends meanwhile crashes
/// in that library's own clean-up. Whoever has Kerberos says so in the address (PostgreSQL, libpq `gssencmode`).
fn without_kerberos(url: String) -> String {
    if url.contains("gssencmode=") {
        return url;
    }
    with_parameter(&url, "gssencmode=disable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kerberos_is_looked_for_only_where_the_address_says_so() {
        for (written, used) in [
            ("postgres://db/v", "postgres://db/v?gssencmode=disable"),
            ("postgres://db/v?sslmode=require", "postgres://db/v?sslmode=require&gssencmode=disable"),
            ("postgres://db/v?gssencmode=require", "postgres://db/v?gssencmode=require"),
        ] {
            assert_eq!(without_kerberos(written.to_owned()), used);
        }
    }

    #[test]
    fn rows_travel_in_private_on_this_machine_and_to_a_server_that_proves_its_name() {
        for (address, expected) in [
            ("postgres://v@localhost/v", true),
            ("postgres://v@127.0.0.1:25432/v", true),
            ("postgres://v@[::1]:5432/v", true),
            ("postgres:///v", true),
            ("postgres://v@/v?host=/var/run/postgresql", true),
            ("postgres://v@%2Fvar%2Frun%2Fpostgresql/v", true),
            ("postgres://v@%2fvar%2frun/v?sslmode=disable", true),
            ("postgres://v@db.example.com/v?sslmode=verify-full", true),
            ("postgres://v@a,b:5433/v?sslmode=verify-full&target_session_attrs=read-write", true),
            ("postgres://v@localhost:5432,127.0.0.1:5433/v", true),
            ("postgres://v@db.example.com/v", false),
            ("postgres://v@db.example.com/v?sslmode=require", false),
            ("postgres://v@db.example.com/v?sslmode=verify-ca", false),
            ("postgres://v@db.example.com/v?sslmode=verify-full&sslmode=disable", false),
            ("postgres://v@localhost,db.example.com/v", false),
            ("postgres://v@localhost/v?host=db.example.com", false),
            ("postgres://v@localhost/v?hostaddr=10.0.0.5", false),
            ("postgres:///v?host=10.0.0.5", false),
            ("postgres:///v?service=elsewhere", false),
            ("postgres://v@10.0.0.5/v", false),
            ("postgres://v@[fd00::5]/v", false),
            ("postgres://v@localhost.example.com/v", false),
            ("postgres://localhost:5432@db.example.com/v", false),
        ] {
            assert_eq!(is_private(address), expected, "{address}");
        }
    }
}
