//! The addresses between this site and a host: each carries where to go, and what that asks for.

use actix_web::HttpRequest;
use url::form_urlencoded;

use crate::{
    accounts::gate_needs::Raised,
    error::{Error, Result},
    model::application::Application,
    web::local_path,
};

/// What such an address says.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// At which host.
    pub host: Option<String>,
    /// What the host gave the browser.
    pub nonce: Option<String>,
    /// The path to go to.
    pub to: String,
    /// What the request asked for besides what the host does.
    pub raised: Raised,
    /// Whether the browser comes a second time.
    pub is_retry: bool,
    /// What is wrong.
    pub code: Option<String>,
}

impl Way {
    /// [`Error::Malformed`] where it cannot be read.
    pub(super) fn of(req: &HttpRequest) -> Result<Self> {
        let pairs: Vec<_> = form_urlencoded::parse(req.query_string().as_bytes()).collect();
        let find =
            |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.to_string());
        let raised = Raised::of_query(pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        Ok(Self {
            host: find("host"),
            nonce: find("nonce"),
            to: local_path(find("to").as_deref()).unwrap_or_else(|| "/".to_owned()),
            raised: raised.ok_or(Error::Malformed("its address asks for what there is not".to_owned()))?,
            is_retry: find("retry").is_some(),
            code: find("code"),
        })
    }
}

/// Where a browser begins at a host.
pub(super) fn start(
    application: &Application,
    scheme: &str,
    to: &str,
    raised: &Raised,
    is_retry: bool,
) -> String {
    let raised = raised.to_query();
    let raised = raised.iter().map(|(name, value)| (*name, value.as_str()));
    let retry = is_retry.then_some(("retry", "1"));
    let query = text([("to", to)].into_iter().chain(raised).chain(retry));
    application.link(scheme, &format!("/start?{query}"))
}

/// Where it goes on here.
pub(super) fn enter(host: &str, nonce: &str, way: &Way) -> String {
    let raised = way.raised.to_query();
    let raised = raised.iter().map(|(name, value)| (*name, value.as_str()));
    let retry = way.is_retry.then_some(("retry", "1"));
    let own = [("host", host), ("nonce", nonce), ("to", way.to.as_str())];
    format!("/gate/enter?{}", text(own.into_iter().chain(raised).chain(retry)))
}

/// Pairs as a query.
pub(super) fn text<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
