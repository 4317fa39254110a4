//! What browsers tell of pages that wanted what their policy forbids.

use actix_web::http::Method;
use serde_json::json;

use crate::harness::TestApp;

#[actix_web::test]
async fn reports_in_both_formats_are_counted_and_rubbish_is_not() {
    let app = TestApp::open().await;
    let page = app.browser().get("/login").await.is(200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("report-uri /csp-reports; report-to csp"), "{policy}");
    assert_eq!(page.header("reporting-endpoints"), "csp=\"/csp-reports\"");

    let old = json!({ "csp-report": { "violated-directive": "script-src 'self'", "effective-directive": "script-src", "document-uri": "https://x/?token=1" } });
    let new = json!([
        { "type": "csp-violation", "body": { "effectiveDirective": "img-src", "documentURL": "https://x/" } },
        { "type": "csp-violation", "body": { "effectiveDirective": "style-src" } },
    ]);
    let rubbish = [
        json!({ "csp-report": { "violated-directive": "Script\nsrc" } }).to_string(),
        json!({ "csp-report": { "violated-directive": "x".repeat(41) } }).to_string(),
        json!({ "csp-report": 7 }).to_string(),
        json!([[], {}, null, "x"]).to_string(),
        json!("x").to_string(),
        "not JSON".to_owned(),
        String::new(),
    ];
    let told = [("application/csp-report", old.to_string()), ("application/reports+json", new.to_string())];
    let all = told.into_iter().chain(rubbish.map(|text| ("application/reports+json", text)));
    for (kind, text) in all {
        app.curl().send(Method::POST, "/csp-reports", Some((kind, text))).await.is(200);
    }

    let metrics = app.curl().get("/metrics").await.is(200);
    assert!(metrics.body.contains("vestibule_csp_reports_total 3"), "{}", metrics.body);
    let large = "x".repeat(70_000);
    app.curl().send(Method::POST, "/csp-reports", Some(("application/csp-report", large))).await.is(413);
    let elsewhere = app.curl().with("origin", "https://evil.example").with("sec-fetch-site", "cross-site");
    elsewhere.send(Method::POST, "/csp-reports", None).await.refuses(403, "cross_origin");
}
