//! Identities at providers are connected and removed, and never the last way in; what they opened ends with them.

use std::collections::BTreeSet;

use diesel::prelude::*;
use futures_util::future::join_all;

use super::*;
use crate::{
    accounts::{
        authentication,
        containment::{self, Doubt},
        provider_identities::{end_sessions, forget_one_of, remove},
        provider_linking::link_waiting,
        put_back,
    },
    db::schema::sessions,
    ids::ProviderIdentityId,
    model::{issuer, session::CurrentSession},
};

#[actix_web::test]
async fn of_fifty_removals_the_last_way_in_stays() {
    let test = TestDatabase::open();
    let ada = test.account("ada@example.com", true).await;
    let owner = ada.id.clone();
    let made = test.app.write(move |tx| {
        for subject in ["1", "2", "3", "4", "5"] {
            assert_eq!(join(tx, &owner, subject)?, Connected::Now);
        }
        Ok(provider_identity::list(tx.conn, &owner)?.into_iter().map(|one| one.id).collect::<Vec<_>>())
    });
    let ids: Vec<ProviderIdentityId> = made.await.unwrap();

    let removals = (0..50).map(|n| {
        let (owner, id) = (ada.id.clone(), ids[n % ids.len()].clone());
        test.app.write(move |tx| remove(tx, &Actor::operator(), &owner, &id, None, "curl"))
    });
    let answers = join_all(removals).await;

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4, "{answers:?}");
    let refusals: BTreeSet<&str> =
        answers.iter().filter_map(|answer| answer.as_ref().err()).map(Error::code).collect();
    assert!(refusals.is_subset(&BTreeSet::from(["last_credential", "not_found"])), "{refusals:?}");
    assert_eq!(test.count().await, (1, 1));
    assert!(test.has_way_in(settings(&test.url, &[]), &ada.id).await);
    let without = settings(&test.url, &[("GITHUB_CLIENT_ID", ""), ("GITHUB_CLIENT_SECRET", "")]);
    assert!(
        !test.has_way_in(without, &ada.id).await,
        "a provider that is gone from the settings is no way in"
    );
}

#[actix_web::test]
async fn an_identity_is_connected_with_one_account_and_an_empty_one_gives_way() {
    let test = TestDatabase::open();
    let (ada, bea) =
        (test.account("ada@example.com", true).await, test.account("bea@example.com", true).await);
    let claimed = test.account("carl@example.com", false).await;
    let joins = |user: &User, subject: &'static str| {
        let user = user.id.clone();
        test.app.write(move |tx| join(tx, &user, subject))
    };

    assert_eq!(joins(&ada, "1").await.unwrap(), Connected::Now);
    assert_eq!(joins(&ada, "1").await.unwrap(), Connected::Already);
    assert_eq!(joins(&bea, "1").await.unwrap_err().code(), "identity_taken");
    assert_eq!(joins(&claimed, "2").await.unwrap_err().code(), "email_unverified");

    // No address was told, one was typed that is Ada's, and then she signs in to her account and connects.
    assert_eq!(test.comes(profile("3", Some("ada@example.com"), false)).await.0, "unverified");
    let before = test.count().await;
    assert_eq!(joins(&ada, "3").await.unwrap(), Connected::Now);
    assert_eq!(test.count().await, (before.0 - 1, before.1));
}

#[actix_web::test]
async fn who_has_an_account_connects_by_signing_in_the_old_way_once() {
    let test = TestDatabase::open();
    let (ada, bea) =
        (test.account("ada@example.com", true).await, test.account("bea@example.com", true).await);
    let came = test.app.write(|tx| {
        let provider = tx.config.provider("github").unwrap();
        resolve(tx, &client(), provider, &profile("1", Some("ada@example.com"), true))
    });
    let Resolution::Unlinked(owner, link) = came.await.unwrap() else { panic!("signed in by an address") };
    assert_eq!(owner.id, ada.id);
    let links = |user: &User| {
        let (user, link) = (user.id.clone(), link.clone());
        test.app.write(move |tx| link_waiting(tx, &Actor::operator(), &user, &link, "curl"))
    };
    assert_eq!(links(&bea).await.unwrap_err().code(), "dead_link");
    let waits = {
        let facts = ClientFacts { linking: Some(link.clone()), ..client() };
        let (user, now) = (ada.id.clone(), test.app.now());
        test.app.read(move |conn| Ok(authentication::is_about_to_link(conn, &facts, &user, now)))
    };
    assert!(!waits.await.unwrap(), "it is no reason to pass by single sign-on");

    assert_eq!(links(&ada).await.unwrap(), "GitHub");

    assert_eq!(links(&ada).await.unwrap_err().code(), "dead_link");
    let (_, whose) = test.comes(profile("1", None, false)).await;
    assert_eq!(whose, Some(ada.id.clone()));
    assert!(test.emails().await.contains("factor_changed"));
}

#[actix_web::test]
async fn a_sign_up_without_an_address_is_completed_once() {
    let test = TestDatabase::open();
    let asked = test.app.write(|tx| {
        let provider = tx.config.provider("github").unwrap();
        ask_for_address(tx, provider, &profile("1", None, false), Some("/me/keys"), true)
    });
    let secret = asked.await.unwrap();
    let completes = || {
        let secret = secret.clone();
        test.app.write(move |tx| {
            complete_sign_up(tx, &client(), &secret, EmailAddress::parse("ada@example.com").unwrap())
        })
    };

    let done = completes().await.unwrap();

    assert_eq!((done.next.as_deref(), done.remembered), (Some("/me/keys"), true));
    assert!(!done.account.0.is_verified());
    assert_eq!(done.account.0.name, "Ada Lovelace");
    assert_eq!(completes().await.unwrap_err().code(), "dead_link");
}

/// Signs in with the identity, and returns the session.
async fn signs_in(test: &TestDatabase, subject: &'static str, sid: Option<&'static str>) -> CurrentSession {
    let signed_in = test.app.write(move |tx| {
        let found = provider_identity::find(tx.conn, "https://github.com", subject)?.unwrap();
        let user = user::by_id(tx.conn, &found.user_id)?;
        authentication::complete_provider(tx, &client(), &user, &found, sid, false)?;
        let own = sessions::table.filter(sessions::connection_id.eq(found.id.as_str()));
        Ok(own.order(sessions::sid_hash).select(CurrentSession::as_select()).first(tx.conn)?)
    });
    signed_in.await.unwrap()
}

async fn live(test: &TestDatabase) -> i64 {
    test.app.read(|conn| Ok(sessions::table.count().get_result(conn)?)).await.unwrap()
}

#[actix_web::test]
async fn what_opened_with_an_identity_ends_with_it_and_with_the_providers_own_session() {
    let test = TestDatabase::open();
    let ada = test.account("ada@example.com", true).await;
    let owner = ada.id.clone();
    test.app.write(move |tx| join(tx, &owner, "1").and_then(|_| join(tx, &owner, "2"))).await.unwrap();
    signs_in(&test, "1", Some("there")).await;
    signs_in(&test, "1", Some("elsewhere")).await;
    signs_in(&test, "2", None).await;
    assert_eq!(live(&test).await, 3);
    let ends = |subject: Option<&'static str>, sid: Option<&'static str>| {
        test.app.write(move |tx| {
            let provider = tx.config.provider("github").unwrap();
            end_sessions(tx, &Actor::job(), provider, ("https://github.com", subject), sid)
        })
    };

    assert_eq!(ends(None, Some("there")).await.unwrap(), 1);
    assert_eq!(ends(Some("2"), Some("nowhere")).await.unwrap(), 0);
    assert_eq!(ends(Some("2"), None).await.unwrap(), 1);
    assert_eq!(live(&test).await, 1);
    let owner = ada.id.clone();
    let removed = test.app.write(move |tx| {
        let first = provider_identity::find(tx.conn, "https://github.com", "1")?.unwrap();
        remove(tx, &Actor::operator(), &owner, &first.id, None, "curl")
    });
    removed.await.unwrap();
    assert_eq!(live(&test).await, 0);
    let waiting =
        async || test.app.read(|conn| Ok(outbox::table.count().get_result::<i64>(conn)?)).await.unwrap();
    let before = waiting().await;
    let forgot = || test.app.write(|tx| forget_one_of(tx, &Actor::operator(), "github"));
    assert!(forgot().await.unwrap(), "an operator takes the last one too");
    assert!(!forgot().await.unwrap());
    assert_eq!(waiting().await, before + 1, "its owner is told");
}

#[actix_web::test]
async fn a_disowned_identity_is_removed_and_can_be_put_back() {
    let test = TestDatabase::open();
    let ada = test.account("ada@example.com", true).await;
    let owner = ada.id.clone();
    test.app.write(move |tx| join(tx, &owner, "1")).await.unwrap();
    let owner = ada.id.clone();
    let contained = test.app.write(move |tx| {
        let doubt = Doubt::since(tx.conn, &owner, tx.now, None, None, tx.now)?;
        containment::contain(tx, &Actor::operator(), &owner, &doubt).map(drop)
    });
    contained.await.unwrap();
    assert_eq!(test.count().await, (1, 0));
    // A session to put it back from.
    let owner = ada.id.clone();
    test.app.write(move |tx| join(tx, &owner, "2")).await.unwrap();
    let here = signs_in(&test, "2", None).await;

    let back = test.app.write(move |tx| {
        let offered = put_back::list(tx.conn, &tx.config.keys, &ada.id, tx.now)?;
        assert_eq!((offered.len(), offered[0].kind, offered[0].name.as_str()), (1, "identity", "GitHub"));
        put_back::put_back(tx, &Actor::operator(), &ada, &here, &offered[0].id, "curl").map(|back| back.kind)
    });

    assert_eq!(back.await.unwrap(), "identity");
    let found = test.app.read(|conn| provider_identity::find(conn, "https://github.com", "1")).await.unwrap();
    assert_eq!(found.unwrap().known_as.as_deref(), Some("ada"));
}

#[actix_web::test]
async fn one_node_at_a_time_asks_an_issuer() {
    const ISSUER: &str = "https://login.example.com";
    let test = TestDatabase::open();
    let turns = || test.app.write(|tx| issuer::take_turn(tx, ISSUER));
    let won = |all: Vec<Result<bool>>| all.into_iter().filter(|one| matches!(one, Ok(true))).count();

    assert_eq!(won(join_all((0..50).map(|_| turns())).await), 1);
    test.clock.advance(issuer::RETRY_AFTER);
    assert_eq!(won(join_all((0..50).map(|_| turns())).await), 1, "its owner may have died");
    test.app.write(|tx| issuer::keep(tx, ISSUER, "{}", "{}")).await.unwrap();
    let keys = || test.app.write(|tx| issuer::take_keys_turn(tx, ISSUER));
    assert_eq!(won(join_all((0..50).map(|_| keys())).await), 0, "they were read just now");
    test.clock.advance(issuer::KEYS_AGAIN_AFTER);
    assert_eq!(won(join_all((0..50).map(|_| keys())).await), 1);
    let now = test.app.now();
    let known = test.app.read(|conn| issuer::find(conn, ISSUER)).await.unwrap().unwrap();
    assert!(!known.is_due(now) && known.is_due(now + issuer::READ_EVERY));
}
