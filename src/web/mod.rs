//! The vocabulary of HTTP in this house: replies with two faces, inputs, guards, and the one door.

pub mod access;
pub mod assets;
pub mod authentication;
pub mod body_budget;
pub mod browser_binding;
pub mod client;
pub mod cookies;
pub mod device_list;
pub mod error_body;
pub mod error_response;
pub mod flash;
pub mod forwarded;
pub mod guard;
pub mod headers;
pub mod icons;
pub mod input;
pub mod known_device;
pub mod layout;
pub mod link_token;
pub mod listed_routes;
pub mod local_path;
#[cfg(feature = "development")]
pub mod local_visitor;
pub mod magic_link_cookie;
pub mod mailed_token;
pub mod matched;
pub mod negotiation;
pub mod observe;
pub mod origin;
pub mod pending;
pub mod plain_http;
pub mod reply;
pub mod return_to;
pub mod saved_request;
pub mod second_factors;
pub mod session_cookie;
pub mod sign_in_methods;
pub mod state_cookie;
pub mod state_seal;
pub mod together;
pub mod views;
pub mod visitor;

use actix_web::{HttpRequest, web::Data};

pub(crate) use self::{
    browser_binding::BrowserBinding,
    client::Client,
    guard::{
        Any, CurrentUser, IncludingScheduledDeletion, MaybeUser, SteppedUp, SteppedUpUser,
        SteppedUpVerifiedUser, VerifiedUser,
    },
    input::{Document, Input, Query},
    layout::Layout,
    local_path::local_path,
    magic_link_cookie::MagicLinkRequester,
    pending::PendingLogin,
    reply::Reply,
    return_to::ReturnTo,
    visitor::Authenticated,
};
pub use access::Access;

use crate::{app::App, error::Result};

/// The house that a request came to.
fn app_of(req: &HttpRequest) -> Result<&Data<App>> {
    Ok(req.app_data().ok_or_else(|| anyhow::anyhow!("no App in this service"))?)
}
