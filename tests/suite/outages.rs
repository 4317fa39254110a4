//! A database that is away, full, read-only, out of connections, moved or restarting: 503 meanwhile, nobody is signed
//! out, and afterwards all is as before without a restart.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use actix_web::http::Method;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query, sql_types::Integer};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use vestibule::{routes::entries, web::Access};

use crate::{
    cluster::{Cluster, Wire},
    harness::{PASSWORD, TestApp, Visitor, eventually, test_server},
};

pub fn credentials(address: &str) -> Value {
    json!({ "email": address, "password": PASSWORD, "name": "Ada" })
}

/// People who look at their account and sign in, one request after the other, until it is over.
struct Crowd<'a> {
    ada: &'a Visitor,
    stranger: Visitor,
    answers: RefCell<BTreeMap<(&'static str, u16), usize>>,
    is_over: Cell<bool>,
}

impl<'a> Crowd<'a> {
    fn of(app: &TestApp, ada: &'a Visitor) -> Self {
        let stranger = app.curl();
        Self { ada, stranger, answers: RefCell::default(), is_over: Cell::new(false) }
    }

    async fn goes_on(&self) {
        let reads = async {
            while !self.is_over.get() {
                self.note("read", self.ada.get("/me").await);
            }
        };
        let writes = async {
            while !self.is_over.get() {
                self.note("write", self.stranger.post_json("/login", credentials("ada@example.com")).await);
            }
        };
        join(join(reads, async { join_all((0..3).map(|_| self.more_writes())).await }), writes).await;
    }

    async fn more_writes(&self) {
        while !self.is_over.get() {
            self.note("write", self.stranger.post_json("/login", credentials("ada@example.com")).await);
        }
    }

    #[track_caller]
    fn note(&self, what: &'static str, answer: crate::harness::Answer) {
        let status = answer.status.as_u16();
        if status != 200 {
            assert_eq!(status, 503, "{}: {}", answer.request, answer.body);
            assert!(!answer.header("retry-after").is_empty(), "{}", answer.request);
            assert!(answer.json()["error"].as_str().unwrap().ends_with('.'));
        }
        *self.answers.borrow_mut().entry((what, status)).or_default() += 1;
    }

    fn count(&self, what: &'static str, status: u16) -> usize {
        self.answers.borrow().get(&(what, status)).copied().unwrap_or_default()
    }

    /// Waits for so many more of these answers.
    async fn sees(&self, more: usize, what: &'static str, status: u16) {
        let enough = self.count(what, status) + more;
        eventually("those answers", async || (self.count(what, status) >= enough).then_some(())).await;
    }
}

/// How long a state lasts beyond the answers that a test waits for: `DRILL_SECONDS`, for a drill by hand.
#[expect(clippy::disallowed_methods, reason = "a drill by hand")]
async fn holds() {
    let seconds = std::env::var("DRILL_SECONDS").map_or(0, |text| text.parse().unwrap());
    if seconds > 0 {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

/// Begins a trouble under load, waits until requests are refused, ends it, and waits until all is as before.
pub async fn drill(app: &TestApp, ada: &Visitor, refused: &'static str, begin: impl Fn(), end: impl Fn()) {
    let crowd = Crowd::of(app, ada);
    let course = async {
        crowd.sees(2, "read", 200).await;
        crowd.sees(2, "write", 200).await;
        begin();
        crowd.sees(12, refused, 503).await;
        holds().await;
        let answer = eventually("a node that is not ready", async || {
            let answer = app.curl().get("/readyz").await;
            (answer.status == 503).then_some(answer)
        })
        .await;
        assert_eq!(answer.json()["reason"], "database", "{}", answer.body);
        app.curl().get("/healthz").await.is(200);
        app.browser().get("/readyz").await.is(503).says("cannot be written to");
        end();
        let ended = Instant::now();
        crowd.sees(1, "write", 200).await;
        println!("answered again {:?} after the end of it", ended.elapsed());
        crowd.sees(3, "read", 200).await;
        crowd.sees(3, "write", 200).await;
        eventually("readiness", async || (app.curl().get("/readyz").await.status == 200).then_some(())).await;
        crowd.is_over.set(true);
    };
    join(crowd.goes_on(), course).await;
    println!("{:?}", crowd.answers.borrow());
    ada.get("/me").await.is(200);
}

#[actix_web::test]
async fn a_server_that_dies_and_comes_back_is_found_again() {
    if test_server().is_none() {
        return;
    }
    let cluster = Cluster::start("");
    let app = TestApp::with(&[("DATABASE_URL", &cluster.url())]).await;
    let ada = app.verified("ada@example.com").await;
    drill(&app, &ada, "read", || cluster.stop(), || cluster.resume()).await;
}

/// It takes what is sent and answers nothing. That is found out once, and then told at once.
#[actix_web::test]
async fn a_server_that_stands_still_is_given_up_and_found_again() {
    if test_server().is_none() {
        return;
    }
    let cluster = Cluster::start("");
    let app = TestApp::with(&[("DATABASE_URL", &cluster.url())]).await;
    let ada = app.verified("ada@example.com").await;
    drill(&app, &ada, "read", || cluster.signal("STOP"), || cluster.signal("CONT")).await;
}

#[actix_web::test]
async fn a_wire_that_is_cut_and_mended_is_used_again() {
    let Some(server) = test_server() else { return };
    let (_, address) = server.rsplit_once('@').unwrap();
    let (address, _) = address.split_once('/').unwrap();
    let wire = Wire::to(0, address);
    let plain = TestApp::open().await;
    let (_, name) = plain.settings["DATABASE_URL"].rsplit_once('/').unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{}/{name}", wire.port);
    let app = plain.second_node_with(&[("DATABASE_URL", &url)]).await;
    let ada = app.verified("ada@example.com").await;
    drill(&app, &ada, "read", || wire.cut(), || wire.mend()).await;
}

#[actix_web::test]
async fn a_server_that_has_no_connection_left_is_found_again() {
    if test_server().is_none() {
        return;
    }
    let cluster = Cluster::start("max_connections = 12\nsuperuser_reserved_connections = 0");
    let app = TestApp::with(&[("DATABASE_URL", &cluster.url())]).await;
    let ada = app.verified("ada@example.com").await;
    let hoard = RefCell::new(Vec::new());
    let ours = format!("{}?application_name=hoard", cluster.url());
    let take_all = || {
        let mut hoard = hoard.borrow_mut();
        hoard.push(PgConnection::establish(&ours).unwrap());
        let away = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                    WHERE application_name <> 'hoard' AND backend_type = 'client backend'";
        // Whoever is sent away wants in again, and so do we: until there is nothing left for either.
        eventually_at_once(|| {
            sql_query(away).execute(&mut hoard[0]).unwrap();
            while let Ok(conn) = PgConnection::establish(&ours) {
                hoard.push(conn);
            }
            hoard.len() == 12
        });
    };
    drill(&app, &ada, "read", take_all, || hoard.borrow_mut().clear()).await;
}

#[actix_web::test]
async fn a_database_that_is_read_only_for_a_while_is_written_to_again() {
    if test_server().is_none() {
        return;
    }
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    let operator = Operator::of(&app);
    let name = operator.name.clone();
    drill(
        &app,
        &ada,
        "write",
        || {
            operator.says(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
            operator.sends_everybody_away();
        },
        // Sessions that began meanwhile stay read-only: the house has to leave them by itself.
        || operator.says(&format!("ALTER DATABASE {name} RESET default_transaction_read_only")),
    )
    .await;
}

#[actix_web::test]
async fn a_database_whose_disk_is_full_for_a_while_is_written_to_again() {
    if test_server().is_none() {
        return;
    }
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    let operator = Operator::of(&app);
    operator.says(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'kein Platz mehr' USING ERRCODE = '53100'; END $$",
    );
    let tables = ["sessions", "jobs", "sign_ins"];
    let begin = || {
        for table in tables {
            operator.says(&format!(
                "CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk()"
            ));
        }
    };
    let end = || {
        for table in tables {
            operator.says(&format!("DROP TRIGGER full_disk ON {table}"));
        }
    };
    drill(&app, &ada, "write", begin, end).await;
}

#[actix_web::test]
async fn connections_that_the_server_closed_while_idle_cost_nobody_an_answer() {
    if test_server().is_none() {
        return;
    }
    let app = TestApp::open().await;
    let ada = app.verified("ada@example.com").await;
    let operator = Operator::of(&app);
    for _ in 0..3 {
        operator.sends_everybody_away();
        ada.get("/me").await.is(200);
        operator.sends_everybody_away();
        ada.put_json("/me/name", json!({ "name": "Ada Lovelace" })).await.is(200);
    }
}

/// What is served to a stranger while the database is away.
const NEEDS_NO_DATABASE: &[&str] = &[
    "/",
    "/.well-known/change-password",
    "/.well-known/passkey-endpoints",
    "/forgot-password",
    "/healthz",
    "/login",
    "/login/magic-link",
    "/metrics",
    "/signup",
    "/static/{name}",
    "/privacy/data",
];

#[actix_web::test]
async fn whoever_holds_a_session_is_served_what_needs_no_database() {
    let (app, takes_away) = app_that_loses_its_database().await;
    let ada = app.verified("ada@example.com").await;
    let page = app.browser().get("/").await.is(200).body;
    let (_, stylesheet) = page.split_once("/static/").unwrap();
    let (stylesheet, _) = stylesheet.split_once('"').unwrap();
    takes_away();
    eventually("an outage", async || {
        // What is written notices a file that was exchanged.
        ada.post_json("/login", credentials("ada@example.com")).await;
        (ada.get("/me").await.status == 503).then_some(())
    })
    .await;

    for entry in entries().into_iter().filter(|entry| entry.method == Method::GET) {
        let path = entry.path.replace("{name}", stylesheet);
        for (stranger, face) in [(app.curl(), "*/*"), (app.browser(), "text/html")] {
            let holder = ada.clone().with("accept", face);
            let (stranger, holder) = (stranger.get(&path).await, holder.get(&path).await);
            let what = format!("{face} {}: {} {}", entry.path, stranger.status, holder.status);
            let is_served = matches!(stranger.status.as_u16(), 200..400);
            match entry.access {
                // Without a provider the first only leads back to the sign-in page; the second asks whose session to end.
                Access::Anyone | Access::Pending
                    if is_served && !["/auth/oidc/login", "/oauth/logout"].contains(&entry.path) =>
                {
                    assert_eq!(stranger.status, holder.status, "{what}");
                    assert_eq!(stranger.header("location"), holder.header("location"), "{what}");
                }
                Access::Anyone | Access::Pending => {
                    assert!(matches!(holder.status.as_u16(), 400..504), "{what}")
                }
                // No cookie counts there.
                Access::Directory => {
                    assert_eq!((stranger.status.as_u16(), holder.status.as_u16()), (401, 401), "{what}");
                }
                _ => {
                    assert!(matches!(stranger.status.as_u16(), 303 | 401), "{what}");
                    assert_eq!(holder.status, 503, "{what}");
                }
            }
            let needs_none = NEEDS_NO_DATABASE.contains(&entry.path);
            assert!(is_served || !needs_none, "{what}: {}", stranger.body);
        }
    }
    // Only somebody knows whose session it is: it is neither ended nor taken back.
    for path in ["/logout", "/verify-email", "/login", "/auth/saml/callback"] {
        ada.post_json(path, credentials("ada@example.com")).await.refuses(503, "unavailable");
    }
    ada.get("/metrics").await.is(200).hides("vestibule_outbox_").says("vestibule_requests_total");
}

#[actix_web::test]
async fn a_page_about_what_passes_leads_back_to_where_the_person_was() {
    let (app, takes_away) = app_that_loses_its_database().await;
    let browser = app.browser();
    takes_away();
    let own = |path: &str| format!("{}{path}", app.base_url);
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    eventually("an outage", async || (browser.post("/login", &form).await.status == 503).then_some(())).await;
    // A form comes back with what was typed.
    browser.post("/login", &form).await.is(503).says("value=\"ada@example.com\"").says("role=\"alert\"");
    let token = "A".repeat(43);
    let form = [("token", token.as_str()), ("password", PASSWORD)];

    for path in ["/login?email=ada%40example.com", "/auth/saml/login"] {
        browser
            .get(path)
            .await
            .is(503)
            .says(&format!("<a class=\"button primary\" href=\"{path}\">Try again</a>"));
    }
    for (sent_from, back) in [
        (own("/login"), "/login"),
        (own("/login?next=%2Fme#main"), "/login?next=%2Fme"),
        (own("/"), "/"),
        (own("//evil.example/login"), ""),
        (own("/\\evil.example/login"), ""),
        ("https://evil.example/login".to_owned(), ""),
        (own("@evil.example/login"), ""),
        (own(".evil.example/login"), ""),
        ("javascript:alert(1)".to_owned(), ""),
        ("data:text/html,/login".to_owned(), ""),
        ("/login".to_owned(), ""),
        (String::new(), ""),
    ] {
        let answer = browser.clone().with("referer", &sent_from).post("/reset-password", &form).await.is(503);
        let link = match back {
            "" => "href=\"/\">Go to the home page</a>".to_owned(),
            back => format!("href=\"{back}\">Try again</a>"),
        };
        assert!(answer.body.contains(&link), "{sent_from}: {}", answer.body);
    }
    browser.post("/reset-password", &form).await.is(503).says("Go to the home page");
}

/// A house, and what takes its database away for good.
async fn app_that_loses_its_database() -> (TestApp, Box<dyn Fn()>) {
    let app = TestApp::open().await;
    let url = app.settings["DATABASE_URL"].clone();
    if let Some(path) = url.strip_prefix("sqlite://").map(PathBuf::from) {
        return (
            app,
            Box::new(move || {
                fs::copy(&path, path.with_extension("other")).unwrap();
                fs::rename(path.with_extension("other"), &path).unwrap();
            }),
        );
    }
    let (place, name) = url.rsplit_once('/').unwrap();
    let (_, address) = place.rsplit_once('@').unwrap();
    let wire = Wire::to(0, address);
    let url = format!("postgres://postgres@127.0.0.1:{}/{name}", wire.port);
    let app = app.second_node_with(&[("DATABASE_URL", &url)]).await;
    (app, Box::new(move || wire.cut()))
}

/// Texts that PostgreSQL refuses, and such as programs send by mistake. None may cost the one connection that there is.
#[actix_web::test]
async fn no_input_costs_a_connection() {
    let app = TestApp::with(&[("DATABASE_POOL", "1")]).await;
    let ada = app.verified("ada@example.com").await;
    ada.steps_up().await;
    ada.post_json("/organisations", json!({ "name": "Acme", "slug": "acme" })).await.is(201);
    let before = server_process(&app).await;

    let long = "x".repeat(3_000);
    let odd = [
        "a%00b",
        "%00",
        "%E2%80%8B",
        "%F0%9F%A6%80",
        "a%27b",
        "-1",
        "%25",
        "%0A",
        "99999999999999999999",
        &long,
    ];
    for text in odd {
        for path in [
            format!("/organisations/{text}"),
            format!("/organisations/{text}/sso"),
            format!("/organisations/{text}/sso/new?like={text}"),
            format!("/organisations/acme/sso/{text}"),
            format!("/me/sessions/{text}"),
            format!("/static/{text}"),
        ] {
            let answer = ada.get(&path).await;
            assert!(matches!(answer.status.as_u16(), 404 | 405), "{path}: {} {}", answer.status, answer.body);
        }
        for path in [
            "/me/logins?next=",
            "/organisations?next=",
            "/organisations/acme?next=",
            "/login?email=",
            "/login?next=",
        ] {
            let answer = ada.get(&format!("{path}{text}")).await;
            assert!(answer.status.as_u16() < 500, "{path}{text}: {} {}", answer.status, answer.body);
        }
        let plain =
            serde_urlencoded::from_str::<Vec<(String, String)>>(&format!("x={text}")).unwrap().remove(0).1;
        for (path, field) in [
            ("/organisations", "name"),
            ("/organisations/acme/sso/domains", "domain"),
            ("/login", "email"),
            ("/forgot-password", "email"),
            ("/auth/methods", "email"),
            ("/verify-email", "token"),
            ("/login/magic-link/verify", "token"),
        ] {
            let mut fields = json!({ "password": PASSWORD });
            fields[field] = plain.as_str().into();
            let answer = ada.post_json(path, fields).await;
            assert!(answer.status.as_u16() < 500, "{path} {plain:?}: {} {}", answer.status, answer.body);
            if plain.contains('\0') {
                assert!(
                    answer.status.is_client_error(),
                    "{path} {plain:?}: {} {}",
                    answer.status,
                    answer.body
                );
            }
        }
    }
    ada.get("/organisations/a%00b").await.refuses(404, "not_found");

    assert_eq!(server_process(&app).await, before);
}

/// Tries again and again, without a pause, a bounded number of times.
fn eventually_at_once(mut look: impl FnMut() -> bool) {
    assert!((0..10_000).any(|_| look()), "it did not come to that");
}

/// Somebody with the keys to the server, beside the house.
struct Operator {
    url: String,
    name: String,
}

impl Operator {
    fn of(app: &TestApp) -> Self {
        let url = app.settings["DATABASE_URL"].clone();
        let (_, name) = url.rsplit_once('/').unwrap();
        Self { name: name.to_owned(), url: url.clone() }
    }

    fn says(&self, statement: &str) {
        // Where the database itself is read-only, its operator is not.
        let url = format!("{}?options=-c%20default_transaction_read_only%3Doff", self.url);
        let mut conn = PgConnection::establish(&url).unwrap();
        sql_query(statement).execute(&mut conn).unwrap();
    }

    fn sends_everybody_away(&self) {
        self.says(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
            self.name
        ));
    }
}

/// The number of the server's process behind the one connection; nothing on SQLite.
async fn server_process(app: &TestApp) -> Option<i32> {
    #[derive(QueryableByName)]
    struct Process {
        #[diesel(sql_type = Integer)]
        pid: i32,
    }
    test_server()?;
    let pid = |conn: &mut vestibule::db::Conn| {
        Ok(sql_query("SELECT pg_backend_pid() AS pid").get_result::<Process>(conn)?.pid)
    };
    Some(app.inner.read(pid).await.unwrap())
}
