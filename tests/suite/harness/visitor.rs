//! Somebody at the front door: a browser that asks for pages, or curl that asks for JSON.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use actix_web::{
    cookie::Cookie,
    http::{Method, StatusCode, header::HeaderMap},
};
use awc::{ClientBuilder, ClientRequest};
use serde_json::{Value, json};

use super::PASSWORD;

/// Somebody with a cookie jar.
#[derive(Clone)]
pub struct Visitor {
    client: awc::Client,
    base: String,
    jar: RefCell<BTreeMap<String, String>>,
    headers: BTreeMap<String, String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
    pub request: String,
}

impl Visitor {
    pub fn browser(port: u16) -> Self {
        Self::new(port)
            .with("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .with("sec-fetch-site", "same-origin")
            .named("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    }

    pub fn curl(port: u16) -> Self {
        Self::new(port).with("accept", "*/*").named("curl/8.9.1")
    }

    fn new(port: u16) -> Self {
        let client = ClientBuilder::new().disable_redirects().timeout(Duration::from_secs(60)).finish();
        Self {
            client,
            base: format!("http://127.0.0.1:{port}"),
            jar: RefCell::default(),
            headers: BTreeMap::new(),
        }
    }

    /// The same with a header on every request.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same without a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// The same with another user agent.
    pub fn named(self, user_agent: &str) -> Self {
        self.with("user-agent", user_agent)
    }

    /// The same jar at another node's door.
    pub fn at(&self, port: u16) -> Self {
        Self { base: format!("http://127.0.0.1:{port}"), ..self.clone() }
    }

    /// A cookie in the jar.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar.borrow().get(name).cloned()
    }

    /// Puts a cookie into the jar.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// Empties the jar.
    pub fn forget_cookies(&self) {
        self.jar.borrow_mut().clear();
    }

    /// A browser follows the link of an email to its clean address.
    pub async fn get(&self, path: &str) -> Answer {
        self.follow(Method::GET, path).await
    }

    async fn follow(&self, method: Method, path: &str) -> Answer {
        let answer = self.send(method.clone(), path, None).await;
        let has_token = path.contains("token=");
        match answer.location() {
            Some(to) if has_token && to.split('?').next() == path.split('?').next() => {
                self.send(method, to, None).await
            }
            _ => answer,
        }
    }

    /// The same, led nowhere.
    pub async fn get_once(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn head(&self, path: &str) -> Answer {
        self.follow(Method::HEAD, path).await
    }

    /// A form.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = serde_urlencoded::to_string(fields).unwrap();
        self.send(Method::POST, path, Some(("application/x-www-form-urlencoded", body))).await
    }

    pub async fn post_json(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(("application/json", body.to_string()))).await
    }

    pub async fn put_json(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(("application/json", body.to_string()))).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Confirms that it is still them.
    pub async fn steps_up(&self) {
        self.post_json("/auth/confirm", json!({ "password": PASSWORD })).await.is(200);
    }

    /// Types a code where an app is set up.
    pub async fn confirms_app(&self, code: &str) -> Answer {
        self.post_json("/me/2fa/totp/confirm", json!({ "code": code })).await
    }

    /// Types a code where a sign-in waits for one.
    pub async fn submits_code(&self, code: &str) -> Answer {
        self.post_json("/login/2fa", json!({ "code": code })).await
    }

    /// Any method, any body: `(content type, body)`.
    pub async fn send(&self, method: Method, path: &str, body: Option<(&str, String)>) -> Answer {
        let sent = self.attempt(method.clone(), path, body).await;
        sent.unwrap_or_else(|cause| panic!("{method} {path}: {cause}"))
    }

    /// The same where it may be that nobody answers, or only half.
    pub async fn attempt(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
    ) -> Result<Answer, String> {
        let request = self.request(method.clone(), path);
        let sent = match body {
            Some((kind, body)) => request.insert_header(("content-type", kind)).send_body(body).await,
            None => request.send().await,
        };
        let mut response = sent.map_err(|cause| cause.to_string())?;
        for cookie in response.cookies().unwrap().iter() {
            self.keep(cookie);
        }
        let body = response.body().limit(16 << 20).await.map_err(|cause| cause.to_string())?;
        Ok(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: String::from_utf8(body.to_vec()).unwrap(),
            request: format!("{method} {path}"),
        })
    }

    fn request(&self, method: Method, path: &str) -> ClientRequest {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).no_decompress();
        for (name, value) in &self.headers {
            request = request.insert_header((name.as_str(), value.as_str()));
        }
        let jar = self.jar.borrow();
        if !jar.is_empty() {
            let line: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.insert_header(("cookie", line.join("; ")));
        }
        request
    }

    fn keep(&self, cookie: &Cookie) {
        let is_removal = cookie.max_age().is_some_and(|age| age.is_zero() || age.is_negative());
        let mut jar = self.jar.borrow_mut();
        match is_removal {
            true => jar.remove(cookie.name()),
            false => jar.insert(cookie.name().to_owned(), cookie.value().to_owned()),
        };
    }

    /// The public id of the session in this jar.
    pub async fn session_id(&self) -> String {
        let sessions = self.clone().with("accept", "application/json").get("/me/sessions").await.json();
        let current =
            sessions["sessions"].as_array().unwrap().iter().find(|one| one["current"] == true).unwrap();
        current["id"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    /// The status is this one.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.request, self.body);
        self
    }

    /// A refusal in JSON with this status and code, and the contract's shape.
    #[track_caller]
    pub fn refuses(self, status: u16, code: &str) -> Self {
        let answer = self.is(status);
        let body = answer.json();
        assert_eq!(body["code"], code, "{}: {}", answer.request, answer.body);
        assert!(body["error"].as_str().is_some_and(|sentence| sentence.ends_with('.')), "{}", answer.body);
        answer
    }

    /// A browser is sent on to this path.
    #[track_caller]
    pub fn goes_to(self, path: &str) -> Self {
        let answer = self.is(303);
        assert_eq!(answer.header("location"), path, "{}", answer.request);
        answer
    }

    /// Where a browser is sent on to.
    pub fn location(&self) -> Option<&str> {
        self.headers.get("location")?.to_str().ok()
    }

    /// The body has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.body.contains(text), "{}: `{text}` is not in {}", self.request, self.body);
        self
    }

    /// The body does not have this text.
    #[track_caller]
    pub fn hides(self, text: &str) -> Self {
        assert!(!self.body.contains(text), "{}: `{text}` is in {}", self.request, self.body);
        self
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("{}: not JSON: {}", self.request, self.body))
    }

    /// The whole answer, but for what differs each time: two answers with one outline tell a stranger the same.
    /// `address` is what this visitor typed; two that are compared should be equally long.
    pub fn outline(&self, address: &str) -> String {
        let mut headers: Vec<String> = Vec::new();
        for (name, value) in &self.headers {
            let value = value.to_str().unwrap();
            headers.push(match name.as_str() {
                "date" | "x-request-id" => name.to_string(),
                "set-cookie" => {
                    let mut cookie = Cookie::parse_encoded(value).unwrap().into_owned();
                    cookie.unset_expires();
                    cookie.set_value(format!("{} characters", cookie.value().len()));
                    format!("{name}: {cookie}")
                }
                _ => format!("{name}: {value}"),
            });
        }
        headers.sort();
        let mut body = self.body.replace(address, "ADDRESS").replace(&address.replace('@', "%40"), "ADDRESS");
        if let Ok(json) = serde_json::from_str::<Value>(&body)
            && let Some(id) = json["user"]["id"].as_str()
        {
            body = body.replace(id, "ID");
        }
        format!("{}\n{}\n\n{body}", self.status, headers.join("\n"))
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
