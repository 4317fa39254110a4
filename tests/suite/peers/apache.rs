//! Apache with mod_auth_openidc, as `vestibule app config` prints it: people sign in, and its session ends with theirs.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use vestibule::jobs::{self, Job};

use crate::{
    harness::{
        PASSWORD, TestApp, Visitor, free_port,
        proxies::{Proxy, Running, environ},
    },
    oauth::Notes,
};

/// The module, and the folders with the libraries that it needs.
#[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
fn module() -> Option<(String, String)> {
    let found = std::env::var("MOD_AUTH_OPENIDC").ok().zip(std::env::var("MOD_AUTH_OPENIDC_LIBRARIES").ok());
    if found.is_none() {
        eprintln!(
            "SKIPPED: MOD_AUTH_OPENIDC is not set, so Apache signs nobody in; `bin/test peers` fetches it"
        );
    }
    found
}

/// Apache at a port before a program that says what it was given.
async fn apache(notes: &Notes, port: u16, behind: u16, folder: &Path) -> Option<Running> {
    let (program, (module, libraries)) = (Proxy::Apache.program()?, module()?);
    let place = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let printed = notes.app.command(&["app", "config", &notes.client_id, "mod_auth_openidc"]);
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    let printed = printed.out;
    let modules = ["mpm_event", "authn_core", "authz_core", "authz_user", "proxy", "proxy_http"]
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
    let whole = format!(
        "ServerName localhost\nListen 127.0.0.1:{port}\nPidFile {}\nDefaultRuntimeDir {}\nErrorLog {}\nUser www-data\nGroup \
         www-data\n{modules}LoadModule auth_openidc_module {module}\nProxyPass /redirect_uri !\nProxyPass / \
         http://127.0.0.1:{behind}/\n{printed}",
        place("pid"),
        place(""),
        place("log")
    );
    fs::write(place("apache.conf"), whole).unwrap();
    let mut command = Command::new(program);
    command.args(["-X", "-f", &place("apache.conf")]).env("LD_LIBRARY_PATH", libraries);
    command.env("OIDC_CLIENT_SECRET", notes.secret.as_deref().unwrap());
    command.env("OIDC_CRYPTO_PASSPHRASE", "of one test");
    Some(Running::at(&mut command, port).await)
}

#[actix_web::test]
async fn people_sign_in_to_apache_and_are_out_when_their_device_is_revoked() {
    if module().is_none() || Proxy::Apache.program().is_none() {
        return;
    }
    let (port, behind) = (free_port(), free_port());
    let redirect = format!("http://localhost:{port}/redirect_uri");
    let options = ["--backchannel", &format!("{redirect}?logout=backchannel")];
    let notes = Notes::of(TestApp::today().await, "web", &options);
    let set = notes.app.command(&["app", "set", &notes.client_id, "--redirect", &redirect]);
    assert_eq!(set.code, Some(0), "{}", set.err);
    let folder = tempfile::tempdir().unwrap();
    let _behind = environ(behind).await;
    let Some(_apache) = apache(&notes, port, behind, folder.path()).await else { return };

    let owner = notes.app.with_app("bob@example.com").await;
    let phone = notes.app.browser();
    phone.post("/login", &[("email", "bob@example.com"), ("password", PASSWORD)]).await.is(303);
    phone.post("/login/2fa", &[("code", &*notes.app.next_code(&owner.secret))]).await.is(303);

    let here =
        Visitor::browser(port).with("host", &format!("localhost:{port}")).with("sec-fetch-mode", "navigate");
    let local = |address: &str, origin: &str| {
        address.strip_prefix(origin).unwrap_or_else(|| panic!("{address}")).to_owned()
    };
    let origin = format!("http://localhost:{port}");
    let away = here.get_once("/notes?x=1").await.is(302);
    let asked = local(away.location().unwrap(), &notes.app.base_url);
    let back = phone.get_once(&asked).await.is(303);
    let back = here.get_once(&local(back.location().unwrap(), &origin)).await.is(302);
    assert_eq!(local(back.location().unwrap(), &origin), "/notes?x=1");
    let told: Value = here.get_once("/notes?x=1").await.is(200).json();
    let id = notes.app.user_id("bob@example.com").await;
    assert_eq!(
        (&told["HTTP_OIDC_CLAIM_SUB"], &told["HTTP_OIDC_CLAIM_ACR"]),
        (&json!(id.as_str()), &json!("2fa")),
        "{told}"
    );

    // The device is signed out from another, and so is Apache, which asks anew.
    let gone = phone.session_id().await;
    owner.curl.delete(&format!("/me/sessions/{gone}")).await.is(200);
    let told = jobs::run_once(&notes.app.inner, Job::Deliveries, true).await.unwrap();
    assert_eq!(told, jobs::Outcome::Done(1));
    assert_eq!(notes.app.count("deliveries").await, 0, "Apache said yes");
    here.get_once("/notes").await.is(302);
}
