//! An OpenID provider of the tests': it signs whatever it is given.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::header, web};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use jsonwebtoken::{Algorithm, EncodingKey};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use crate::harness::{Answer, TestApp, Visitor};

/// What it calls us.
pub const CLIENT: &str = "us";
/// Every character that has to be written otherwise in a header or a form.
pub const SECRET: &str = "a+b/c=d%e:f g";
/// What no row may hold.
pub const ACCESS_TOKEN: &str = "an-access-token-that-nobody-keeps";

pub struct Provider {
    pub issuer: String,

    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    issuer: String,
    signer: Signer,
    grants: BTreeMap<String, Grant>,
    /// What it is told to say; else who was last in a token.
    userinfo: Option<Value>,
    last: Value,
    asked: BTreeMap<String, usize>,
    is_down: bool,
    /// Status and media type of what it says about people.
    userinfo_as: (u16, &'static str),
    /// Whether its metadata lists `auth_time`.
    lists_auth_time: bool,
    /// Whether we are one of those that it wants to authenticate in the form.
    wants_form: bool,
}

#[derive(Clone)]
pub struct Signer {
    kid: String,
    key: EncodingKey,
    jwk: Value,
}

struct Grant {
    id_token: String,
    challenge: String,
    redirect_uri: String,
}

/// What a browser takes to it.
pub struct Request(BTreeMap<String, String>);

impl Request {
    pub fn of(answer: &Answer) -> Self {
        Self::at(answer.location().unwrap_or_else(|| panic!("{}: {}", answer.request, answer.body)))
    }

    /// The one that this address carries.
    pub fn at(location: &str) -> Self {
        let (_, query) = location.split_once('?').unwrap();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub fn get(&self, name: &str) -> &str {
        &self.0[name]
    }
}

impl Signer {
    pub fn new(kid: &str) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = EcKey::generate(&group).unwrap();
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut context = BigNumContext::new().unwrap();
        key.public_key().affine_coordinates(&group, &mut x, &mut y, &mut context).unwrap();
        let [x, y] = [x, y].map(|number| BASE64.encode(number.to_vec_padded(32).unwrap()));
        let der = PKey::from_ec_key(key).unwrap().private_key_to_pkcs8().unwrap();
        let jwk = json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": x, "y": y});
        Self { kid: kid.to_owned(), key: EncodingKey::from_ec_der(&der), jwk }
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({"alg": "ES256", "kid": self.kid}), claims)
    }

    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, Algorithm::ES256).unwrap();
        format!("{message}.{signature}")
    }
}

impl Provider {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let issuer = format!("http://127.0.0.1:{port}");
        let inner = Arc::new(Mutex::new(Inner {
            issuer: issuer.clone(),
            signer: Signer::new("first"),
            grants: BTreeMap::new(),
            userinfo: None,
            last: Value::Null,
            asked: BTreeMap::new(),
            is_down: false,
            userinfo_as: (200, "application/json"),
            lists_auth_time: false,
            wants_form: false,
        }));
        let shared = Arc::clone(&inner);
        let server = HttpServer::new(move || {
            App::new().app_data(web::Data::from(Arc::clone(&shared))).default_service(web::to(respond))
        });
        actix_web::rt::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());
        Self { issuer, inner }
    }

    /// A site where people sign in with it.
    pub async fn site(&self, more: &[(&str, &str)]) -> TestApp {
        let own = [
            ("OIDC_PROVIDERS", "acme"),
            ("OIDC_ACME_NAME", "Acme"),
            ("OIDC_ACME_ISSUER", self.issuer.as_str()),
            ("OIDC_ACME_CLIENT_ID", CLIENT),
            ("OIDC_ACME_CLIENT_SECRET", SECRET),
        ];
        TestApp::with(&[&own[..], more].concat()).await
    }

    pub fn signer(&self) -> Signer {
        self.inner.lock().unwrap().signer.clone()
    }

    pub fn rotates_keys(&self) {
        self.inner.lock().unwrap().signer = Signer::new("second");
    }

    pub fn is_down(&self, is_down: bool) {
        self.inner.lock().unwrap().is_down = is_down;
    }

    pub fn says(&self, userinfo: Value) {
        self.inner.lock().unwrap().userinfo = Some(userinfo);
    }

    /// What it says of people comes with this status and media type.
    pub fn says_as(&self, status: u16, media_type: &'static str) {
        self.inner.lock().unwrap().userinfo_as = (status, media_type);
    }

    pub fn lists_auth_time(&self) {
        self.inner.lock().unwrap().lists_auth_time = true;
    }

    pub fn wants_form(&self) {
        self.inner.lock().unwrap().wants_form = true;
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.inner.lock().unwrap().asked.get(path).copied().unwrap_or_default()
    }

    /// What an honest token says of somebody, in answer to a request.
    pub fn claims(&self, app: &TestApp, request: &Request, who: &Value) -> Value {
        let now = app.clock.now().unix();
        self.inner.lock().unwrap().last = json!({"sub": who["sub"]});
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT, "nonce": request.get("nonce"), "iat": now, "exp": now + 300,
        });
        for (name, value) in who.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    /// A code for this token. Returns the path to which the browser comes back.
    pub fn grants(&self, request: &Request, id_token: String) -> String {
        let mut inner = self.inner.lock().unwrap();
        let code = format!("code-{}", inner.grants.len());
        let grant = Grant {
            id_token,
            challenge: request.get("code_challenge").to_owned(),
            redirect_uri: request.get("redirect_uri").to_owned(),
        };
        inner.grants.insert(code.clone(), grant);
        let query = [("code", code.as_str()), ("state", request.get("state")), ("iss", &inner.issuer)];
        let redirect = url::Url::parse(request.get("redirect_uri")).unwrap();
        format!("{}?{}", redirect.path(), serde_urlencoded::to_string(query).unwrap())
    }

    /// Somebody leaves for it by this path, and is who they say. Returns the way back.
    pub async fn knows(&self, app: &TestApp, browser: &Visitor, path: &str, who: &Value) -> String {
        let request = Request::of(&browser.get(path).await.is(303));
        let token = self.signer().sign(&self.claims(app, &request, who));
        self.grants(&request, token)
    }

    /// The same, and back.
    pub async fn signs_in(&self, app: &TestApp, browser: &Visitor, who: &Value) -> Answer {
        let back = self.knows(app, browser, LOGIN, who).await;
        browser.get(&back).await
    }
}

/// Where sign-ins with it begin.
pub const LOGIN: &str = "/auth/oidc/login?provider=acme";

async fn respond(req: HttpRequest, body: web::Bytes, inner: web::Data<Mutex<Inner>>) -> HttpResponse {
    let mut inner = inner.lock().unwrap();
    *inner.asked.entry(req.path().to_owned()).or_default() += 1;
    if inner.is_down {
        return HttpResponse::ServiceUnavailable().finish();
    }
    let at = |path: &str| format!("{}{path}", inner.issuer);
    match req.path() {
        "/.well-known/openid-configuration" => HttpResponse::Ok().json(json!({
            "issuer": inner.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"),
            "userinfo_endpoint": at("/userinfo"),
            "id_token_signing_alg_values_supported": ["ES256", "none", "HS256"],
            "authorization_response_iss_parameter_supported": true,
            "claims_supported": if inner.lists_auth_time { vec!["sub", "auth_time"] } else { vec!["sub"] },
        })),
        "/keys" => HttpResponse::Ok().json(json!({"keys": [inner.signer.jwk]})),
        "/userinfo" => {
            let (status, media_type) = inner.userinfo_as;
            let told = inner.userinfo.as_ref().unwrap_or(&inner.last).to_string();
            HttpResponse::build(status.try_into().unwrap()).content_type(media_type).body(told)
        }
        "/token" => {
            let form: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let basic = BASE64_STANDARD.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET)));
            let given = req.headers().get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
            let is_known = match inner.wants_form {
                true => given.is_none() && form.get("client_secret").is_some_and(|given| given == SECRET),
                false => given == Some(format!("Basic {basic}").as_str()),
            };
            if !is_known {
                return HttpResponse::Unauthorized().json(json!({"error": "invalid_client"}));
            }
            let grant = inner.grants.remove(&form["code"]);
            let is_right = |grant: &Grant| {
                BASE64.encode(Sha256::digest(&form["code_verifier"])) == grant.challenge
                    && form["redirect_uri"] == grant.redirect_uri
            };
            match grant.filter(is_right) {
                Some(grant) => HttpResponse::Ok().json(json!({
                    "access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": grant.id_token,
                })),
                None => HttpResponse::BadRequest().json(json!({"error": "invalid_grant"})),
            }
        }
        _ => HttpResponse::NotFound().finish(),
    }
}
