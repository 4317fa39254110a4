//! What is secret can stand in a file of its own: `NAME_FILE`, or a credential of systemd's.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use serde_json::Value;
use vestibule::config::SETTINGS;

use crate::harness::{CommandOutput, Storage, TestApp, run_program};

const KEY: &str = "Zk3v9QpL7xTn2WbR8sYc5HdM1gJf6UaE";
const OTHER: &str = "b7Rw1NfX4kVq9ZtH3mPc8LyS6dGj2UeA";
const OLDER: &str = "m4Tq8YhB1nWz6KcV9xRf3PsL7gDj5UaE";

/// Files in the folder `{}`, with their mode; settings; what comes of it.
type Case<'a> = (&'a [(&'a str, &'a [u8], u32)], &'a [(&'a str, &'a str)], Outcome<'a>);

enum Outcome<'a> {
    /// This setting is what the text says, and comes from there.
    Holds(&'a str, &'a str, &'a str),
    /// A sentence with these words, and exit 1.
    Refused(&'a str),
}

use Outcome::{Holds, Refused};

/// What `settings --json` says of each setting.
fn told(output: &CommandOutput) -> BTreeMap<String, Value> {
    let lines = output.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|told| (told["name"].as_str().unwrap().to_owned(), told)).collect()
}

/// What it says where the text stands in the environment: for a key its fingerprint.
fn as_if_written(name: &str, text: &str) -> Value {
    let mut settings = BTreeMap::from([("SECRET_KEY", KEY), ("DATABASE_URL", "postgres://db/v")]);
    settings.insert(name, text);
    let output = run_program(&["settings", "--json"], settings);
    assert_eq!(output.code, Some(0), "{output:?}");
    told(&output)[name]["value"].clone()
}

#[test]
fn a_secret_is_read_from_a_file_or_a_sentence_says_why_not() {
    let line = format!("{KEY}\n");
    let (crlf, bare) = (format!("{KEY}\r\n"), KEY.as_bytes());
    let (commas, lines) = (format!("{OTHER},{OLDER}\n"), format!("{OTHER}\n{OLDER}\n"));
    let (largest, too_large) = ("k".repeat(65_536), "k".repeat(65_537));
    let toml = format!("secret_key = \"{KEY}\"\n");
    let by_toml = "secret_key_file = \"/proc/self/cwd/nowhere\"\n";
    let file = ("SECRET_KEY_FILE", "{}/key");
    let folder = ("CREDENTIALS_DIRECTORY", "{}");
    let production = [
        file,
        ("MODE", "production"),
        ("BASE_URL", "https://id.example.com"),
        ("SMTP_URL", "smtps://mail.example.com"),
        ("DATABASE_URL", "sqlite://{}/house.db"),
    ];
    let set = ("SECRET_KEY", KEY);
    let password = ("DATABASE_PASSWORD_FILE", "{}/password");
    let cases: &[Case] = &[
        // One newline at the end is none of the secret.
        (&[("key", line.as_bytes(), 0o600)], &[file], Holds("SECRET_KEY", KEY, "file")),
        (&[("key", bare, 0o600)], &[file], Holds("SECRET_KEY", KEY, "file")),
        (&[("key", crlf.as_bytes(), 0o600)], &[file], Holds("SECRET_KEY", KEY, "file")),
        (&[("key", bare, 0o600)], &[("SECRET_KEY_FILE", " {}/key ")], Holds("SECRET_KEY", KEY, "file")),
        (&[("key", largest.as_bytes(), 0o600)], &[file], Holds("SECRET_KEY", &largest, "file")),
        // The others.
        (
            &[("old", commas.as_bytes(), 0o600)],
            &[set, ("SECRET_KEY_PREVIOUS_FILE", "{}/old")],
            Holds("SECRET_KEY_PREVIOUS", &commas, "file"),
        ),
        (
            &[("old", lines.as_bytes(), 0o600)],
            &[set, ("SECRET_KEY_PREVIOUS_FILE", "{}/old")],
            Holds("SECRET_KEY_PREVIOUS", &commas, "file"),
        ),
        (
            &[("next", OTHER.as_bytes(), 0o600)],
            &[set, ("SECRET_KEY_NEXT_FILE", "{}/next")],
            Holds("SECRET_KEY_NEXT", OTHER, "file"),
        ),
        (
            &[("url", b"postgres://v:hunter2@db/v\n", 0o600)],
            &[set, ("DATABASE_URL_FILE", "{}/url")],
            Holds("DATABASE_URL", "postgres://v:hunter2@db/v", "file"),
        ),
        (
            &[("url", b"smtps://v:hunter2@mail.example.com\n", 0o600)],
            &[set, ("SMTP_URL_FILE", "{}/url")],
            Holds("SMTP_URL", "smtps://v:hunter2@mail.example.com", "file"),
        ),
        (
            &[("password", b" hunter2 %/@\n", 0o600)],
            &[set, password, ("DATABASE_URL", "postgres://v@db/v")],
            Holds("DATABASE_PASSWORD", "hunter2", "file"),
        ),
        // What systemd loads, named by nobody.
        (&[("secret_key", line.as_bytes(), 0o400)], &[folder], Holds("SECRET_KEY", KEY, "credential")),
        (&[("SECRET_KEY", bare, 0o400)], &[folder], Holds("SECRET_KEY", KEY, "credential")),
        (
            &[("database_url", b"postgres://v:hunter2@db/v", 0o400)],
            &[set, folder],
            Holds("DATABASE_URL", "postgres://v:hunter2@db/v", "credential"),
        ),
        (&[("listen", b"0.0.0.0:1", 0o400)], &[set, folder], Holds("SECRET_KEY", KEY, "environment")),
        (&[], &[set, ("CREDENTIALS_DIRECTORY", "{}/none")], Holds("SECRET_KEY", KEY, "environment")),
        (
            &[("secret_key", bare, 0o400)],
            &[folder, ("SECRET_KEY_FILE", "{}/../{}/secret_key")],
            Refused("SECRET_KEY_FILE is set, and there is the credential"),
        ),
        (
            &[("secret_key", bare, 0o400)],
            &[folder, ("SECRET_KEY_FILE", "{}/./secret_key")],
            Holds("SECRET_KEY", KEY, "file"),
        ),
        // Twice.
        (&[("key", bare, 0o600)], &[set, file], Refused("SECRET_KEY and SECRET_KEY_FILE are both set.")),
        (&[("key", bare, 0o600)], &[("SECRET_KEY", ""), file], Holds("SECRET_KEY", KEY, "file")),
        (&[], &[set, ("SECRET_KEY_FILE", "")], Holds("SECRET_KEY", KEY, "environment")),
        (
            &[("secret_key", bare, 0o400)],
            &[set, folder],
            Refused("SECRET_KEY is set, and there is the credential"),
        ),
        (
            &[("key", bare, 0o600), ("secret_key", OTHER.as_bytes(), 0o400)],
            &[file, folder],
            Refused("SECRET_KEY_FILE is set, and there is the credential"),
        ),
        (
            &[("vestibule.toml", toml.as_bytes(), 0o600), ("key", bare, 0o600)],
            &[file],
            Refused("SECRET_KEY and SECRET_KEY_FILE are both set."),
        ),
        (&[("vestibule.toml", toml.as_bytes(), 0o600)], &[], Holds("SECRET_KEY", KEY, "settings")),
        (
            &[("vestibule.toml", by_toml.as_bytes(), 0o600)],
            &[],
            Refused("SECRET_KEY_FILE is `/proc/self/cwd/nowhere`, which cannot be read"),
        ),
        (
            &[("vestibule.toml", b"listen_file = \"/etc/hostname\"\n", 0o600)],
            &[set],
            Refused("listen_file is not a setting"),
        ),
        // Of no use.
        (&[], &[file], Refused("/key`, which cannot be read (No such file")),
        (&[("key", b"", 0o600)], &[file], Refused("/key`, which is empty. Put the secret into it.")),
        (&[("key", b"\n", 0o600)], &[file], Refused("/key`, which is empty.")),
        (&[("key", b" \t\r\n", 0o600)], &[file], Refused("/key`, which is empty.")),
        (&[], &[("SECRET_KEY_FILE", "/dev/null")], Refused("`/dev/null`, which is empty.")),
        (&[], &[("SECRET_KEY_FILE", "/dev/zero")], Refused("`/dev/zero`, which is larger than 64 KiB")),
        (&[], &[("SECRET_KEY_FILE", "{}")], Refused("which is a folder. Write the path of the file in it.")),
        (&[("key", bare, 0o600)], &[("SECRET_KEY_FILE", "{}/key/key")], Refused("which cannot be read")),
        (&[], &[("SECRET_KEY_FILE", "{}/dangling")], Refused("/dangling`, which cannot be read")),
        (&[("key", too_large.as_bytes(), 0o600)], &[file], Refused("/key`, which is larger than 64 KiB")),
        (&[("key", b"\xff\xfe secret", 0o600)], &[file], Refused("/key`, which is not text in UTF-8.")),
        (&[("key", b"secret\0secret", 0o600)], &[file], Refused("/key`, which is not text in UTF-8.")),
        (&[("key", b"hunter2\n", 0o600)], &[file], Refused("SECRET_KEY is too short.")),
        (&[("secret_key", b"", 0o400)], &[folder], Refused("SECRET_KEY is the credential `")),
        // Others could read it.
        (
            &[("key", bare, 0o644)],
            &production,
            Refused("which everybody on this machine can read (mode 0644)."),
        ),
        (
            &[("key", bare, 0o604)],
            &production,
            Refused("which everybody on this machine can read (mode 0604)."),
        ),
        (&[("key", bare, 0o440)], &production, Holds("SECRET_KEY", KEY, "file")),
        (&[("key", bare, 0o400)], &production, Holds("SECRET_KEY", KEY, "file")),
        (&[("key", bare, 0o644)], &[file], Holds("SECRET_KEY", KEY, "file")),
        // A password without an address that it belongs into.
        (
            &[("password", b"hunter2", 0o600)],
            &[set, password],
            Refused("DATABASE_PASSWORD is set, and DATABASE_URL is not of PostgreSQL."),
        ),
        (
            &[("password", b"hunter2", 0o600)],
            &[set, password, ("DATABASE_URL", "postgres://v:other@db/v")],
            Refused("DATABASE_PASSWORD is set, and DATABASE_URL holds a password too."),
        ),
    ];
    for (number, (files, settings, outcome)) in cases.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        symlink("nowhere", folder.path().join("dangling")).unwrap();
        for (name, bytes, mode) in *files {
            let file = folder.path().join(name);
            fs::write(&file, bytes).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(*mode)).unwrap();
        }
        let mut settings: BTreeMap<&str, String> =
            settings.iter().map(|(name, text)| (*name, text.replace("{}", path))).collect();
        settings.entry("DATABASE_URL").or_insert_with(|| format!("sqlite://{path}/house.db"));
        if settings.contains_key("DATABASE_URL_FILE")
            || files.iter().any(|(name, ..)| *name == "database_url")
        {
            settings.remove("DATABASE_URL");
        }
        let toml = format!("{path}/vestibule.toml");
        let mut arguments = vec!["settings", "--json"];
        if files.iter().any(|(name, ..)| *name == "vestibule.toml") {
            arguments.extend(["--config", &toml]);
        }

        let output = run_program(&arguments, &settings);

        for secret in [KEY, OTHER, OLDER, "hunter2"] {
            assert!(
                !output.out.contains(secret) && !output.err.contains(secret),
                "case {number}: {output:?}"
            );
        }
        match outcome {
            Holds(name, text, from) => {
                assert_eq!((output.code, output.err.as_str()), (Some(0), ""), "case {number}: {output:?}");
                let told = &told(&output)[*name];
                assert_eq!(told["from"], *from, "case {number}: {told}");
                assert_eq!(told["value"], as_if_written(name, text), "case {number}: {told}");
            }
            Refused(sentence) => {
                assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "case {number}: {output:?}");
                assert!(output.err.contains(sentence), "case {number}: {output:?}");
                assert!(!folder.path().join("secret.key").exists(), "case {number}: a key was made instead");
            }
        }
    }
}

#[test]
fn every_secret_setting_takes_a_file_and_shows_nothing_of_it() {
    let secrets: Vec<&str> =
        SETTINGS.iter().filter(|setting| setting.is_secret).map(|setting| setting.name).collect();
    assert!(secrets.len() >= 6, "{secrets:?}");
    for setting in SETTINGS {
        let sounds_secret = ["KEY", "SECRET", "PASSWORD", "TOKEN", "DATABASE_URL", "SMTP_URL"]
            .iter()
            .any(|word| setting.name.contains(word));
        let is_measure = setting.name.starts_with("PASSKEYS_") || setting.name.ends_with("_LIFE");
        // A key of a provider is its name, and the id of Apple's is printed beside it; what secrets begin with is what
        // everybody may know of them.
        let is_name = ["APPLE_KEY_ID", "TOKEN_PREFIX"].contains(&setting.name)
            || (setting.name.starts_with("OIDC_{KEY}_") && !setting.name.ends_with("_SECRET"));
        assert_eq!(setting.is_secret, sounds_secret && !is_measure && !is_name, "{}", setting.name);
    }
    for name in secrets.into_iter().map(|name| name.replace("{KEY}", "ACME")) {
        let name = name.as_str();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let text = match name {
            "DATABASE_URL" => "postgres://v:hunter2@db/v",
            "SMTP_URL" => "smtps://v:hunter2@mail.example.com",
            "APPLE_KEY" => "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
            _ => "hunter2 hunter2 hunter2 hunter2 hunter2",
        };
        fs::write(&file, text).unwrap();
        let mut settings = BTreeMap::from([
            ("SECRET_KEY".to_owned(), KEY.to_owned()),
            ("DATABASE_URL".to_owned(), "postgres://v@db/v".to_owned()),
        ]);
        // What means something together only.
        let beside: &[(&str, &str)] = match name {
            "APPLE_KEY" => &[("APPLE_CLIENT_ID", "ours"), ("APPLE_TEAM_ID", "T1"), ("APPLE_KEY_ID", "K1")],
            "GITHUB_CLIENT_SECRET" => &[("GITHUB_CLIENT_ID", "ours")],
            "GOOGLE_CLIENT_SECRET" => &[("GOOGLE_CLIENT_ID", "ours")],
            "MICROSOFT_CLIENT_SECRET" => &[("MICROSOFT_CLIENT_ID", "ours")],
            "OIDC_ACME_CLIENT_SECRET" => &[
                ("OIDC_PROVIDERS", "acme"),
                ("OIDC_ACME_ISSUER", "https://login.acme.example"),
                ("OIDC_ACME_CLIENT_ID", "ours"),
            ],
            _ => &[],
        };
        settings.extend(beside.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        settings.remove(name);
        settings.insert(format!("{name}_FILE"), file.to_str().unwrap().to_owned());

        for arguments in [&["settings", "--json"][..], &["settings"]] {
            let output = run_program(arguments, &settings);
            assert_eq!(output.code, Some(0), "{output:?}");
            assert!(!output.out.contains("hunter2"), "{output:?}");
            let is_it = |line: &&str| {
                line.split_whitespace().next() == Some(name) || line.contains(&format!("\"{name}\""))
            };
            let line = output.out.lines().find(is_it).unwrap();
            assert!(line.contains(file.to_str().unwrap()), "{line}");
        }
    }
}

#[test]
fn the_settings_are_told_with_their_value_and_where_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vestibule.toml");
    fs::write(&file, "session_idle = \"10m\"\nhash_queue = 7\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n")
        .unwrap();
    let settings = [
        ("SECRET_KEY", KEY),
        ("LISTEN", "127.0.0.1:4000"),
        ("HASH_QUEUE", "9"),
        ("MAGIC_LINKS", "0"),
        ("BRAND_NAME", " "),
        ("DATABASE_URL", "sqlite:///nowhere/house.db"),
    ];

    let output = run_program(&["settings", "--json", "--config", file.to_str().unwrap()], settings);

    assert_eq!((output.code, output.err.as_str()), (Some(0), ""), "{output:?}");
    let told = told(&output);
    // Those of providers are told for each that there is.
    let is_of_any = |name: &str| !name.contains("{KEY}");
    assert_eq!(told.len(), SETTINGS.iter().filter(|setting| is_of_any(setting.name)).count());
    for (name, value, from) in [
        ("MODE", "development", "default"),
        ("LISTEN", "127.0.0.1:4000", "environment"),
        ("SESSION_IDLE", "10m", "settings"),
        ("SESSION_LIFE", "24h", "default"),
        ("HASH_QUEUE", "9", "environment"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1/128", "settings"),
        ("METRICS_FROM", "127.0.0.0/8, ::1/128", "default"),
        ("MAGIC_LINKS", "off", "environment"),
        ("VERIFY_ON_GET", "on", "default"),
        ("BRAND_NAME", "Vestibule", "default"),
        ("DATABASE_URL", "sqlite:///nowhere/house.db", "environment"),
        ("SECRET_KEY_PREVIOUS", "none", "default"),
        ("LOG_FORMAT", "text", "default"),
    ] {
        assert_eq!((&told[name]["value"], &told[name]["from"]), (&value.into(), &from.into()), "{name}");
    }
    assert_eq!(told["SESSION_IDLE"]["path"], file.to_str().unwrap());
    let plain = run_program(&["settings"], settings).out;
    assert!(
        plain.lines().any(|line| line.starts_with("LISTEN ") && line.ends_with(" environment")),
        "{plain}"
    );
}

/// libpq reads the address with the password in it as we wrote it.
#[actix_web::test]
async fn a_password_beside_the_address_reaches_the_database() {
    let storage = Storage::new();
    if storage.url.starts_with("sqlite") {
        return;
    }
    let file = storage.folder.path().join("password");
    fs::write(&file, "p@ss/word%41 &?#+=\u{e9}\n").unwrap();
    let settings = [
        ("DATABASE_URL", storage.url.as_str()),
        ("DATABASE_PASSWORD_FILE", file.to_str().unwrap()),
        ("SECRET_KEY", KEY),
    ];

    let output = run_program(&["migrate"], settings);

    assert_eq!(output.code, Some(0), "{output:?}");
}

#[actix_web::test]
async fn what_the_program_keeps_is_its_owners_alone_also_in_a_folder_that_others_see() {
    let app = TestApp::open().await;
    let Some(path) = app.settings["DATABASE_URL"].strip_prefix("sqlite://").map(ToOwned::to_owned) else {
        return;
    };
    app.unverified_user("ada@example.com").await;
    for more in ["", "-wal", "-shm"] {
        let mode = fs::metadata(format!("{path}{more}")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{more}");
    }

    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let emails = folder.path().join("letters");
    let mut settings = app.settings.clone();
    settings.insert("SMTP_URL".to_owned(), format!("folder:{}", emails.display()));
    let output = run_program(&["doctor", "--json", "--mail-to", "ops@example.com"], &settings);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.out.contains("nobody but their owner reads them"), "{output:?}");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&emails), 0o700);
    for email in fs::read_dir(&emails).unwrap() {
        assert_eq!(mode(&email.unwrap().path()), 0o600);
    }

    for (shared, right) in [(path.clone(), "600"), (emails.to_str().unwrap().to_owned(), "700")] {
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
        let output = run_program(&["doctor", "--json"], &settings);
        assert!(output.out.contains(&format!("chmod {right} {shared}")), "{output:?}");
    }
}
