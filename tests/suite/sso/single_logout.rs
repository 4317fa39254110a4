//! Signing out where it began at the identity provider.

use std::io::{Read, Write};

use actix_web::http::Method;
use base64::prelude::{BASE64_STANDARD, Engine};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use futures_util::future::join;
use openssl::{hash::MessageDigest, sign::Signer};
use url::form_urlencoded::byte_serialize;
use vestibule::secret;

use crate::{
    harness::{Answer, START, TestApp, Visitor},
    idp::{Acme, Person, ada, comes_back, is_nobody, later},
    saml::forger::{ASSERTION, Idp, PERSISTENT, PROTOCOL, RSA_SHA256, at, bent},
};

/// A request for a logout of this name and session, in canonical form.
fn request(app: &TestApp, acme: &Acme, name: &str, indexes: &[&str]) -> String {
    let now = at(app.clock.now().unix() - START);
    let indexes: String =
        indexes.iter().map(|index| format!("<samlp:SessionIndex>{index}</samlp:SessionIndex>")).collect();
    format!(
        "<samlp:LogoutRequest xmlns:samlp=\"{PROTOCOL}\" Destination=\"{}/auth/saml/logout\" ID=\"_{}\" \
         IssueInstant=\"{now}\" Version=\"2.0\"><saml:Issuer xmlns:saml=\"{ASSERTION}\">{}</saml:Issuer>\
         <!--signature--><saml:NameID xmlns:saml=\"{ASSERTION}\" Format=\"{PERSISTENT}\">{name}</saml:NameID>{indexes}\
         </samlp:LogoutRequest>",
        app.base_url,
        secret::random_text(12).unwrap(),
        acme.issuer,
    )
}

/// The query with a request that this key signed.
fn query(request: &str, idp: &Idp) -> String {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
    packer.write_all(request.replace("<!--signature-->", "").as_bytes()).unwrap();
    let packed = BASE64_STANDARD.encode(packer.finish().unwrap());
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let text = format!("SAMLRequest={}&RelayState=there&SigAlg={}", encoded(&packed), encoded(RSA_SHA256));
    let mut signer = Signer::new(MessageDigest::sha256(), &idp.key).unwrap();
    let value = BASE64_STANDARD.encode(signer.sign_oneshot_to_vec(text.as_bytes()).unwrap());
    format!("{text}&Signature={}", encoded(&value))
}

async fn asks(app: &TestApp, query: &str) -> Answer {
    abroad(app).get(&format!("/auth/saml/logout?{query}")).await
}

async fn posts(app: &TestApp, request: &str) -> Answer {
    let body = serde_urlencoded::to_string([("SAMLRequest", BASE64_STANDARD.encode(request))]).unwrap();
    let form = ("application/x-www-form-urlencoded", body);
    abroad(app).send(Method::POST, "/auth/saml/logout", Some(form)).await
}

/// Somebody's browser as another site sends it here: without the Lax cookies.
fn abroad(app: &TestApp) -> Visitor {
    app.browser().with("sec-fetch-site", "cross-site").with("origin", "https://idp.example")
}

/// Signs in to the session of this index there.
async fn signs_in(app: &TestApp, acme: &Acme, person: &Person, index: &str) -> Visitor {
    later(app);
    let browser = app.browser();
    let request = acme.leave_for(&browser).await;
    let draft = acme
        .draft(app, &request, person)
        .assertion("SessionIndex=\"s1\"", &format!("SessionIndex=\"{index}\""));
    comes_back(app, &browser, &draft.both_signed(&acme.idp.pen()), &request.relay_state).await.goes_to("/me");
    browser
}

/// Acme, whose identity provider takes answers here.
async fn acme(app: &TestApp) -> Acme {
    let acme = Acme::of(app).await;
    let service = "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" \
                   Location=\"https://idp.example/slo\"/>";
    let before = "<md:SingleSignOnService";
    acme.sets(app, &format!("metadata = replace(metadata, '{before}', '{service}{before}')")).await;
    acme
}

#[actix_web::test]
async fn a_logout_there_ends_the_sessions_that_came_from_it() {
    let app = TestApp::open().await;
    let acme = acme(&app).await;
    let (bob, eve) = (ada().called("bob").at("bob@example.com"), ada());
    let laptop = signs_in(&app, &acme, &bob, "laptop").await;
    let phone = signs_in(&app, &acme, &bob, "phone").await;
    let other = signs_in(&app, &acme, &eve, "laptop").await;

    let logout = request(&app, &acme, "bob", &["laptop"]);
    let answer = asks(&app, &query(&logout, &acme.idp)).await.is(303);

    assert!(is_nobody(&laptop).await && !is_nobody(&phone).await && !is_nobody(&other).await);
    let location = url::Url::parse(answer.header("location")).unwrap();
    assert!(location.as_str().starts_with("https://idp.example/slo?SAMLResponse="), "{location}");
    let value =
        |name: &str| location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(value("RelayState").as_deref(), Some("there"));
    let packed = BASE64_STANDARD.decode(value("SAMLResponse").unwrap()).unwrap();
    let mut text = String::new();
    DeflateDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    assert!(
        text.contains("status:Success") && text.contains("Destination=\"https://idp.example/slo\""),
        "{text}"
    );
    let (_, id) = logout.split_once(" ID=\"").unwrap();
    assert!(text.contains(&format!("InResponseTo=\"{}\"", id.split_once('"').unwrap().0)), "{text}");
    assert_eq!(app.count("audit WHERE event = 'session_revoked'").await, 1);

    // By a form, and of every session.
    let again = signs_in(&app, &acme, &bob, "laptop").await;
    let logout = acme.idp.pen().on(&request(&app, &acme, "bob", &[]));
    posts(&app, &logout).await.is(303);
    assert!(is_nobody(&again).await && is_nobody(&phone).await && !is_nobody(&other).await);
}

#[actix_web::test]
async fn a_request_that_is_not_the_identity_provider_s_own_changes_nothing() {
    let app = TestApp::open().await;
    let acme = acme(&app).await;
    let beta = Acme::unproved(&app, "Beta", "boss@beta.example").await;
    let browser = signs_in(&app, &acme, &ada(), "s1").await;
    let honest = || request(&app, &acme, "ada", &[]);
    let signed = |text: &str| acme.idp.pen().on(text);
    let plain = |text: &str| text.replace("<!--signature-->", "");
    let foreign = bent(&honest(), &acme.issuer, &beta.issuer);
    let good = query(&honest(), &acme.idp);
    let without = |name: &str| {
        let kept: Vec<&str> = good.split('&').filter(|pair| !pair.starts_with(name)).collect();
        kept.join("&")
    };
    for (name, query) in [
        ("unsigned", without("Signature")),
        ("no algorithm", without("SigAlg")),
        ("another RelayState", good.replace("RelayState=there", "RelayState=here")),
        ("no RelayState", without("RelayState")),
        ("a second request", format!("{good}&SAMLRequest=x")),
        ("another key", query(&honest(), &Idp::rsa())),
        ("of another connection", query(&foreign, &acme.idp)),
        ("rubbish", "SAMLRequest=x&SigAlg=y&Signature=z".to_owned()),
        ("nothing", String::new()),
    ] {
        let answer = asks(&app, &query).await;
        assert_eq!(answer.status, 400, "{name}");
    }
    let now = at(app.clock.now().unix() - START);
    let issued = |to: i64| bent(&honest(), &now, &at(app.clock.now().unix() - START + to));
    let destination = format!("{}/auth/saml/logout", app.base_url);
    for (name, text) in [
        ("unsigned", plain(&honest())),
        ("another key", Idp::rsa().pen().on(&honest())),
        ("changed", bent(&signed(&request(&app, &acme, "eve", &[])), ">eve<", ">ada<")),
        ("of another connection", signed(&foreign)),
        ("another destination", signed(&bent(&honest(), &destination, "https://elsewhere.example/"))),
        ("no destination", signed(&bent(&honest(), &format!(" Destination=\"{destination}\""), ""))),
        ("too old", signed(&issued(-500))),
        ("of tomorrow", signed(&issued(86_400))),
        ("another version", signed(&bent(&honest(), "Version=\"2.0\"", "Version=\"1.1\""))),
        ("a response", signed(&honest().replace("LogoutRequest", "LogoutResponse"))),
        (
            "no name",
            signed(&bent(&honest(), "saml:NameID", "saml:Nobody").replace("/saml:NameID", "/saml:Nobody")),
        ),
        ("very long", signed(&bent(&honest(), ">ada<", &format!(">{}<", "a".repeat(20_000))))),
    ] {
        assert_eq!(posts(&app, &text).await.status, 400, "{name}");
    }
    assert!(!is_nobody(&browser).await);

    // Nor does one that comes twice, on whichever node.
    let node = app.second_node().await;
    let once = query(&honest(), &acme.idp);
    let (here, there) = join(asks(&app, &once), asks(&node, &once)).await;
    let mut answers = [here.status.as_u16(), there.status.as_u16()];
    answers.sort_unstable();
    assert_eq!(answers, [303, 400]);
    assert!(is_nobody(&browser).await);
    let back = signs_in(&app, &acme, &ada(), "s1").await;
    asks(&app, &once).await.is(400);
    assert!(!is_nobody(&back).await);
}

/// Neither what the identity provider calls the person nor its session can be read from what is kept.
#[actix_web::test]
async fn names_and_indexes_are_kept_as_digests_only() {
    let app = TestApp::open().await;
    let acme = acme(&app).await;
    signs_in(&app, &acme, &ada().called("a-rare-name"), "a-rare-index").await;
    let kept = app
        .texts("SELECT connection_id || ' ' || name_id_hash || ' ' || sid_hash AS text FROM sessions WHERE method = 'sso'")
        .await;
    assert_eq!(kept.len(), 1);
    assert!(kept[0].starts_with(acme.connection.as_str()) && !kept[0].contains("rare"), "{kept:?}");
}

#[actix_web::test]
async fn a_logout_that_reaches_one_node_ends_what_began_at_another() {
    let app = TestApp::open().await;
    let other = app.second_node().await;
    let acme = acme(&app).await;
    let laptop = signs_in(&app, &acme, &ada(), "laptop").await;
    let phone = signs_in(&other, &acme, &ada(), "phone").await;

    let asked = query(&request(&app, &acme, "ada", &["laptop"]), &acme.idp);
    asks(&other, &asked).await.is(303);

    assert!(is_nobody(&laptop).await);
    assert!(!is_nobody(&phone).await);
}
