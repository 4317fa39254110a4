//! The plug is pulled while people sign up: whoever was told 201 has an account, and their email arrives.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

use actix_web::http::Method;
use diesel::prelude::*;
use futures_util::future::{join, join_all};
use serde_json::json;
use vestibule::{
    db::{
        Conn,
        schema::{outbox, users},
    },
    error::Result,
    mail::Catcher,
};

use crate::harness::{Ground, PASSWORD, Visitor, any_number, eventually};

const KILLS: usize = 6;
const CLIENTS: usize = 12;

#[actix_web::test]
async fn a_kill_at_any_moment_loses_no_account_and_no_email_and_doubles_only_what_was_under_way() {
    let mut dice = Dice::thrown();
    // After a kill nobody needs to wait long for the emails that it held.
    let ground = Ground::with(&[("BCRYPT_COST", "4"), ("MAIL_LEASE", "1s")]);
    let crowd = Crowd::default();
    // Message-ID → how many kills found it taken and not noted as sent.
    let mut under_way: BTreeMap<String, usize> = BTreeMap::new();

    for round in 0..KILLS {
        let vestibule = ground.serve().await;
        let curls: Vec<_> = (0..CLIENTS).map(|_| vestibule.curl()).collect();
        let run = join_all(curls.iter().map(|curl| crowd.sign_up_until_it_breaks(curl)));
        let moment = async {
            crowd.grows_by(1 + dice.up_to(6) as usize).await;
            match round % 2 {
                // Any moment between two answers: which one is the point of this test.
                0 => tokio::time::sleep(Duration::from_micros(dice.up_to(20_000))).await,
                // While the emails beside this one are between being sent and being noted as sent.
                _ => the_next_email(&ground.catcher).await,
            }
            vestibule.kill();
        };
        join(run, moment).await;
        for id in taken_emails(&ground).await {
            *under_way.entry(id).or_default() += 1;
        }
    }

    let vestibule = ground.serve().await;
    let welcomed = crowd.welcomed.take();
    assert!(welcomed.len() >= KILLS, "the house was never open");
    let curl = vestibule.curl();
    for address in &welcomed {
        curl.post_json("/login", json!({ "email": address, "password": PASSWORD })).await.is(200);
    }
    let database = ground.look_inside();
    eventually("an empty outbox", async || {
        let waiting = database.read(waiting_emails).await.unwrap();
        (waiting == 0).then_some(())
    })
    .await;
    vestibule.stop();

    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    let mut recipients: BTreeMap<String, String> = BTreeMap::new();
    let emails = ground.catcher.emails();
    assert_eq!(emails.len() as u64, ground.catcher.received(), "the catcher kept them all");
    for email in emails {
        let id = email.message_id.split('@').next().unwrap().to_owned();
        *copies.entry(id.clone()).or_default() += 1;
        assert!(
            recipients.insert(email.to.clone(), id.clone()).is_none_or(|other| other == id),
            "{}",
            email.to
        );
    }
    for address in &welcomed {
        assert!(recipients.contains_key(address), "{address} has an account and no letter");
    }
    for (id, count) in &copies {
        let allowed = 1 + under_way.get(id).unwrap_or(&0);
        assert!(*count <= allowed, "{id} arrived {count} times");
    }
    // Also whoever got no answer: an account and an email, or neither.
    let accounts: Vec<String> =
        database.read(|conn| Ok(users::table.select(users::email).load(conn)?)).await.unwrap();
    assert_eq!(sorted(accounts), recipients.into_keys().collect::<Vec<_>>());
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// How many emails wait to be sent.
fn waiting_emails(conn: &mut Conn) -> Result<i64> {
    let waiting = outbox::table.filter(outbox::sent_at.is_null()).filter(outbox::parked_at.is_null());
    Ok(waiting.count().get_result(conn)?)
}

/// The emails that the killed process had taken, and did not live to note as sent.
async fn taken_emails(ground: &Ground) -> Vec<String> {
    use vestibule::db::schema::outbox::dsl::{created_at, due_at, id, outbox, sent_at};
    let taken = |conn: &mut Conn| {
        Ok(outbox.filter(sent_at.is_null()).filter(due_at.gt(created_at)).select(id).load::<String>(conn)?)
    };
    ground.look_inside().read(taken).await.unwrap()
}

/// People who sign up, one after the other, from several machines.
#[derive(Default)]
struct Crowd {
    next: Cell<usize>,
    /// Who was told 201.
    welcomed: RefCell<Vec<String>>,
}

impl Crowd {
    async fn sign_up_until_it_breaks(&self, curl: &Visitor) {
        loop {
            let number = self.next.replace(self.next.get() + 1);
            let address = format!("person{number}@example.com");
            let fields = json!({ "email": address, "password": PASSWORD, "name": "Ada" }).to_string();
            match curl.attempt(Method::POST, "/signup", Some(("application/json", fields))).await {
                Ok(answer) => {
                    answer.is(201);
                    self.welcomed.borrow_mut().push(address);
                }
                Err(_) => return,
            }
        }
    }

    async fn grows_by(&self, more: usize) {
        let enough = self.welcomed.borrow().len() + more;
        eventually("a few accounts", async || (self.welcomed.borrow().len() >= enough).then_some(())).await;
    }
}

/// Looks again and again, without a pause, until one more email is there.
async fn the_next_email(catcher: &Catcher) {
    let before = catcher.received();
    while catcher.received() == before {
        tokio::task::yield_now().await;
    }
}

/// Numbers that a printed seed brings back (SplitMix64).
struct Dice(u64);

impl Dice {
    fn thrown() -> Self {
        let seed = any_number();
        println!("seed {seed}");
        Self(seed)
    }

    fn up_to(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % (most + 1)
    }
}
