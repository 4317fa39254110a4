//! The example of an application behind this site: `examples/notes`, a program of its own.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::{Child, Command},
};

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    delete::{run_deletions, step_up},
    harness::{
        PASSWORD, TestApp, Visitor, eventually, free_port,
        organisations::{Acme, stepped_up},
        program,
    },
    totp::python,
};

const PROGRAM: &str = "examples/notes/notes.py";

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0";

/// The program, while it runs.
struct Notes {
    port: u16,
    folder: tempfile::TempDir,
    child: Child,
}

impl Notes {
    async fn behind(app: &TestApp) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let child = Command::new(python())
            .arg(PROGRAM)
            .env("VESTIBULE", format!("http://127.0.0.1:{}", app.port))
            .env("NOTES_PORT", port.to_string())
            .env("NOTES_DATABASE", folder.path().join("notes.db"))
            .spawn()
            .unwrap();
        let notes = Self { port, folder, child };
        eventually("the example answers", async || TcpStream::connect(("127.0.0.1", port)).ok()).await;
        notes
    }

    /// What a visitor of the site is here: the same cookie. It closes each connection, so that each request has its own client.
    fn visited_by(&self, visitor: &Visitor) -> impl Fn() -> Visitor + use<> {
        let (port, cookie) = (self.port, visitor.cookie("session").unwrap());
        move || {
            let curl = Visitor::curl(port);
            curl.set_cookie("session", &cookie);
            curl
        }
    }

    /// The answer to a request byte by byte.
    fn says(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Everybody who has no account any more is forgotten.
    fn forget(&self, app: &TestApp) {
        let done = Command::new(python())
            .args([PROGRAM, "forget", &program(), "user", "list", "--json"])
            .env("NOTES_DATABASE", self.folder.path().join("notes.db"))
            .envs(&app.settings)
            .status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn writes(visitor: impl Fn() -> Visitor, text: &str) -> String {
    let made = visitor().post("/acme", &[("text", text)]).await.is(200).json();
    made["id"].as_str().unwrap().to_owned()
}

async fn read(visitor: impl Fn() -> Visitor) -> Vec<Value> {
    visitor().get("/acme").await.is(200).json()["notes"].as_array().unwrap().clone()
}

#[test]
fn it_is_short_enough_to_be_read_in_one_go() {
    let lines = fs::read_to_string(PROGRAM).unwrap().lines().count();
    assert!(lines <= 200, "{lines}");
    assert!(fs::read_to_string("README.md").unwrap().contains(&format!("({PROGRAM})")));
}

#[actix_web::test]
async fn who_may_do_what_is_decided_here_for_each_request() {
    let acme = Acme::of(TestApp::with(&[("EXAMPLE_NOTES", "on")]).await).await;
    let notes = Notes::behind(&acme.app).await;
    let (bea, bea_id) = acme.joins("bea@example.com", "editor").await;
    let (cleo, _) = acme.joins("cleo@example.com", "viewer").await;
    let eve = stepped_up(&acme.app, "eve@example.com").await;
    eve.post_json("/organisations", json!({ "name": "Eve" })).await.is(201);
    let [ada, bea, cleo, eve] = [&acme.ada, &bea, &cleo, &eve].map(|visitor| notes.visited_by(visitor));

    let hers = writes(&bea, "Buy <milk>").await;
    let adas = writes(&ada, "A plan").await;
    let found = read(&cleo).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|note| note["canUpdate"] == false && note["canDelete"] == false), "{found:?}");
    cleo().post("/acme", &[("text", "x")]).await.is(403);
    cleo().post(&format!("/acme/{hers}/delete"), &[]).await.is(403);
    let found = read(&bea).await;
    let may = |id: &str| found.iter().find(|note| note["id"] == id).unwrap()["canUpdate"].clone();
    assert_eq!((may(&hers), may(&adas)), (json!(true), json!(false)));
    bea().post(&format!("/acme/{hers}"), &[("text", "Buy oat milk")]).await.is(200);
    bea().post(&format!("/acme/{adas}"), &[("text", "x")]).await.is(403);
    ada().post(&format!("/acme/{hers}"), &[("text", "Buy <soy> milk")]).await.is(200);
    // Another organisation's notes are not there, by whichever name.
    eve().get("/acme").await.is(404);
    eve().post(&format!("/acme/{hers}"), &[("text", "Mine")]).await.is(404);
    eve().post(&format!("/eve/{hers}"), &[("text", "Mine")]).await.is(404);
    eve().post(&format!("/eve/{hers}/delete"), &[]).await.is(404);
    Visitor::curl(notes.port).get("/acme").await.is(401);
    // A role that changed counts at once.
    let path = Acme::member_path(&bea_id);
    acme.ada.put_json(&path, json!({ "role": "viewer" })).await.is(200);
    bea().post(&format!("/acme/{hers}/delete"), &[]).await.is(403);
    acme.ada.delete(&path).await.is(200);
    bea().get("/acme").await.is(404);
    let page = ada().with("accept", "text/html").get("/acme").await.is(200);
    page.says("Buy &lt;soy&gt; milk").hides("<soy>");
    // Nor does another site's page write here, whatever cookie comes along.
    ada().with("sec-fetch-site", "same-site").post("/acme", &[("text", "x")]).await.is(403);
    ada().with("origin", "https://evil.example").post("/acme", &[("text", "x")]).await.is(403);
    ada().post(&format!("/acme/{hers}/delete"), &[]).await.is(200);
    assert_eq!(read(&ada).await.len(), 1);
}

/// The program calls itself what its library calls itself, with its visitor's cookie.
#[actix_web::test]
async fn its_own_name_locks_nobody_out_case_155() {
    let acme = Acme::of(TestApp::with(&[("EXAMPLE_NOTES", "on")]).await).await;
    let notes = Notes::behind(&acme.app).await;
    let browser = acme.app.curl().named(FIREFOX);
    browser.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    writes(notes.visited_by(&browser), "From Firefox").await;
    browser.get("/me").await.is(200);
    assert_eq!(acme.app.count("sessions WHERE locked_at IS NOT NULL").await, 0);
    let agents = acme.app.texts("SELECT user_agent AS text FROM sessions").await;
    assert!(agents.contains(&FIREFOX.to_owned()), "{agents:?}");
    assert!(!agents.iter().any(|agent| agent.contains("ython")), "{agents:?}");
}

/// What other programs on the host set, and send.
#[actix_web::test]
async fn strange_cookies_methods_and_lengths_break_nothing() {
    let acme = Acme::of(TestApp::with(&[("EXAMPLE_NOTES", "on")]).await).await;
    let notes = Notes::behind(&acme.app).await;
    let cookie = acme.ada.cookie("session").unwrap();
    let page = |cookies: &str| {
        let visitor = Visitor::curl(notes.port).with("accept", "text/html");
        let cookies = cookies.to_owned();
        async move { visitor.with("cookie", &cookies).get("/acme").await }
    };
    let strange = format!("foo={{\"a\":\"b c\"}}; weird@name=1; session={cookie}; é=ü");
    let shown = page(&strange).await.is(200);
    shown
        .says("<html lang=\"en\">")
        .says("<h1>Notes</h1>")
        .says("No notes yet.")
        .says("<button>Add note</button>");
    page("foo=1").await.is(401).says("/login?next=%2Facme\">Sign in</a>");
    let ada = notes.visited_by(&acme.ada);
    let long = "x".repeat(70_000);
    ada().post("/acme", &[("text", &long)]).await.is(413).says("Too long.");
    assert!(read(&ada).await.is_empty());
    writes(&ada, "Short").await;
    ada().with("accept", "text/html").get("/acme").await.is(200).says("<button>Save</button>");
    ada().delete("/acme").await.is(405);
    let raw = notes.says("POST /acme HTTP/1.0\r\nContent-Length: abc\r\n\r\n");
    assert!(raw.starts_with("HTTP/1.0 400 "), "{raw}");
    let head = notes.says(&format!("HEAD /acme HTTP/1.0\r\nCookie: session={cookie}\r\n\r\n"));
    assert!(head.starts_with("HTTP/1.0 200 ") && head.ends_with("\r\n\r\n"), "{head}");
}

/// Nobody is forgotten by mistake, and a busy port is said in a sentence.
#[actix_web::test]
async fn its_commands_refuse_in_sentences() {
    let acme = Acme::of(TestApp::with(&[("EXAMPLE_NOTES", "on")]).await).await;
    let notes = Notes::behind(&acme.app).await;
    writes(notes.visited_by(&acme.ada), "Kept").await;
    let run = |arguments: &[&str]| {
        let done = Command::new(python())
            .arg(PROGRAM)
            .args(arguments)
            .env("NOTES_DATABASE", notes.folder.path().join("notes.db"))
            .env("NOTES_PORT", notes.port.to_string())
            .output()
            .unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    let nobody = run(&["forget", "true"]);
    assert_eq!(nobody, (Some(1), "The command lists no account: nothing was changed.\n".to_owned()));
    assert_eq!(read(notes.visited_by(&acme.ada)).await[0]["author"], "Ada");
    let usage = run(&["forget"]);
    assert_eq!(usage, (Some(1), "Usage: notes.py forget vestibule user list --json\n".to_owned()));
    let busy = run(&[]);
    assert!(busy.1.starts_with(&format!("Port {} can't be used", notes.port)), "{}", busy.1);
    assert_eq!(busy.1.lines().count(), 1);
}

#[actix_web::test]
async fn who_deletes_their_account_is_someone_who_left_and_the_text_stays() {
    let acme = Acme::of(TestApp::with(&[("EXAMPLE_NOTES", "on")]).await).await;
    let app = &acme.app;
    let notes = Notes::behind(app).await;
    let (bea, bea_id) = acme.joins("bea@example.com", "editor").await;
    bea.put_json("/me/name", json!({ "name": "Bea Byron" })).await.is(200);
    writes(notes.visited_by(&bea), "Hers").await;
    writes(notes.visited_by(&acme.ada), "His").await;
    step_up(&bea).await;
    bea.post_json("/me/delete", json!({})).await.is(200);
    notes.forget(app);
    acme.ada.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    let ada = notes.visited_by(&acme.ada);
    let author = |found: &[Value], text: &str| {
        found.iter().find(|note| note["text"] == text).unwrap()["author"].as_str().unwrap().to_owned()
    };
    assert_eq!(author(&read(&ada).await, "Hers"), "Bea Byron", "she can still change her mind");

    app.wait(TimeDelta::days(30));
    assert_eq!(run_deletions(app).await, 1);
    notes.forget(app);

    acme.ada.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    let found = read(notes.visited_by(&acme.ada)).await;
    assert_eq!(
        (author(&found, "Hers"), author(&found, "His")),
        ("someone who left".to_owned(), "Ada".to_owned())
    );
    let kept = fs::read(notes.folder.path().join("notes.db")).unwrap();
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains("Hers") && !kept.contains(&bea_id) && !kept.contains("Bea Byron"));
}
