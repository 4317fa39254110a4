//! A body, whether it was posted as a form or as JSON, into the same struct.

use std::{future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    error::PayloadError,
    web::{Bytes, BytesMut, Data},
};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use crate::{
    app::App,
    error::{Error, Result},
};

/// What was sent, by its `Content-Type`. Unknown fields are ignored, repeated ones refused.
#[derive(Debug)]
pub struct Input<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Input<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let content_type = req.content_type().to_ascii_lowercase();
        let app = req.app_data::<Data<App>>().cloned();
        let payload = payload.take();
        Box::pin(async move {
            let app = app.ok_or_else(|| anyhow::anyhow!("no App in this service"))?;
            let parse: fn(&[u8]) -> Result<T> = match content_type.as_str() {
                "application/json" => from_json,
                "application/x-www-form-urlencoded" => from_form,
                _ => return Err(Error::UnsupportedMedia),
            };
            let whole = collect(payload, app.config().body_limit);
            let bytes = tokio::time::timeout(app.config().body_timeout, whole)
                .await
                .map_err(|_| Error::Timeout)??;
            parse(&bytes).map(Self)
        })
    }
}

/// A body in full. [`Error::TooLarge`] beyond `limit` bytes.
pub async fn collect(mut payload: Payload, limit: usize) -> Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|cause| match cause {
            PayloadError::Overflow => Error::TooLarge,
            cause => Error::Malformed(cause.to_string()),
        })?;
        if body.len() + chunk.len() > limit {
            return Err(Error::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|cause| {
        Error::Malformed(format!("line {}, column {} of the JSON", cause.line(), cause.column()))
    })
}

/// Reads a form.
pub fn from_form<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_urlencoded::from_bytes(bytes)
        .map_err(|_| Error::Malformed("the form has a field twice or in another shape".to_owned()))
}
