//! What every page shows around its own content.

use std::sync::Arc;

use actix_session::SessionExt;
use actix_web::{HttpRequest, web::Data};

use super::{
    app_of,
    assets::Assets,
    gate_paths::{STYLE, is_for_proxies},
    pending_authorization::PendingAuthorization,
    visitor::{self, SESSION_LOCKED},
};
use crate::{
    app::App,
    clock::{Timestamp, span_in_words},
    config::Lifetimes,
    error::Result,
};

/// Around a page: the brand, who is signed in, and what just happened.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The name of the house.
    pub brand: Arc<str>,
    /// The stylesheet's address.
    pub stylesheet: Arc<str>,
    /// The script's address.
    pub script: Arc<str>,
    /// The address of the script for passkeys.
    pub passkeys: Arc<str>,
    /// The address of the tab's icon.
    pub icon: Arc<str>,
    /// The logo's address.
    pub logo: Option<Arc<str>>,
    /// Who is signed in.
    pub user: Option<LayoutUser>,
    /// The site's address, on a page that is shown at the host of an application; else nothing, and links are paths.
    pub site: Arc<str>,
    /// What such a page is styled with: at that host there is no stylesheet of this site.
    pub style: Option<&'static str>,
    /// What just happened, or why the person is signed out.
    pub flash: Option<String>,
    /// The path of this page.
    pub path: String,
    /// The site's address, for the curl examples.
    pub base_url: Arc<str>,
    /// Whether pages end with the same thing as curl commands.
    pub shows_curl: bool,
    /// How long a remembered device stays signed in: "30 days".
    pub remembered: String,
    /// How long everything lasts.
    pub lifetimes: Lifetimes,
    /// Now.
    pub now: Timestamp,
    /// Whether a link by mail signs people in.
    pub has_magic_links: bool,
    /// The providers that people sign in with, by key and name, on the pages that offer them.
    pub providers: Vec<(String, String)>,
    /// Whether caught mail can be read here.
    pub is_development: bool,
    /// The request of an application that waits for this browser, on pages that do not tell of it themselves.
    pub authorization: Option<PendingAuthorization>,
}

/// Who is signed in, as the page's head shows them.
#[derive(Debug, Clone)]
pub(crate) struct LayoutUser {
    /// What they want to be called.
    pub name: String,
    /// Their initials.
    pub initials: String,
    /// Their address.
    pub email: String,
    /// Whether the address is proved.
    pub is_verified: bool,
    /// The name of the organisation in use.
    pub organisation: Option<String>,
}

// These name their application themselves.
const OF_APPLICATIONS: [&str; 4] = ["/oauth/cancel", "/oauth/consent", "/oauth/continue", "/oauth/logout"];

impl Layout {
    /// The layout for an answer to `req`.
    pub(crate) fn around(req: &HttpRequest, flash: Option<String>) -> Result<Self> {
        let (app, assets) = app_and_assets(req)?;
        let visitor = visitor::of(req).ok().flatten();
        let bare = Self::bare(app, assets, req.path());
        Ok(Self {
            user: visitor.as_ref().map(|visitor| LayoutUser {
                name: visitor.user.name.clone(),
                initials: initials(&visitor.user.name),
                email: visitor.user.email.spelled().to_owned(),
                is_verified: visitor.user.is_verified(),
                organisation: visitor.organisation.as_ref().map(|current| current.name.clone()),
            }),
            authorization: PendingAuthorization::of(&req.get_session(), bare.now)
                .filter(|_| !OF_APPLICATIONS.contains(&req.path()) && bare.style.is_none()),
            flash: flash.or_else(|| visitor::is_locked(req).then(|| SESSION_LOCKED.error().to_string())),
            now: visitor.map_or(bare.now, |visitor| visitor.now),
            ..bare
        })
    }

    /// The layout where nothing is known of the request but its path.
    pub(crate) fn bare(app: &App, assets: &Assets, path: &str) -> Self {
        let is_elsewhere = is_for_proxies(path);
        Self {
            site: if is_elsewhere { Arc::clone(&assets.base_url) } else { "".into() },
            style: is_elsewhere.then_some(STYLE),
            brand: Arc::clone(&assets.brand),
            stylesheet: Arc::clone(&assets.stylesheet),
            script: Arc::clone(&assets.script),
            passkeys: Arc::clone(&assets.passkeys),
            icon: Arc::clone(&assets.icon),
            logo: assets.logo.clone(),
            user: None,
            flash: None,
            path: path.to_owned(),
            base_url: Arc::clone(&assets.base_url),
            shows_curl: app.config().shows_curl,
            remembered: span_in_words(app.config().lifetimes.remembered),
            lifetimes: app.config().lifetimes,
            now: app.now(),
            has_magic_links: app.config().magic_links,
            providers: match path {
                "/login" | "/signup" => app
                    .config()
                    .providers
                    .iter()
                    .map(|provider| (provider.key.clone(), provider.name.clone()))
                    .collect(),
                _ => Vec::new(),
            },
            is_development: cfg!(feature = "development") && app.config().is_development(),
            authorization: None,
        }
    }
}

impl Layout {
    /// Whether this page is not itself a step on the way of [`Layout::authorization`].
    pub(crate) fn is_aside(&self) -> bool {
        let steps = ["/login", "/login/2fa", "/signup", "/auth/confirm", "/verify-email/needed"];
        !steps.contains(&self.path.as_str())
    }

    /// How the menu marks the entry with this address: as this page, as the part that it belongs to, or not at all.
    pub(crate) fn current(&self, href: &str) -> &'static str {
        let is_below = |path: &str| {
            self.path == path || self.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
        };
        let parts: &[&str] = match href {
            "/me" => &["/me/email", "/me/keys", "/me/delete", "/me/export"],
            "/me/security" => &[
                "/me/2fa",
                "/me/passkeys",
                "/me/providers",
                "/me/applications",
                "/me/password",
                "/me/logins",
            ],
            "/me/sessions" => &[],
            href => &[href],
        };
        match (self.path == href, parts.iter().any(|part| is_below(part))) {
            (true, _) => r#" aria-current="page""#,
            (false, true) => r#" aria-current="true""#,
            (false, false) => "",
        }
    }
}

/// The first letters of the first and the last word, as capitals: "AL" for Ada Lovelace. A picture, not a name.
pub(crate) fn initials(name: &str) -> String {
    let mut words = name.split_whitespace();
    let (first, last) = (words.next(), words.next_back());
    let first_of = |word: &str| word.chars().find(|c| c.is_alphanumeric());
    [first, last].into_iter().flatten().filter_map(first_of).flat_map(char::to_uppercase).collect()
}

/// The house and its assets, which a request came to.
pub(crate) fn app_and_assets(req: &HttpRequest) -> Result<(&Data<App>, &Data<Assets>)> {
    let app = app_of(req)?;
    let assets =
        req.app_data::<Data<Assets>>().ok_or_else(|| anyhow::anyhow!("no Assets in this service"))?;
    Ok((app, assets))
}
