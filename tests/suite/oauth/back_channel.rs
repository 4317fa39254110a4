//! Applications hear that somebody signed out, whatever ended the session, and whenever they answer.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use chrono::TimeDelta;
use serde_json::{Value, json};
use vestibule::jobs::{self, Job, Outcome};

use super::{ADA, Notes, claims, part, text};
use crate::harness::{PASSWORD, TestApp};

/// An application that takes logout tokens, or answers as it is told to.
pub(super) struct Listener {
    pub(super) address: String,
    status: Arc<Mutex<u16>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    pub(super) fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://127.0.0.1:{}/gone", socket.local_addr().unwrap().port());
        let (status, heard) = (Arc::new(Mutex::new(200)), Arc::new(Mutex::new(Vec::new())));
        let (answers, hears) = (Arc::clone(&status), Arc::clone(&heard));
        thread::spawn(move || {
            for connection in socket.incoming() {
                let mut connection = connection.unwrap();
                let mut reader = BufReader::new(connection.try_clone().unwrap());
                let (mut line, mut length) = (String::new(), 0);
                while reader.read_line(&mut line).unwrap() > 2 {
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let form: Vec<(String, String)> = serde_urlencoded::from_bytes(&body).unwrap();
                hears.lock().unwrap().push(form[0].1.clone());
                let status = *answers.lock().unwrap();
                write!(connection, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .unwrap();
            }
        });
        Self { address, status, heard }
    }

    fn answers(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }

    /// What it heard since it was asked last.
    pub(super) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

async fn tell(app: &TestApp) -> Outcome {
    jobs::run_once(&app.inner, Job::Deliveries, true).await.unwrap()
}

#[actix_web::test]
async fn whatever_ends_a_session_is_told_to_its_applications() {
    let listener = Listener::start();
    let notes = Notes::open(&["--backchannel", &listener.address]).await;
    let app = &notes.app;
    let ada = app.verified(ADA).await;
    for ending in ["logout", "revoke", "password", "locked", "idle", "application"] {
        let phone = app.curl();
        phone.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
        let id_token = claims(&notes.tokens(&phone, &[]).await["id_token"]);
        let id = phone.session_id().await;
        assert_eq!(tell(app).await, Outcome::Done(0), "{ending}");
        match ending {
            "logout" => drop(phone.post_json("/logout", json!({})).await.is(200)),
            "revoke" => drop(ada.delete(&format!("/me/sessions/{id}")).await.is(200)),
            "password" => {
                ada.steps_up().await;
                ada.put_json("/me/password", json!({ "newPassword": PASSWORD })).await.is(200);
            }
            "locked" => {
                app.db_execute(&format!("UPDATE sessions SET locked_at = created_at WHERE id = '{id}'"))
                    .await;
            }
            "application" => {
                let listed = phone.get("/me/applications").await.is(200).json();
                let path = format!("/me/applications/{}", text(&listed["applications"][0]["id"]));
                phone.delete(&path).await.is(200);
            }
            _ => {
                app.db_execute(&format!(
                    "UPDATE sessions SET idle_expires_at = created_at WHERE id = '{id}'"
                ))
                .await;
                jobs::run_once(&app.inner, Job::Sweep, true).await.unwrap();
            }
        }
        assert_eq!(tell(app).await, Outcome::Done(1), "{ending}");
        let heard = listener.heard();
        let token = json!(heard[0]);
        let told = claims(&token);
        assert_eq!((part(&token, 0)["typ"].as_str(), heard.len()), (Some("logout+jwt"), 1), "{ending}");
        assert_eq!(
            (&told["sid"], &told["sub"], &told["aud"]),
            (&id_token["sid"], &id_token["sub"], &id_token["aud"]),
            "{ending}"
        );
        assert_eq!(told["events"], json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
        assert_eq!(
            (&told["nonce"], told["exp"].as_i64()),
            (&Value::Null, Some(app.clock.now().unix() + 120))
        );
    }
    assert_eq!(app.count("deliveries").await, 0);
}

#[actix_web::test]
async fn one_that_does_not_answer_is_told_again_with_a_fresh_token_until_it_is_given_up() {
    let listener = Listener::start();
    let notes = Notes::open(&["--backchannel", &listener.address]).await;
    let app = &notes.app;
    app.verified(ADA).await;
    listener.answers(503);
    let phone = app.curl();
    let sign_out = async || {
        phone.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
        notes.tokens(&phone, &[]).await;
        phone.post_json("/logout", json!({})).await.is(200);
    };
    sign_out().await;
    let mut heard = Vec::new();
    for pause in [1, 15, 60, 240, 540] {
        app.wait(TimeDelta::seconds(pause - 1));
        if pause > 1 {
            tell(app).await;
            assert_eq!(listener.heard().len(), 0, "not before its time");
        }
        app.wait(TimeDelta::seconds(1));
        tell(app).await;
        heard.extend(listener.heard());
    }
    let names: std::collections::BTreeSet<String> =
        heard.iter().map(|token| text(&claims(&json!(token))["jti"])).collect();
    assert_eq!((heard.len(), names.len()), (5, 5));
    app.wait(TimeDelta::hours(1));
    tell(app).await;
    assert_eq!(listener.heard().len(), 0, "given up");
    let shown: Value =
        serde_json::from_str(&app.command(&["app", "show", &notes.client_id, "--json"]).out).unwrap();
    assert_eq!(shown["undelivered"], 1);
    // What it says it will never take is not sent again.
    listener.answers(400);
    sign_out().await;
    tell(app).await;
    app.wait(TimeDelta::minutes(1));
    tell(app).await;
    assert_eq!(listener.heard().len(), 1);
    // A node that died with one under way leaves it to the next.
    listener.answers(200);
    sign_out().await;
    app.db_execute(&format!(
        "INSERT INTO deliveries (id, application_id, user_id, sid, created_at, due_at, attempts) SELECT 'x', application_id, \
         user_id, 'y', created_at, '{}', 0 FROM grants",
        app.clock.now().iso().replace('T', " ").replace('Z', "")
    ))
    .await;
    assert_eq!(tell(app).await, Outcome::Done(2));
    assert_eq!(app.count("deliveries WHERE parked_at IS NULL").await, 0);
}
