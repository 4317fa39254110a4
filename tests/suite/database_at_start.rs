//! A database that cannot be opened: what an operator is told at start, and what is waited for.

use std::{collections::BTreeMap, fs};

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};
use futures_util::future::join_all;

use crate::{
    cluster::Wire,
    harness::{Ground, eventually, free_port, run_program, test_server},
};

#[actix_web::test]
async fn a_database_that_cannot_be_opened_is_told_in_a_sentence_that_names_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(
        path("notes.txt"),
        "This is not a database at all, and long enough to be read as one. ".repeat(9),
    )
    .unwrap();
    let port = free_port();
    let mut cases = vec![
        (format!("sqlite://{}/v.db", path("notes.txt")), "folder"),
        ("sqlite:///proc/nowhere/v.db".to_owned(), "cannot be made"),
        ("sqlite:///proc/v.db".to_owned(), "writable"),
        (format!("sqlite://{}", folder.path().display()), "folder"),
        (format!("sqlite://{}", path("notes.txt")), "SQLite file"),
        (format!("sqlite://{}?mode=rwc", path("v.db")), "Write sqlite://"),
        ("sqlite://".to_owned(), "Write "),
        ("postgres:/v".to_owned(), "Write "),
        ("mysql://v:s3cret@db/v".to_owned(), "Write "),
        (format!("postgres://v:s3cret@127.0.0.1:{port}/v"), "Connection refused"),
        (format!("postgres://v:s3cret@127.0.0.1:{port},127.0.0.1:{port}/v"), "runs"),
        ("postgres://v:s3cret@nowhere.invalid/v".to_owned(), "DNS"),
        ("postgres://v:s3cret@127.0.0.1:port/v".to_owned(), "Write "),
        ("postgres://v:s3cret@127.0.0.1/v?colour=red".to_owned(), "Write "),
        ("postgres://v:s3cret@127.0.0.1/v?sslmode=maybe".to_owned(), "Write "),
        (format!("postgres://v:s3cret@127.0.0.1:{port}/v?pgbouncer=true"), "DATABASE_POOLER=transaction"),
        (format!("postgres://v:s3cret@localhost:{port}/v?sslmode=verify-full"), "runs"),
        (format!("postgres://v:s3cret@%2Fnowhere:{port}/v"), "runs"),
    ];
    let latin = Latin::of(test_server());
    if let (Some(server), Some(latin)) = (test_server(), &latin) {
        let (place, _) = server.rsplit_once('/').unwrap();
        let (_, address) = place.rsplit_once('@').unwrap();
        cases.push((format!("{place}/nowhere"), "createdb"));
        cases.push((format!("postgres://nobody-here:s3cret@{address}/postgres"), "createuser"));
        cases.push((format!("{place}/{}", latin.name), "encoded in LATIN1"));
        cases.push((format!("{place}/postgres?sslmode=require"), "sslmode"));
    }
    for (url, advice) in cases {
        for command in [vec!["jobs", "list"], vec!["migrate"], vec!["doctor"]] {
            let settings = BTreeMap::from([
                ("DATABASE_URL", url.as_str()),
                ("SECRET_KEY", "the key of a house that stands for one test"),
            ]);
            let output = run_program(&command, settings);
            let all = output.out + &output.err;
            // What only looks makes no file, and so does not find out why none could be made.
            let is_absent = command != ["migrate"] && all.contains("there is no such file");
            let code = if is_absent && command == ["doctor"] { 0 } else { 1 };
            assert_eq!(output.code, Some(code), "{url} {command:?}: {all}");
            assert!(all.contains("DATABASE_URL"), "{url} {command:?}: {all}");
            assert!(is_absent || all.contains(advice), "{url} {command:?}: {all}");
            assert!(!all.contains("s3cret"), "{url} {command:?}: {all}");
        }
    }
}

#[actix_web::test]
async fn a_server_that_does_not_answer_yet_is_waited_for_with_a_line_a_second() {
    let port = free_port();
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let ground = Ground::with(&[("DATABASE_URL", &url)]);
    let told = ground.spawn();
    eventually("two lines", async || (told.log().matches("Trying again").count() > 1).then_some(())).await;
    assert!(told.log().contains("DATABASE_URL"), "{}", told.log());
    // Told to stop meanwhile, it stops.
    told.stop();

    let Some(server) = test_server() else { return };
    let (_, address) = server.rsplit_once('@').unwrap();
    let (address, _) = address.split_once('/').unwrap();
    let plain = Ground::new();
    let (_, name) = plain.settings["DATABASE_URL"].rsplit_once('/').unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{port}/{name}");
    let ground = Ground::with(&[("DATABASE_URL", &url)]);
    let waiting = ground.spawn();
    eventually("a line", async || waiting.log().contains("Trying again").then_some(())).await;
    let _wire = Wire::to(port, address);
    waiting.answering().await.stop();
}

#[actix_web::test]
async fn commands_end_in_good_order() {
    let ground = Ground::with(&[("BCRYPT_COST", "4")]);
    ground.run(&["migrate"]).await;
    let runs = (0..24).map(|_| ground.run(&["jobs", "list"]));
    for output in join_all(runs).await {
        assert!(output.starts_with("outbox: 0 waiting"), "{output}");
    }
}

/// A database in another encoding.
struct Latin {
    server: String,
    name: String,
}

impl Latin {
    fn of(server: Option<String>) -> Option<Self> {
        let server = server?;
        let name = format!("latin_{}", crate::harness::any_number());
        let mut conn = PgConnection::establish(&server).unwrap();
        let make = format!(
            "CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        );
        sql_query(make).execute(&mut conn).unwrap();
        Some(Self { server, name })
    }
}

impl Drop for Latin {
    fn drop(&mut self) {
        let mut conn = PgConnection::establish(&self.server).unwrap();
        sql_query(format!("DROP DATABASE {} WITH (FORCE)", self.name)).execute(&mut conn).unwrap();
    }
}
