//! PgBouncer in transaction mode: each transaction may get another connection of the server.

use futures_util::future::join_all;
use serde_json::json;

use crate::{
    cluster::Bouncer,
    harness::{Ground, PASSWORD, Storage, TestApp, eventually, run_program, test_server},
};

/// The bouncer before the database of this run, and the address of a new database behind it; nothing on SQLite.
fn bounced() -> Option<(Bouncer, Storage, String)> {
    test_server()?;
    let storage = Storage::new();
    let (_, rest) = storage.url.split_once('@').unwrap();
    let (address, name) = rest.split_once('/').unwrap();
    let bouncer = Bouncer::before(address);
    let url = format!("postgres://postgres@127.0.0.1:{}/{name}", bouncer.port);
    Some((bouncer, storage, url))
}

async fn is_up(url: &str) {
    let url = url.to_owned();
    eventually("PgBouncer", async || {
        diesel::Connection::establish(&url).map(|_: diesel::PgConnection| ()).ok()
    })
    .await;
}

#[actix_web::test]
async fn people_sign_up_sign_in_and_sign_devices_out_through_it_on_two_nodes() {
    let Some((_bouncer, _storage, url)) = bounced() else { return };
    is_up(&url).await;
    let settings = [("DATABASE_URL", url.as_str()), ("DATABASE_POOLER", "transaction")];
    let here = TestApp::with(&settings).await;
    let there = here.second_node().await;

    let people = (0..24).map(|number| format!("person{number}@example.com"));
    join_all(people.map(|address| {
        let (here, there) = (&here, &there);
        async move {
            let laptop = here.curl();
            let fields = json!({ "email": address, "password": PASSWORD, "name": "Ada" });
            laptop.post_json("/signup", fields.clone()).await.is(201);
            let phone = there.curl();
            phone.post_json("/login", fields).await.is(200);
            let id = phone.session_id().await;
            laptop.delete(&format!("/me/sessions/{id}")).await.is(200);
            phone.get("/me").await.refuses(401, "sign_in_required");
            laptop.at(there.port).get("/me").await.is(200);
        }
    }))
    .await;
    here.curl().get("/readyz").await.is(200);
}

#[actix_web::test]
async fn without_the_setting_it_is_named_at_the_start() {
    let Some((_bouncer, _storage, url)) = bounced() else { return };
    is_up(&url).await;
    let ground = Ground::with(&[("DATABASE_URL", &url)]);

    for command in [vec!["serve"], vec!["doctor"], vec!["jobs", "list"], vec!["migrate"]] {
        let port = crate::harness::free_port().to_string();
        let listen = format!("127.0.0.1:{port}");
        let mut settings = ground.settings.clone();
        settings.insert("LISTEN".to_owned(), listen);
        settings.insert("SECRET_KEY".to_owned(), "the key of a house that stands for one test".to_owned());
        let output =
            actix_web::web::block(move || (command.clone(), run_program(&command, &settings))).await.unwrap();
        let (command, output) = output;
        assert_eq!(output.code, Some(1), "{command:?}: {output:?}");
        let all = output.out + &output.err;
        assert!(
            all.contains("PgBouncer in transaction mode: set DATABASE_POOLER=transaction"),
            "{command:?}: {all}"
        );
    }
}
