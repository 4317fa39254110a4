//! A recipient whose server takes its time holds up nobody else.

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde_json::json;
use vestibule::{clock::Timestamp, db::schema::outbox, jobs};

use super::{app_that_sends_to, post, server::MailServer};
use crate::harness::{Ground, PASSWORD, eventually};

#[actix_web::test]
async fn five_hundred_emails_to_a_slow_domain_hold_up_no_other() {
    let server = MailServer::open();
    let app = app_that_sends_to(&server).await;
    server.holds(["slow.example".to_owned()]);
    post(&app, (0..500).map(|number| format!("n{number}@slow.example")).collect()).await;
    let jobs = jobs::start(&app.inner);
    eventually("slow recipients", async || (server.held() >= 4).then_some(())).await;

    app.unverified_user("ada@quick.example").await;

    eventually("the other email", async || (server.taken_for("ada@quick.example") == 1).then_some(())).await;
    assert_eq!(server.held(), 4, "one domain has its few places, and no more");
    assert_eq!(server.taken().len(), 1, "it overtook them all");
    server.lets_go();
    eventually("all of them", async || (server.taken().len() == 501).then_some(())).await;
    jobs.stop().await;
    let recipients: BTreeSet<String> = server.taken().into_iter().map(|taken| taken.to).collect();
    assert_eq!(recipients.len(), 501, "each once");
}

#[actix_web::test]
async fn emails_to_many_slow_domains_hold_up_no_other_either() {
    let server = MailServer::open();
    let app = app_that_sends_to(&server).await;
    let domain = |number: usize| format!("slow{number}.example");
    server.holds((0..12).map(domain));
    post(&app, (0..120).map(|number| format!("n{number}@{}", domain(number % 12))).collect()).await;
    let jobs = jobs::start(&app.inner);
    // More than leave side by side where each is quick.
    eventually("slow recipients", async || (server.held() > 12).then_some(())).await;

    app.unverified_user("ada@quick.example").await;

    eventually("the other email", async || (server.taken_for("ada@quick.example") == 1).then_some(())).await;
    assert_eq!(server.taken().len(), 1);
    server.lets_go();
    eventually("all of them", async || (server.taken().len() == 121).then_some(())).await;
    jobs.stop().await;
}

#[actix_web::test]
async fn a_slow_domain_has_its_few_places_however_many_names_are_below_it() {
    let server = MailServer::open();
    let app = app_that_sends_to(&server).await;
    let name = |number: usize| format!("s{number}.slow.example");
    server.holds((0..60).map(name));
    post(&app, (0..60).map(|number| format!("a@{}", name(number))).collect()).await;
    let jobs = jobs::start(&app.inner);
    eventually("slow recipients", async || (server.held() >= 4).then_some(())).await;

    app.unverified_user("ada@quick.example").await;

    eventually("the other email", async || (server.taken_for("ada@quick.example") == 1).then_some(())).await;
    assert_eq!(server.held(), 4, "one domain has its few places, and no more");
    assert_eq!(server.taken().len(), 1, "it overtook them all");
    server.lets_go();
    eventually("all of them", async || (server.taken().len() == 61).then_some(())).await;
    jobs.stop().await;
}

#[actix_web::test]
async fn an_email_that_takes_longer_than_its_lease_is_sent_once() {
    let server = MailServer::open();
    server.holds(["slow.example".to_owned()]);
    let smtp = format!("smtp://{}", server.addr);
    let ground = Ground::with(&[("BCRYPT_COST", "4"), ("MAIL_LEASE", "1s"), ("SMTP_URL", &smtp)]);
    let vestibule = ground.serve().await;
    let person = json!({ "email": "ada@slow.example", "password": PASSWORD, "name": "Ada" });
    vestibule.curl().post_json("/signup", person).await.is(201);
    eventually("a slow recipient", async || (server.held() == 1).then_some(())).await;

    let inside = ground.look_inside();
    let mut leases = BTreeSet::new();
    eventually("a lease that was renewed for longer than it is", async || {
        leases.insert(
            inside
                .read(|conn| Ok(outbox::table.select(outbox::due_at).first::<Timestamp>(conn)?))
                .await
                .unwrap(),
        );
        (leases.len() > 6).then_some(())
    })
    .await;
    server.lets_go();
    eventually("the email", async || (server.taken().len() == 1).then_some(())).await;
    vestibule.stop();

    assert_eq!(server.taken_for("ada@slow.example"), 1);
    assert_eq!(server.connections(), 1, "nobody else tried");
}
