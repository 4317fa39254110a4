//! The vocabulary of HTTP in this house: replies with two faces, inputs, guards, and the one door.

pub mod afterwards;
pub mod asking;
pub mod assets;
pub mod chrome;
pub mod client;
pub mod cookies;
pub mod door;
pub mod error_body;
pub mod flash;
pub mod forwarded;
pub mod guard;
pub mod headers;
pub mod input;
pub mod interrupted;
pub mod known;
pub mod local_path;
pub mod mark;
pub mod matched;
pub mod negotiation;
pub mod observe;
pub mod origin;
pub mod pending;
pub mod plain_http;
pub mod refuse;
pub mod reply;
pub mod second_factors;
pub mod session_cookie;
pub mod state_cookie;
pub mod state_seal;
pub mod together;
pub mod views;
pub mod visitor;
pub mod ways;

use actix_web::{HttpRequest, web::Data};

pub use afterwards::Afterwards;
pub use asking::AskingBrowser;
pub use chrome::Chrome;
pub use client::Client;
pub use guard::{Any, Anybody, CurrentUser, EvenLeaving, Recent, RecentAuth, RecentUser, VerifiedUser};
pub use input::{Document, Input, Query};
pub use local_path::local_path;
pub use mark::BrowserMark;
pub use pending::PendingLogin;
pub use reply::Reply;
pub use visitor::SignedIn;

use crate::{app::App, error::Result};

/// The house that a request came to.
fn app_of(req: &HttpRequest) -> Result<&Data<App>> {
    Ok(req.app_data().ok_or_else(|| anyhow::anyhow!("no App in this service"))?)
}
