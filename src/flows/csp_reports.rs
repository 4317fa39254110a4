//! What browsers tell of pages that wanted something their policy forbids (CSP 3 §5, Reporting API §3): counted, and noted
//! in the log a few times a minute. A page of ours never does, so it is a fault here or something put into the page.

use std::sync::atomic::{AtomicI64, Ordering};

use actix_web::{
    HttpRequest,
    web::{Data, Payload},
};
use serde_json::Value;

use crate::{
    app::App,
    error::Result,
    web::{Reply, input, request_refused::TIMEOUT},
};

/// Lines of the log a minute.
const LINES: i64 = 10;

/// Minutes since the Unix epoch, and the lines that were written in the last of them, as one number.
static WRITTEN: AtomicI64 = AtomicI64::new(0);

/// What was forbidden, in either format; the older one may name the directive with its values.
const NAMES: [&str; 3] = ["effectiveDirective", "effective-directive", "violated-directive"];

/// `POST /csp-reports`. Strangers may send anything: nothing of it is kept but the name of a directive, where it is one.
pub(crate) async fn create(_: HttpRequest, body: Payload, app: Data<App>) -> Result<Reply> {
    let mut counted = 0;
    let whole = input::collect(body.into_inner(), app.config().body_limit);
    let bytes =
        tokio::time::timeout(app.config().body_timeout, whole).await.map_err(|_| TIMEOUT.error())??;
    let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let reports = match told {
        Value::Array(reports) => reports,
        report => vec![report],
    };
    for report in reports.iter().take(10) {
        let Some(body) = report.get("body").or_else(|| report.get("csp-report")) else { continue };
        let named = NAMES.into_iter().find_map(|name| body.get(name)?.as_str()?.split(' ').next());
        let Some(directive) = named.filter(|name| is_directive(name)) else { continue };
        counted += 1;
        app.metrics().csp_report();
        if may_write(app.now().unix() / 60) {
            tracing::warn!(directive, "a page wanted what its content security policy forbids");
        }
    }
    Reply::go("/").with("counted", counted)
}

fn is_directive(name: &str) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    is_word && name.contains('-') && (4..=40).contains(&name.len())
}

fn may_write(minute: i64) -> bool {
    let next = |written: i64| match written / (LINES + 1) == minute {
        true => (written % (LINES + 1) < LINES).then_some(written + 1),
        false => Some(minute * (LINES + 1) + 1),
    };
    WRITTEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
}
