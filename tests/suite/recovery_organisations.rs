//! Getting an organisation back that somebody took who had an owner's password for a while, also through others.

use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::{Value, json};
use vestibule::{
    ids::Id,
    internals::{Actor, add_domain, verify_domain},
    kinds::Role,
};

use crate::{
    connections::{acme, again, connected, joins, tested},
    harness::{Owner, PASSWORD, TestApp, rounds, token_in},
    idp::{Acme, ada},
    invitations::{BEN, accepts, invites, link_of},
    keys,
    recovery::{ADA, LATER, X, intruder, not_me, ways_back},
    saml::forger::{IDP, Idp},
};

const BEA: &str = "bea@example.com";
const EVE: &str = "eve@example.net";
const POLICY: &str = "/organisations/acme/policy";
const SSO: &str = "/organisations/acme/sso";

/// Acme's owners are Ada and Bea, who have a password only; Ben edits. Eve is somebody else, with a second factor.
struct Firm {
    app: TestApp,
    eve: Owner,
    bea: String,
    ben: String,
}

impl Firm {
    async fn open() -> Self {
        let app = TestApp::open().await;
        acme(&app).await;
        let bea = app.verified(BEA).await;
        let bea = joins(&app, &bea, Role::Owner).await;
        let ben = app.verified(BEN).await;
        let ben = joins(&app, &ben, Role::Editor).await;
        let eve = app.with_app(EVE).await;
        app.wait(TimeDelta::minutes(2));
        Self { app, eve, bea, ben }
    }

    /// Somebody with Ada's password invites Eve as an owner, who accepts.
    async fn is_taken(&self) {
        let thief = intruder(&self.app, X).await;
        thief.steps_up().await;
        invites(&thief, EVE, "owner").await;
        self.app.wait(TimeDelta::seconds(10));
        accepts(&self.eve.curl, &link_of(&self.app, EVE).await).await.is(200);
        self.eve_steps_up().await;
    }

    async fn eve_steps_up(&self) {
        self.app.wait(TimeDelta::minutes(1));
        let code = self.app.code(&self.eve.secret);
        self.eve.curl.post_json("/auth/confirm", json!({ "code": code })).await.is(200);
    }

    async fn removes_everybody(&self) {
        let ada = self.app.user_id(ADA).await;
        for member in [ada.as_str(), &self.bea, &self.ben] {
            self.eve.curl.delete(&format!("/organisations/acme/members/{member}")).await.is(200);
            self.eve_steps_up().await;
        }
    }

    async fn presses(&self) -> Value {
        let alert = ways_back(&self.app, ADA, true).await.pop().unwrap();
        let page = self.app.curl().get(&format!("/not-me?token={alert}")).await.is(200).json();
        not_me(&self.app, &alert).await;
        page
    }

    async fn roles(&self) -> Vec<String> {
        let query = "SELECT u.email || ' ' || m.role AS text FROM memberships m JOIN users u ON u.id = m.user_id ORDER BY u.email";
        self.app.texts(query).await
    }

    async fn was_told(&self, address: &str, words: &str) {
        assert_eq!(self.app.emails_that_say(address, words).await, 1, "{address}: {words}");
    }
}

const AS_BEFORE: [&str; 3] = ["ada@example.com owner", "bea@example.com owner", "ben@example.com editor"];

/// Whoever was made an owner by a disowned session counts as that session: what they took goes back.
#[actix_web::test]
async fn an_organisation_that_was_taken_through_somebody_else_goes_back() {
    for is_deleted in [false, true] {
        let firm = Firm::open().await;
        firm.is_taken().await;
        firm.removes_everybody().await;
        if is_deleted {
            firm.eve.curl.post_json("/organisations/acme/delete", json!({ "name": "Acme" })).await.is(200);
        }
        assert_eq!(firm.roles().await, ["eve@example.net owner"]);

        let page = firm.presses().await;

        assert_eq!(page["undone"]["organisations"], json!(["Acme"]));
        assert_eq!(firm.roles().await, AS_BEFORE);
        assert_eq!(firm.app.count("organisations WHERE deletes_at IS NOT NULL").await, 0);
        firm.eve.curl.get("/organisations/acme").await.is(404);
        for owner in [ADA, BEA] {
            firm.was_told(owner, "eve@example.net is no longer a member.").await;
            firm.was_told(owner, "bea@example.com is Owner again.").await;
            // Who was let in, and how.
            firm.was_told(owner, "member invited, eve@example.net as owner").await;
            firm.was_told(owner, "member added, eve@example.net as owner").await;
        }
        assert_eq!(firm.app.emails_that_say(EVE, "Someone else made changes").await, 0);
        assert_eq!(
            firm.app.emails_that_say(EVE, "told us that someone else").await,
            0,
            "no report goes to the thief"
        );
        firm.was_told(BEN, "You're an editor now.").await;
    }
}

/// What a key did that a disowned session made is that session's.
#[actix_web::test]
async fn what_was_done_with_a_key_that_a_disowned_session_made_is_undone() {
    let firm = Firm::open().await;
    let ada = firm.app.curl();
    let credentials = json!({ "email": ADA, "password": PASSWORD });
    ada.post_json("/login", credentials).await.is(200);
    ada.steps_up().await;
    let (backup, _) =
        keys::makes(&ada, keys::KEYS, json!({ "name": "Backup", "permissions": ["account:read"] })).await;
    firm.app.wait(TimeDelta::minutes(2));
    let thief = intruder(&firm.app, X).await;
    thief.steps_up().await;
    let all =
        json!({ "name": "Mine", "permissions": ["members:invite", "members:read", "organisation:read"] });
    let (_, mine) = keys::makes(&thief, keys::KEYS, all).await;
    let rolled = thief.post_json(&format!("/me/keys/{backup}/roll"), json!({})).await.is(200).json();
    let with = |key: &str| firm.app.curl().with("authorization", &format!("Bearer {key}"));
    invites(&with(&mine), EVE, "editor").await;
    firm.app.wait(TimeDelta::seconds(10));
    accepts(&firm.eve.curl, &link_of(&firm.app, EVE).await).await.is(200);

    firm.presses().await;

    assert_eq!(firm.roles().await, AS_BEFORE);
    for key in [mine.as_str(), rolled["secret"].as_str().unwrap()] {
        with(key).get("/organisations").await.refuses(401, "invalid_token");
    }
}

/// What an owner has decided since stands, and so does what the account's own session did before.
#[actix_web::test]
async fn what_another_owner_has_decided_since_stands() {
    let firm = Firm::open().await;
    let thief = intruder(&firm.app, X).await;
    thief.steps_up().await;
    let ben = format!("/organisations/acme/members/{}", firm.ben);
    thief.put_json(&ben, json!({ "role": "owner" })).await.is(200);
    firm.app.wait(TimeDelta::minutes(1));
    again(&firm.app, BEA).await.put_json(&ben, json!({ "role": "viewer" })).await.is(200);

    firm.presses().await;

    assert_eq!(firm.roles().await[2], "ben@example.com viewer");
    assert_eq!(firm.app.emails_that_say(BEA, "organisation made").await, 0);
    firm.was_told(BEA, "role changed, ben@example.com as owner").await;
}

async fn domain(app: &TestApp) -> String {
    let organisation = app.texts("SELECT id AS text FROM organisations").await.remove(0);
    let verified = app.inner.write(move |tx| {
        let actor = Actor::operator();
        let domain = add_domain(tx, &actor, &Id::from_text(organisation), None, "example.com")?;
        verify_domain(tx, &actor, &domain, "operator")
    });
    verified.await.unwrap();
    app.texts("SELECT id AS text FROM domains").await.remove(0)
}

/// A connection of somebody who counts as a disowned session, which the whole domain is led to and has to use.
#[actix_web::test]
async fn single_sign_on_of_whoever_was_made_an_owner_goes_out_of_use() {
    let firm = Firm::open().await;
    let (app, eve) = (&firm.app, &firm.eve.curl);
    let domain = domain(app).await;
    firm.is_taken().await;
    let evil = Idp::rsa();
    let path = connected(eve, &[&evil]).await;
    let id = path.rsplit('/').next().unwrap();
    eve.post_json(&format!("{SSO}/domains/{domain}/connection"), json!({ "connection": id })).await.is(200);
    tested(app, eve, &path, &evil, |draft| draft).await;
    firm.eve_steps_up().await;
    let spare = json!({ "breakGlass": app.user_id(EVE).await });
    eve.post_json(&format!("{SSO}/domains/{domain}/enforce"), spare).await.is(200);
    let theirs = Acme::made(evil, IDP, id, eve.clone(), app).await;
    let browser = app.browser();
    theirs.signs_in(app, &browser, &ada().at(BEA).called("bea")).await.goes_to("/me");

    let page = firm.presses().await;

    assert_eq!(page["undone"]["connections"], json!(["Okta"]));
    assert_eq!(app.count("connections WHERE NOT is_paused").await, 0);
    assert_eq!(app.count("domains WHERE is_enforced OR break_glass_id IS NOT NULL").await, 0);
    assert_eq!(firm.roles().await, AS_BEFORE);
    browser.get("/me").await.goes_to("/login?next=%2Fme");
    // The way back leads to a password of one's own.
    assert!(app.emails_that_say(ADA, "/reset-password?token=").await > 0);
    firm.was_told(BEA, "Okta is turned off.").await;
}

/// A link about what was done in a known browser of an account with a second factor turns nobody's sign-in off.
#[actix_web::test]
async fn a_mailbox_alone_turns_no_single_sign_on_off() {
    for is_owner in [true, false] {
        let firm = Firm::open().await;
        let (app, eve) = (&firm.app, &firm.eve);
        let id = joins(app, &eve.curl, Role::Owner).await;
        firm.eve_steps_up().await;
        let path = connected(&eve.curl, &[&Idp::rsa()]).await;
        app.wait(TimeDelta::minutes(2));
        let emails = app.emails_to(EVE).await;
        let told =
            emails.iter().rev().find(|email| email.subject.starts_with("Single sign-on of Acme")).unwrap();
        let told = token_in(told.text.split_once("/not-me?").unwrap().1).unwrap();
        let owner = again(app, ADA).await;
        if !is_owner {
            owner.delete(&format!("/organisations/acme/members/{id}")).await.is(200);
            app.wait(TimeDelta::minutes(2));
        }
        let role = json!({ "role": "viewer" });
        owner.put_json(&format!("/organisations/acme/members/{}", firm.ben), role).await.is(200);

        let page = app.curl().get(&format!("/not-me?token={told}")).await.is(200).json();
        not_me(app, &told).await;

        assert_eq!(page["undone"]["connections"], json!([]), "{path}");
        assert_eq!(app.count("connections WHERE is_paused").await, 0);
        for reader in [ADA, BEA, EVE] {
            let count = app.emails_that_say(reader, "told us that someone").await;
            assert_eq!(count, usize::from(is_owner), "{reader}, {is_owner}");
        }
    }
}

/// Invitations end with whoever sent them: with every occasion at which their other links end, and with a lock.
#[actix_web::test]
async fn an_invitation_ends_with_its_sender_s_other_links() {
    for occasion in ["reset", "password", "lock", "compromised", "not me", "nothing"] {
        let app = TestApp::today().await;
        let owner = acme(&app).await;
        let ben = app.verified(BEN).await;
        app.wait(TimeDelta::minutes(2));
        invites(&owner, BEN, "owner").await;
        let invitation = link_of(&app, BEN).await;
        app.wait(TimeDelta::seconds(2));
        match occasion {
            "reset" => crate::recovery::resets(&app).await,
            "password" => {
                owner.put_json("/me/password", json!({ "newPassword": LATER })).await.is(200);
            }
            "lock" => assert_eq!(app.command(&["user", "lock", ADA]).code, Some(0)),
            "compromised" => assert_eq!(app.command(&["user", "lock", ADA, "--compromised"]).code, Some(0)),
            "not me" => {
                let _ = app.waiting_app(&owner).await;
                owner.put_json("/me/email", json!({ "email": "ada@example.org" })).await.is(200);
                let emails = app.emails_to(ADA).await;
                let undo = emails.iter().rev().find(|email| email.text.contains("/me/email/undo")).unwrap();
                let undo = token_in(&undo.text).unwrap();
                let stopped = app.browser().post("/me/email/undo", &[("token", &undo)]).await;
                let way = stopped.location().unwrap().split_once("token=").unwrap().1.to_owned();
                not_me(&app, &way).await;
            }
            _ => {}
        }

        let answer = accepts(&ben, &invitation).await;

        match occasion {
            "nothing" => drop(answer.is(200)),
            _ => drop(answer.refuses(422, "dead_invitation")),
        }
        assert_eq!(app.count("memberships").await, i64::from(occasion == "nothing") + 1, "{occasion}");
    }
}

/// Whoever joins otherwise, or is taken out, comes back by no invitation that was sent before, at whatever address of theirs.
#[actix_web::test]
async fn joining_and_being_removed_end_the_invitations_to_ones_own_addresses() {
    const SECOND: &str = "ben@example.org";
    for address in [BEN, SECOND] {
        let app = TestApp::open().await;
        let owner = acme(&app).await;
        let ben = app.verified(BEN).await;
        if address == BEN {
            invites(&owner, BEN, "owner").await;
        }
        let id = joins(&app, &ben, Role::Viewer).await;
        if address == SECOND {
            invites(&owner, SECOND, "editor").await;
        }
        let invitation = link_of(&app, address).await;
        if address == SECOND {
            ben.steps_up().await;
            ben.put_json("/me/email", json!({ "email": SECOND })).await.is(200);
            let token = app.token_for(SECOND).await;
            ben.post_json("/me/email/confirm", json!({ "token": token })).await.is(200);
        }
        owner.delete(&format!("/organisations/acme/members/{id}")).await.is(200);

        accepts(&ben, &invitation).await.refuses(422, "dead_invitation");

        assert_eq!(ben.get("/organisations").await.json()["invitations"], json!([]));
        assert_eq!(app.count("memberships").await, 1);
        // An owner who wants them back invites them anew.
        invites(&owner, address, "viewer").await;
        accepts(&ben, &link_of(&app, address).await).await.is(200);
    }
}

/// Pressed while invitations are accepted, "this wasn't me" contains all the same, and nobody stays who came in by one.
#[actix_web::test]
async fn a_press_beside_an_answer_contains() {
    for _ in 0..rounds() {
        let firm = Firm::open().await;
        let thief = intruder(&firm.app, X).await;
        thief.steps_up().await;
        invites(&thief, EVE, "owner").await;
        let (invitation, alert) =
            (link_of(&firm.app, EVE).await, ways_back(&firm.app, ADA, true).await.pop().unwrap());
        let presses = firm.app.curl();
        let press = presses.post_json("/not-me", json!({ "token": alert }));

        let (pressed, answered) = join(press, accepts(&firm.eve.curl, &invitation)).await;

        pressed.is(200);
        drop(answered);
        assert_eq!(firm.roles().await, AS_BEFORE);
        assert_eq!(firm.app.count("invitations WHERE state = 'open'").await, 0);
    }
}

/// A mere claim to an address is allowed nothing, whatever an operator gave it.
#[actix_web::test]
async fn a_claim_to_an_address_is_no_member() {
    let app = TestApp::open().await;
    acme(&app).await;
    let claim = app.unverified_user("newhire@example.com").await;
    joins(&app, &claim, Role::Editor).await;

    let check = json!({ "organisation": "acme", "permission": "organisation:read" });
    let told = claim.post_json("/auth/check", check).await.is(200).json();

    assert_eq!((&told["allowed"], &told["why"]), (&json!(false), &json!("email_unverified")));
    let told = claim.post_json("/auth/check", json!({ "permission": "organisation:read" })).await.json();
    assert_eq!(told["why"], "email_unverified");
}

/// An identity whose organisation has nothing to do with the account any more is linked no more: neither put back, nor as it
/// waited.
#[actix_web::test]
async fn a_removal_ends_what_was_linked_or_waits_to_be() {
    for waits in [true, false] {
        let app = TestApp::open().await;
        let acme = Acme::unproved(&app, "Acme", "boss@acme.example").await;
        let ada_there = app.verified(ADA).await;
        let member = joins(&app, &ada_there, Role::Viewer).await;
        let browser = app.browser();
        browser.post("/login", &[("email", ADA), ("password", PASSWORD)]).await;
        acme.signs_in(&app, &browser, &ada()).await.goes_to("/auth/link");
        browser.post("/auth/confirm", &[("password", PASSWORD)]).await;
        if !waits {
            browser.post("/auth/saml/link", &[]).await.goes_to("/me");
            app.wait(TimeDelta::minutes(2));
            let told = ways_back(&app, ADA, false).await.pop().unwrap();
            not_me(&app, &told).await;
            assert_eq!(app.count("identities").await, 0);
        }
        let owner = &acme.owner;
        owner.post_json("/auth/confirm", json!({ "password": PASSWORD })).await;
        owner.delete(&format!("/organisations/acme/members/{member}")).await.is(200);

        if waits {
            browser.post("/auth/saml/link", &[]).await.is(422);
        } else {
            assert_eq!(
                app.count("security_changes WHERE kind = 'credential_removed' AND sealed IS NOT NULL").await,
                0
            );
        }

        assert_eq!(app.count("identities").await, 0);
        assert_eq!(app.count("memberships").await, 1);
    }
}

/// An operator releases a domain and pauses a connection, once; and says so where there is nothing to do.
#[actix_web::test]
async fn an_operator_releases_a_domain_and_pauses_a_connection() {
    let app = TestApp::today().await;
    let acme = Acme::of(&app).await;
    let browser = app.browser();
    acme.signs_in(&app, &browser, &ada()).await.goes_to("/me");
    acme.enforces(&app, None).await;
    let connection = app.texts("SELECT id AS text FROM connections").await.remove(0);
    for (command, done, again) in [
        (
            &["sso", "domain", "release", "example.com"][..],
            "not required for example.com",
            "That was so before",
        ),
        (&["sso", "pause", &connection], "is paused", "That was so before"),
    ] {
        let first = app.command(command);
        assert_eq!((first.code, first.out.contains(done)), (Some(0), true), "{first:?}");
        let second = app.command(command);
        assert!(second.code != Some(0) && second.err.contains(again), "{second:?}");
    }
    assert_eq!(app.count("domains WHERE is_enforced").await, 0);
    assert_eq!(app.count("connections WHERE NOT is_paused").await, 0);
    browser.get("/me").await.goes_to("/login?next=%2Fme");
    assert!(
        app.command(&["sso", "domain", "release", "example.org"])
            .err
            .contains("No organisation has example.org")
    );
    assert!(app.command(&["sso", "pause", "nothing"]).err.contains("no such connection"));
}

/// What a disowned session asked of everybody is asked no more, unless somebody else has decided since.
#[actix_web::test]
async fn a_policy_goes_back_to_what_it_was() {
    for is_decided in [false, true] {
        let firm = Firm::open().await;
        let thief = intruder(&firm.app, X).await;
        thief.steps_up().await;
        for minutes in [60, 70] {
            thief.put_json(POLICY, json!({ "sessionLife": minutes })).await.is(200);
        }
        if is_decided {
            let bea = firm.app.curl();
            let form = json!({ "email": BEA, "password": PASSWORD });
            bea.post_json("/login", form).await.is(200);
            bea.steps_up().await;
            bea.put_json(POLICY, json!({ "sessionLife": 90 })).await.is(200);
        }

        let page = firm.presses().await;

        assert_eq!(page["undone"]["organisations"], if is_decided { json!([]) } else { json!(["Acme"]) });
        let kept = firm.app.count("organisations WHERE policy LIKE '%90%'").await;
        let asked = firm.app.count("organisations WHERE policy LIKE '%\"sessionLife\":%'").await;
        let nothing = firm.app.count("organisations WHERE policy LIKE '%\"sessionLife\":null%'").await;
        assert_eq!((kept, asked - nothing), if is_decided { (1, 1) } else { (0, 0) });
        let told = firm.app.emails_that_say(BEA, "The policy is what it was before.").await;
        assert_eq!(told, if is_decided { 0 } else { 1 });
    }
}
