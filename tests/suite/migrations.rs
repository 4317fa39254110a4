//! The schema: what the queries believe is what the migrations make, on both databases.

use std::{collections::BTreeMap, thread};

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types::Text};
use vestibule::db::{Conn, Database};

use crate::harness::{KEY, Storage, TestApp, run_program, test_server};

/// A column as (name, type, may be NULL).
type Column = (String, String, bool);
type Tables = BTreeMap<String, Vec<Column>>;

#[actix_web::test]
async fn every_declared_column_is_there_and_no_other() {
    let app = TestApp::open().await;
    let declared = declared();
    assert!(declared.contains_key("users") && declared.contains_key("sessions"), "{declared:?}");
    assert_eq!(migrated(&app).await, declared, "left: the migrations made; right: src/db/schema.rs declares");
}

#[actix_web::test]
async fn migrating_twice_does_nothing_and_loses_nothing() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;

    assert_eq!(app.inner.db().migrate().unwrap(), 0);

    assert_eq!(app.inner.db().pending_migrations().await.unwrap(), 0);
    assert_eq!(app.count("users").await, 1);
}

#[actix_web::test]
async fn nodes_that_start_together_migrate_an_empty_database_once() {
    let storage = Storage::new();
    let url = vestibule::config::from_values(BTreeMap::from([
        ("DATABASE_URL".to_owned(), storage.url.clone()),
        ("SECRET_KEY".to_owned(), "the key of a house that stands for one test".to_owned()),
    ]))
    .unwrap()
    .database;
    let all = Database::open(&url, 1, false).unwrap().pending_migrations().await.unwrap();

    let nodes: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            thread::spawn(move || Database::open(&url, 1, false).unwrap().migrate().unwrap())
        })
        .collect();
    let ran: Vec<usize> = nodes.into_iter().map(|node| node.join().unwrap()).collect();

    assert!(all > 0);
    assert_eq!(ran.iter().sum::<usize>(), all, "{ran:?}");
    assert_eq!(ran.iter().filter(|ran| **ran > 0).count(), 1, "{ran:?}");
}

/// Whatever the code above it does, the database holds the rule.
#[actix_web::test]
async fn the_database_refuses_a_second_account_with_the_same_address_confirmed() {
    let app = TestApp::open().await;
    app.unverified_user("ada@example.com").await;
    app.unverified_user("Ada@Example.com").await;
    app.unverified_user("ben@example.com").await;
    let confirm_all =
        "UPDATE users SET email_verified_at = created_at WHERE email_normalized = 'ada@example.com'";
    let confirm_one = "UPDATE users SET email_verified_at = created_at WHERE id = \
        (SELECT min(id) FROM users WHERE email_normalized = 'ada@example.com')";

    assert_eq!(app.count("users WHERE email_normalized = 'ada@example.com'").await, 2);
    run(&app, confirm_all).await.unwrap_err();
    assert_eq!(run(&app, confirm_one).await, Ok(1));
    run(&app, confirm_all).await.unwrap_err();
    // Others are not in the way.
    let ben = "UPDATE users SET email_verified_at = created_at WHERE email_normalized = 'ben@example.com'";
    assert_eq!(run(&app, ben).await, Ok(1));
    app.unverified_user("ada@example.com").await;
    assert_eq!(app.count("users WHERE email_verified_at IS NOT NULL").await, 2);
}

/// What a newer program would have left behind.
async fn touched_by(app: &TestApp, program: &'static str) {
    run(app, "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231235959')").await.unwrap();
    let noted = app.inner.write(move |tx| {
        let note = "INSERT INTO schema_versions (migration, program) VALUES ('29991231235959', '";
        Ok(sql_query(format!("{note}{program}')")).execute(tx.conn)?)
    });
    noted.await.unwrap();
}

#[actix_web::test]
async fn a_program_that_is_older_than_the_schema_says_which_may_start() {
    let app = TestApp::open().await;
    assert_eq!(app.command(&["user", "list"]).code, Some(0));
    touched_by(&app, "98.7.6").await;

    for (command, migrate) in [("serve", "on"), ("serve", "off"), ("migrate", "on"), ("seed", "on")] {
        let mut settings = app.settings.clone();
        settings.insert("MIGRATE".to_owned(), migrate.to_owned());
        settings.insert("LISTEN".to_owned(), "127.0.0.1:0".to_owned());
        let output = run_program(&[command], &settings);
        assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{command}: {output:?}");
        for word in ["29991231235959", "98.7.6", env!("CARGO_PKG_VERSION")] {
            assert!(output.err.contains(word), "{command}: {word}: {output:?}");
        }
    }
    let output = app.command(&["doctor", "--json"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.out.contains("Start version 98.7.6 or a newer one"), "{output:?}");
}

#[actix_web::test]
async fn where_migrations_are_left_to_the_operator_nothing_starts_before_they_ran() {
    let storage = Storage::new();
    let mut settings = BTreeMap::from([
        ("DATABASE_URL", storage.url.as_str()),
        ("SECRET_KEY", "the key of a house that stands for one test"),
        ("SMTP_URL", "folder:/nonexistent"),
        ("MIGRATE", "off"),
        ("LISTEN", "127.0.0.1:0"),
    ]);
    for command in [&["serve"][..], &["user", "list"], &["jobs", "run"]] {
        let output = run_program(command, &settings);
        assert_eq!((output.code, output.out.as_str()), (Some(1), ""), "{output:?}");
        assert!(output.err.starts_with("MIGRATE is off, and "), "{output:?}");
        assert!(output.err.contains("Run `vestibule migrate`"), "{output:?}");
    }
    let doctor = run_program(&["doctor"], &settings);
    assert!(doctor.out.contains("Run `vestibule migrate`"), "{doctor:?}");

    assert_eq!(run_program(&["migrate"], &settings).code, Some(0));
    assert_eq!(run_program(&["user", "list"], &settings).code, Some(0));
    settings.insert("MIGRATE", "on");
    assert_eq!(run_program(&["user", "list"], &settings).code, Some(0));
}

#[actix_web::test]
async fn each_migration_is_noted_with_the_program_that_brought_it_in() {
    let app = TestApp::open().await;
    let programs = app.texts("SELECT DISTINCT program AS text FROM schema_versions").await;
    assert_eq!(programs, [env!("CARGO_PKG_VERSION")]);
    let noted = app.count("schema_versions").await;
    assert_eq!(noted, app.count("__diesel_schema_migrations").await);
}

/// In production the role of the server often may change rows and nothing else.
#[actix_web::test]
async fn a_role_that_may_not_make_tables_is_no_fault_and_starts() {
    if test_server().is_none() {
        return;
    }
    let app = TestApp::open().await;
    assert_eq!(app.command(&["user", "list"]).code, Some(0));
    let role = app.settings["DATABASE_URL"].rsplit_once('/').unwrap().1.to_owned() + "_server";
    for statement in [
        format!("CREATE ROLE {role} LOGIN PASSWORD 'x'"),
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned(),
        format!("GRANT USAGE ON SCHEMA public TO {role}"),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"),
    ] {
        app.inner.write(move |tx| Ok(sql_query(statement).execute(tx.conn)?)).await.unwrap();
    }
    let mut settings = app.settings.clone();
    let url = settings["DATABASE_URL"].replace("postgres@", &format!("{role}:x@"));
    settings.insert("DATABASE_URL".to_owned(), url);

    let doctor = run_program(&["doctor", "--json"], &settings);
    let list = run_program(&["user", "list"], &settings);

    for statement in [format!("DROP OWNED BY {role}"), format!("DROP ROLE {role}")] {
        app.inner.write(move |tx| Ok(sql_query(statement).execute(tx.conn)?)).await.unwrap();
    }
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    let database = doctor.out.lines().find(|line| line.contains("\"database\"")).unwrap();
    assert!(database.contains("\"fine\""), "{database}");
    assert_eq!(list.code, Some(0), "{list:?}");
}

#[actix_web::test]
async fn the_doctor_writes_before_it_says_that_one_can() {
    if test_server().is_none() {
        return;
    }
    let storage = Storage::new();
    let doctor = |url: &str| {
        let output = run_program(&["doctor", "--json"], [("DATABASE_URL", url), ("SECRET_KEY", KEY)]);
        output.out.lines().find(|line| line.contains("\"database\"")).unwrap().to_owned()
    };
    assert_eq!(
        run_program(&["migrate"], [("DATABASE_URL", storage.url.as_str()), ("SECRET_KEY", KEY)]).code,
        Some(0)
    );
    assert!(doctor(&storage.url).contains("\"fine\""));

    let found = doctor(&format!("{}?options=-cdefault_transaction_read_only%3Don", storage.url));

    assert!(found.contains("\"problem\"") && found.contains("default_transaction_read_only"), "{found}");
}

/// The first start, where nothing is there yet.
#[actix_web::test]
async fn what_keeps_tables_from_being_made_is_told_with_what_to_change() {
    if test_server().is_none() {
        return;
    }
    let storage = Storage::new();
    let (_, name) = storage.url.rsplit_once('/').unwrap();
    let role = format!("{name}_server");
    let says = |statement: &str| {
        let url = format!("{}?options=-cdefault_transaction_read_only%3Doff", storage.url);
        sql_query(statement).execute(&mut PgConnection::establish(&url).unwrap()).unwrap();
    };
    says(&format!("CREATE ROLE {role} LOGIN PASSWORD 'x'"));
    let url = storage.url.replace("postgres@", &format!("{role}:x@"));
    let mut output = Vec::new();
    for (change, sentence) in [
        (
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned(),
            format!("the role {role} may not make tables in the schema public"),
        ),
        (format!("ALTER ROLE {role} SET search_path = nowhere"), "its search_path is `nowhere`".to_owned()),
        (
            format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
            "default_transaction_read_only is on".to_owned(),
        ),
    ] {
        says(&change);
        for command in [&["serve"][..], &["migrate"]] {
            let settings = [("DATABASE_URL", url.as_str()), ("SECRET_KEY", KEY), ("LISTEN", "127.0.0.1:0")];
            output.push((run_program(command, settings), sentence.clone()));
        }
    }
    says(&format!("DROP ROLE {role}"));
    for (output, sentence) in output {
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(
            output.err.contains(&sentence) && output.err.contains("DATABASE_URL"),
            "{sentence}: {output:?}"
        );
    }
}

async fn run(app: &TestApp, statement: &'static str) -> Result<usize, String> {
    let done = app.inner.write(move |tx| Ok(sql_query(statement).execute(tx.conn)?)).await;
    done.map_err(|error| format!("{error:?}"))
}

/// The tables that `src/db/schema.rs` declares.
fn declared() -> Tables {
    let source = include_str!("../../src/db/schema.rs");
    let mut tables = Tables::new();
    for block in source.split("diesel::table! {").skip(1) {
        let (name, rest) = block.trim_start().split_once(' ').unwrap();
        let (_, columns) = rest.split_once('{').unwrap();
        let (columns, _) = columns.split_once('}').unwrap();
        let columns = columns.lines().filter_map(|line| line.trim().strip_suffix(',')?.split_once(" -> "));
        let columns = columns.map(|(name, kind)| {
            let inner = kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>'));
            (name.to_owned(), inner.unwrap_or(kind).to_lowercase(), inner.is_some())
        });
        tables.insert(name.to_owned(), sorted(columns.collect()));
    }
    tables
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    in_table: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    nullable: String,
}

/// The tables that the database has after the migrations.
async fn migrated(app: &TestApp) -> Tables {
    let found: Vec<Found> = app
        .inner
        .read(|conn| {
            let query = match conn {
                Conn::Sqlite(_) => {
                    "SELECT m.name AS in_table, c.name AS name, c.type AS kind, \
                     CASE c.\"notnull\" WHEN 0 THEN 'YES' ELSE 'NO' END AS nullable \
                     FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
                     WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
                }
                Conn::Postgres(_) => {
                    "SELECT table_name::text AS in_table, column_name::text AS name, data_type::text AS kind, \
                     is_nullable::text AS nullable \
                     FROM information_schema.columns WHERE table_schema = 'public'"
                }
            };
            Ok(sql_query(query).load(conn)?)
        })
        .await
        .unwrap();
    let mut tables = Tables::new();
    for column in found.into_iter().filter(|column| column.in_table != "__diesel_schema_migrations") {
        let kind = match column.kind.to_lowercase().as_str() {
            "timestamp without time zone" => "timestamp".to_owned(),
            "boolean" => "bool".to_owned(),
            other => other.to_owned(),
        };
        let columns = tables.entry(column.in_table).or_default();
        columns.push((column.name, kind, column.nullable == "YES"));
    }
    tables.into_iter().map(|(name, columns)| (name, sorted(columns))).collect()
}

fn sorted(mut columns: Vec<Column>) -> Vec<Column> {
    columns.sort();
    columns
}
