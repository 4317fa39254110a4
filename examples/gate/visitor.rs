use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, error::ErrorForbidden};
use std::future::{Ready, ready};

/// Who is there, as the proxy says; `Option<Visitor>` where a page is open.
pub struct Visitor {
    pub id: String,
    pub email: String,
}

impl FromRequest for Visitor {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let told = |name| Some(req.headers().get(name)?.to_str().ok()?.to_owned());
        let is_proxy = req.peer_addr().is_some_and(|peer| peer.ip().to_string() == "127.0.0.1");
        let visitor =
            told("remote-user").zip(told("remote-email")).filter(|(id, _)| is_proxy && !id.is_empty());
        ready(visitor.map(|(id, email)| Self { id, email }).ok_or(ErrorForbidden("Come through the proxy.")))
    }
}
