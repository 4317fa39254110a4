//! What browsers tell of pages that wanted something their policy forbids (CSP 3 §5, Reporting API §3): counted, and noted
//! in the log a few times a minute. A page of ours never does, so it is a fault here or something put into the page.

use std::sync::atomic::{AtomicI64, Ordering};

use actix_web::{
    HttpRequest,
    web::{Data, Payload},
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    app::App,
    error::{Error, Result},
    web::{Reply, input},
};

/// Lines of the log a minute.
const LINES: i64 = 10;

/// Minutes since the Unix epoch, and the lines that were written in the last of them, as one number.
static WRITTEN: AtomicI64 = AtomicI64::new(0);

/// One report, in either format: what was forbidden.
#[derive(Deserialize)]
struct Report {
    #[serde(alias = "effectiveDirective", alias = "violated-directive", alias = "effective-directive")]
    directive: Option<String>,
}

/// `POST /csp-reports`. Strangers may send anything: nothing of it is kept but the name of a directive, where it is one.
pub async fn create(_: HttpRequest, body: Payload, app: Data<App>) -> Result<Reply> {
    let mut counted = 0;
    let whole = input::collect(body.into_inner(), app.config().body_limit);
    let bytes =
        tokio::time::timeout(app.config().body_timeout, whole).await.map_err(|_| Error::Timeout)??;
    let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let reports = match told {
        Value::Array(reports) => reports,
        report => vec![report],
    };
    for report in reports.iter().take(10) {
        let Some(body) = report.get("body").or_else(|| report.get("csp-report")) else { continue };
        let Ok(Report { directive: Some(directive) }) = Report::deserialize(body) else { continue };
        if !is_directive(&directive) {
            continue;
        }
        counted += 1;
        app.metrics().csp_report();
        if may_write(app.now().unix() / 60) {
            tracing::warn!(directive, "a page wanted what its content security policy forbids");
        }
    }
    Reply::go("/").with("counted", counted)
}

fn is_directive(name: &str) -> bool {
    name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

fn may_write(minute: i64) -> bool {
    let next = |written: i64| match written / (LINES + 1) == minute {
        true => (written % (LINES + 1) < LINES).then_some(written + 1),
        false => Some(minute * (LINES + 1) + 1),
    };
    WRITTEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
}
