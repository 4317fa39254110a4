//! A form that an application posts. Nothing else is read (RFC 6749 §3.2), and no cookie counts beside it.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};

use crate::{
    error::{Error, Result},
    web::{
        app_of, input,
        request_refused::{TIMEOUT, UNSUPPORTED_MEDIA},
    },
};

/// Its fields as they came.
#[derive(Debug)]
pub(crate) struct Form(pub(super) Vec<(String, String)>);

impl FromRequest for Form {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_form = req.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded");
        let (app, payload) = (app_of(req).cloned(), payload.take());
        Box::pin(async move {
            let app = app?;
            if !is_form {
                return Err(UNSUPPORTED_MEDIA.error());
            }
            let whole = input::collect(payload, app.config().body_limit);
            let bytes = tokio::time::timeout(app.config().body_timeout, whole)
                .await
                .map_err(|_| TIMEOUT.error())??;
            input::pairs(&bytes).map(Self)
        })
    }
}
