//! Stylesheets, scripts and the logo.

use actix_web::http::Method;

use crate::{
    every_route::{FACES, Face, ask},
    harness::TestApp,
};

#[actix_web::test]
async fn a_page_finds_its_files_and_they_are_kept_for_a_year() {
    let app = TestApp::open().await;
    let page = app.browser().get("/login").await.is(200);
    let files: Vec<&str> = page.body.split('"').filter(|text| text.starts_with("/static/")).collect();
    let script = "text/javascript; charset=utf-8";
    let kinds = ["image/svg+xml", "text/css; charset=utf-8", script, script];
    assert_eq!(files.len(), kinds.len(), "{files:?}");
    for (file, kind) in files.iter().zip(kinds) {
        for face in FACES {
            let visitor = face.visitor(&app, None);
            let answer = ask(&app, face, &visitor, &Method::GET, file, None).await.is(200);
            assert_eq!((answer.header("content-type"), answer.header("vary")), (kind, "accept-encoding"));
            assert!(answer.header("set-cookie").is_empty());
        }
    }
    let stale = files[1].replace(".css", "0.css");
    ask(&app, Face::Html, &app.browser(), &Method::GET, &stale, None).await.is(404);
}
