//! One question to a server elsewhere, and its answer: at most a mebibyte, within ten seconds, from where the guard lets it
//! go. Redirects are not followed, and nothing is asked twice.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use ureq::{
    Agent, Error,
    http::{HeaderValue, Request, Response, header},
};
use url::{Url, form_urlencoded};

use super::{
    client::Outbound,
    connections::Connections,
    guard::{NamedBy, Only},
    unreadable::Unreadable,
};

const LARGEST: usize = 1024 * 1024;
const TIME_LIMIT: Duration = Duration::from_secs(10);

const METADATA: &str = "application/samlmetadata+xml, application/xml;q=0.9, */*;q=0.1";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The HTTP status, which is no redirect.
    pub status: u16,
    /// The media type without its parameters, in small letters (RFC 9110 §8.3.1).
    pub media_type: Option<String>,
    /// The body. Empty where one of another status than 200 could not be read.
    pub body: String,
}

/// What is asked.
struct Question {
    accept: &'static str,
    authorization: Option<HeaderValue>,
    /// The fields of a form that is posted.
    form: Option<String>,
}

impl Outbound {
    /// The metadata at an address, up to a mebibyte of UTF-8.
    pub(crate) async fn fetch(&self, address: &str) -> Result<String, Unreadable> {
        match self.get(NamedBy::Owner, address, METADATA, None).await? {
            Answer { status: 200, body, .. } => Ok(body),
            Answer { status, .. } => Err(Unreadable::Status(status)),
        }
    }

    /// Asks for what is at an address, in one of the media types that `accept` names, with a bearer token where one is given
    /// (RFC 6750 §2.1). Any status is an answer, but a redirect, which is [`Unreadable::Status`].
    pub(crate) async fn get(
        &self,
        named_by: NamedBy,
        address: &str,
        accept: &'static str,
        bearer: Option<&str>,
    ) -> Result<Answer, Unreadable> {
        let authorization = bearer.map(|token| authorization("Bearer", token)).transpose()?;
        self.ask(named_by, address, Question { accept, authorization, form: None }).await
    }

    /// Posts a form and asks for JSON, as to a token endpoint (RFC 6749 §3.2). `basic` is a client's id and its secret as they
    /// are: both are form-encoded here before they are put together (RFC 6749 §2.3.1). Any status is an answer, but a redirect,
    /// which is [`Unreadable::Status`].
    pub(crate) async fn post_form(
        &self,
        named_by: NamedBy,
        address: &str,
        form: &[(&str, &str)],
        basic: Option<(&str, &str)>,
    ) -> Result<Answer, Unreadable> {
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic = basic.map(|(id, secret)| format!("{}:{}", encoded(id), encoded(secret)));
        let authorization = basic.map(|pair| authorization("Basic", &STANDARD.encode(pair))).transpose()?;
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.ask(named_by, address, Question { accept: JSON, authorization, form: Some(form) }).await
    }

    async fn ask(&self, named_by: NamedBy, address: &str, question: Question) -> Result<Answer, Unreadable> {
        let (url, places) = self.locate(named_by, address).await?;
        let connections = self.connections.clone();
        let asked = tokio::task::spawn_blocking(move || question.ask(&connections, &url, places)).await;
        asked.map_err(|_| Unreadable::NoAnswer)?
    }
}

fn authorization(scheme: &str, credentials: &str) -> Result<HeaderValue, Unreadable> {
    let value = HeaderValue::from_str(&format!("{scheme} {credentials}"));
    let mut value = value.map_err(|_| Unreadable::BadToken)?;
    value.set_sensitive(true);
    Ok(value)
}

impl Question {
    fn ask(self, connections: &Connections, url: &Url, places: Only) -> Result<Answer, Unreadable> {
        // A proxy would resolve the name anew.
        let config = connections.config(TIME_LIMIT).proxy(None).accept(self.accept).build();
        let agent = Agent::with_parts(config, connections.clone(), places);
        let mut request = Request::builder().uri(url.as_str());
        if let Some(authorization) = self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let answer = match self.form {
            Some(form) => agent.run(
                request.method("POST").header(header::CONTENT_TYPE, FORM).body(form).map_err(Error::from)?,
            ),
            None => agent.run(request.body(()).map_err(Error::from)?),
        };
        read(answer?)
    }
}

fn read(answer: Response<ureq::Body>) -> Result<Answer, Unreadable> {
    let status = answer.status();
    if status.is_redirection() {
        return Err(Unreadable::Status(status.as_u16()));
    }
    let media_type = answer.body().mime_type().map(str::to_ascii_lowercase);
    // The reader's limit is one that a body may not reach.
    let limit = u64::try_from(LARGEST + 1).unwrap_or(u64::MAX);
    let bytes = answer.into_body().into_with_config().limit(limit).read_to_vec().map_err(Unreadable::from);
    let bytes =
        bytes.and_then(|bytes| if bytes.len() > LARGEST { Err(Unreadable::TooLarge) } else { Ok(bytes) });
    let body = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(|_| Unreadable::NotText));
    let body = if status == 200 { body? } else { body.unwrap_or_default() };
    Ok(Answer { status: status.as_u16(), media_type, body })
}

#[cfg(test)]
mod tests;
