//! What ends when: each occasion at which access to an account ends, and each kind of access.

use serde_json::json;
use vestibule::{
    ids::UserId,
    internals::{AccessOccasion, Actor, end_access, lock_out, remove_second_factors, user_by_id},
};

use crate::{
    harness::{PASSWORD, TestApp, Visitor, authenticator::Authenticator, token_in},
    idp::{Acme, id_of},
    keys, magic_link, passkeys,
};

const ADA: &str = "ada@example.com";
const LATER: &str = "another fine passphrase";
const LAPTOP: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Occasion {
    NotMe,
    AddressUndone,
    ResetByMail,
    PasswordChanged,
    AddressChanged,
    ConfirmedInItsBrowser,
    ConfirmedWithPassword,
    EmailVerified,
    Locked,
    LockedAsCompromised,
    SignedOutElsewhere,
    SecondFactorAdded,
    SecondFactorRemoved,
    FactorsReset,
    DeletionScheduled,
    SsoRequired,
}

/// What is left: the session in which it was done, another one, a link that was mailed before, the browser of the other
/// session as a known one, the password. `None`: there is nothing to look at.
type Left = [Option<bool>; 5];

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);

const TABLE: [(Occasion, Left); 16] = [
    (Occasion::NotMe, [NO, NO, NO, NO, NO]),
    (Occasion::AddressUndone, [NO, NO, NO, NO, NO]),
    (Occasion::ResetByMail, [NO, NO, NO, NO, NO]),
    (Occasion::PasswordChanged, [YES, NO, NO, NO, NO]),
    (Occasion::AddressChanged, [YES, NO, NO, YES, YES]),
    (Occasion::ConfirmedInItsBrowser, [YES, NO, NO, None, YES]),
    (Occasion::ConfirmedWithPassword, [NO, NO, NO, None, YES]),
    (Occasion::EmailVerified, [NO, NO, NO, None, NO]),
    (Occasion::Locked, [NO, NO, NO, None, NO]),
    (Occasion::LockedAsCompromised, [NO, NO, NO, None, NO]),
    (Occasion::SignedOutElsewhere, [YES, NO, YES, YES, YES]),
    (Occasion::SecondFactorAdded, [YES, NO, YES, None, None]),
    (Occasion::SecondFactorRemoved, [YES, NO, YES, YES, YES]),
    (Occasion::FactorsReset, [NO, NO, YES, YES, YES]),
    (Occasion::DeletionScheduled, [YES, NO, NO, None, None]),
    (Occasion::SsoRequired, [NO, NO, NO, None, NO]),
];

/// What becomes of an API key of the account: it works, waits to be resumed, waits with the account, or is gone.
fn key_after(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::NotMe
        | Occasion::AddressUndone
        | Occasion::ResetByMail
        | Occasion::Locked
        | Occasion::LockedAsCompromised => "suspended",
        Occasion::EmailVerified => "ended",
        Occasion::DeletionScheduled => "waiting",
        _ => "working",
    }
}

/// Whether an application stays that came with `offline_access`, having signed in without a second factor.
fn keeps_offline_grant(occasion: Occasion) -> bool {
    matches!(occasion, Occasion::SecondFactorRemoved)
}

#[actix_web::test]
async fn what_ends_when() {
    for (occasion, expected) in TABLE {
        let case = Case::of(occasion).await;
        let secret = keys::planted(&case.app, ADA).await;
        planted_grants(&case.app, &case.laptop, &case.phone).await;
        let app = case.app.second_node().await;
        let (left, key) = case.left_after(expected, &secret).await;
        let offline = app.count("grants WHERE kind = 'offline'").await == 1;
        assert_eq!(offline, keeps_offline_grant(occasion), "{occasion:?}: the grant without a session");
        for (device, session) in [("laptop", left[0]), ("phone", left[1])] {
            let is_left =
                app.count(&format!("grants WHERE device = '{device}' AND session_id IS NOT NULL")).await == 1;
            assert!(!is_left || session == YES, "{occasion:?}: a grant outlived the session of the {device}");
        }
        assert_eq!(
            left, expected,
            "{occasion:?}: this session, the other, the link, the known browser, the password"
        );
        assert_eq!(key, key_after(occasion), "{occasion:?}: the API key");
    }
}

/// Puts grants of an application into the account: one through each session, and one without.
async fn planted_grants(app: &TestApp, laptop: &Visitor, phone: &Visitor) {
    let (user, now) = (id_of(laptop).await, "(SELECT max(created_at) FROM users)");
    app.db_execute(&format!(
        "INSERT INTO applications (id, kind, client_id, name, needs, settings, created_at) VALUES ('notes', 'web', 'notes-1', \
         'Notes', '{{}}', '{{}}', {now})"
    ))
    .await;
    let sessions = [("laptop", Some(laptop.session_id().await)), ("phone", Some(phone.session_id().await))];
    for (device, session) in sessions.into_iter().chain([("none", None)]) {
        let kind = if session.is_some() { "session" } else { "offline" };
        let session = session.map_or_else(|| "NULL".to_owned(), |id| format!("'{id}'"));
        app.db_execute(&format!(
            "INSERT INTO grants (id, application_id, user_id, session_id, kind, scopes, audience, acr, amr, auth_time, device, ip, \
             created_at, last_used_at, expires_at) VALUES ('{device}', (SELECT id FROM applications), '{user}', {session}, \
             '{kind}', 'openid', 'x', '1fa', 'pwd', {now}, '{device}', '', {now}, {now}, {now})"
        ))
        .await;
    }
}

struct Case {
    app: TestApp,
    occasion: Occasion,
    laptop: Visitor,
    phone: Visitor,
    // A link to sign in, mailed before.
    link: String,
    passkey: Option<Authenticator>,
}

impl Case {
    async fn of(occasion: Occasion) -> Self {
        use Occasion::{
            ConfirmedInItsBrowser, ConfirmedWithPassword, EmailVerified, FactorsReset, SecondFactorRemoved,
        };
        let app = TestApp::open().await;
        let laptop = app.curl().named(LAPTOP);
        let person = json!({ "email": ADA, "password": PASSWORD, "name": "Ada" });
        laptop.post_json("/signup", person).await.is(201);
        let is_unverified = matches!(occasion, ConfirmedInItsBrowser | ConfirmedWithPassword | EmailVerified);
        if !is_unverified {
            let token = app.token_for(ADA).await;
            laptop.post_json("/verify-email", json!({ "token": token })).await.is(200);
        }
        app.wait(chrono::TimeDelta::minutes(1));
        let phone = app.curl().named(PHONE);
        let mut passkey = None;
        if matches!(occasion, SecondFactorRemoved | FactorsReset) {
            let mut device = Authenticator::new(&app);
            laptop.steps_up().await;
            passkeys::adds(&laptop, &mut device).await.is(201);
            passkeys::signs_in(&phone, &mut device).await.is(200);
            passkey = Some(device);
        } else {
            phone.post_json("/login", json!({ "email": ADA, "password": PASSWORD })).await.is(200);
        }
        app.wait(chrono::TimeDelta::minutes(1));
        let link = magic_link::asked(&app, &app.curl(), ADA).await;
        Self { app, occasion, laptop, phone, link, passkey }
    }

    async fn happens(&mut self) {
        let (app, laptop) = (&self.app, &self.laptop);
        match self.occasion {
            Occasion::NotMe => {
                let token = self.email_with("/not-me?token=").await;
                laptop.post_json("/not-me", json!({ "token": token })).await.is(200);
            }
            Occasion::AddressUndone => {
                self.moves().await;
                let undo = self.email_with("/me/email/undo?token=").await;
                app.curl().post_json("/me/email/undo", json!({ "token": undo })).await.is(200);
            }
            Occasion::ResetByMail => {
                laptop.post_json("/forgot-password", json!({ "email": ADA })).await.is(200);
                let token = self.email_with("/reset-password?token=").await;
                let form = json!({ "token": token, "password": LATER });
                app.curl().post_json("/reset-password", form).await.is(200);
            }
            Occasion::PasswordChanged => {
                laptop.steps_up().await;
                laptop.put_json("/me/password", json!({ "newPassword": LATER })).await.is(200);
            }
            Occasion::AddressChanged => self.moves().await,
            Occasion::ConfirmedInItsBrowser => {
                let token = self.email_with("/verify-email?token=").await;
                laptop.post_json("/verify-email", json!({ "token": token })).await.is(200);
            }
            Occasion::ConfirmedWithPassword => {
                let token = self.email_with("/verify-email?token=").await;
                let form = [("token", token.as_str()), ("password", PASSWORD)];
                app.browser().post("/verify-email", &form).await.goes_to("/me");
            }
            Occasion::EmailVerified => {
                let link = magic_link::asked(app, &app.curl(), ADA).await;
                let verified =
                    app.curl().post_json("/login/magic-link/verify", json!({ "token": link })).await;
                verified.is(200);
            }
            Occasion::Locked | Occasion::LockedAsCompromised => {
                let is_compromised = self.occasion == Occasion::LockedAsCompromised;
                let id = user_id(laptop).await;
                let locked = app.inner.write(move |tx| {
                    let user = user_by_id(tx.conn, &id)?;
                    lock_out(tx, &Actor::operator(), &user, is_compromised)
                });
                assert!(locked.await.unwrap());
            }
            Occasion::SignedOutElsewhere => {
                laptop.post_json("/me/sessions/revoke-all", json!({})).await.is(200);
            }
            Occasion::SecondFactorAdded => {
                laptop.steps_up().await;
                let mut device = Authenticator::new(app);
                passkeys::adds(laptop, &mut device).await.is(201);
            }
            Occasion::SecondFactorRemoved => {
                let id =
                    laptop.get("/me/passkeys").await.json()["passkeys"][0]["id"].as_str().unwrap().to_owned();
                passkeys::confirms(laptop, self.passkey.as_mut().unwrap()).await;
                laptop.delete(&format!("/me/passkeys/{id}")).await.is(200);
            }
            Occasion::FactorsReset => {
                let id = user_id(laptop).await;
                let reset = app.inner.write(move |tx| remove_second_factors(tx, &Actor::operator(), &id));
                reset.await.unwrap();
            }
            Occasion::DeletionScheduled => {
                laptop.steps_up().await;
                laptop.post_json("/me/delete", json!({})).await.is(200);
            }
            Occasion::SsoRequired => {
                let acme = Acme::of(app).await;
                acme.enforces(app, None).await;
                let id = user_id(laptop).await;
                let ended = app.inner.write(move |tx| {
                    let required = AccessOccasion::SsoRequired(None);
                    end_access(tx, &Actor::operator(), &id, required)
                });
                ended.await.unwrap();
            }
        }
    }

    async fn left_after(mut self, expected: Left, secret: &str) -> (Left, &'static str) {
        self.happens().await;
        let key = keys::state(&self.app, secret).await;
        let (app, occasion) = (&self.app, self.occasion);
        // A deletion, too, leaves its own session where it can be stopped.
        let own = match occasion {
            Occasion::DeletionScheduled => self.laptop.get("/me/delete/status").await.status == 200,
            _ => self.laptop.get("/me").await.status == 200,
        };
        let other = self.phone.get("/me").await.status == 200;
        let link =
            app.curl().get(&format!("/login/magic-link/verify?token={}", self.link)).await.status == 200;
        let address = if occasion == Occasion::AddressChanged { "new@example.com" } else { ADA };
        let offered = json!({ "email": address, "password": PASSWORD });
        let has_password = self.app.curl().post_json("/login", offered).await.status == 200;
        let newest = if has_password { PASSWORD } else { LATER };
        app.send_emails().await;
        let before = app.emails_that_say(address, "New sign-in").await;
        let form = json!({ "email": address, "password": newest });
        let is_in = self.phone.post_json("/login", form).await.status == 200;
        let is_known = app.emails_that_say(address, "New sign-in").await == before;
        // Where there is nothing to look at, or nobody can get in to look.
        let known = expected[3].map(|_| is_in && is_known);
        let password = expected[4].map(|_| has_password);
        ([Some(own), Some(other), Some(link), known, password], key)
    }

    async fn moves(&self) {
        self.laptop.steps_up().await;
        self.laptop.put_json("/me/email", json!({ "email": "new@example.com" })).await.is(200);
        let token = self.app.token_for("new@example.com").await;
        self.laptop.post_json("/me/email/confirm", json!({ "token": token })).await.is(200);
    }

    async fn email_with(&self, words: &str) -> String {
        let emails = self.app.emails_to(ADA).await;
        let newest = emails.iter().rev().find(|email| email.text.contains(words)).unwrap();
        token_in(&newest.text).unwrap()
    }
}

async fn user_id(visitor: &Visitor) -> UserId {
    UserId::from_text(id_of(visitor).await)
}
