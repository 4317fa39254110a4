//! A route, and how the lists of them write one down.

use actix_web::{FromRequest, Handler, Responder, Route, guard, http::Method, web};

use crate::{
    kinds::Permission,
    web::{Access, access::Arguments},
};

/// A route.
pub struct Entry {
    /// The method.
    pub method: Method,
    /// The path's pattern.
    pub path: &'static str,
    /// Who may enter, as the handler's first argument has it.
    pub access: Access,
    /// What that takes in the organisation of the path, as the same argument has it.
    pub needs: Option<Permission>,
    /// What it does, in a few words.
    pub does: &'static str,
    pub(super) route: Route,
}

fn entry<F, Args>(method: Method, path: &'static str, does: &'static str, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: Arguments + FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let route = match method {
        Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
        _ => web::method(method.clone()),
    };
    Entry { route: route.to(handler), method, path, access: Args::ACCESS, needs: Args::NEEDS, does }
}

macro_rules! verbs {
    ($($name:ident => $method:ident),+) => {
        $(pub(super) fn $name<F, Args>(path: &'static str, does: &'static str, handler: F) -> Entry
        where
            F: Handler<Args>,
            Args: Arguments + FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            entry(Method::$method, path, does, handler)
        })+
    };
}

/// Answers every other method like GET.
pub(super) fn any<F, Args>(path: &'static str, does: &'static str, handler: F) -> Entry
where
    F: Handler<Args>,
    Args: Arguments + FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Entry { route: web::route().to(handler.clone()), ..entry(Method::GET, path, does, handler) }
}

verbs!(get => GET, post => POST, put => PUT, patch => PATCH, delete => DELETE, options => OPTIONS);
