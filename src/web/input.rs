//! A body, whether it was posted as a form or as JSON, into the same struct; and a query.

mod fields;

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    future::{Future, Ready, ready},
    ops::Deref,
    pin::Pin,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::header,
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, Visitor},
};
use serde_json::Value;
use url::form_urlencoded;

use self::fields::{Fault, Fields};
use super::{
    app_of,
    body_budget::HeldBytes,
    mailed_token::MailedToken,
    request_refused::{TIMEOUT, TOO_LARGE, UNSUPPORTED_MEDIA},
};
use crate::error::{Error, Result};

/// What was sent, by its `Content-Type`. Unknown fields are ignored, but where its struct has `deny_unknown_fields` or
/// [`others`]; repeated ones are refused; null is as if not sent, and a
/// field of another shape than it should have is refused by its name.
#[derive(Debug)]
pub(crate) struct Input<T>(pub T);

/// The same where a document comes along: up to a mebibyte, or the limit of all others where that is more.
#[derive(Debug)]
pub(crate) struct Document<T>(pub T);

const DOCUMENT_LIMIT: usize = 1024 * 1024;

/// The query of the address. Of a parameter that is there more than once the first counts; an empty one is as if it were
/// not there.
#[derive(Debug)]
pub(crate) struct Query<T>(T);

impl<T> Query<T> {
    /// What it says.
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Query<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read_query(req, |value| !value.is_empty()).map(Self))
    }
}

/// The same, where a parameter that is there counts without a value as well.
#[derive(Debug)]
pub(crate) struct Flags<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Flags<T> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read_query(req, |_| true).map(Self))
    }
}

fn read_query<T: DeserializeOwned>(req: &HttpRequest, counts: fn(&str) -> bool) -> Result<T> {
    let pairs = form_urlencoded::parse(req.query_string().as_bytes()).into_owned();
    let token = MailedToken::of(req).map(|MailedToken(token)| ("token".to_owned(), token));
    let pairs = token.into_iter().chain(pairs);
    let mut seen = HashSet::new();
    let first = pairs.filter(|(name, value)| counts(value) && seen.insert(name.clone()));
    Fields::of_pairs(first).read().map_err(|fault| {
        let is_unknown = matches!(fault, Fault::Unknown { .. });
        match Error::from(fault) {
            Error::Invalid(errors) if !is_unknown => {
                let names: Vec<&str> = errors.iter().map(|(name, _)| name).collect();
                Error::Malformed(format!("its address has another {} than we gave out", names.join(" and ")))
            }
            error => error,
        }
    })
}

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
    let parse = parser(req);
    let app = app_of(req).cloned();
    let payload = payload.take();
    Box::pin(async move {
        let (app, parse) = (app?, parse?);
        let whole = collect(payload, app.config().body_limit.max(limit));
        let bytes =
            tokio::time::timeout(app.config().body_timeout, whole).await.map_err(|_| TIMEOUT.error())??;
        parse(&bytes).map(wrap)
    })
}

/// The same where everything may be left out: no body at all is like an empty form.
#[derive(Debug)]
pub(crate) struct OptionalInput<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for OptionalInput<T> {
    type Error = Error;
    type Future = Reading<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let headers = req.headers();
        let length = headers.get(header::CONTENT_LENGTH);
        let has_body =
            length.is_some_and(|length| length != "0") || headers.contains_key(header::TRANSFER_ENCODING);
        if has_body || headers.contains_key(header::CONTENT_TYPE) {
            return read(req, payload, 0, Self);
        }
        Box::pin(ready(from_form(b"").map(Self)))
    }
}

type Parser<T> = fn(&[u8]) -> Result<T>;

/// How a body of this type is read. JSON is what says that it is, also in the syntax of something else (`+json`, RFC 6839
/// §3.1); it is in UTF-8 always (RFC 8259 §8.1), and so is a form.
fn parser<T: DeserializeOwned>(req: &HttpRequest) -> Result<Parser<T>> {
    // What is packed is not unpacked here: a few bytes could become any number of them.
    let coding = req.headers().get(header::CONTENT_ENCODING);
    let is_packed = coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_packed || !is_utf8(req) {
        return Err(UNSUPPORTED_MEDIA.error());
    }
    match req.content_type().to_ascii_lowercase().as_str() {
        "application/json" => Ok(from_json),
        "application/x-www-form-urlencoded" => Ok(from_form),
        other if other.starts_with("application/") && other.ends_with("+json") => Ok(from_json),
        _ => Err(UNSUPPORTED_MEDIA.error()),
    }
}

/// Whether a body can be in UTF-8 by its `charset`. Those that have all of ASCII in its place are written by libraries
/// that send nothing else: what is really in one of them is found out when it is read.
fn is_utf8(req: &HttpRequest) -> bool {
    let value =
        req.headers().get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let value = value.unwrap_or_default();
    let mut parameters = value.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    charset.is_none_or(|(_, charset)| {
        let charset = charset.trim().trim_matches('"').to_ascii_lowercase();
        matches!(charset.as_str(), "" | "utf-8" | "utf8" | "us-ascii" | "ascii" | "latin1")
            || charset.starts_with("iso-8859-")
            || charset.starts_with("windows-125")
    })
}

/// A checkbox in a form is a word, in JSON a boolean.
pub(crate) fn tick<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    struct Tick;
    impl Visitor<'_> for Tick {
        type Value = bool;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("true or false")
        }

        fn visit_bool<E: de::Error>(self, value: bool) -> Result<bool, E> {
            Ok(value)
        }

        fn visit_str<E: de::Error>(self, word: &str) -> Result<bool, E> {
            let word = word.to_ascii_lowercase();
            Ok(matches!(word.as_str(), "true" | "on" | "1" | "yes" | "y" | "t" | "checked"))
        }
    }
    deserializer.deserialize_any(Tick)
}

/// The same of what must not be overlooked: it counts where it is there, whatever it says but "no".
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let word = match Value::deserialize(deserializer)? {
        Value::String(word) => word.trim().to_ascii_lowercase(),
        value => value.to_string(),
    };
    Ok(!matches!(word.as_str(), "false" | "off" | "0" | "no" | "n" | "f" | "null"))
}

/// The same where it can be left out.
pub(crate) fn optional_tick<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    tick(deserializer).map(Some)
}

/// The fields beside those that a struct names, for `flatten`. A field that is not `expected` is refused; `known`: the names
/// to choose from.
pub(crate) fn others<'de, D: Deserializer<'de>>(
    deserializer: D,
    known: &'static [&'static str],
    is_expected: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Value>, D::Error> {
    let others = BTreeMap::<String, Value>::deserialize(deserializer)?;
    match others.keys().find(|name| !is_expected(name)) {
        Some(strange) => Err(de::Error::unknown_field(strange, known)),
        None => Ok(others),
    }
}

/// A body in full. [`TOO_LARGE`] beyond `limit` bytes, [`Error::Busy`] where too many are on their way.
pub(crate) async fn collect(mut payload: Payload, limit: usize) -> Result<Bytes> {
    let mut body = BytesMut::new();
    let mut held = HeldBytes::here();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|cause| match cause {
            PayloadError::Overflow => TOO_LARGE.error(),
            cause => Error::Malformed(cause.to_string()),
        })?;
        if body.len() + chunk.len() > limit {
            return Err(TOO_LARGE.error());
        }
        held.add(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let malformed = |problem: &str| Err(Error::Malformed(problem.to_owned()));
    let Ok(text) = std::str::from_utf8(without_mark(bytes)) else {
        return malformed("the JSON is not in UTF-8");
    };
    if text.trim_ascii().is_empty() {
        return malformed("there is no JSON in its body");
    }
    match serde_json::from_str::<Fields>(text) {
        Ok(fields) => Ok(fields.read()?),
        Err(cause) if cause.is_data() => malformed("its JSON is no object: put the fields in braces"),
        Err(cause) => malformed(&format!("line {}, column {} of the JSON", cause.line(), cause.column())),
    }
}

/// Reads a form.
pub(crate) fn from_form<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // What curl sends with `-d` alone. No form begins so.
    if without_mark(bytes).trim_ascii_start().starts_with(b"{") {
        let problem = "JSON came as a form. Send it with the header Content-Type: application/json";
        return Err(Error::Malformed(problem.to_owned()));
    }
    Ok(Fields::of_form(pairs(bytes)?).read()?)
}

/// The fields of a form, one by one.
pub(crate) fn pairs(bytes: &[u8]) -> Result<Vec<(String, String)>> {
    let bytes = without_mark(bytes);
    // Where it is not, the parser would put U+FFFD in silence, and two passwords could become one.
    if !is_unicode(bytes) {
        return Err(Error::Malformed("the form is not in UTF-8".to_owned()));
    }
    Ok(form_urlencoded::parse(bytes).into_owned().collect())
}

/// Without the mark that some programs put before UTF-8 (RFC 8259 §8.1).
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
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
