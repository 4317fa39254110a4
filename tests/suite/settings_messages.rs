//! What an operator reads who wrote a setting wrong: the name, the value and what to write instead; and what is taken all
//! the same, as other programs' files and habits have it.

use std::{collections::BTreeMap, fs, net::TcpListener};

use vestibule::config::{self, Config, DatabaseUrl};

use crate::harness::{KEY, run_program};

pub type Settings<'a> = &'a [(&'a str, &'a str)];

pub const PRODUCTION: Settings = &[
    ("MODE", "production"),
    ("SECRET_KEY", KEY),
    ("BASE_URL", "https://id.example.com"),
    ("SMTP_URL", "smtps://mail.example.com"),
    ("DATABASE_URL", "sqlite:///nonexistent/house.db"),
];
pub const DEVELOPMENT: Settings = &[("SECRET_KEY", KEY), ("DATABASE_URL", "sqlite:///nonexistent/house.db")];

pub fn together(usual: Settings, more: Settings) -> BTreeMap<String, String> {
    usual.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub fn taken(usual: Settings, more: Settings) -> Config {
    config::from_values(together(usual, more)).unwrap_or_else(|problems| panic!("{more:?}: {problems}"))
}

/// Each row: what is set beside what is right, and how the one problem that is told begins.
#[track_caller]
pub fn each_is_refused(usual: Settings, rows: &[(Settings, &str)]) {
    for (more, sentence) in rows {
        let output = run_program(&["migrate"], together(usual, more));
        assert_eq!(output.code, Some(1), "{more:?}: {output:?}");
        let problems: Vec<&str> = output.err.lines().filter_map(|line| line.strip_prefix("  - ")).collect();
        assert!(problems.len() == 1, "one thing is wrong, and one is told: {more:?}: {problems:#?}");
        assert!(problems[0].starts_with(sentence), "{more:?}:\n{}\nis not\n{sentence}", problems[0]);
        assert!(problems[0].contains("Write "), "{more:?}: {problems:?}");
        assert!(!output.err.contains("hunter2"), "a secret is not repeated: {output:?}");
    }
}

#[test]
fn a_value_that_cannot_be_read_is_named_with_its_setting_and_what_to_write() {
    each_is_refused(
        DEVELOPMENT,
        &[
            (&[("MODE", "prod")], "MODE is `prod`. Write development or production."),
            (
                &[("LISTEN", "3000")],
                "LISTEN is `3000`. Write an address in digits and a port, such as 127.0.0.1:3000.",
            ),
            (
                &[("LISTEN", ":8080")],
                "LISTEN is `:8080`. Write an address in digits and a port, such as 0.0.0.0:8080.",
            ),
            (
                &[("LISTEN", "*:8080")],
                "LISTEN is `*:8080`. Write an address in digits and a port, such as 0.0.0.0:8080.",
            ),
            (
                &[("LISTEN", "localhost:4000")],
                "LISTEN is `localhost:4000`. Write an address in digits and a port, such as 127.0.0.1:4000.",
            ),
            (
                &[("LISTEN", "::1:3000")],
                "LISTEN is `::1:3000`. Write an address in digits and a port, such as [::1]:3000.",
            ),
            (
                &[("LISTEN", "fd00::7")],
                "LISTEN is `fd00::7`. Write an address in digits and a port, such as [fd00::7]:3000.",
            ),
            (
                &[("LISTEN", "10.0.0.5")],
                "LISTEN is `10.0.0.5`. Write an address in digits and a port, such as 10.0.0.5:3000.",
            ),
            (
                &[("LISTEN", "127.0.0.1:70000")],
                "LISTEN is `127.0.0.1:70000`. Write an address in digits and a port",
            ),
            (
                &[("LISTEN", "/run/vestibule.sock")],
                "LISTEN is `/run/vestibule.sock`. Write an address in digits and a port",
            ),
            (
                &[("DNS_SERVER", "9.9.9.9")],
                "DNS_SERVER is `9.9.9.9`. Write an address in digits and a port, such as 9.9.9.9:53.",
            ),
            (
                &[("BASE_URL", "localhost:4000")],
                "BASE_URL is `localhost:4000`. Write scheme and host without a path, such as http://localhost:4000.",
            ),
            (
                &[("BASE_URL", "id.example.com")],
                "BASE_URL is `id.example.com`. Write scheme and host without a path, such as http://id.example.com.",
            ),
            (
                &[("BASE_URL", "http://localhost/auth")],
                "BASE_URL is `http://localhost/auth`. Write scheme and host without a path, a user or anything else: http://localhost.",
            ),
            (
                &[("BASE_URL", "http://localhost:3000?x=1")],
                "BASE_URL is `http://localhost:3000?x=1`. Write scheme and host",
            ),
            (
                &[("BASE_URL", "http://me@localhost:3000")],
                "BASE_URL is `http://me@localhost:3000`. Write scheme and host",
            ),
            (&[("BASE_URL", "ftp://localhost")], "BASE_URL is `ftp://localhost`. Write scheme and host"),
            (
                &[("BASE_URL", "http://0.0.0.0:3000")],
                "BASE_URL is `http://0.0.0.0:3000`. Write a name that people can type, such as http://localhost:3000.",
            ),
            (
                &[("BASE_URL", "https://*.example.com")],
                "BASE_URL is `https://*.example.com`. Write a name that people can type, such as http://localhost:3000.",
            ),
            (
                &[("BASE_URL", "http://localhost:3000 # what people type")],
                "BASE_URL is `http://localhost:3000 # what people type`. Write scheme and host without a path, such as http://localhost:3000, with no comment behind it.",
            ),
            (
                &[("BASE_URL", "\"http://localhost:3000")],
                "BASE_URL is `\"http://localhost:3000`. Write scheme and host without a path, such as http://localhost:3000, without quotes.",
            ),
            (&[("BRAND_ACCENT", "red")], "BRAND_ACCENT is `red`. Write a colour such as #2251cc."),
            (&[("BRAND_ACCENT", "#25c")], "BRAND_ACCENT is `#25c`. Write a colour"),
            (
                &[("BRAND_LOGO", "/nonexistent/logo.svg")],
                "BRAND_LOGO is `/nonexistent/logo.svg`. Write the path of a file that is there.",
            ),
            (&[("BRAND_NAME", "Acme\nInc")], "BRAND_NAME is `Acme Inc`. Write a name in one line."),
            (&[("MIGRATE", "maybe")], "MIGRATE is `maybe`. Write on or off."),
            (&[("MAGIC_LINKS", "2")], "MAGIC_LINKS is `2`. Write on or off."),
            (&[("SESSION_IDLE", "15 minutes")], "SESSION_IDLE is `15 minutes`. Write 15m."),
            (&[("SESSION_IDLE", "15")], "SESSION_IDLE is `15`. Write 15m or 15s, with its unit."),
            (&[("SESSION_IDLE", "1.5h")], "SESSION_IDLE is `1.5h`. Write 90m."),
            (
                &[("SESSION_IDLE", "-5m")],
                "SESSION_IDLE is `-5m`. Write a whole number and s, m, h or d, such as 30m, up to 3650d.",
            ),
            (&[("SESSION_IDLE", "0m")], "SESSION_IDLE is `0m`. Write a whole number and s, m, h or d"),
            (
                &[("SESSION_IDLE", "a while")],
                "SESSION_IDLE is `a while`. Write a whole number and s, m, h or d",
            ),
            (
                &[("HISTORY_LIFE", "99999d")],
                "HISTORY_LIFE is `99999d`. Write a whole number and s, m, h or d, such as 90d, up to 3650d.",
            ),
            (
                &[("HISTORY_LIFE", "3 months")],
                "HISTORY_LIFE is `3 months`. Write a whole number and s, m, h or d",
            ),
            (&[("BODY_LIMIT", "65_536")], "BODY_LIMIT is `65_536`. Write digits only: 65536."),
            (
                &[("BODY_LIMIT", "64KiB")],
                "BODY_LIMIT is `64KiB`. Write a whole number from 1024 to 16777216.",
            ),
            (&[("BODY_LIMIT", "0")], "BODY_LIMIT is `0`. Write a whole number from 1024"),
            (&[("BCRYPT_COST", "99")], "BCRYPT_COST is `99`. Write a whole number from 4 to 16."),
            (&[("BCRYPT_COST", "twelve")], "BCRYPT_COST is `twelve`. Write a whole number from 4 to 16."),
            (&[("DATABASE_POOL", "0")], "DATABASE_POOL is `0`. Write a whole number from 1 to 1000."),
            (&[("WORKERS", "-1")], "WORKERS is `-1`. Write a whole number from 1 to 1024."),
            (&[("WORKERS", "0")], "WORKERS is `0`. Write a whole number from 1"),
            (
                &[("LOGIN_PER_ADDRESS", "0")],
                "LOGIN_PER_ADDRESS is `0`. Write a whole number from 1 to 1000000.",
            ),
            (&[("LOGIN_FAILURES", "1.5")], "LOGIN_FAILURES is `1.5`. Write a whole number"),
            (
                &[("TRUSTED_PROXIES", "10.0.0.0/33")],
                "TRUSTED_PROXIES is `10.0.0.0/33`. Write networks such as 10.0.0.0/8, or none.",
            ),
            (&[("TRUSTED_PROXIES", "proxy.internal")], "TRUSTED_PROXIES is `proxy.internal`. Write networks"),
            (&[("TRUSTED_PROXIES", "localhost")], "TRUSTED_PROXIES is `localhost`. Write 127.0.0.1, ::1."),
            (&[("METRICS_FROM", "*")], "METRICS_FROM is `*`. Write networks such as 10.0.0.0/8, or none."),
            (
                &[("LOG", "verbose")],
                "LOG is `verbose`. Write off, error, warn, info, debug or trace, or a filter such as info,vestibule::mail=debug.",
            ),
            (&[("LOG", "warning")], "LOG is `warning`. Write off, error, warn"),
            (&[("LOG", "info,vestibule=loud")], "LOG is `info,vestibule=loud`. Write off"),
            (&[("LOG", "info;debug")], "LOG is `info;debug`. Write off"),
            (&[("LOG_FORMAT", "logfmt")], "LOG_FORMAT is `logfmt`. Write text or json."),
            (
                &[("ALLOW_INSECURE", "everything")],
                "ALLOW_INSECURE is `everything`. Write some of verify_on_get, weak_key, smtp, postgres, development, or leave it out.",
            ),
            (&[("ALLOW_INSECURE", "smtp, throttle")], "ALLOW_INSECURE is `throttle`. Write some of"),
            (
                &[("SECRET_KEY", "hunter2")],
                "SECRET_KEY is too short. Write 32 characters or more, such as the output of `openssl rand -base64 48`.",
            ),
            (
                &[("SECRET_KEY_PREVIOUS", "hunter2")],
                "SECRET_KEY_PREVIOUS is too short in one of its keys. Write whole keys",
            ),
        ],
    );
}

#[test]
fn an_address_of_a_database_that_belongs_to_another_program_is_told_apart() {
    let refused: Vec<(&str, &str)> = vec![
        (
            "mysql://root:hunter2@db/v",
            "DATABASE_URL is an address that begins with `mysql:`. Write sqlite://data/vestibule.db or postgres://user:password@host/database.",
        ),
        ("root:hunter2@db", "DATABASE_URL is not an address of a database. Write sqlite://"),
        (
            "host=db user=v password=hunter2",
            "DATABASE_URL is a list of `key=value`. Write an address: postgres://user:password@host/database.",
        ),
        (
            "postgresql+psycopg://v:hunter2@db/v",
            "DATABASE_URL is an address that begins with `postgresql+psycopg:`. Write it with `postgres://` in front",
        ),
        (
            "postgresql+asyncpg://v:hunter2@db/v",
            "DATABASE_URL is an address that begins with `postgresql+asyncpg:`. Write it with",
        ),
        (
            "jdbc:postgresql://db/v?user=v&password=hunter2",
            "DATABASE_URL is an address that begins with `jdbc:`. Write it with",
        ),
        ("pgsql:host=db;dbname=v", "DATABASE_URL is an address that begins with `pgsql:`. Write it with"),
        ("ecto://v:hunter2@db/v", "DATABASE_URL is an address that begins with `ecto:`. Write it with"),
        ("postgres:v@db/v", "DATABASE_URL is an address that begins with `postgres:`. Write it with"),
        ("Postgres://v@db/v", "DATABASE_URL is an address that begins with `Postgres:`. Write it with"),
        (
            "file:./dev.db",
            "DATABASE_URL is an address that begins with `file:`. Write a file as sqlite://PATH, such as",
        ),
        (
            "sqlite3://data/v.db",
            "DATABASE_URL is an address that begins with `sqlite3:`. Write a file as sqlite://PATH",
        ),
        ("data/v.db", "DATABASE_URL is not an address of a database. Write a file as sqlite://PATH"),
        (
            "sqlite://v.db?mode=rwc",
            "DATABASE_URL is `sqlite://v.db?mode=rwc`, with options behind `?`, and there are none. Write sqlite://v.db; the file is made where it is missing.",
        ),
        ("sqlite:v.db?cache=shared", "DATABASE_URL is `sqlite://v.db?cache=shared`, with options behind `?`"),
        ("sqlite://", "DATABASE_URL is `sqlite://`, without a path. Write sqlite://data/vestibule.db."),
        ("sqlite::memory:", "DATABASE_URL is `sqlite://:memory:`, in memory"),
        ("sqlite://file:x?mode=memory", "DATABASE_URL is `sqlite://file:x?mode=memory`, in memory"),
        (
            "sqlite://C:\\data\\v.db",
            "DATABASE_URL is `sqlite://C:\\data\\v.db`, which is a path of Windows. Write",
        ),
        (
            "sqlite:///c:/data/v.db",
            "DATABASE_URL is `sqlite:///c:/data/v.db`, which is a path of Windows. Write",
        ),
        (
            "sqlite://~/v.db",
            "DATABASE_URL is `sqlite://~/v.db`, with something that only a shell fills in. Write the whole path",
        ),
        (
            "sqlite://${HOME}/v.db",
            "DATABASE_URL is `sqlite://${HOME}/v.db`, with something that only a shell fills in",
        ),
        ("sqlite://my%20data/v.db", "DATABASE_URL is `sqlite://my%20data/v.db`, with a `%`"),
        (
            "sqlite:///var/lib/vestibule/",
            "DATABASE_URL is `sqlite:///var/lib/vestibule/`, which is a folder. Write a file in it: sqlite:///var/lib/vestibule/vestibule.db.",
        ),
        (
            "sqlite:///tmp",
            "DATABASE_URL is `sqlite:///tmp`, which is a folder. Write a file in it: sqlite:///tmp/vestibule.db.",
        ),
        (
            "postgres://v:hunter2@db:6543/v?pgbouncer=true",
            "DATABASE_URL is an address with `pgbouncer`, an option of another program. Write it without that, and DATABASE_POOLER=transaction where a pooler",
        ),
        (
            "postgres://v:hunter2@db/v?schema=public",
            "DATABASE_URL is an address with `schema`, an option of another program. Write options=-csearch_path%3DNAME",
        ),
        (
            "postgres://v:hunter2@db/v?sslmode=no-verify",
            "DATABASE_URL is an address with `sslmode=no-verify`, which PostgreSQL does not know. Write one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        ("postgres://v:hunter2@db/v?sslmode=true", "DATABASE_URL is an address with `sslmode=true`, which"),
        (
            "postgres://v:hunter2@db/v?connection_limit=5",
            "DATABASE_URL is an address with `connection_limit`, an option of another program. Write it without that, and the number of connections into DATABASE_POOL.",
        ),
        (
            "postgres://v:hunter2@db/v?sslaccept=strict",
            "DATABASE_URL is an address with `sslaccept`, an option of another program. Write sslmode=verify-full.",
        ),
        (
            "postgres://v:hunter2@db/v?serverVersion=16&charset=utf8",
            "DATABASE_URL is an address with `serverVersion`, an option",
        ),
        (
            "postgres://v:hunter2@db/v?statement_timout=5",
            "DATABASE_URL is an address with `statement_timout`, an option that PostgreSQL does not know. Write",
        ),
        (
            "postgres://v:hunter2@home@db/v",
            "DATABASE_URL is an address that cannot be taken apart. Write the `@`, `:`, `/`, `?`, `#` and `%` of a user's name or password as %40",
        ),
        ("postgres://v:hunter2/x@db/v", "DATABASE_URL is an address that cannot be taken apart. Write"),
        (
            "postgres://v:hunter2?x@db/v",
            "DATABASE_URL is an address whose port is not a number from 1 to 65535. Write such a port, and the `@`",
        ),
        ("postgres://v:hunter2%x@db/v", "DATABASE_URL is an address that cannot be taken apart. Write"),
        ("postgres://v:hunter2@db:fivefour/v", "DATABASE_URL is an address whose port is not a number"),
        ("postgres://v:hunter2@db:70000/v", "DATABASE_URL is an address whose port is not a number"),
        (
            "postgres://v@2001:db8::5/v",
            "DATABASE_URL is an address of IPv6 without brackets. Write it as [2001:db8::5]:5432.",
        ),
        (
            "postgres://v:hunter2@db.example.com /v",
            "DATABASE_URL is an address with a blank in it. Write a blank as %20.",
        ),
    ];
    for (address, sentence) in refused {
        each_is_refused(DEVELOPMENT, &[(&[("DATABASE_URL", address)], sentence)]);
    }
    for address in [
        "postgres://v:x@db/v?sslmode=require",
        "postgresql://v:x%40home@db:5432/v?connect_timeout=5&application_name=vestibule",
        "postgres:///v?host=/var/run/postgresql",
        "postgres://v@%2Fvar%2Frun%2Fpostgresql/v",
        "postgres://v@a:5432,b:5433/v?target_session_attrs=read-write",
        "postgres://v@[2001:db8::5]:5432/v",
        "postgres://v@db/v?options=-csearch_path%3Dvestibule",
        "postgres://v@db/v?ssl=true",
        "postgres://db",
    ] {
        let config = taken(DEVELOPMENT, &[("DATABASE_URL", address)]);
        assert!(
            matches!(config.database, DatabaseUrl::Postgres(url) if url.starts_with(address)),
            "{address}"
        );
    }
    for (address, path) in [
        ("sqlite://data/v.db", "data/v.db"),
        ("sqlite:///var/lib/v.db", "/var/lib/v.db"),
        ("sqlite:data/v.db", "data/v.db"),
        ("sqlite:./v.db", "./v.db"),
        ("'sqlite://data/v.db'", "data/v.db"),
    ] {
        let config = taken(DEVELOPMENT, &[("DATABASE_URL", address)]);
        assert!(
            matches!(config.database, DatabaseUrl::Sqlite(found) if found.as_os_str() == path),
            "{address}"
        );
    }
}

#[test]
fn an_address_of_a_mail_server_is_told_apart_without_its_password() {
    let escapes = "SMTP_URL is an address that cannot be taken apart. Write";
    for (address, sentence) in [
        (
            "mail.example.com",
            "SMTP_URL is not an address of a mail server. Write smtps://user:password@host, smtp://host:587?tls=required or folder:PATH.",
        ),
        ("mail.example.com:587", "SMTP_URL is not an address of a mail server. Write"),
        ("https://mail.example.com", "SMTP_URL is not an address of a mail server. Write"),
        ("smtp+starttls://u:hunter2@mail.example.com", "SMTP_URL is not an address of a mail server. Write"),
        ("folder:", "SMTP_URL is not an address of a mail server. Write"),
        ("smtp://", "SMTP_URL is without a host. Write smtps://"),
        ("smtps://u:hunter2@home@mail.example.com", escapes),
        ("smtps://u:hunter2#x@mail.example.com", escapes),
        ("smtps://u:hunter2/x@mail.example.com", escapes),
        ("smtps://u:p@mail.example.com:mail", escapes),
        ("smtp://mail.example.com:0", "SMTP_URL is with port 0. Write another port, such as 587, or none."),
        ("smtps://u:p@mail.example.com/hunter2", "SMTP_URL is with a path behind the host. Write smtps://"),
        ("smtps://u:p@mail.example.com:465//?tls=required", "SMTP_URL is with a path behind the host. Write"),
        ("smtps://user@mail.example.com", "SMTP_URL is with only one of user and password. Write both"),
        (
            "smtp://mail.example.com?tls=starttls",
            "SMTP_URL is with a `tls` that is not known. Write tls=required or tls=opportunistic.",
        ),
        (
            "smtp://u:p@mail.example.com?tls=yes",
            "SMTP_URL is with a `tls` that is not known. Write tls=required or tls=opportunistic.",
        ),
        (
            "smtp://mail.example.com?starttls=true",
            "SMTP_URL is with `starttls`, an option that is not known. Write tls=required",
        ),
    ] {
        each_is_refused(DEVELOPMENT, &[(&[("SMTP_URL", address)], sentence)]);
    }
    for address in [
        "smtp://localhost:1025",
        "smtps://u:p%40x@mail.example.com",
        "smtps://u:p@mail.example.com/",
        "smtp://mail.example.com:587?tls=required",
    ] {
        taken(DEVELOPMENT, &[("SMTP_URL", address)]);
    }
}

#[test]
fn values_that_make_nonsense_of_one_another_are_refused_by_both_their_names() {
    each_is_refused(
        DEVELOPMENT,
        &[
            (
                &[("SESSION_IDLE", "48h")],
                "SESSION_IDLE is `48h`, more than SESSION_LIFE, which is `24h` by default. Write 24h at most, or more for SESSION_LIFE.",
            ),
            (
                &[("SESSION_IDLE", "2h"), ("SESSION_LIFE", "60m")],
                "SESSION_IDLE is `2h`, more than SESSION_LIFE, which is `60m`. Write 60m at most",
            ),
            (&[("REMEMBER_IDLE", "31d")], "REMEMBER_IDLE is `31d`, more than REMEMBER_LIFE"),
            (
                &[("SESSION_LIFE", "40d")],
                "SESSION_LIFE is `40d`, more than REMEMBER_LIFE, which is `30d` by default.",
            ),
            (
                &[("SESSION_IDLE", "12h"), ("REMEMBER_IDLE", "6h")],
                "SESSION_IDLE is `12h`, more than REMEMBER_IDLE",
            ),
            (&[("STEP_UP_WINDOW", "25h")], "STEP_UP_WINDOW is `25h`, more than SESSION_LIFE"),
            (&[("VERIFY_LINK_LIFE", "8d")], "VERIFY_LINK_LIFE is `8d`, more than UNCONFIRMED_LIFE"),
            (
                &[("UNCONFIRMED_WARNING", "7d")],
                "UNCONFIRMED_WARNING is `7d`, not less than UNCONFIRMED_LIFE, which is `7d` by default. Write less than 7d, or more for UNCONFIRMED_LIFE.",
            ),
            (
                &[("UNCONFIRMED_LIFE", "4d")],
                "UNCONFIRMED_WARNING is `5d` by default, not less than UNCONFIRMED_LIFE, which is `4d`.",
            ),
            (
                &[("DELETION_GRACE", "3d")],
                "DELETION_REMINDER is `3d` by default, not less than DELETION_GRACE, which is `3d`.",
            ),
            (
                &[("DELETION_REMINDER", "6w"), ("DELETION_GRACE", "20d")],
                "DELETION_REMINDER is `6w`. Write 42d.",
            ),
        ],
    );
    // What ends sooner by the other one anyway does no harm where nobody wrote it.
    taken(DEVELOPMENT, &[("SESSION_LIFE", "2m")]);
    taken(DEVELOPMENT, &[("REMEMBER_LIFE", "2d")]);
    taken(DEVELOPMENT, &[("SESSION_IDLE", "24h")]);
}

#[test]
fn what_env_files_and_habits_put_around_a_value_is_taken_off() {
    let base_url = |text| taken(DEVELOPMENT, &[("BASE_URL", text)]).site.origin();
    for text in [
        "\"http://localhost:4000\"",
        "'http://localhost:4000'",
        "http://localhost:4000\r",
        "  http://localhost:4000/\t",
        "\u{feff}http://localhost:4000",
        "HTTP://LOCALHOST:4000",
    ] {
        assert_eq!(base_url(text), "http://localhost:4000", "{text:?}");
    }
    for text in ["off", "OFF", "no", "false", "0", "\"off\""] {
        assert!(!taken(DEVELOPMENT, &[("MAGIC_LINKS", text)]).magic_links, "{text}");
    }
    for text in ["on", "Yes", "true", "1", "", "  ", "\"\""] {
        assert!(taken(DEVELOPMENT, &[("MAGIC_LINKS", text)]).magic_links, "{text}");
    }
    for (text, count) in
        [("10.0.0.0/8, ::1", 2), ("10.0.0.0/8 192.168.1.1", 2), ("none", 0), ("\"::1/128\"", 1)]
    {
        assert_eq!(taken(DEVELOPMENT, &[("TRUSTED_PROXIES", text)]).trusted_proxies.len(), count, "{text}");
    }
    for text in
        ["info", "WARN", "off", "info,vestibule::mail=debug", "warn, actix_web=error", "[request]=trace"]
    {
        assert_eq!(taken(DEVELOPMENT, &[("LOG", text)]).log, text.replace(", ", ","));
    }
}

#[test]
fn in_development_the_address_follows_where_one_listens() {
    for (listen, base_url, origin) in [
        ("", "", "http://localhost:3000"),
        ("127.0.0.1:4000", "", "http://localhost:4000"),
        ("0.0.0.0:4000", "", "http://localhost:4000"),
        ("[::]:4000", "", "http://localhost:4000"),
        ("[::1]:4000", "", "http://localhost:4000"),
        ("127.0.0.1:80", "", "http://localhost"),
        ("127.0.0.2:4000", "", "http://127.0.0.2:4000"),
        ("192.168.1.10:4000", "", "http://192.168.1.10:4000"),
        ("127.0.0.1:4000", "http://localhost:5000", "http://localhost:5000"),
    ] {
        let config = taken(DEVELOPMENT, &[("LISTEN", listen), ("BASE_URL", base_url)]);
        assert_eq!(config.site.origin(), origin, "{listen} {base_url}");
    }
}

/// Development keeps its key beside the database: where there is no place for one, there is none for the other.
#[test]
fn a_database_that_has_no_place_is_not_blamed_on_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let file = file.display();
    for address in [format!("sqlite://{file}/house.db"), format!("sqlite://{file}/deeper/house.db")] {
        let sentence = format!("DATABASE_URL is `{address}`, in a folder that cannot be made or written to");
        each_is_refused(&[("DATABASE_URL", &address)], &[(&[], &sentence)]);
    }
    let folder = folder.path().display().to_string();
    fs::write(format!("{folder}/secret.key"), "hunter2").unwrap();
    let address = format!("sqlite://{folder}/house.db");
    each_is_refused(&[("DATABASE_URL", &address)], &[(&[], "SECRET_KEY is missing, and none can be kept")]);
}

#[test]
fn a_brand_or_an_address_is_never_blamed_on_the_sender() {
    for more in [
        &[("BASE_URL", "http://192.168.1.10:3000")][..],
        &[("BASE_URL", "nonsense")],
        &[("BRAND_NAME", "Acme\tInc")],
        &[("LISTEN", "192.168.1.10:3000")],
    ] {
        let problems = config::from_values(together(DEVELOPMENT, more)).err().map(|it| it.to_string());
        let told = problems.unwrap_or_default();
        assert!(!told.contains("MAIL_FROM is `"), "{more:?}: {told}");
    }
}

#[test]
fn a_port_that_is_taken_is_told_with_what_has_to_follow() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (listen, next) = (format!("127.0.0.1:{port}"), port.checked_add(1).unwrap_or(3000));
    let by_hand = format!("http://localhost:{port}");
    for (usual, more, follows) in [
        (
            DEVELOPMENT,
            None,
            format!("LISTEN=127.0.0.1:{next}; BASE_URL follows it: http://localhost:{next}."),
        ),
        (
            DEVELOPMENT,
            Some(by_hand.as_str()),
            format!("and with it BASE_URL=http://localhost:{next}, which is set by hand."),
        ),
        (
            DEVELOPMENT,
            Some("http://localhost"),
            "and lead http://localhost there; BASE_URL stays.".to_owned(),
        ),
        (
            PRODUCTION,
            Some("https://id.example.com"),
            "and lead https://id.example.com there; BASE_URL stays.".to_owned(),
        ),
    ] {
        let mut settings = together(usual, &[("LISTEN", &listen)]);
        settings.extend(more.map(|base_url| ("BASE_URL".to_owned(), base_url.to_owned())));

        let output = run_program(&["serve"], settings);

        assert_eq!(output.code, Some(1), "{output:?}");
        let begins = format!(
            "LISTEN is `{listen}`, where another program listens already. Write another port, such as"
        );
        assert!(output.err.starts_with(&begins) && output.err.contains(&follows), "{follows}: {output:?}");
    }
    let output = run_program(
        &["serve"],
        together(DEVELOPMENT, &[("LISTEN", "192.0.2.1:3000"), ("BASE_URL", &by_hand)]),
    );
    assert!(
        output.err.starts_with("LISTEN is `192.0.2.1:3000`, and this machine does not have that address"),
        "{output:?}"
    );
}
