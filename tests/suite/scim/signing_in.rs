//! The directory and single sign-on: one person, one account, whichever comes first.

use futures_util::future::join_all;
use serde_json::json;

use super::{Corp, people::person, user};
use crate::idp::{is_nobody, me};

#[actix_web::test]
async fn whichever_comes_first_there_is_one_account_case_14() {
    let corp = Corp::open().await;
    // Single sign-on first: the entry is that account's, by its address or by the name that it has there.
    for (subject, address) in [("00u1", "ada@example.com"), ("00u2", "bob@example.com")] {
        let browser = corp.app.browser();
        corp.acme.signs_in(&corp.app, &browser, &person(subject, address)).await.goes_to("/me");
    }
    corp.scim.adds("ada@example.com").await;
    let by_name = json!({ "userName": "bobby", "externalId": "00u2" });
    corp.scim.post("/Users", by_name).await.is(201);
    assert_eq!(corp.accounts().await, 2);

    // The directory first: by another name there (Okta), by another id (Entra).
    let mut carl = user("carl@example.com");
    carl["externalId"] = json!("mail-nickname");
    corp.scim.post("/Users", carl).await.is(201);
    let mut dora = user("dora@example.com");
    dora["externalId"] = json!("00u4");
    corp.scim.post("/Users", dora).await.is(201);
    for (subject, address) in [("object-id", "carl@example.com"), ("00u4", "dora.other@example.com")] {
        let browser = corp.app.browser();
        corp.acme.signs_in(&corp.app, &browser, &person(subject, address)).await.goes_to("/me");
    }
    assert_eq!(corp.accounts().await, 4);
    assert_eq!(corp.app.count("directory_people WHERE user_id IS NOT NULL").await, 4);
}

#[actix_web::test]
async fn both_at_once_are_one_account_case_14() {
    let corp = Corp::open().await;
    let mut pairs = Vec::new();
    for n in 0..50 {
        let (address, browser) = (format!("p{n}@example.com"), corp.app.browser());
        let request = corp.acme.leave_for(&browser).await;
        let response = corp.acme.says(&corp.app, &request, &person(&format!("s{n}"), &address));
        pairs.push((address, browser, response, request));
    }
    let all = pairs.iter().map(async |(address, browser, response, request)| {
        let comes = crate::idp::comes_back(&corp.app, browser, response, &request.relay_state);
        let (came, listed) = futures_util::join!(comes, corp.scim.post("/Users", user(address)));
        came.goes_to("/me");
        listed.is(201);
    });
    join_all(all).await;

    assert_eq!(corp.accounts().await, 50);
    assert_eq!(corp.app.count("directory_people WHERE user_id IS NOT NULL").await, 50);
    assert_eq!(corp.app.count("identities").await, 50);
}

#[actix_web::test]
async fn what_the_directory_says_goes_before_what_the_sign_in_says() {
    let corp = Corp::open().await;
    let id = corp.scim.adds("ada@example.com").await;
    let makers = corp.scim.groups("Makers", &[&id]).await;
    corp.acme.owner.steps_up().await;
    let path = format!("/organisations/acme/directory/groups/{makers}");
    corp.acme.owner.put_json(&path, json!({ "role": "editor" })).await.is(200);

    let browser = corp.app.browser();
    let comes = person("00u1", "ada@example.com").named("Somebody Else").in_groups(&["owners"]);
    corp.acme.signs_in(&corp.app, &browser, &comes).await.goes_to("/me");
    assert_eq!(me(&browser).await["name"], "Ada Lovelace");
    assert_eq!(corp.role("ada@example.com").await.as_deref(), Some("editor"));
}

#[actix_web::test]
async fn only_people_in_the_directory_come_in_where_owners_want_that() {
    let corp = Corp::open().await;
    corp.scim.adds("ada@example.com").await;
    corp.acme.owner.post_json("/organisations/acme/directory", json!({ "isRequired": true })).await.is(200);

    let (ada, eve) = (corp.app.browser(), corp.app.browser());
    corp.acme.signs_in(&corp.app, &ada, &person("00u1", "ada@example.com")).await.goes_to("/me");
    corp.acme.signs_in(&corp.app, &eve, &person("00u2", "eve@example.com")).await;
    assert!(is_nobody(&eve).await);
    let attempts = corp.acme.attempts(&corp.app).await;
    assert!(attempts.contains(&"not_in_directory".to_owned()), "{attempts:?}");
    assert_eq!(corp.accounts().await, 1);
}

/// Else whoever gets somebody to join could be them: the account is theirs, and not the organisation's.
#[actix_web::test]
async fn an_account_that_only_joined_is_not_opened_by_the_organisations_word_case_12() {
    let corp = Corp::open().await;
    let ben = corp.app.verified("ben@elsewhere.example").await;
    let mut entry = user("ben@elsewhere.example");
    entry["externalId"] = json!("00u7");
    corp.scim.post("/Users", entry).await.is(201);
    let token = corp.app.token_for("ben@elsewhere.example").await;
    ben.post_json("/invitations/accept", json!({ "token": token })).await.is(200);

    let browser = corp.app.browser();
    for address in ["ben@elsewhere.example", "other@example.com"] {
        corp.acme.signs_in(&corp.app, &browser, &person("00u7", address)).await.goes_to("/auth/link");
        assert!(is_nobody(&browser).await);
    }
    assert_eq!(corp.app.count("identities").await, 0);
    assert_eq!(corp.accounts().await, 1);
}
