//! The history of sign-ins, as the owner reads it.

use crate::rate_limit::{guarded, tries};

#[actix_web::test]
async fn the_owner_reads_that_somebody_keeps_trying_and_strangers_cannot_fill_the_history() {
    let app = guarded().await;
    let ada = app.verified("ada@example.com").await;
    let stranger = app.curl();
    for _ in 0..5 {
        tries(&stranger, "ada@example.com", "a wrong guess").await.is(401);
    }
    for _ in 0..20 {
        tries(&stranger, "ada@example.com", "a wrong guess").await.is(429);
    }

    let logins = ada.get("/me/logins").await.is(200).json();

    let outcomes: Vec<_> =
        logins["logins"].as_array().unwrap().iter().map(|one| one["outcome"].clone()).collect();
    let count = |word: &str| outcomes.iter().filter(|outcome| *outcome == word).count();
    assert_eq!((count("wrong_password"), count("throttled"), count("success")), (5, 1, 1), "{logins}");
}
