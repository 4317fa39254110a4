//! The fail-over drill: the primary dies under load, the standby takes its place, and nothing that was promised is lost.

use std::{
    cell::{Cell, RefCell},
    time::Instant,
};

use actix_web::http::Method;
use diesel::{Connection, PgConnection, QueryDsl, RunQueryDsl};
use futures_util::future::{join, join_all};
use serde_json::json;
use vestibule::db::schema::users;

use crate::{
    cluster::Cluster,
    harness::{PASSWORD, TestApp, Visitor, eventually, test_server},
};

const CLIENTS: usize = 8;

#[actix_web::test]
async fn a_standby_that_is_promoted_has_every_account_and_the_house_goes_on_there() {
    // Servers of our own are started where the run is on PostgreSQL anyway.
    if test_server().is_none() {
        return;
    }
    let primary = Cluster::start("");
    let standby = Cluster::standby_of(&primary, "spare");
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'spare'");
    primary.execute("SELECT pg_reload_conf()");
    let url = format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres?target_session_attrs=read-write",
        primary.port, standby.port
    );
    let app = TestApp::with(&[("DATABASE_URL", &url)]).await;
    let crowd = Crowd::default();

    let clients: Vec<Visitor> = (0..CLIENTS).map(|_| app.curl()).collect();
    let load = join_all(clients.iter().map(|curl| crowd.sign_ups(curl)));
    let drill = async {
        crowd.grows_by(10).await;
        primary.stop();
        eventually("a 503", async || (crowd.refused.get() > 0).then_some(())).await;
        app.curl().get("/readyz").await.refuses(503, "not_ready");
        let promoted = Instant::now();
        standby.promote();
        crowd.grows_by(1).await;
        println!("the first sign-up came {:?} after the promotion was asked for", promoted.elapsed());
        crowd.grows_by(10).await;
        crowd.is_over.set(true);
    };
    join(load, drill).await;

    let mut conn = PgConnection::establish(&standby.url()).unwrap();
    let accounts: Vec<String> = users::table.select(users::email).load(&mut conn).unwrap();
    let welcomed = crowd.welcomed.take();
    assert!(welcomed.len() >= 21, "{}", welcomed.len());
    for address in welcomed.iter() {
        assert!(accounts.contains(address), "{address} was told 201 and has no account");
    }
    eventually("readiness", async || (app.curl().get("/readyz").await.status == 200).then_some(())).await;
}

#[derive(Default)]
struct Crowd {
    next: Cell<usize>,
    refused: Cell<usize>,
    is_over: Cell<bool>,
    /// Who was told 201.
    welcomed: RefCell<Vec<String>>,
}

impl Crowd {
    async fn sign_ups(&self, curl: &Visitor) {
        while !self.is_over.get() {
            let number = self.next.replace(self.next.get() + 1);
            let address = format!("person{number}@example.com");
            let fields = json!({ "email": address, "password": PASSWORD, "name": "Ada" }).to_string();
            let answer =
                curl.attempt(Method::POST, "/signup", Some(("application/json", fields))).await.unwrap();
            match answer.status.as_u16() {
                201 => self.welcomed.borrow_mut().push(address),
                _ => {
                    let answer = answer.refuses(503, "unavailable");
                    assert!(!answer.header("retry-after").is_empty());
                    self.refused.set(self.refused.get() + 1);
                }
            }
        }
    }

    async fn grows_by(&self, more: usize) {
        let enough = self.welcomed.borrow().len() + more;
        eventually("more accounts", async || (self.welcomed.borrow().len() >= enough).then_some(())).await;
    }
}
