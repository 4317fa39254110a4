//! The vocabulary of HTTP in this house: replies with two faces, inputs, guards, and the one door.

pub(crate) mod access;
pub(crate) mod assets;
pub(crate) mod bearer;
pub(crate) mod body_budget;
pub(crate) mod browser_binding;
pub(crate) mod client;
pub(crate) mod cookies;
pub(crate) mod cors;
pub(crate) mod dead_link;
pub(crate) mod device_list;
pub(crate) mod directory_call;
pub(crate) mod directory_path;
pub(crate) mod error_body;
pub(crate) mod error_response;
pub(crate) mod flash;
pub(crate) mod forwarded;
pub(crate) mod gate_cookies;
pub(crate) mod gate_paths;
pub(crate) mod gate_request;
pub(crate) mod guard;
pub(crate) mod headers;
pub(crate) mod icons;
pub(crate) mod input;
pub(crate) mod issued_session;
pub(crate) mod key_in_use;
pub(crate) mod known_device;
pub(crate) mod layout;
pub(crate) mod link_token;
pub(crate) mod listed_routes;
pub(crate) mod local_path;
#[cfg(feature = "development")]
pub(crate) mod local_visitor;
pub(crate) mod magic_link_cookie;
pub(crate) mod mailed_token;
pub(crate) mod matched;
pub(crate) mod member;
pub(crate) mod negotiation;
pub(crate) mod observe;
pub(crate) mod oidc_request;
pub(crate) mod origin;
pub(crate) mod pending;
pub(crate) mod pending_authorization;
pub(crate) mod permission_form;
pub(crate) mod plain_http;
pub(crate) mod principal;
pub(crate) mod reply;
pub(crate) mod request_binding;
pub(crate) mod request_refused;
pub(crate) mod return_to;
pub(crate) mod saml_request;
pub(crate) mod saved_request;
pub(crate) mod second_factors;
pub(crate) mod session_cookie;
pub(crate) mod sign_in_methods;
pub(crate) mod sso_request;
pub(crate) mod sso_result;
pub(crate) mod state_cookie;
pub(crate) mod state_seal;
pub(crate) mod together;
pub(crate) mod token_in_use;
pub(crate) mod views;
pub(crate) mod visitor;

use actix_web::{HttpRequest, web::Data};

pub(crate) use self::{
    browser_binding::BrowserBinding,
    client::Client,
    gate_request::{GateHost, GateRequest},
    guard::{
        Any, CurrentUser, IncludingScheduledDeletion, MaybeUser, StepUpAfterInput, SteppedUp, SteppedUpUser,
        SteppedUpVerifiedUser, VerifiedUser,
    },
    input::{Document, Input, OptionalInput, Query},
    layout::Layout,
    local_path::local_path,
    magic_link_cookie::MagicLinkRequester,
    member::{Member, SteppedUpMember},
    pending::PendingLogin,
    principal::{Principal, Reader},
    reply::Reply,
    return_to::ReturnTo,
    visitor::Authenticated,
};
pub use access::Access;

use crate::{app::App, error::Result};

/// The house that a request came to.
pub(crate) fn app_of(req: &HttpRequest) -> Result<&Data<App>> {
    Ok(req.app_data().ok_or_else(|| anyhow::anyhow!("no App in this service"))?)
}
