//! The file of an SQLite database: moved away, replaced by another, or on a disk that is full.

use std::{fs, path::PathBuf, process::Command};

use diesel::{Connection, RunQueryDsl, SqliteConnection, sql_query};

use crate::{
    harness::{TestApp, eventually, test_server},
    outages::{credentials, drill},
};

#[actix_web::test]
async fn a_file_that_was_moved_away_is_missed_and_found_again() {
    let app = TestApp::open().await;
    let Some(path) = app.settings["DATABASE_URL"].strip_prefix("sqlite://").map(PathBuf::from) else {
        return;
    };
    let ada = app.verified("ada@example.com").await;
    let elsewhere = path.with_extension("away");
    drill(
        &app,
        &ada,
        "write",
        || fs::rename(&path, &elsewhere).unwrap(),
        || fs::rename(&elsewhere, &path).unwrap(),
    )
    .await;
    assert!(!fs::read_dir(path.parent().unwrap()).unwrap().flatten().any(|entry| entry.path() == elsewhere));
}

/// Without its log what is written now would be gone at the next start: nothing is, and it is said.
#[actix_web::test]
async fn a_log_that_was_removed_or_replaced_beside_the_file_is_missed() {
    for (suffix, is_replaced) in [("db-wal", false), ("db-shm", false), ("db-wal", true)] {
        let app = TestApp::open().await;
        let Some(path) = app.settings["DATABASE_URL"].strip_prefix("sqlite://").map(PathBuf::from) else {
            return;
        };
        let ada = app.unverified_user("ada@example.com").await;
        app.inner.db().truncate_wal().await.unwrap();
        app.unverified_user("bob@example.com").await;
        ada.get("/me").await.is(200);
        fs::remove_file(path.with_extension(suffix)).unwrap();
        if is_replaced {
            fs::write(path.with_extension(suffix), "").unwrap();
        }

        app.curl().post_json("/signup", credentials("cleo@example.com")).await.refuses(503, "unavailable");

        let ready = app.curl().get("/readyz").await.is(503).json();
        assert_eq!(ready["reason"], "database", "{suffix} {is_replaced}");
    }
}

/// Its log lies beside the file that took its place: neither is touched until the program starts again.
#[actix_web::test]
async fn a_file_that_was_put_in_the_place_of_another_is_left_alone() {
    let app = TestApp::open().await;
    let Some(path) = app.settings["DATABASE_URL"].strip_prefix("sqlite://").map(PathBuf::from) else {
        return;
    };
    let (backup, first) = (path.with_extension("backup"), path.with_extension("first"));
    let ada = app.unverified_user("ada@example.com").await;
    let mut operator = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    sql_query(format!("VACUUM INTO '{}'", backup.display())).execute(&mut operator).unwrap();
    drop(operator);
    for name in ["bob", "cleo", "dan", "eve"] {
        app.unverified_user(&format!("{name}@example.com")).await;
    }
    fs::hard_link(&path, &first).unwrap();

    for round in 0..2 {
        fs::copy(&backup, path.with_extension("new")).unwrap();
        fs::rename(path.with_extension("new"), &path).unwrap();
        let there = fs::read(&path).unwrap();
        let log = fs::read(path.with_extension("db-wal")).ok();
        let curl = app.curl();
        for email in ["fay@example.com", "gus@example.com"] {
            curl.post_json("/signup", credentials(email)).await.refuses(503, "unavailable");
            curl.post_json("/login", credentials("ada@example.com")).await.refuses(503, "unavailable");
            ada.get("/me").await.refuses(503, "unavailable");
        }
        app.inner.db().truncate_wal().await.unwrap_err();
        app.inner.db().vacuum().await.unwrap_err();
        let ready = eventually("readiness", async || {
            Some(curl.get("/readyz").await).filter(|answer| answer.status == 503)
        });
        assert_eq!(ready.await.json()["reason"], "database", "round {round}");
        assert!(fs::read(&path).unwrap() == there, "round {round}: the file is as it was put there");
        assert!(
            fs::read(path.with_extension("db-wal")).ok() == log,
            "round {round}: and so is the log of the first"
        );
        if round == 0 {
            // The first one comes back, with all that was acknowledged.
            fs::hard_link(&first, path.with_extension("new")).unwrap();
            fs::rename(path.with_extension("new"), &path).unwrap();
            eventually("the first file", async || (ada.get("/me").await.status == 200).then_some(())).await;
            app.unverified_user("hal@example.com").await;
            assert_eq!(app.count("users").await, 6);
        }
    }

    let _ = fs::remove_file(path.with_extension("db-wal"));
    let _ = fs::remove_file(path.with_extension("db-shm"));
    let restarted = app.second_node().await;
    restarted.curl().post_json("/login", credentials("ada@example.com")).await.is(200);
    restarted.unverified_user("fay@example.com").await;
    assert_eq!(
        restarted.texts("SELECT email AS text FROM users ORDER BY email").await,
        ["ada@example.com", "fay@example.com"]
    );
    assert_eq!(restarted.texts("SELECT integrity_check AS text FROM pragma_integrity_check").await, ["ok"]);
    // The first program still holds the other one, and still leaves this one alone.
    app.curl().post_json("/login", credentials("ada@example.com")).await.refuses(503, "unavailable");
}

/// A small disk of memory, where this machine lets us make one.
struct Disk(tempfile::TempDir);

impl Disk {
    fn of(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .output();
        mount.is_ok_and(|done| done.status.success()).then(|| Self(folder))
    }

    fn fill(&self) {
        let mut size = 1 << 20;
        let mut filling = Vec::new();
        while size > 0 {
            filling.resize(filling.len() + size, b'x');
            if fs::write(self.0.path().join("filling"), &filling).is_err() {
                filling.truncate(filling.len() - size);
                size /= 2;
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[actix_web::test]
async fn a_disk_that_is_full_for_a_while_is_written_to_again() {
    if test_server().is_some() {
        return;
    }
    let Some(disk) = Disk::of("24m") else {
        println!("no disk of one's own here: mounting needs root");
        return;
    };
    let url = format!("sqlite://{}", disk.0.path().join("house.db").display());
    let app = TestApp::with(&[("DATABASE_URL", &url)]).await;
    let ada = app.verified("ada@example.com").await;
    drill(&app, &ada, "write", || disk.fill(), || fs::remove_file(disk.0.path().join("filling")).unwrap())
        .await;
}
