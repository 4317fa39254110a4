//! What is held about people: that nothing is forgotten, whoever adds a table next.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::Text};
use serde_json::Value;
use vestibule::{
    db::Conn,
    internals::{Erasure, NON_PERSONAL_TABLES, PERSONAL_DATA},
};

use crate::harness::TestApp;

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    in_table: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    kind: String,
}

/// Every table of the database, with its columns and their types.
async fn schema(app: &TestApp) -> BTreeMap<String, Vec<(String, String)>> {
    let walk = |conn: &mut Conn| {
        let query = match conn {
            Conn::Sqlite(_) => {
                "SELECT m.name AS in_table, c.name AS name, c.type AS kind FROM sqlite_master AS m, \
                 pragma_table_info(m.name) AS c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
            }
            Conn::Postgres(_) => {
                "SELECT table_name::text AS in_table, column_name::text AS name, data_type::text AS kind \
                 FROM information_schema.columns WHERE table_schema = 'public'"
            }
        };
        Ok(sql_query(query).load::<Column>(conn)?)
    };
    let mut tables: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for column in app.inner.read(walk).await.unwrap() {
        tables.entry(column.in_table).or_default().push((column.name, column.kind.to_lowercase()));
    }
    tables.remove("__diesel_schema_migrations");
    tables
}

#[actix_web::test]
async fn every_column_that_could_tell_who_somebody_is_has_an_entry_beside_its_table() {
    let app = TestApp::open().await;
    let schema = schema(&app).await;
    assert!(schema.len() > 7, "{schema:?}");
    // A time, a count, a yes or no says nothing about anybody without the text beside it. Anything else might.
    let is_harmless = |kind: &str| {
        ["timestamp", "bool", "integer", "bigint"].iter().any(|harmless| kind.starts_with(harmless))
    };
    let mut missing = Vec::new();
    for (table, columns) in &schema {
        if NON_PERSONAL_TABLES.iter().any(|(name, _)| name == table) {
            continue;
        }
        let entry = PERSONAL_DATA.iter().find(|data| data.table == table);
        let named = |column: &str| {
            entry.is_some_and(|entry| {
                entry.columns.iter().any(|(name, says)| *name == column && !says.is_empty())
            })
        };
        let telling = columns.iter().filter(|(name, kind)| !is_harmless(kind) && !named(name));
        missing.extend(telling.map(|(name, kind)| format!("{table}.{name} ({kind})")));
    }
    assert!(
        missing.is_empty(),
        "say what these hold about a person in the PERSONAL_DATA beside their table, and list it in PERSONAL_DATA: {missing:#?}"
    );
}

#[actix_web::test]
async fn every_entry_is_about_a_column_that_is_there() {
    let app = TestApp::open().await;
    let schema = schema(&app).await;
    let tables: BTreeSet<&str> = PERSONAL_DATA.iter().map(|entry| entry.table).collect();
    assert_eq!(tables.len(), PERSONAL_DATA.len(), "a table has one entry");
    for entry in PERSONAL_DATA {
        let columns = schema.get(entry.table).unwrap_or_else(|| panic!("no table {}", entry.table));
        for (name, _) in entry.columns {
            assert!(columns.iter().any(|(column, _)| column == name), "no column {}.{name}", entry.table);
        }
    }
    for (table, why) in NON_PERSONAL_TABLES {
        assert!(schema.contains_key(*table) && !why.is_empty(), "{table}");
        assert!(!tables.contains(table), "{table} is in both lists");
        let user_columns =
            schema[*table].iter().filter(|(name, _)| name.contains("user") || name.contains("email"));
        assert_eq!(user_columns.count(), 0, "{table}");
    }
    let mut sections: Vec<&str> =
        PERSONAL_DATA.iter().flat_map(|entry| entry.export).map(|section| section.name).collect();
    sections.sort_unstable();
    sections.dedup();
    let all: usize = PERSONAL_DATA.iter().map(|entry| entry.export.len()).sum();
    assert_eq!(sections.len(), all, "a section has a name of its own");
}

#[actix_web::test]
async fn anybody_can_read_what_is_held_why_and_what_becomes_of_it() {
    let app = TestApp::open().await;
    let page = app.browser().get("/privacy/data").await.is(200);
    let told: Value = app.curl().get("/privacy/data").await.is(200).json();
    assert_eq!(told["holdings"].as_array().unwrap().len(), PERSONAL_DATA.len());
    for entry in PERSONAL_DATA {
        assert!(
            page.body.contains(&format!("<strong class=\"name\">{}<", entry.title.replace('\'', "&#39;"))),
            "{}",
            entry.title
        );
        assert!(!entry.why.is_empty() && entry.why.ends_with('.'), "{}", entry.title);
        assert!(entry.afterwards.is_empty() || entry.afterwards.ends_with('.'), "{}", entry.title);
        assert!(
            entry.erasure == Erasure::Removed || !entry.afterwards.is_empty(),
            "say why {} stays",
            entry.title
        );
        for (_, says) in entry.columns {
            let output = says.replace('\'', "&#39;");
            assert!(page.body.contains(&format!("<li>{output}</li>")), "{says}");
        }
    }
    let signed_in = app.verified("ada@example.com").await.with("accept", "text/html");
    signed_in.get("/privacy/data").await.is(200).says("href=\"/me/export\"");
}

#[actix_web::test]
async fn people_can_see_only_what_is_held_about_themselves() {
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    let titles = async |of: &str| {
        let told: Value = ada.get(of).await.is(200).json();
        let of = |entry: &Value| entry["title"].as_str().unwrap().to_owned();
        told["holdings"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let before = titles("/privacy/data?mine=on").await;
    assert!(before.iter().any(|title| title == "Your account"), "{before:?}");
    assert!(
        before.len() < PERSONAL_DATA.len() && !before.iter().any(|title| title == "Your passkeys"),
        "{before:?}"
    );
    assert_eq!(titles("/privacy/data?mine=off").await.len(), PERSONAL_DATA.len());

    ada.post_json("/organisations", serde_json::json!({ "name": "Acme" })).await.is(201);
    let after = titles("/privacy/data?mine=on").await;
    assert_eq!(after.len(), before.len() + 1, "{after:?}");

    let page = ada.clone().with("accept", "text/html");
    page.get("/privacy/data").await.is(200).says("href=\"/privacy/data?mine=on#holdings-heading\"");
    page.get("/privacy/data?mine=on").await.is(200).says("What we hold about you").says("Show everything");
    app.curl().get("/privacy/data?mine=on").await.refuses(401, "sign_in_required");
    let stranger = app.unverified_user("eve@example.com").await;
    stranger.get("/privacy/data?mine=on").await.refuses(403, "email_unverified");
    stranger.with("accept", "text/html").get("/privacy/data").await.is(200).hides("Only what I have");
}

#[actix_web::test]
async fn the_old_address_of_the_page_leads_to_the_new_one() {
    let app = TestApp::open().await;
    let moved = app.browser().get("/what-we-hold").await.is(308);
    assert_eq!(moved.header("location"), "/privacy/data");
}
