//! What programs send as JSON and browsers as forms: read where it can be, and refused by the name of its field where not.

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, TestApp, Visitor};

const ADA: &str = "ada@example.com";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

async fn post(visitor: &Visitor, path: &str, kind: &str, body: impl Into<String>) -> Answer {
    visitor.send(Method::POST, path, Some((kind, body.into()))).await
}

/// Bodies of `POST /login`, `$EMAIL` and `$PASSWORD` being right, that are read.
const READ: &[(&str, &str)] = &[
    (JSON, r#"{"email":"$EMAIL","password":"$PASSWORD"}"#),
    // Null is what Swift, Kotlin and JavaScript write for what is not set.
    (JSON, r#"{"email":"$EMAIL","password":"$PASSWORD","next":null,"remember":null}"#),
    (JSON, r#"{"email":"$EMAIL","password":"$PASSWORD","zone":null,"screen":null,"other":null}"#),
    (JSON, "\u{feff}{\"email\":\"$EMAIL\",\"password\":\"$PASSWORD\"}"),
    (JSON, " \r\n\t{ \"email\" : \"$EMAIL\" ,\r\n \"password\" : \"$PASSWORD\" } \n"),
    (JSON, r#"{"\u0065mail":"$EMAIL","password":"$PASSWORD"}"#),
    (JSON, r#"{"email":"$EMAIL","password":"$PASSWORD","remember":true}"#),
    (JSON, r#"{"email":"$EMAIL","password":"$PASSWORD","remember":"on"}"#),
    (
        JSON,
        r#"{"email":"$EMAIL","password":"$PASSWORD","extra":{"a":[1,{"b":null}]},"list":[],"n":-1.5e300}"#,
    ),
    (JSON, r#"{"email":"$EMAIL","password":"$PASSWORD","x":1,"x":2}"#),
    ("application/json; charset=utf-8", r#"{"email":"$EMAIL","password":"$PASSWORD"}"#),
    ("application/json;charset=UTF8", r#"{"email":"$EMAIL","password":"$PASSWORD"}"#),
    ("application/json; charset=\"utf-8\"", r#"{"email":"$EMAIL","password":"$PASSWORD"}"#),
    ("application/json; odata=verbose; Charset=us-ascii", r#"{"email":"$EMAIL","password":"$PASSWORD"}"#),
    ("application/json;charset=ISO-8859-1", r#"{"email":"$EMAIL","password":"$PASSWORD"}"#),
    ("application/json;", r#"{"email":"$EMAIL","password":"$PASSWORD"}"#),
    ("APPLICATION/JSON", r#"{"email":"$EMAIL","password":"$PASSWORD"}"#),
    ("application/vnd.api+json", r#"{"email":"$EMAIL","password":"$PASSWORD"}"#),
    ("application/ld+json; profile=\"x\"", r#"{"email":"$EMAIL","password":"$PASSWORD"}"#),
    (FORM, "email=$EMAIL&password=$PASSWORD"),
    (FORM, "email=$EMAIL&password=$PASSWORD&next=&remember=&zone=&screen="),
    (FORM, "&&email=$EMAIL&&password=$PASSWORD&"),
    (FORM, "\u{feff}email=$EMAIL&password=$PASSWORD"),
    (FORM, "email=$EMAIL&password=$PASSWORD&other=1&other=2"),
    (FORM, "em%61il=$EMAIL&password=$PASSWORD&flag"),
    ("application/x-www-form-urlencoded; charset=UTF-8", "email=$EMAIL&password=$PASSWORD"),
    ("application/x-www-form-urlencoded;charset=windows-1252", "email=$EMAIL&password=$PASSWORD"),
];

#[actix_web::test]
async fn what_says_the_same_is_read_alike() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    for (kind, body) in READ {
        let body = body.replace("$EMAIL", ADA).replace("$PASSWORD", PASSWORD);
        let answer = post(&app.curl(), "/login", kind, body.clone()).await;
        assert_eq!(answer.status, 200, "{kind} {body}: {}", answer.body);
    }
}

/// Bodies of `POST /login`, what they are refused as, and what the sentence says.
const REFUSED: &[(&str, &str, u16, &str, &str)] = &[
    (JSON, "", 400, "malformed", "there is no JSON in its body"),
    (JSON, " \n", 400, "malformed", "there is no JSON in its body"),
    (JSON, "\u{feff}", 400, "malformed", "there is no JSON in its body"),
    (JSON, "{", 400, "malformed", "line 1, column 1 of the JSON"),
    (JSON, "{\"email\":\"a\",}", 400, "malformed", "line 1, column 14 of the JSON"),
    (JSON, "{'email':'a'}", 400, "malformed", "line 1, column 2 of the JSON"),
    (JSON, "{\"email\":undefined}", 400, "malformed", "of the JSON"),
    (JSON, "{\"email\":NaN}", 400, "malformed", "of the JSON"),
    (JSON, "{\"email\":\"a\"}{}", 400, "malformed", "of the JSON"),
    (JSON, "{\"n\":1e999}", 400, "malformed", "of the JSON"),
    (JSON, "{\"email\":\"\\ud800\"}", 400, "malformed", "of the JSON"),
    (JSON, "{\"email\":\"a\u{1}\"}", 400, "malformed", "of the JSON"),
    (JSON, "[]", 400, "malformed", "its JSON is no object: put the fields in braces"),
    // A list is not taken for the fields in their order.
    (
        JSON,
        "[\"ada@example.com\",\"correct horse battery staple\"]",
        400,
        "malformed",
        "put the fields in braces",
    ),
    (JSON, "null", 400, "malformed", "put the fields in braces"),
    (JSON, "true", 400, "malformed", "put the fields in braces"),
    (JSON, "12", 400, "malformed", "put the fields in braces"),
    (JSON, "\"{}\"", 400, "malformed", "put the fields in braces"),
    (JSON, "email=a&password=b", 400, "malformed", "line 1, column 1 of the JSON"),
    (JSON, "{\"email\":\"a\",\"email\":\"b\"}", 400, "malformed", "email was sent twice"),
    (JSON, "{\"email\":\"a\",\"\\u0065mail\":\"a\"}", 400, "malformed", "email was sent twice"),
    (FORM, "{\"email\":\"a\"}", 400, "malformed", "Content-Type: application/json"),
    (FORM, " \n{}", 400, "malformed", "JSON came as a form"),
    (FORM, "\u{feff}{\"email\":\"a=b\"}", 400, "malformed", "JSON came as a form"),
    (FORM, "email=a&email=b", 400, "malformed", "email was sent twice"),
    (FORM, "email=a&em%61il=a", 400, "malformed", "email was sent twice"),
    (FORM, "email=%FF", 400, "malformed", "the form is not in UTF-8"),
    ("application/json; charset=utf-16", "{}", 415, "unsupported_media", "in UTF-8"),
    ("application/json; charset=UTF-16LE", "{}", 415, "unsupported_media", "in UTF-8"),
    ("application/json;charset=\"utf-32\"", "{}", 415, "unsupported_media", "in UTF-8"),
    ("application/x-www-form-urlencoded; charset=shift_jis", "email=a", 415, "unsupported_media", "in UTF-8"),
    ("application/json; charset=utf-7", "{}", 415, "unsupported_media", "in UTF-8"),
    ("text/json", "{}", 415, "unsupported_media", "application/json"),
    ("application/jsonp", "{}", 415, "unsupported_media", "application/json"),
    ("application/xml", "<a/>", 415, "unsupported_media", "application/json"),
    ("image/svg+json", "{}", 415, "unsupported_media", "application/json"),
    (JSON, "{}", 422, "invalid", "Enter your email address."),
    (JSON, "{\"email\":null,\"password\":null}", 422, "invalid", "Enter your email address."),
    (FORM, "", 422, "invalid", "Enter your email address."),
];

#[actix_web::test]
async fn what_cannot_be_read_is_refused_in_words() {
    let app = TestApp::open().await;
    app.verified(ADA).await;
    for (kind, body, status, code, words) in REFUSED {
        let answer = post(&app.curl(), "/login", kind, *body).await;
        assert_eq!(answer.status, *status, "{kind} {body}: {}", answer.body);
        answer.refuses(*status, code).says(words);
    }
    // However deep, the worker that reads it goes on.
    for depth in [130, 5_000, 30_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let body = format!("{{\"x\":{}{}}}", open.repeat(depth), close.repeat(depth));
            let answer = post(&app.curl(), "/login", JSON, body).await;
            assert!([400, 413].contains(&answer.status.as_u16()), "{depth}: {}", answer.status);
        }
    }
    app.curl().get("/login").await.is(200);
}

/// Fields of another type than they should have: where, the body, the field that is named, and what it asks for.
fn wrong_types() -> Vec<(&'static str, Value, &'static str, &'static str)> {
    let zeros = "a number loses the zeros that it begins with";
    vec![
        ("/login", json!({ "email": 7, "password": PASSWORD }), "email", "as text in quotes"),
        ("/login", json!({ "email": ADA, "password": 12345678 }), "password", zeros),
        ("/login", json!({ "email": ADA, "password": -1 }), "password", zeros),
        ("/login", json!({ "email": ADA, "password": 1.5 }), "password", zeros),
        ("/login", json!({ "email": ADA, "password": true }), "password", "as text in quotes"),
        ("/login", json!({ "email": ["a@b.example"], "password": PASSWORD }), "email", "as text in quotes"),
        (
            "/login",
            json!({ "email": { "address": ADA }, "password": PASSWORD }),
            "email",
            "as text in quotes",
        ),
        (
            "/login",
            json!({ "email": ADA, "password": PASSWORD, "remember": 1 }),
            "remember",
            "as true or false",
        ),
        (
            "/login",
            json!({ "email": ADA, "password": PASSWORD, "remember": [] }),
            "remember",
            "as true or false",
        ),
        ("/login", json!({ "email": ADA, "password": PASSWORD, "next": 1 }), "next", "as text in quotes"),
        ("/login", json!({ "email": ADA, "password": PASSWORD, "zone": {} }), "zone", "as text in quotes"),
        ("/signup", json!({ "name": 7 }), "name", "as text in quotes"),
        ("/signup", json!({ "name": "Ada", "email": false }), "email", "as text in quotes"),
        ("/auth/methods", json!({ "email": 1 }), "email", "as text in quotes"),
        ("/forgot-password", json!({ "email": [] }), "email", "as text in quotes"),
        ("/reset-password", json!({ "token": 123, "password": PASSWORD }), "token", zeros),
        (
            "/reset-password",
            json!({ "token": "a", "password": "b", "repeat": {} }),
            "repeat",
            "as text in quotes",
        ),
        ("/verify-email", json!({ "token": true }), "token", "as text in quotes"),
        ("/not-me", json!({ "token": [1] }), "token", "as text in quotes"),
        ("/login/magic-link", json!({ "email": ADA, "remember": {} }), "remember", "as true or false"),
        ("/login/magic-link/verify", json!({ "code": 123456 }), "code", zeros),
        ("/login/passkey", json!({ "remember": "yes", "next": {} }), "next", "as text in quotes"),
        ("/auth/saml/login", json!({ "connection": 5 }), "connection", "as text in quotes"),
        // For who is signed in.
        ("/auth/confirm", json!({ "password": 1 }), "password", zeros),
        ("/auth/confirm", json!({ "code": 123456 }), "code", zeros),
        ("/me/name", json!({ "name": 7 }), "name", "as text in quotes"),
        ("/me/name", json!({ "name": null }), "name", ""),
        ("/me/email", json!({ "email": 7 }), "email", "as text in quotes"),
        ("/me/password", json!({ "newPassword": 12345678 }), "newPassword", zeros),
        ("/me/2fa/totp/confirm", json!({ "code": 123456 }), "code", zeros),
        ("/me/2fa/totp/confirm", json!({ "code": 12345.0 }), "code", zeros),
        ("/me/2fa/recovery-codes/download", json!({ "codes": ["a"] }), "codes", "as text in quotes"),
        ("/organisations", json!({ "name": "Acme", "slug": 7 }), "slug", "as text in quotes"),
        ("/organisations", json!({ "name": null, "slug": null }), "name", ""),
    ]
}

#[actix_web::test]
async fn a_field_of_another_type_is_named_with_what_it_should_be() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    ada.steps_up().await;
    app.waiting_app(&ada).await;
    let before = app.count("sessions").await;
    for (path, body, field, words) in wrong_types() {
        let answer = ada.post_json(path, body.clone()).await;
        assert_eq!(answer.status, 422, "{path} {body}: {}", answer.body);
        let told = answer.refuses(422, "invalid").json();
        let fields = told["fields"].as_object().unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), [field], "{path} {body}: {told}");
        let sentence = fields[field].as_str().unwrap();
        assert!(sentence.contains(words) && sentence.ends_with('.'), "{path} {body}: {sentence}");
        assert_eq!(told["error"], sentence, "{path} {body}");
        // A browser reads the same sentence.
        let page = ada.clone().with("accept", "text/html").post_json(path, body.clone()).await;
        page.is(422).says(if words.is_empty() { "</html>" } else { words });
    }
    assert_eq!(app.count("sessions").await, before);
}

#[actix_web::test]
async fn a_code_that_is_a_number_is_told_about_its_zeros_and_costs_no_try() {
    let app = TestApp::open().await;
    let owner = app.with_app(ADA).await;
    let curl = app.curl();
    owner.submits_password(&curl).await.is(200);
    for _ in 0..6 {
        let told =
            curl.post_json("/login/2fa", json!({ "code": 12345 })).await.refuses(422, "invalid").json();
        let sentence = "Send code as text in quotes: a number loses the zeros that it begins with.";
        assert_eq!(told["fields"], json!({ "code": sentence }));
    }
    let code = app.next_code(&owner.secret);
    let body = json!({ "code": code, "recovery": null, "next": null });
    curl.post_json("/login/2fa", body).await.is(200);
}

/// What is optional may be null everywhere; what is not is as if it were not there.
#[actix_web::test]
async fn null_is_absent_at_every_door() {
    let app = TestApp::open().await;
    let ada = app.verified(ADA).await;
    ada.steps_up().await;
    let made = ada.post_json("/organisations", json!({ "name": "Acme", "slug": null })).await.is(201).json();
    assert_eq!(made["organisation"]["slug"], "acme");
    let told = ada.post_json("/organisations", json!({ "name": null })).await.refuses(422, "invalid");
    let absent = ada.post_json("/organisations", json!({})).await.refuses(422, "invalid");
    assert_eq!(told.json(), absent.json());
    let body = json!({ "email": "eve@example.com", "password": PASSWORD, "name": "Eve", "next": null, "zone": null });
    app.curl().post_json("/signup", body).await.is(201);
    for name in ["name", "email", "password"] {
        let mut with = json!({ "email": "joan@example.com", "password": PASSWORD, "name": "Joan" });
        let mut without = with.clone();
        with[name] = Value::Null;
        without.as_object_mut().unwrap().remove(name);
        let told = app.curl().post_json("/signup", with).await.refuses(422, "invalid").json();
        assert_eq!(told, app.curl().post_json("/signup", without).await.refuses(422, "invalid").json());
        assert!(told["fields"][name].is_string(), "{told}");
    }
    let body = json!({ "newPassword": "another horse battery staple", "repeat": null });
    ada.put_json("/me/password", body).await.is(200);
    let body =
        json!({ "password": "another horse battery staple", "code": null, "resume": null, "next": null });
    ada.post_json("/auth/confirm", body).await.is(200);
}
