//! What the log says, what it never says, and what becomes of it where nobody reads it.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    process::{Command, Stdio},
};

use actix_web::http::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Ground, KEY, PASSWORD, Process, TestApp, Visitor, eventually, token_in};

const ADA: &str = "ada@example.com";
const WRONG: &str = "not the password of anybody";

/// What people did in a house, and everything of it that no log may hold.
struct Scenario {
    secrets: Vec<String>,
    user: String,
    stranger: String,
}

/// A sign-up, a proof, sign-ins right and wrong, what is refused, and links of all kinds.
async fn live(ground: &Ground, vestibule: &Process) -> Scenario {
    let (ada, ben) = (vestibule.curl(), vestibule.curl());
    let mut ids = Vec::new();
    for (curl, email) in [(&ada, ADA), (&ben, "ben@example.com")] {
        let form = json!({ "email": email, "password": PASSWORD, "name": "Ada\nINFO audit" });
        curl.post_json("/signup", form).await.is(422);
        let form = json!({ "email": email, "password": PASSWORD, "name": "Ada Lovelace" });
        ids.push(
            curl.post_json("/signup", form).await.is(201).json()["user"]["id"].as_str().unwrap().to_owned(),
        );
        let token = ground.token_for(email).await;
        curl.get(&format!("/verify-email?token={token}")).await.is(200);
    }
    let phone = vestibule.curl().named("curl/8.9.1\tINFO forged");
    phone.post_json("/login", json!({ "email": ADA, "password": WRONG })).await.is(401);
    phone.post_json("/login", json!({ "email": "nobody@example.com", "password": WRONG })).await.is(401);
    phone.post_json("/login", json!({ "email": ADA, "password": PASSWORD, "remember": true })).await.is(200);
    let of_ben = ben.session_id().await;
    ada.delete(&format!("/me/sessions/{of_ben}")).await.is(404);
    ada.get("/me/email").await.is(403);
    ada.post_json("/auth/confirm", json!({ "password": WRONG })).await.is(422);
    ada.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    ada.put_json("/me/email", json!({ "email": "ada@elsewhere.example" })).await.is(200);
    let mut secrets: Vec<String> =
        ["ada@elsewhere.example", "Lovelace", WRONG, PASSWORD, "@example.com", "%40", "forged"]
            .map(str::to_owned)
            .into();
    let moving = token_in(&ground.emails_to("ada@elsewhere.example").await[0].text).unwrap();
    secrets.push(moving);
    vestibule.curl().post_json("/login/magic-link", json!({ "email": ADA })).await.is(200);
    vestibule.curl().post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
    vestibule.curl().get("/login?email=ada%40example.com&next=%2Fme").await.is(200);
    vestibule.curl().get("/me").await.is(401);
    vestibule.curl().get("/nowhere/ada@example.com?token=privatissimo").await.is(404);
    ada.clone().with("sec-fetch-site", "cross-site").post_json("/logout", json!({})).await.is(403);
    phone.post_json("/logout", json!({})).await.is(200);
    let emails = eventually("five letters", async || {
        let emails = ground.catcher.emails();
        let has = |words: &str| emails.iter().any(|message| message.text.contains(words));
        (has("/login/magic-link/verify") && has("/reset-password")).then_some(emails)
    });
    secrets.extend(emails.await.iter().filter_map(|message| token_in(&message.text)));
    secrets.extend([&ada, &ben, &phone].iter().filter_map(|curl| curl.cookie("session")));
    secrets.push("privatissimo".to_owned());
    Scenario { secrets, stranger: ids.remove(1), user: ids.remove(0) }
}

fn lines(log: &str) -> Vec<Value> {
    let objects = log.lines().filter(|line| line.starts_with('{'));
    objects.map(|line| serde_json::from_str(line).unwrap_or_else(|cause| panic!("{cause}: {line}"))).collect()
}

#[actix_web::test]
async fn each_audit_event_and_each_request_is_one_line_which_names_nobody() {
    // Everything that any part of the program has to say.
    let ground = Ground::with(&[("LOG_FORMAT", "json"), ("LOG", "trace"), ("BCRYPT_COST", "4")]);
    let vestibule = ground.serve().await;
    let scenario = live(&ground, &vestibule).await;
    let log = log_after_stop(&ground, vestibule);
    for secret in &scenario.secrets {
        let found = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(found, None, "`{secret}` is in the log");
    }
    let lines = lines(&log);
    let of = |message: &str| lines.iter().filter(|line| line["message"] == message).collect::<Vec<_>>();

    let (audited, requests) = (of("audit"), of("request"));
    let inside = ground.look_inside();
    let rows = inside.read(|conn| {
        use diesel::prelude::*;
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            event: String,
        }
        Ok(diesel::sql_query("SELECT event FROM audit").load::<Row>(conn)?)
    });
    let mut rows: Vec<String> = rows.await.unwrap().into_iter().map(|row| row.event).collect();
    let mut told: Vec<String> =
        audited.iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect();
    rows.sort();
    told.sort();
    assert_eq!(told, rows, "left: the log; right: the table");
    assert!(rows.len() > 8, "{rows:?}");
    for line in &audited {
        assert!(matches!(line["outcome"].as_str(), Some("success" | "failure")), "{line}");
        assert_eq!(line["level"], "INFO", "{line}");
        assert!(line["actor"].is_string(), "{line}");
        if line["actor"] == "user" {
            assert_eq!(line["client"], "127.0.0.1", "{line}");
            let id = &line["request.id"];
            assert!(id.is_string() && requests.iter().any(|request| request["request.id"] == *id), "{line}");
        }
    }
    let failed: Vec<_> = audited.iter().filter(|line| line["event"] == "sign_in_failed").collect();
    assert_eq!(failed.len(), 2);
    assert_eq!((&failed[0]["user.id"], &failed[0]["method"]), (&json!(scenario.user), &json!("password")));
    assert_eq!((&failed[0]["outcome"], &failed[1]["user.id"]), (&json!("failure"), &Value::Null));

    // Method, route, status, and whether it is somebody's.
    for (method, route, status, user) in [
        ("POST", "/signup", 201, None),
        ("POST", "/login", 401, None),
        ("POST", "/login", 200, None),
        ("GET", "/verify-email", 200, Some(&scenario.user)),
        ("GET", "/me/sessions", 200, Some(&scenario.stranger)),
        ("DELETE", "/me/sessions/{id}", 404, Some(&scenario.user)),
        ("GET", "/me/email", 403, Some(&scenario.user)),
        ("PUT", "/me/email", 200, Some(&scenario.user)),
        ("GET", "/me", 401, None),
        ("GET", "none", 404, None),
        ("GET", "/healthz", 200, None),
    ] {
        let is_it = |line: &&&Value| {
            line["method"] == method
                && line["route"] == route
                && line["status"] == status
                && line["user.id"].as_str() == user.map(String::as_str)
        };
        let line = requests.iter().find(is_it).unwrap_or_else(|| panic!("{method} {route} {status}"));
        assert!(
            line["ms"].is_number() && line["client"] == "127.0.0.1" && line["request.id"].is_string(),
            "{line}"
        );
    }
    let mut ids: Vec<&str> = requests.iter().map(|line| line["request.id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), requests.len(), "each request has an id of its own");

    let refused: Vec<_> = of("refused").into_iter().filter(|line| line["level"] != "DEBUG").collect();
    for (route, code, user, level) in [
        ("/me/sessions/{id}", "not_found", Some(&scenario.user), "INFO"),
        ("/me/email", "reauthentication_required", Some(&scenario.user), "INFO"),
        ("/logout", "cross_origin", None, "WARN"),
    ] {
        let line = refused.iter().find(|line| line["route"] == route && line["code"] == code).unwrap();
        assert_eq!(
            (line["user.id"].as_str(), &line["level"]),
            (user.map(String::as_str), &json!(level)),
            "{line}"
        );
        assert!(line["client"] == "127.0.0.1" && line["request.id"].is_string(), "{line}");
    }
    assert!(!refused.iter().any(|line| line["route"] == "none"), "what is nowhere is nobody's");
}

fn log_after_stop(ground: &Ground, vestibule: Process) -> String {
    let path = ground.log(vestibule.port);
    vestibule.stop();
    fs::read_to_string(path).unwrap()
}

#[actix_web::test]
async fn as_text_each_is_one_line_as_well_and_the_access_lines_can_be_left_out() {
    let ground = Ground::with(&[("LOG_FORMAT", "text"), ("ACCESS_LOG", "off"), ("BCRYPT_COST", "4")]);
    let vestibule = ground.serve().await;
    let scenario = live(&ground, &vestibule).await;

    let log = log_after_stop(&ground, vestibule);

    for secret in &scenario.secrets {
        assert!(!log.contains(secret.as_str()), "`{secret}` is in {log}");
    }
    // Past the greeting, which is for people.
    let lines: Vec<&str> = log.lines().filter(|line| !line.is_empty() && !line.starts_with("  ")).collect();
    for line in &lines {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{line}");
        assert!([" INFO ", " WARN ", "ERROR "].iter().any(|level| rest.starts_with(level)), "{line}");
    }
    let failed =
        lines.iter().find(|line| line.contains(" INFO audit event=sign_in_failed outcome=failure ")).unwrap();
    for part in [
        "method=password",
        &format!("user.id={}", scenario.user),
        "actor=user",
        "client=127.0.0.1",
        "request.id=",
    ] {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    assert!(!log.contains(" request method="), "{log}");
}

#[actix_web::test]
async fn a_session_that_is_locked_is_a_warning_with_account_and_client() {
    let ground = Ground::with(&[("LOG_FORMAT", "json"), ("BCRYPT_COST", "4")]);
    let vestibule = ground.serve().await;
    let ada = vestibule
        .curl()
        .named("Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) Version/18.6 Safari/604.1");
    let form = json!({ "email": ADA, "password": PASSWORD, "name": "Ada" });
    let user = ada.post_json("/signup", form).await.is(201).json()["user"]["id"].clone();
    let session = ada.session_id().await;
    ada.named("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0").get("/").await.is(200);

    let log = log_after_stop(&ground, vestibule);

    let line = lines(&log).into_iter().find(|line| line["level"] == "WARN").unwrap();
    assert!(line["message"].as_str().unwrap().ends_with("is locked"), "{line}");
    assert_eq!((&line["user.id"], &line["session.id"]), (&user, &json!(session)), "{line}");
    assert_eq!(line["client"], "127.0.0.1", "{line}");
}

/// What clients send that is no HTTP, or ends too early.
const GARBAGE: &[&[u8]] = &[
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"SSH-2.0-OpenSSH_9.9\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /me HTTP/9.9\r\n\r\n",
    b"GET /me HTTP/1.1\r\ncontent-length: many\r\n\r\n",
    b"POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
    b"POST /login HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
];

#[actix_web::test]
async fn what_is_no_http_is_noise_of_clients_and_no_error_of_ours() {
    for (filter, is_told) in [("info", false), ("trace", false), ("info,actix_http=error", true)] {
        let ground = Ground::with(&[("LOG_FORMAT", "json"), ("LOG", filter)]);
        let vestibule = ground.serve().await;
        let long = [b"GET /".as_slice(), &[b'a'; 200_000], b" HTTP/1.1\r\n\r\n"].concat();
        for garbage in GARBAGE.iter().map(|garbage| garbage.to_vec()).chain([long]) {
            let port = vestibule.port;
            let taken = tokio::task::spawn_blocking(move || {
                let mut wire = TcpStream::connect(("127.0.0.1", port)).unwrap();
                wire.write_all(&garbage)?;
                wire.shutdown(Shutdown::Write)?;
                wire.read_to_end(&mut Vec::new())
            });
            // It may be cut off meanwhile.
            let _ = taken.await.unwrap();
        }

        let log = log_after_stop(&ground, vestibule);

        let told = lines(&log).into_iter().filter(|line| line["level"] == "ERROR").count();
        assert_eq!(told > 0, is_told, "{filter}: {log}");
    }
}

#[actix_web::test]
async fn what_is_rolled_back_is_in_no_line() {
    let ground = Ground::with(&[("LOG_FORMAT", "json"), ("BCRYPT_COST", "4")]);
    let vestibule = ground.serve().await;
    let form = json!({ "email": ADA, "password": PASSWORD, "name": "Ada" });
    vestibule.curl().post_json("/signup", form.clone()).await.is(201);
    ground.run(&["user", "lock", ADA]).await;
    vestibule.stop();
    // Her password is right, and would be hashed anew; but nobody comes in, so nothing happened.
    let mut dearer = ground;
    dearer.settings.insert("BCRYPT_COST".to_owned(), "5".to_owned());
    let vestibule = dearer.serve().await;
    vestibule.curl().post_json("/login", form).await.refuses(403, "account_locked");

    let log = log_after_stop(&dearer, vestibule);

    let lines = lines(&log);
    let told = |name: &str| lines.iter().filter(|line| line["event"] == name).count();
    assert_eq!((told("signed_up"), told("password_rehashed")), (0, 0), "{log}");
    let refused = lines.iter().find(|line| line["message"] == "refused").unwrap();
    assert_eq!((&refused["code"], &refused["level"]), (&json!("account_locked"), &json!("INFO")));
}

/// Who gives an id, what it is, and whether it is taken.
#[actix_web::test]
async fn a_request_has_the_id_that_a_trusted_proxy_gave_it_where_that_is_one() {
    let behind = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let open = TestApp::open().await;
    let longest = "a".repeat(128);
    let too_long = "a".repeat(129);
    for (id, is_taken) in [
        ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", true),
        ("0af7651916cd43dd8448eb211c80319c", true),
        ("Root=1-67891233-abcdef012345678912345678", true),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true),
        ("req_2YlIZ4mPGDv3", true),
        ("7b0c/9+kX4a==", true),
        ("edge:fra1:12345.6", true),
        ("1", true),
        (&longest, true),
        (&too_long, false),
        ("", false),
        ("two words", false),
        ("ada@example.com", false),
        ("<b>mine</b>", false),
        ("\"quoted\"", false),
        ("a,b", false),
        ("a;b", false),
        ("tab\tbed", false),
        ("é", false),
        ("{\"a\":1}", false),
        ("back\\slash", false),
        ("%0a%0dINFO", false),
    ] {
        for (app, is_trusted) in [(&behind, true), (&open, false)] {
            for visitor in [app.curl(), app.browser()] {
                let answer = visitor.with("x-request-id", id).get("/healthz").await.is(200);
                let given = answer.header("x-request-id").to_owned();
                assert_eq!(given == id, is_taken && is_trusted, "{id} became {given}");
                assert!(!given.is_empty(), "{id}");
            }
        }
    }
}

/// Where stdout leads that nobody reads, and whether lines are lost there.
#[actix_web::test]
async fn a_log_that_nobody_takes_loses_lines_and_nothing_else() {
    let ground = Ground::with(&[("LOG_FORMAT", "json"), ("BCRYPT_COST", "4")]);
    let disk = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let (stuck, stuck_end) = io::pipe().unwrap();
    for (what, out, err, is_lossy) in [
        ("a reader that has gone", gone(), gone(), true),
        ("a full disk", disk(), disk(), true),
        ("nobody reads what is complained", Stdio::null(), gone(), false),
        ("a reader that is stuck", Stdio::from(stuck_end), Stdio::null(), false),
    ] {
        let vestibule = ground.spawn_to(out, err).answering().await;
        let curl = vestibule.curl();
        for _ in 0..400 {
            curl.get("/healthz").await.is(200);
        }
        let email = format!("{}@example.com", what.replace(' ', "-"));
        let form = json!({ "email": email, "password": PASSWORD, "name": "Ada" });
        curl.post_json("/signup", form).await.is(201);
        ground.emails_to(&email).await;
        vestibule.signal(Signal::HUP);
        if is_lossy {
            let lost = eventually("lost lines are counted", async || {
                let metrics = curl.get("/metrics").await.is(200).body;
                let line =
                    metrics.lines().find_map(|line| line.strip_prefix("vestibule_log_lines_lost_total "));
                line?.parse::<u64>().ok().filter(|lost| *lost >= 400)
            });
            lost.await;
        }
        vestibule.terminate();
        let status = vestibule.ended();
        assert!(status.success(), "{what}: {status}");
    }
    drop(stuck);
}

/// The end of a pipe whose reader has gone.
fn gone() -> Stdio {
    io::pipe().unwrap().1.into()
}

#[actix_web::test]
async fn a_hangup_ends_nothing() {
    let ground = Ground::with(&[("LOG", "debug")]);
    let vestibule = ground.serve().await;
    let curl = vestibule.curl();

    for _ in 0..3 {
        vestibule.signal(Signal::HUP);
        curl.get("/healthz").await.is(200);
    }

    eventually("a word on it", async || vestibule.log().contains("SIGHUP").then_some(())).await;
    vestibule.stop();
}

#[actix_web::test]
async fn a_hangup_while_the_settings_are_read_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("secret_key");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let ground = Ground::with(&[("SECRET_KEY_FILE", pipe.to_str().unwrap())]);
    let vestibule = ground.spawn();
    // It opens once somebody reads: the settings are being read, and wait for the key.
    let mut key = File::options().write(true).open(&pipe).unwrap();

    vestibule.signal(Signal::HUP);

    key.write_all(KEY.as_bytes()).unwrap();
    drop(key);
    vestibule.answering().await.stop();
}

#[actix_web::test]
async fn a_made_up_method_is_told_like_any_other() {
    let ground = Ground::with(&[("LOG_FORMAT", "json")]);
    let vestibule = ground.serve().await;
    let method = Method::from_bytes(b"INFO!audit|event").unwrap();
    Visitor::curl(vestibule.port).send(method.clone(), "/me", None).await.is(405);

    let log = log_after_stop(&ground, vestibule);

    let told = lines(&log).into_iter().filter(|line| line["method"] == method.as_str()).count();
    assert_eq!(told, 1, "{log}");
}

/// `?value` in a line is whatever `Debug` makes of it: causes with their backtraces, structs with all their fields.
#[test]
fn no_line_is_a_debug_dump() {
    let mut files = vec![std::path::PathBuf::from("src")];
    let mut lines = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for output in source.split("tracing::").skip(1) {
            let is_line = ["error!(", "warn!(", "info!(", "debug!(", "trace!("]
                .iter()
                .any(|name| output.starts_with(name));
            let output = output.split_once(");").map_or(output, |(output, _)| output);
            let is_dump =
                ["(?", " ?", "\n?"].iter().any(|sigil| output.contains(sigil)) || output.contains(":?}");
            assert!(!(is_line && is_dump), "{}: tracing::{output}", path.display());
            lines += usize::from(is_line);
        }
    }
    assert!(lines > 20, "the lines were not found");
}

#[actix_web::test]
async fn the_line_of_a_check_says_of_which_host_and_path_and_why_not() {
    let settings = [("LOG_FORMAT", "json"), ("BCRYPT_COST", "4"), ("TRUSTED_PROXIES", "127.0.0.1")];
    let ground = Ground::with(&settings);
    let vestibule = ground.serve().await;
    let ada = vestibule.curl();
    let form = json!({ "email": ADA, "password": PASSWORD, "name": "Ada" });
    ada.post_json("/signup", form).await.is(201);
    let token = ground.token_for(ADA).await;
    ada.get(&format!("/verify-email?token={token}")).await.is(200);
    let organisation = ada.post_json("/organisations", json!({ "name": "Acme" })).await.is(201).json();
    ground.run(&["app", "add", "wiki.localhost:8080", "--bearer", "on"]).await;
    let asks = |visitor: Visitor| {
        let visitor =
            visitor.with("x-forwarded-host", "wiki.localhost:8080").with("x-forwarded-proto", "http");
        visitor.with("x-forwarded-method", "GET").with("x-forwarded-uri", "/x/y?token=privatissimo")
    };
    asks(vestibule.curl()).get_once("/gate/verify").await.is(401);
    let key = "Bearer vstp_000000000000000000000000000000003sK7nd";
    asks(vestibule.curl()).with("authorization", key).get_once("/gate/verify").await.is(401);

    let log = log_after_stop(&ground, vestibule);

    let lines = lines(&log);
    let checks: Vec<&Value> = lines
        .iter()
        .filter(|line| line["message"] == "request" && line["route"].to_string().contains("/gate/verify"))
        .collect();
    let told = |line: &Value| {
        ["gate.host", "gate.path", "code"].map(|name| line[name].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(told(checks[0]), ["wiki.localhost:8080", "/x/y", "sign_in_required"], "{log}");
    assert_eq!(told(checks[1]), ["wiki.localhost:8080", "/x/y", "invalid_token"], "{log}");
    assert!(!log.contains("privatissimo"));
    // The line of an event names the organisation that it concerns.
    let line = lines.iter().find(|line| line["event"] == "organisation_made").unwrap();
    assert_eq!(line["organisation.id"], organisation["organisation"]["id"], "{line}");
}
