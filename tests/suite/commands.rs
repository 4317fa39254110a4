//! The commands, as an operator types them: child processes with settings of their own.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use crate::harness::{CommandOutput, Ground, Storage, TestApp, eventually, free_port, run_program};

/// Settings for a program without a house around it.
fn settings(database: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let usual = [("DATABASE_URL", database), ("SECRET_KEY", "the key of a program that runs for one test")];
    let all = usual.iter().chain(&[("BCRYPT_COST", "4"), ("SMTP_URL", "folder:/nonexistent")]).chain(more);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The findings of `doctor --json` by what they are about.
fn findings(output: &CommandOutput) -> BTreeMap<String, Value> {
    let lines = output.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|finding| (finding["what"].as_str().unwrap().to_owned(), finding)).collect()
}

#[actix_web::test]
async fn every_command_explains_itself() {
    let nothing: [(&str, &str); 0] = [];
    let output = run_program(&["--help"], nothing);
    assert_eq!(output.code, Some(0), "{output:?}");
    for command in
        ["serve", "migrate", "seed", "jobs", "user", "limits", "session", "sso", "settings", "doctor"]
    {
        assert!(output.out.contains(command), "{output:?}");
        let output = run_program(&[command, "--help"], nothing);
        assert_eq!((output.code, output.err.as_str()), (Some(0), ""), "{output:?}");
        assert!(output.out.contains("Usage: vestibule") && output.out.contains("--config"), "{output:?}");
    }
    assert!(run_program(&["--version"], nothing).out.starts_with("vestibule "));
}

#[actix_web::test]
async fn wrong_usage_is_exit_2_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().join("house.db").display());
    for wrong in
        [&["dance"][..], &[], &["seed", "--loudly"], &["jobs"], &["jobs", "forget"], &["migrate", "now"]]
    {
        let output = run_program(wrong, settings(&database, &[]));
        assert_eq!(output.code, Some(2), "{wrong:?}: {output:?}");
        assert!(output.err.contains("Usage: vestibule") && output.out.is_empty(), "{wrong:?}: {output:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[actix_web::test]
async fn every_problem_with_the_settings_is_told_at_once() {
    let wrong = [
        ("MODE", "prod"),
        ("DATABASE_URL", "mysql://localhost"),
        ("BASE_URL", "example.com/auth"),
        ("LISTEN", "3000"),
        ("BCRYPT_COST", "3"),
        ("SECRET_KEY", "short"),
        ("SMTP_URL", "mail.example.com"),
        ("BRAND_ACCENT", "red"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("SESSION_LIFE", "a while"),
        ("VERIFY_ON_GET", "maybe"),
    ];
    for command in ["serve", "migrate", "seed"] {
        let output = run_program(&[command], wrong);
        assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{output:?}");
        for (name, _) in wrong {
            let about = output.err.lines().find(|line| line.starts_with(&format!("  - {name} is ")));
            assert!(about.is_some_and(|line| line.contains("Write ")), "{name}: {output:?}");
        }
        assert!(!output.err.contains("`short`"), "a key is not repeated: {output:?}");
    }
}

#[actix_web::test]
async fn production_refuses_to_start_without_a_key_https_and_a_mail_server() {
    let output = run_program(&["serve"], [("MODE", "production"), ("LISTEN", "127.0.0.1:0")]);

    assert_eq!(output.code, Some(1), "{output:?}");
    for missing in ["SECRET_KEY is missing", "an https address in production", "SMTP_URL is missing"] {
        assert!(output.err.contains(missing), "{missing}: {output:?}");
    }
}

#[actix_web::test]
async fn a_file_of_settings_is_read_and_the_environment_wins() {
    let storage = Storage::new();
    let (file, database) = (storage.folder.path().join("vestibule.toml"), &storage.url);
    let path = file.to_str().unwrap();
    fs::write(&file, format!("database_url = \"{database}\"\nbcrypt_cost = 99\nbrand_nmae = \"Acme\"\n"))
        .unwrap();

    let output = run_program(&["--config", path, "migrate"], settings(database, &[]));
    assert_eq!(output.code, Some(1));
    assert!(
        output.err.contains("brand_nmae is not a setting") && !output.err.contains("BCRYPT_COST"),
        "{output:?}"
    );

    fs::write(&file, format!("database_url = \"{database}\"\nmigrate = true\ntrusted_proxies = [\"::1\"]\n"))
        .unwrap();
    let key = [("SECRET_KEY", "the key of a program that runs for one test")];
    let output = run_program(&["migrate", "--config", path], key);
    assert_eq!(output.code, Some(0), "{output:?}");
    let output = run_program(&["--config", "/nonexistent.toml", "migrate"], key);
    assert_eq!(output.code, Some(1));
    assert!(output.err.contains("/nonexistent.toml cannot be read"), "{output:?}");
}

#[actix_web::test]
async fn migrate_brings_the_schema_up_once() {
    let storage = Storage::new();
    let settings = settings(&storage.url, &[]);

    let first = run_program(&["migrate"], &settings);
    let second = run_program(&["migrate"], &settings);

    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first:?} {second:?}");
    assert!(first.out.contains("migration(s) run.") && second.out.contains("nothing to do."));
    assert!(!first.out.contains("postgres@"), "what is in the address stays there: {first:?}");
}

#[actix_web::test]
async fn seed_makes_three_people_who_can_sign_in() {
    let app = TestApp::open().await;

    let output = app.command(&["seed", "--json"]);

    assert_eq!(output.code, Some(0), "{output:?}");
    let lines = output.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let people: Vec<Value> = lines.filter(|line| line["email"].is_string()).collect();
    assert_eq!(people.len(), 3);
    for person in &people {
        let offer = json!({ "email": person["email"], "password": person["password"] });
        let user = app.curl().post_json("/login", offer).await.is(200).json()["user"].clone();
        assert_eq!(user["emailVerified"], person["emailVerified"]);
    }
    assert_eq!(people.iter().filter(|person| person["emailVerified"] == true).count(), 2);
}

#[actix_web::test]
async fn seeding_twice_changes_nobody_and_reads_well() {
    let storage = Storage::new();
    let settings = settings(&storage.url, &[]);

    let first = run_program(&["seed"], &settings);
    let second = run_program(&["seed"], &settings);

    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first:?} {second:?}");
    assert_eq!(first.out.lines().filter(|line| line.contains("@example.com")).count(), 3, "{first:?}");
    assert!(first.out.contains("not confirmed yet") && !first.out.contains("is there already"), "{first:?}");
    assert_eq!(second.out.lines().filter(|line| line.ends_with("is there already")).count(), 3, "{second:?}");
}

#[actix_web::test]
async fn nobody_is_seeded_in_production() {
    let app = TestApp::open().await;
    let mut settings = app.settings.clone();
    let production = [
        ("MODE", "production"),
        ("BASE_URL", "https://id.example.com"),
        ("BCRYPT_COST", "10"),
        ("THROTTLE", "on"),
    ];
    settings.extend(production.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let output = run_program(&["seed"], &settings);

    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.err.contains("development mode only") && output.out.is_empty(), "{output:?}");
    assert_eq!(app.count("users").await, 0);
}

#[actix_web::test]
async fn the_doctor_finds_a_sound_house_sound_and_sends_an_email_to_prove_it() {
    let app = TestApp::open().await;

    let output = app.command(&["doctor", "--json", "--mail-to", "ops@example.com"]);

    assert_eq!(output.code, Some(0), "{output:?}");
    let found = findings(&output);
    for what in ["database", "clock", "mail", "outbox", "email"] {
        assert_eq!(found[what]["health"], "fine", "{output:?}");
    }
    assert_eq!(app.emails_to("ops@example.com").await.len(), 1);
    let output = app.command(&["doctor"]);
    assert!(output.out.lines().any(|line| line.starts_with("fine     database")), "{output:?}");
}

#[actix_web::test]
async fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let storage = Storage::new();
    let smtp = format!("smtp://127.0.0.1:{}", free_port());
    let more = [("SMTP_URL", smtp.as_str()), ("BASE_URL", "http://id.example.com")];

    let output = run_program(&["doctor", "--json"], settings(&storage.url, &more));

    assert_eq!(output.code, Some(1), "{output:?}");
    let found = findings(&output);
    for (what, health, advice) in [
        ("mail", "problem", "SMTP_URL"),
        ("cookies", "problem", "Put https in BASE_URL"),
        ("database", "warning", "vestibule migrate"),
        ("settings", "warning", "MODE=production"),
    ] {
        assert_eq!(found[what]["health"], health, "{output:?}");
        assert!(found[what]["says"].as_str().unwrap().contains(advice), "{output:?}");
    }
    assert!(!output.out.contains(".."), "{output:?}");
}

#[actix_web::test]
async fn the_doctor_reads_settings_that_nothing_else_would_start_with() {
    let output = run_program(&["doctor", "--json"], [("MODE", "production"), ("LISTEN", "nowhere")]);

    assert_eq!(output.code, Some(1), "{output:?}");
    let problems: Vec<Value> = output.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        problems.len() >= 3 && problems.iter().all(|problem| problem["health"] == "problem"),
        "{output:?}"
    );
}

#[actix_web::test]
async fn a_database_that_cannot_be_is_a_sentence_and_not_a_panic() {
    let settings = settings("sqlite:///dev/null/house.db", &[]);
    for command in [&["migrate"][..], &["seed"], &["jobs", "list"], &["doctor"]] {
        let output = run_program(command, &settings);
        assert_eq!(output.code, Some(1), "{output:?}");
        let heard = format!("{}{}", output.out, output.err);
        assert!(
            !heard.contains("panicked")
                && heard.contains("/dev/null/house.db") | heard.contains("DATABASE_URL")
        );
    }
}

#[actix_web::test]
async fn the_doctor_notices_emails_that_were_given_up() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    app.db_execute("UPDATE outbox SET sealed = 'spilled coffee'").await;
    app.send_emails().await;

    let output = app.command(&["doctor", "--json"]);

    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(
        findings(&output)["outbox"]["says"].as_str().unwrap().contains("vestibule jobs retry"),
        "{output:?}"
    );
}

#[actix_web::test]
async fn jobs_runs_what_is_known_by_name_and_nothing_else() {
    let app = TestApp::open().await;
    let output = app.command(&["jobs", "run", "outbox"]);
    assert_eq!((output.code, output.out.as_str()), (Some(0), "outbox: 0 email(s) tried\n"), "{output:?}");

    let output = app.command(&["jobs", "run", "laundry"]);
    assert_eq!(output.code, Some(1));
    assert!(output.err.contains("There is no job called laundry. There are: outbox"), "{output:?}");
}

#[actix_web::test]
async fn a_log_that_nobody_watches_has_no_colours() {
    let ground = Ground::new();
    let vestibule = ground.serve().await;

    let is_open = |log: String| log.contains("open base_url=").then_some(log);
    let log = eventually("the line about being open", async || is_open(vestibule.log())).await;

    assert!(!log.contains('\u{1b}'), "{log}");
}

/// A command that only looks makes no database and brings no schema up: the nodes that run may be older.
#[test]
fn commands_that_only_look_make_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("elsewhere.db");
    let url = format!("sqlite://{}", file.display());
    for command in
        [&["user", "list"][..], &["audit"], &["limits", "list"], &["jobs", "list"], &["sso", "list"]]
    {
        let output = run_program(
            command,
            [("DATABASE_URL", url.as_str()), ("SECRET_KEY", "the key of a program that runs for one test")],
        );
        assert_eq!(output.code, Some(1), "{command:?}: {output:?}");
        assert!(
            output.err.contains("vestibule migrate") && output.err.contains("DATABASE_URL"),
            "{output:?}"
        );
        assert!(!file.exists(), "{command:?}");
    }
}

#[actix_web::test]
async fn what_only_looks_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/data/house.db", folder.path().display());
    for (command, code) in [
        (&["doctor"][..], 0),
        (&["doctor", "--json"], 0),
        (&["settings"], 0),
        (&["user", "list"], 1),
        (&["jobs", "list"], 1),
        (&["app", "list"], 1),
        (&["audit"], 1),
    ] {
        let output = run_program(command, [("DATABASE_URL", url.as_str())]);
        assert_eq!(output.code, Some(code), "{command:?}: {output:?}");
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "{command:?}");
    }
    assert_eq!(run_program(&["migrate"], [("DATABASE_URL", url.as_str())]).code, Some(0));
    assert_eq!(run_program(&["user", "list"], [("DATABASE_URL", url.as_str())]).code, Some(0));
    // Nor is a row sealed with a key that nobody kept.
    fs::remove_file(folder.path().join("data/secret.key")).unwrap();
    let refused = run_program(&["user", "list"], [("DATABASE_URL", url.as_str())]);
    assert!(refused.code == Some(1) && refused.err.contains("SECRET_KEY is missing"), "{refused:?}");
}
