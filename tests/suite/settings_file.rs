//! The file of settings, and names that are no settings: what an operator is told of a slip.

use std::fs;

use crate::{
    harness::{Ground, KEY, run_program},
    settings_messages::{DEVELOPMENT, together},
};

#[test]
fn a_misspelt_name_is_refused_in_the_file_and_pointed_out_in_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vestibule.toml");
    let key = format!("secret_key = \"{KEY}\"\ndatabase_url = \"sqlite:///nonexistent/house.db\"\n");
    for (line, sentence) in [
        ("brand_nmae = \"Acme\"", "brand_nmae is not a setting. Did you mean brand_name?"),
        ("sesion_life = \"1h\"", "sesion_life is not a setting. Did you mean session_life?"),
        ("trusted_proxy = \"::1\"", "trusted_proxy is not a setting. Did you mean trusted_proxies?"),
        ("url_base = \"x\"", "url_base is not a setting. Did you mean base_url?"),
        ("port = 8080", "port is not a setting. Did you mean listen?"),
        ("favourite = \"tea\"", "favourite is not a setting. docs/settings.md lists them all."),
        ("[server]\nlisten = \"127.0.0.1:1\"", "[server] is a section. Write settings without one"),
        ("log = \"info\"\nLOG = \"warn\"", "log is there twice. Write it once."),
        ("trusted_proxies = [[\"::1\"]]", "trusted_proxies is a list of lists."),
        ("workers = 0", "WORKERS is `0`. Write a whole number from 1"),
        ("session_idle = 900", "SESSION_IDLE is `900`. Write 900m or 900s, with its unit."),
    ] {
        fs::write(&file, format!("{key}{line}\n")).unwrap();
        let nothing: [(&str, &str); 0] = [];
        let output = run_program(&["--config", file.to_str().unwrap(), "migrate"], nothing);
        assert_eq!(output.code, Some(1), "{line}: {output:?}");
        assert!(output.err.contains(sentence), "{line}: {output:?}");
    }
    let output = run_program(
        &["migrate"],
        together(DEVELOPMENT, &[("SECRET_KEY", ""), ("SECERT_KEY", KEY), ("MODE", "production")]),
    );
    assert!(
        output
            .err
            .contains("SECERT_KEY is in the environment and is not a setting. Did you mean SECRET_KEY?"),
        "{output:?}"
    );
    assert!(!output.err.contains(KEY), "{output:?}");
}

#[test]
fn a_slip_in_the_file_is_told_by_its_place_and_never_by_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vestibule.toml");
    for (line, column) in [
        ("secret_key = hunter2", 14),
        ("secret_key = \"hunter2", 22),
        ("secret_key = 'hunter2", 22),
        ("secret_key = \"hunter2\" hunter2", 24),
        ("secret_key = \"hunter2\\q\"", 23),
        ("secret_key: \"hunter2\"", 13),
        ("secret_key \"hunter2\"", 12),
        ("secret_key = 12hunter2", 16),
        ("secret_key = [\"hunter2\"", 24),
        ("secret_key = {hunter2", 22),
        ("secret_key = smtp://u:hunter2@host", 14),
        ("smtp_url = smtps://u:hunter2@host", 12),
        ("database_url = postgres://u:hunter2@host/db", 16),
        ("= \"hunter2\"", 1),
        ("hunter2", 8),
        ("[hunter2", 9),
        ("log = \"info\"\u{1}hunter2", 13),
        ("\"hunter2\"", 10),
        ("listen = 2026-99-99Thunter2", 10),
        ("listen = \"a\"\nlisten = \"hunter2\"", 1),
    ] {
        fs::write(&file, format!("# ä\nmigrate = true\n{line}\n")).unwrap();
        for command in ["serve", "doctor"] {
            let nothing: [(&str, &str); 0] = [];
            let output = run_program(&["--config", file.to_str().unwrap(), command], nothing);
            assert_eq!(output.code, Some(1), "{line}: {output:?}");
            assert!(!format!("{output:?}").contains("hunter2"), "{line}: {output:?}");
            let number = 3 + line.matches('\n').count();
            let place = format!("vestibule.toml: line {number}, column {column}: ");
            assert!(format!("{output:?}").contains(&place), "{line}: {place}: {output:?}");
        }
    }
}

#[test]
fn a_value_without_quotes_in_the_file_is_told_to_want_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vestibule.toml");
    for (line, wants_quotes) in [
        ("listen = 127.0.0.1:3000", true),
        ("LISTEN=127.0.0.1:3000", true),
        ("metrics_from = 10.0.0.0/8  # ours", true),
        ("base_url = http://localhost:3000", true),
        ("session_idle = 15m", true),
        ("migrate = on", true),
        ("brand_name = Acme Inc", true),
        ("brand_name = \"Acme\" Inc", false),
        ("brand_name =", false),
        ("trusted_proxies = [10.0.0.0/8]", false),
        ("workers = 2\nworkers = 2", false),
        ("hunter2 = hunter2", false),
    ] {
        fs::write(&file, format!("# ä\n\n{line}\n")).unwrap();
        let nothing: [(&str, &str); 0] = [];
        let output = run_program(&["--config", file.to_str().unwrap(), "migrate"], nothing);
        assert_eq!(output.code, Some(1), "{line}: {output:?}");
        let name = line.split(['=', ' ']).next().unwrap().to_lowercase();
        let sentence = format!("Put the value in quotes: `{name} = \"…\"`.");
        assert_eq!(output.err.contains(&sentence), wants_quotes, "{line}: {output:?}");
        let number = 3 + line.matches('\n').count();
        assert!(
            output.err.contains(&format!("vestibule.toml: line {number}, column ")),
            "{line}: {output:?}"
        );
        assert!(!output.err.contains("hunter2"), "{line}: {output:?}");
    }
}

#[actix_web::test]
async fn what_another_program_calls_a_setting_is_pointed_out_where_it_is_not_set() {
    let asks =
        |name, meant| format!("{name} is in the environment and is not a setting. Did you mean {meant}?");
    let ground = Ground::with(&[("PORT", "8080"), ("RUST_LOG", "debug"), ("DB_URL", "x"), ("HOST", "x")]);
    // This one has a LISTEN of its own.
    let serving = ground.serve().await;
    let log = serving.log();
    let line = log.lines().find(|line| line.contains(&asks("RUST_LOG", "LOG"))).unwrap();
    assert!(line.contains("INFO"), "{line}");
    for name in ["PORT", "DB_URL", "HOST"] {
        assert!(!log.contains(&format!("{name} is in the environment")), "{name}: {log}");
    }
    serving.stop();

    let output = ground.attempt(&["doctor", "--json"]).await;
    let line = output.out.lines().find(|line| line.contains(&asks("PORT", "LISTEN"))).unwrap();
    assert!(line.contains("\"fine\""), "{line}");

    let production = [("MODE", "production"), ("SECRET_KEY", KEY), ("PORT", "8080"), ("SMTP_HOST", "mail")];
    let output = run_program(&["migrate"], production);
    assert!(output.err.contains(&asks("SMTP_HOST", "SMTP_URL")), "{output:?}");
    assert!(!output.err.contains("PORT"), "{output:?}");
}
