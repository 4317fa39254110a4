//! A body, whether it was posted as a form or as JSON, into the same struct.

use std::{future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    error::PayloadError,
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::app_of;
use crate::error::{Error, Result};

/// What was sent, by its `Content-Type`. Unknown fields are ignored, repeated ones refused.
#[derive(Debug)]
pub struct Input<T>(pub T);

/// The same where a document comes along: up to a mebibyte, or the limit of all others where that is more.
#[derive(Debug)]
pub struct Document<T>(pub T);

const DOCUMENT_LIMIT: usize = 1024 * 1024;

type Reading<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

impl<T: DeserializeOwned + 'static> FromRequest for Input<T> {
    type Error = Error;
    type Future = Reading<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        read(req, payload, 0, Self)
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Document<T> {
    type Error = Error;
    type Future = Reading<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        read(req, payload, DOCUMENT_LIMIT, Self)
    }
}

/// Reads a body of at least `limit` bytes, or of as many as the settings allow.
fn read<T: DeserializeOwned + 'static, I: 'static>(
    req: &HttpRequest,
    payload: &mut Payload,
    limit: usize,
    wrap: fn(T) -> I,
) -> Reading<I> {
    let content_type = req.content_type().to_ascii_lowercase();
    let app = app_of(req).cloned();
    let payload = payload.take();
    Box::pin(async move {
        let app = app?;
        let parse: fn(&[u8]) -> Result<T> = match content_type.as_str() {
            "application/json" => from_json,
            "application/x-www-form-urlencoded" => from_form,
            _ => return Err(Error::UnsupportedMedia),
        };
        let whole = collect(payload, app.config().body_limit.max(limit));
        let bytes =
            tokio::time::timeout(app.config().body_timeout, whole).await.map_err(|_| Error::Timeout)??;
        parse(&bytes).map(wrap)
    })
}

/// A checkbox in a form is a word, in JSON a boolean.
pub fn tick<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Tick {
        Bool(bool),
        Word(String),
    }
    Ok(match Tick::deserialize(deserializer)? {
        Tick::Bool(value) => value,
        Tick::Word(word) => matches!(word.as_str(), "true" | "on" | "1" | "yes"),
    })
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
    // Where it is not, the parser would put U+FFFD in silence, and two passwords could become one.
    if !is_unicode(bytes) {
        return Err(Error::Malformed("the form is not in UTF-8".to_owned()));
    }
    serde_urlencoded::from_bytes(bytes)
        .map_err(|_| Error::Malformed("the form has a field twice or in another shape".to_owned()))
}

/// Whether a form, its percent signs resolved, is UTF-8. `=` and `&` between the parts cannot complete a character.
fn is_unicode(form: &[u8]) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut resolved = Vec::with_capacity(form.len());
    let mut rest = form;
    while let [byte, tail @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, tail @ ..] => digit(*high).zip(digit(*low)).map(|(h, l)| (16 * h + l, tail)),
            _ => None,
        };
        let (byte, tail) = escaped.unwrap_or((*byte, tail));
        resolved.push(byte);
        rest = tail;
    }
    std::str::from_utf8(&resolved).is_ok()
}
