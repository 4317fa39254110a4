//! What README and docs/ tell people to type is typed here as it stands there: on a program in development mode with the
//! default settings, and on the database of this run.

use std::{
    collections::BTreeSet,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    docs::documents,
    harness::{Ground, PASSWORD, port_1025, test_server},
};

/// Who runs a shell block: a test here, or what calls it.
const RUNNERS: [(&str, &str, &str); 14] = [
    ("README.md", "bin/run ", "bin/fresh, and .ci/run calls bin/test"),
    ("CONTRIBUTING.md", "bin/run ", "the same"),
    ("docs/organisations.md", "# May the visitor", "an_application_asks_what_its_visitor_may"),
    ("docs/api-keys.md", "# Make a key", "a_key_is_made_used_and_found"),
    ("docs/api-keys.md", "# Whoever finds", "a_key_is_made_used_and_found"),
    ("docs/provider.md", "BASE=", "an_application_signs_somebody_in"),
    ("docs/tokens.md", "BASE=", "an_application_signs_somebody_in"),
    ("docs/tour.md", "BASE=", "the_tour_with_curl"),
    ("docs/tour.md", "# The laptop shows", "the_tour_with_curl"),
    ("docs/operating.md", "MODE=production", "settings_production.rs, which starts with these settings"),
    ("docs/operating.md", "# SQLite", "a_backup"),
    ("docs/operating.md", "# PostgreSQL", "a_backup"),
    ("docs/operating.md", "# SQLite", "a_backup"),
    ("docs/operating.md", "# PostgreSQL", "a_backup"),
];

/// The shell blocks of the document at `path`, or of all.
fn blocks(path: Option<&str>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (document, text) in documents() {
        let document = document.display().to_string();
        if path.is_none_or(|path| path == document) {
            let mut fences = text.split("\n```").enumerate().filter(|(number, _)| number % 2 == 1);
            found.extend(fences.by_ref().filter_map(|(_, fence)| {
                let (language, block) = fence.split_once('\n')?;
                let is_shell = ["sh", "bash", "shell", "console"].contains(&language);
                is_shell.then(|| (document.clone(), block.to_owned()))
            }));
        }
    }
    found
}

#[test]
fn every_shell_block_is_run_somewhere() {
    let found = blocks(None);
    let mut left: Vec<_> = RUNNERS.iter().map(|(path, start, _)| (*path, *start)).collect();
    for (path, block) in &found {
        let place = left.iter().position(|(known, start)| known == path && block.starts_with(start));
        left.remove(place.unwrap_or_else(|| panic!("nothing runs this block of {path}:\n{block}")));
    }
    assert_eq!(left, [], "blocks that are gone");
}

#[test]
fn a_page_uses_no_variable_before_it_is_set() {
    for page in ["docs/tour.md", "docs/operating.md", "docs/provider.md", "docs/tokens.md"] {
        let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
        let mut set: BTreeSet<String> = BTreeSet::new();
        for (_, block) in blocks(Some(page)) {
            for line in block.lines().filter(|line| !line.starts_with('#')) {
                for used in line.split('$').skip(1) {
                    let name = &used[..used.find(|c| !is_name(c)).unwrap_or(used.len())];
                    assert!(
                        name.is_empty() || set.contains(name),
                        "${name} is not set where it is used: {line}"
                    );
                }
                let name = line.split_once('=').map(|(name, _)| name.to_owned());
                set.extend(name.filter(|name| name.chars().all(is_name)));
            }
        }
        assert!(!set.is_empty(), "{page} sets none");
    }
}

/// Bash in the folder of `ground`, stopped by the first command that fails. Returns what was printed.
async fn types(ground: &Ground, script: String, variables: &[(&str, &str)]) -> String {
    let folder = ground.folder().to_owned();
    let tools = folder.join("tools");
    fs::create_dir_all(&tools).unwrap();
    // SQLite's own shell is not on every machine; Python's module speaks to the same files.
    let sqlite3 = tools.join("sqlite3");
    fs::write(
        &sqlite3,
        "#!/usr/bin/env python3\nimport sqlite3, sys\nsqlite3.connect(sys.argv[1]).execute(sys.argv[2])\n",
    )
    .unwrap();
    fs::set_permissions(&sqlite3, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &script]).current_dir(folder).stdin(Stdio::null());
    command.env("PATH", path_with(&tools)).envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let (out, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{script}\n--- {out}\n--- {told}", output.status);
    out.into_owned()
}

/// PostgreSQL's programs are often not on PATH: the newest ones come first.
#[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
fn path_with(tools: &Path) -> String {
    let mut servers: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    servers.sort();
    let newest = servers.pop().unwrap_or_default();
    format!("{}:{}:{}", tools.display(), newest.display(), env::var("PATH").unwrap())
}

/// From an empty development machine to a phone that was signed out, an app for codes and a recovery code that was used.
#[actix_web::test]
async fn the_tour_with_curl() {
    let _turn = port_1025();
    if std::net::TcpListener::bind(("127.0.0.1", 1025)).is_err() {
        return eprintln!("skipped: port 1025 is taken");
    }
    let ground = Ground::with(&[("SMTP_URL", "")]);
    let vestibule = ground.serve().await;
    let script: String = blocks(Some("docs/tour.md")).into_iter().map(|(_, block)| block + "\n").collect();
    let here = format!("BASE=http://localhost:{}", vestibule.port);
    let script = script.replace("BASE=http://localhost:3000", &here);
    assert!(script.contains(&here));

    let printed = types(&ground, script, &[]).await;

    for told in [
        "\"emailVerified\":true",
        "\"current\":true",
        "HTTP/1.1 401",
        "\"code\":\"sign_in_required\"",
        "\"twoFactorRequired\":true",
    ] {
        assert!(printed.contains(told), "{told}: {printed}");
    }
    let last: Value = serde_json::from_str(printed.trim().lines().last().unwrap()).unwrap();
    assert_eq!(last["user"]["email"], "test@example.com", "{printed}");
}

#[actix_web::test]
async fn an_application_signs_somebody_in_as_the_page_of_the_provider_says() {
    let ground = Ground::with(&[("BCRYPT_COST", "4")]);
    let vestibule = ground.serve().await;
    let base = format!("BASE=http://localhost:{}", vestibule.port);
    let person = json!({ "email": "test@example.com", "password": "pass12345", "name": "Test User" });
    let json = "-H 'Content-Type: application/json'";
    types(&ground, format!("{base}\ncurl -sS -c cookies.txt $BASE/signup {json} -d '{person}'"), &[]).await;
    let token = ground.token_for("test@example.com").await;
    types(&ground, format!("{base}\ncurl -sS -b cookies.txt $BASE/verify-email -d token={token}"), &[]).await;
    let (_, block) = blocks(Some("docs/provider.md")).remove(0);
    let script = block.replace("BASE=http://localhost:3000", &base);
    assert_ne!(script, block);
    let program = format!("vestibule() {{ BASE_URL=$BASE {} \"$@\"; }}\n", env!("CARGO_BIN_EXE_vestibule"));
    let settings: Vec<(&str, &str)> = ground
        .settings
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();

    let printed = types(&ground, program + &script, &settings).await;

    for told in [
        "Client ID:     notes-",
        "Client secret: ",
        "Issuer:        http://localhost:",
        "Next:          vestibule app config notes-",
    ] {
        assert_eq!(printed.matches(told).count(), 1, "{told}: {printed}");
    }
    assert_eq!(printed.matches("\"access_token\":").count(), 2, "{printed}");
    assert!(printed.contains("\"id_token\":") && printed.contains("\"email_verified\":true"), "{printed}");

    let (_, block) = blocks(Some("docs/tokens.md")).remove(0);
    let printed = types(&ground, block.replace("BASE=http://localhost:3000", &base), &[]).await;

    assert_eq!(printed.matches("\"accessToken\":").count(), 3, "{printed}");
    assert_eq!(printed.matches("\"email\":\"test@example.com\"").count(), 3, "{printed}");
    assert!(
        printed.contains("\"sessions\":[") && printed.contains("What it stood for has ended."),
        "{printed}"
    );
}

#[actix_web::test]
async fn an_application_asks_what_its_visitor_may() {
    let page = fs::read_to_string("docs/organisations.md").unwrap();
    let (_, catalogue) = page.split_once("```toml\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("permissions.toml");
    fs::write(&file, catalogue.split_once("```").unwrap().0).unwrap();
    let ground = Ground::with(&[("PERMISSIONS_FILE", file.to_str().unwrap()), ("BCRYPT_COST", "4")]);
    let vestibule = ground.serve().await;
    let (_, block) = blocks(Some("docs/organisations.md")).remove(0);
    let ada = json!({ "email": "ada@example.com", "password": PASSWORD, "name": "Ada" });
    let script = format!(
        "BASE=http://localhost:{}\ncurl -sS -c cookies.txt $BASE/signup -H 'Content-Type: application/json' -d '{ada}'\n{block}",
        vestibule.port
    );

    let printed = types(&ground, script, &[]).await;

    // Her address is not confirmed; it is the shape of the answers that is shown.
    assert_eq!(printed.matches("{\"allowed\":false").count(), 4, "{printed}");
    assert_eq!(printed.matches("\"why\":\"email_unverified\"").count(), 4, "{printed}");
}

#[actix_web::test]
async fn a_key_is_made_used_and_found() {
    let ground = Ground::with(&[("BCRYPT_COST", "4")]);
    let vestibule = ground.serve().await;
    let base = format!("BASE=http://localhost:{}\n", vestibule.port);
    let ada = json!({ "email": "ada@example.com", "password": PASSWORD, "name": "Ada" });
    let json = "-H 'Content-Type: application/json'";
    types(&ground, format!("{base}curl -sS -c cookies.txt $BASE/signup {json} -d '{ada}'"), &[]).await;
    let token = ground.token_for("ada@example.com").await;
    let signed_in = format!(
        "{base}both() {{ curl -sS -b cookies.txt -c cookies.txt \"$@\" > answer.txt; }}\n\
         both $BASE/verify-email -d token={token}\n\
         both $BASE/auth/confirm {json} -d '{}'\n",
        json!({ "password": PASSWORD })
    );
    let script = blocks(Some("docs/api-keys.md")).into_iter().map(|(_, block)| block + "\n");

    let printed = types(&ground, signed_in + &script.collect::<String>(), &[]).await;

    assert_eq!(printed.matches("\"email\":\"ada@example.com\"").count(), 1, "{printed}");
    let last = printed.rsplit_once('{').unwrap().1;
    assert!(last.contains("\"code\":\"invalid_token\""), "{printed}");
}

#[actix_web::test]
async fn a_backup_beside_the_running_program_and_its_restore() {
    let ground = match test_server() {
        Some(_) => Ground::with(&[("BCRYPT_COST", "4")]),
        None => Ground::with(&[("BCRYPT_COST", "4"), ("DATABASE_URL", "")]),
    };
    let url = ground.settings["DATABASE_URL"].clone();
    let kind = if url.is_empty() { "# SQLite" } else { "# PostgreSQL" };
    let mine: Vec<String> = blocks(Some("docs/operating.md"))
        .into_iter()
        .map(|(_, block)| block)
        .filter(|block| block.starts_with(kind))
        .collect();
    let [backup, restore] = mine.try_into().unwrap();
    let vestibule = ground.serve().await;
    let ada = json!({ "email": "ada@example.com", "password": PASSWORD, "name": "Ada" });
    vestibule.curl().post_json("/signup", ada).await.is(201);

    types(&ground, backup, &[("DATABASE_URL", &url)]).await;
    let ben = json!({ "email": "ben@example.com", "password": PASSWORD, "name": "Ben" });
    vestibule.curl().post_json("/signup", ben).await.is(201);
    vestibule.terminate();
    assert!(vestibule.ended().success());
    let name = format!("restored_{}", std::process::id());
    let (server, _) = url.rsplit_once('/').unwrap_or_default();
    let restored = format!("{server}/{name}");
    let written = "RESTORED_URL=postgres://vestibule@db.example.com/restored";
    assert_eq!(restore.contains(written), !url.is_empty());
    let restore = restore
        .replace(written, &format!("RESTORED_URL={restored}"))
        .replace("\"$DATABASE_URL\" restored", &format!("\"$DATABASE_URL\" {name}"));
    types(&ground, restore, &[("DATABASE_URL", &url)]).await;

    let mut ground = ground;
    if !url.is_empty() {
        ground.settings.insert("DATABASE_URL".to_owned(), restored);
    }
    assert!(ground.run(&["session", "revoke-all", "--yes"]).await.contains('1'));
    let people = ground.run(&["user", "list", "--json"]).await;
    assert!(people.contains("ada@example.com") && !people.contains("ben@example.com"), "{people}");
    if !url.is_empty() {
        let drop = format!("dropdb --maintenance-db='{url}' {name}");
        types(&ground, drop, &[]).await;
    }
}
