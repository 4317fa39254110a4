//! What a page reads first is read together with its visitor: one turn at the database instead of two.

use std::any::Any;

use actix_web::{HttpMessage, HttpRequest, dev::ServiceRequest, http::Method};

use crate::{clock::Timestamp, db::Conn, error::Result, ids::UserId};

/// What a page reads first of its visitor's.
pub(crate) type FirstRead = fn(&mut Conn, &UserId, Timestamp) -> Result<Box<dyn Any + Send>>;

/// The pages that have such a read, by their path.
#[derive(Clone, Copy)]
pub(crate) struct FirstReads(pub &'static [(&'static str, FirstRead)]);

/// What was read for a page.
pub(crate) struct FirstFound(pub Box<dyn Any + Send>);

/// The read of the page that is asked for, where it has one.
pub(crate) fn of(req: &ServiceRequest) -> Option<FirstRead> {
    let FirstReads(pages) = req.app_data()?;
    let page = pages.iter().find(|(path, _)| *path == req.path() && *req.method() == Method::GET);
    page.map(|(_, read)| *read)
}

/// What was read for this page, once; nothing where it is still to be read.
pub(crate) fn take<T: 'static>(req: &HttpRequest) -> Option<T> {
    let FirstFound(found) = req.extensions_mut().remove()?;
    found.downcast().ok().map(|found| *found)
}
