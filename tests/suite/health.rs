//! What a machine is told that asks how this one is.

use diesel::{RunQueryDsl, sql_query};

use crate::harness::{TestApp, eventually};

#[actix_web::test]
async fn a_node_without_its_database_is_alive_but_not_ready() {
    let app = TestApp::open().await;
    app.curl().get("/readyz").await.is(200);
    app.inner.write(|tx| Ok(sql_query("DROP TABLE outbox").execute(tx.conn)?)).await.unwrap();

    let answer = eventually("a look at the outbox", async || {
        let answer = app.curl().get("/readyz").await;
        (answer.status == 503).then_some(answer)
    })
    .await
    .refuses(503, "not_ready");

    assert_eq!(answer.json()["reason"], "outbox");
    assert!(!answer.header("retry-after").is_empty());
    app.curl().get("/healthz").await.is(200);
}
