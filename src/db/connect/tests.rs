use std::ffi::OsStr;

use super::*;

#[test]
fn what_the_address_leaves_open_is_ours_to_say() {
    let url = with_defaults("postgres://db/v?connect_timeout=30");
    assert!(url.starts_with("postgres://db/v?connect_timeout=30&tcp_user_timeout=6000&"), "{url}");
    assert_eq!(url.matches("connect_timeout").count(), 1);
    assert!(with_defaults("postgres://a,b/v").starts_with("postgres://a,b/v?connect_timeout=4&"));
}

#[test]
fn a_path_with_marks_of_an_address_is_still_a_path() {
    assert_eq!(escaped(Path::new("/srv/a b/100%?#.db")), "/srv/a%20b/100%25%3F%23.db");
    assert_eq!(escaped(Path::new(OsStr::from_bytes(b"data/\xff.db"))), "data/%FF.db");
}

#[test]
fn each_refusal_says_what_to_do_and_never_the_password() {
    let server = "connection to server at \"db\" (10.0.0.9), port 5432 failed: ";
    for (message, advice, may_come) in [
        ("could not translate host name \"db\" to address: Name or service not known\n", "DNS", true),
        (
            "could not translate host name \"db\" to address: Temporary failure in name resolution",
            "DNS",
            true,
        ),
        (
            "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
            "runs",
            true,
        ),
        ("timeout expired", "runs", true),
        ("No route to host", "runs", true),
        ("Network is unreachable", "runs", true),
        ("server closed the connection unexpectedly", "runs", true),
        ("session is read-only", "runs", true),
        ("FATAL:  the database system is starting up", "restarting", true),
        ("FATAL:  the database system is shutting down", "restarting", true),
        ("FATAL:  the database system is in recovery mode", "restarting", true),
        ("FATAL:  sorry, too many clients already", "max_connections", true),
        (
            "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            "max_connections",
            true,
        ),
        ("FATAL:  too many connections for role \"v\"", "max_connections", true),
        ("FATAL:  password authentication failed for user \"v\"", "password are right", false),
        ("fe_sendauth: no password supplied", "password are right", false),
        ("FATAL:  database \"v\" does not exist", "createdb", false),
        ("FATAL:  role \"v\" does not exist", "createuser", false),
        ("FATAL:  no pg_hba.conf entry for host \"10.0.0.1\", user \"v\"", "pg_hba", false),
        ("root certificate file \"/root.crt\" does not exist", "sslrootcert", false),
        ("SSL error: certificate verify failed", "sslrootcert", false),
        (
            "FATAL:  Passwort-Authentifizierung für Benutzer »v« fehlgeschlagen",
            "DATABASE_URL is right",
            false,
        ),
    ] {
        let message =
            if message.starts_with("could not") { message.to_owned() } else { format!("{server}{message}") };
        let refusal = refused("postgres://v:s3cret@db/v", &ConnectionError::BadConnection(message.clone()));
        assert!(refusal.sentence.starts_with("DATABASE_URL"), "{}", refusal.sentence);
        assert!(
            refusal.sentence.contains(advice) && !refusal.sentence.contains('\n'),
            "{}",
            refusal.sentence
        );
        assert_eq!(refusal.may_come, may_come, "{message}");
    }
    for message in [
        "invalid URI query parameter: \"pgbouncer\"",
        "unexpected spaces found in \"postgres://v:s3cret@db/v w\", use percent-encoded spaces (%20) instead",
        "invalid port number: \"s3cret\"",
    ] {
        let refusal =
            refused("postgres://v:s3cret@db/v", &ConnectionError::BadConnection(message.to_owned()));
        assert!(!refusal.sentence.contains("s3cret") && !refusal.may_come, "{}", refusal.sentence);
    }
}
