//! What production refuses, what it takes, and what is said of settings that open more than they seem to.

use std::collections::BTreeMap;

use vestibule::config::{self, SETTINGS};

use crate::{
    harness::{Ground, KEY, TestApp, eventually, run_program},
    settings_messages::{DEVELOPMENT, PRODUCTION, Settings, each_is_refused, taken, together},
};

#[test]
fn production_refuses_what_is_not_safe_unless_it_is_named() {
    let remote = "postgres://v:hunter2@db.example.com/v";
    let rows: &[(&str, Settings, &str)] = &[
        ("verify_on_get", &[("VERIFY_ON_GET", "on")], "VERIFY_ON_GET is `on`, so that"),
        ("weak_key", &[("SECRET_KEY", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")], "SECRET_KEY is made of"),
        ("weak_key", &[("SECRET_KEY", "abcabcabcabcabcabcabcabcabcabcabcabcabc")], "SECRET_KEY is made of"),
        ("weak_key", &[("SECRET_KEY", "passwordpasswordpasswordpassword")], "SECRET_KEY is made of"),
        ("weak_key", &[("SECRET_KEY", "0123456789abcdef0123456789abcdef")], "SECRET_KEY is made of"),
        ("weak_key", &[("SECRET_KEY", "qwertyuiopasdfghjklzxcvbnm1234567890")], "SECRET_KEY is made of"),
        ("weak_key", &[("SECRET_KEY", "change-me-please-this-is-not-a-secret-key")], "SECRET_KEY is made of"),
        ("weak_key", &[("SECRET_KEY", "thisisaverylongsecretkeyforproduction")], "SECRET_KEY is made of"),
        ("weak_key", &[("SECRET_KEY", "01010110101010111010101010101010")], "SECRET_KEY is made of"),
        (
            "weak_key",
            &[("SECRET_KEY_NEXT", "change-me-please-this-is-not-a-secret-key")],
            "SECRET_KEY_NEXT is made of",
        ),
        ("smtp", &[("SMTP_URL", "smtp://mail.example.com")], "SMTP_URL is of mail.example.com without TLS"),
        ("smtp", &[("SMTP_URL", "smtp://u:hunter2@10.0.0.5:587")], "SMTP_URL is of 10.0.0.5 without TLS"),
        ("smtp", &[("SMTP_URL", "smtp://u:p@mail.example.com:587?tls=opportunistic")], "SMTP_URL is of mail"),
        ("postgres", &[("DATABASE_URL", remote)], "DATABASE_URL is of a server on another machine without"),
        (
            "postgres",
            &[("DATABASE_URL", "postgres://v@10.0.0.5/v?sslmode=require")],
            "DATABASE_URL is of a server on another machine",
        ),
        ("postgres", &[("DATABASE_URL", "postgres:///v?host=db.internal")], "DATABASE_URL is of a server on"),
    ];
    for (word, more, sentence) in rows {
        each_is_refused(PRODUCTION, &[(more, sentence)]);
        let refusal = config::from_values(together(PRODUCTION, more)).unwrap_err().to_string();
        assert!(refusal.contains(&format!("ALLOW_INSECURE={word}")), "{refusal}");
        let mut allowed = more.to_vec();
        allowed.push(("ALLOW_INSECURE", word));
        let warnings = taken(PRODUCTION, &allowed).warnings;
        assert!(warnings.len() == 1 && warnings[0].starts_with(sentence), "{word}: {warnings:#?}");
        // Development is for trying things.
        let mut trying = more.to_vec();
        trying.extend([("MODE", "development"), ("BASE_URL", "")]);
        assert_eq!(taken(PRODUCTION, &trying).warnings, Vec::<String>::new(), "{word}");
    }
    let limits: (Settings, &str) =
        (&[("THROTTLE", "off"), ("ALLOW_INSECURE", "smtp")], "THROTTLE is `off`. Write on");
    each_is_refused(
        PRODUCTION,
        &[
            limits,
            (
                &[("BASE_URL", "http://id.example.com")],
                "BASE_URL is `http://id.example.com`. Write an https address in production",
            ),
            (
                &[("BASE_URL", "")],
                "BASE_URL is missing. Write an https address in production, such as https://id.example.com.",
            ),
            (&[("SMTP_URL", "")], "SMTP_URL is missing. Write the mail server's address"),
            (&[("SECRET_KEY", " ")], "SECRET_KEY is missing. Write 32 characters or more"),
            (&[("BCRYPT_COST", "9")], "BCRYPT_COST is `9`. Write a whole number from 10 to 16."),
        ],
    );
}

/// The address says where the password goes, and nothing beside it.
#[test]
fn production_connects_where_the_address_says_whatever_is_set_for_libpq() {
    for (name, value) in [
        ("PGHOST", "192.0.2.2"),
        ("PGHOSTADDR", "192.0.2.2"),
        ("PGSERVICE", "elsewhere"),
        ("PGSERVICEFILE", "/nonexistent/services"),
        ("PGSSLMODE", "disable"),
    ] {
        let here = ("DATABASE_URL", "postgres://v:hunter2@localhost/v");
        each_is_refused(
            PRODUCTION,
            &[(&[here, (name, value)], &format!("{name} is set, and PostgreSQL's library"))],
        );
        let allowed = [here, (name, value), ("ALLOW_INSECURE", "postgres")];
        assert_eq!(run_program(&["settings"], together(PRODUCTION, &allowed)).code, Some(0), "{name}");
        // SQLite asks no library for a host.
        assert_eq!(
            run_program(&["settings"], together(PRODUCTION, &[(name, value)])).code,
            Some(0),
            "{name}"
        );
        assert_eq!(
            run_program(&["settings"], together(DEVELOPMENT, &[here, (name, value)])).code,
            Some(0),
            "{name}"
        );
    }
}

#[test]
fn production_takes_keys_and_addresses_that_are_safe() {
    let safe: &[(&str, &str)] = &[
        ("SECRET_KEY", "9f86d081884c7d659a2feaa0c55ad015"),
        ("SECRET_KEY", "550e8400-e29b-41d4-a716-446655440000"),
        ("SECRET_KEY", "jvqkzmwpxhrbtlfgycndsaoeiuxwqzkv"),
        ("SECRET_KEY", "83920174650192837465564738291029"),
        ("SECRET_KEY", "7Jt0mUeXb1r9c+QG5wVnZKpAqLdHs2YfoT3iNEx8R6gkzMBCuWvIPl/DhOyS4jFa"),
        ("SMTP_URL", "smtp://127.0.0.1:25"),
        ("SMTP_URL", "smtp://localhost"),
        ("SMTP_URL", "smtp://[::1]:2525"),
        ("SMTP_URL", "smtp://u:p@mail.example.com:587?tls=required"),
        ("SMTP_URL", "folder:/var/spool/vestibule"),
        ("DATABASE_URL", "postgres://v@localhost/v"),
        ("DATABASE_URL", "postgres:///v?host=/var/run/postgresql"),
        ("DATABASE_URL", "postgres://v:x@db.example.com/v?sslmode=verify-full"),
        ("VERIFY_ON_GET", "off"),
        ("ALLOW_INSECURE", "none"),
        ("LISTEN", "127.0.0.1:3000"),
    ];
    for row in safe {
        assert_eq!(taken(PRODUCTION, &[*row]).warnings, Vec::<String>::new(), "{row:?}");
    }
}

#[test]
fn development_is_served_to_this_machine_only_unless_that_is_meant() {
    for (more, sentence) in [
        (
            &[("BASE_URL", "http://192.168.1.10:3000")][..],
            Some("BASE_URL is `http://192.168.1.10:3000`, which is not this machine"),
        ),
        (&[("BASE_URL", "https://id.example.com")], Some("BASE_URL is `https://id.example.com`, which")),
        (
            &[("BASE_URL", "http://localhost.example.com")],
            Some("BASE_URL is `http://localhost.example.com`, which"),
        ),
        (
            &[("LISTEN", "192.168.1.10:3000")],
            Some("LISTEN (which BASE_URL follows) is `http://192.168.1.10:3000`"),
        ),
        (&[("BASE_URL", "http://localhost:3000")], None),
        (&[("BASE_URL", "http://127.0.0.1:3000")], None),
        (&[("BASE_URL", "http://[::1]:3000"), ("MAIL_FROM", "me@example.com")], None),
        (&[("BASE_URL", "http://acme.localhost:3000")], None),
        (&[("LISTEN", "127.0.0.1:4000")], None),
    ] {
        let refusal = taken(DEVELOPMENT, more).unfit_to_serve;
        assert_eq!(refusal.is_some(), sentence.is_some(), "{more:?}: {refusal:?}");
        let Some(sentence) = sentence else { continue };
        let output = run_program(&["serve"], together(DEVELOPMENT, more));
        assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{output:?}");
        assert!(
            output.err.starts_with(sentence) && output.err.contains("ALLOW_INSECURE=development"),
            "{output:?}"
        );
        let mut allowed = more.to_vec();
        allowed.push(("ALLOW_INSECURE", "development"));
        let config = taken(DEVELOPMENT, &allowed);
        assert_eq!(config.unfit_to_serve, None);
        assert!(config.warnings.iter().any(|warning| warning.starts_with(sentence)), "{:?}", config.warnings);
    }
}

#[test]
fn what_is_open_to_more_than_it_seems_is_said() {
    for (usual, more, sentence) in [
        (
            PRODUCTION,
            &[("LISTEN", "0.0.0.0:3000")][..],
            "LISTEN is `0.0.0.0:3000`: other machines reach it, and TRUSTED_PROXIES is not set",
        ),
        (PRODUCTION, &[("LISTEN", "[::]:3000")], "LISTEN is `[::]:3000`: other machines reach it"),
        (PRODUCTION, &[("LISTEN", "10.0.0.5:3000")], "LISTEN is `10.0.0.5:3000`: other machines reach it"),
        (
            PRODUCTION,
            &[("LISTEN", "0.0.0.0:3000"), ("TRUSTED_PROXIES", "10.0.0.2")],
            "LISTEN is `0.0.0.0:3000`: other machines reach it, and anyone who reaches the port goes around the proxy",
        ),
        (
            DEVELOPMENT,
            &[("LISTEN", "0.0.0.0:3000")],
            "LISTEN is `0.0.0.0:3000`: everybody in your networks reaches",
        ),
        (PRODUCTION, &[("TRUSTED_PROXIES", "0.0.0.0/0")], "TRUSTED_PROXIES holds every address there is"),
        (
            PRODUCTION,
            &[("TRUSTED_PROXIES", "10.0.0.1/8")],
            "TRUSTED_PROXIES holds `10.0.0.1/8`, and so all of 10.0.0.0/8. Write 10.0.0.1 where",
        ),
        (
            PRODUCTION,
            &[(
                "SECRET_KEY_PREVIOUS",
                "9f86d081884c7d659a2feaa0c55ad015, aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            )],
            "SECRET_KEY_PREVIOUS is made of words, repetitions or sequences, which can be guessed",
        ),
        (
            DEVELOPMENT,
            &[("LISTEN", "127.0.0.1:4000"), ("BASE_URL", "http://localhost:5000")],
            "BASE_URL is `http://localhost:5000`, and LISTEN is `127.0.0.1:4000`, another port: links in emails lead \
             nowhere, unless a proxy is there. Write BASE_URL=http://localhost:4000, or leave it out.",
        ),
        (DEVELOPMENT, &[("BASE_URL", "http://localhost")], "BASE_URL is `http://localhost`, and LISTEN is"),
        (
            DEVELOPMENT,
            &[("LISTEN", "[::1]:3001"), ("BASE_URL", "http://localhost:3000")],
            "BASE_URL is `http",
        ),
        (PRODUCTION, &[("SMTP_URL", "smtps://mail.example.com:587")], "SMTP_URL is smtps:// on port 587"),
        (
            PRODUCTION,
            &[("SMTP_URL", "smtp://mail.example.com:465?tls=required")],
            "SMTP_URL is smtp:// on port 465",
        ),
    ] {
        let warnings = taken(usual, more).warnings;
        assert!(warnings.len() == 1 && warnings[0].starts_with(sentence), "{more:?}: {warnings:#?}");
    }
    for (listen, base_url) in [
        ("127.0.0.1:80", "http://localhost"),
        ("127.0.0.1:3000", "http://acme.localhost:3000"),
        ("127.0.0.1:3000", "https://localhost:8443"),
        ("127.0.0.1:0", "http://localhost:3000"),
    ] {
        let agreed = [("LISTEN", listen), ("BASE_URL", base_url)];
        assert_eq!(taken(DEVELOPMENT, &agreed).warnings, Vec::<String>::new(), "{agreed:?}");
    }
    for listen in ["127.0.0.1:3000", "127.0.0.2:3000", "[::1]:3000", "[::ffff:127.0.0.1]:3000"] {
        let behind_a_proxy = [("LISTEN", listen), ("TRUSTED_PROXIES", "10.0.0.2")];
        assert_eq!(taken(PRODUCTION, &behind_a_proxy).warnings, Vec::<String>::new(), "{listen}");
    }
}

#[actix_web::test]
async fn what_is_allowed_all_the_same_is_said_at_start_and_by_the_doctor() {
    let ground = Ground::with(&[("ALLOW_INSECURE", "development"), ("BRAND_NMAE", "Acme")]);
    let listening = Ground::with(&[("ALLOW_INSECURE", "development"), ("SESION_LIFE", "1h")]);
    let serving = listening.serve().await;
    let told = "SESION_LIFE is in the environment and is not a setting. Did you mean SESSION_LIFE?";
    eventually("a line about the setting", async || serving.log().contains(told).then_some(())).await;

    let mut settings = ground.settings.clone();
    settings.insert("BASE_URL".to_owned(), "http://192.168.1.10:3000".to_owned());
    let output = run_program(&["doctor", "--json"], &settings);

    assert!(output.out.contains("ALLOW_INSECURE=development allows it."), "{output:?}");
    assert!(
        output
            .out
            .contains("BRAND_NMAE is in the environment and is not a setting. Did you mean BRAND_NAME?"),
        "{output:?}"
    );
    settings.remove("ALLOW_INSECURE");
    let output = run_program(&["doctor", "--json"], &settings);
    assert_eq!(output.code, Some(1));
    assert!(output.out.contains("which is not this machine"), "{output:?}");
}

#[actix_web::test]
async fn in_production_nobody_reads_the_metrics_unless_they_are_named() {
    let production = [("MODE", "production"), ("BASE_URL", "https://id.example.com"), ("BCRYPT_COST", "10")];
    TestApp::with(&production).await.curl().get("/metrics").await.refuses(404, "not_found");
    let named = [production[0], production[1], production[2], ("METRICS_FROM", "127.0.0.1")];
    TestApp::with(&named).await.curl().get("/metrics").await.is(200);
}

#[test]
fn the_documented_example_for_production_starts_without_a_warning() {
    let document = include_str!("../../docs/operating.md");
    let (_, rest) = document.split_once("```sh\nMODE=production\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let written = block.lines().filter(|line| !line.starts_with('#'));
    let mut values: BTreeMap<String, String> = written
        .map(|line| line.split_once('=').unwrap())
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect();
    values.insert("MODE".to_owned(), "production".to_owned());
    assert_eq!(values.insert("SECRET_KEY".to_owned(), KEY.to_owned()).as_deref(), Some("…"));
    assert_eq!(config::from_values(values).unwrap().warnings, Vec::<String>::new());
    assert!(SETTINGS.iter().any(|setting| setting.name == "ALLOW_INSECURE"));
}

#[actix_web::test]
async fn browsers_makers_are_asked_only_where_the_operator_wants_it() {
    for (preload, says) in [
        ("off", "max-age=63072000; includeSubDomains"),
        ("on", "max-age=63072000; includeSubDomains; preload"),
    ] {
        let settings = [
            ("BASE_URL", "https://id.example.com"),
            ("ALLOW_INSECURE", "development"),
            ("HSTS_PRELOAD", preload),
        ];
        let answer = TestApp::with(&settings).await.curl().get("/healthz").await.is(200);
        assert_eq!(answer.header("strict-transport-security"), says);
    }
}
