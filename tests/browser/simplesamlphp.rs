//! SimpleSAMLphp, as Debian packages it: a real identity provider under PHP's own web server, with one person.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    hash::MessageDigest,
    pkey::PKey,
    rsa::Rsa,
    x509::{X509Builder, X509NameBuilder},
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::{
    chromium::setting,
    harness::{TestApp, free_port},
};

const INSTALLED: &str = "/usr/share/simplesamlphp";
const PATIENCE: Duration = Duration::from_secs(20);

/// An identity provider that runs for one test.
pub struct SimpleSaml {
    pub base: String,
    folder: TempDir,
    server: Child,
    service: Map<String, Value>,
    keys: Vec<&'static str>,
}

impl SimpleSaml {
    /// Starts it, where it is on this machine. Where it is not, the test says so and is skipped.
    pub fn start(app: &TestApp) -> Option<Self> {
        let place = setting("SIMPLESAMLPHP").unwrap_or_else(|| INSTALLED.to_owned());
        if !Path::new(&place).join("www/saml2/idp/metadata.php").exists() {
            assert!(setting("SIMPLESAMLPHP").is_none(), "it is not in {place}");
            eprintln!(
                "SKIPPED: there is no SimpleSAMLphp on this machine; `bin/test browser` fetches it where it is packaged"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        for name in ["cert", "log", "data", "tmp", "sessions", "metadata"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for name in ["old", "new"] {
            make_key(&folder.path().join("cert"), name);
        }
        // Another host than that of the house, so another site to a browser.
        let base = format!("http://127.0.0.1:{port}");
        fs::write(folder.path().join("config.php"), config(&base, folder.path())).unwrap();
        let log = File::create(folder.path().join("log/server.log")).unwrap();
        let server = Command::new("php")
            // What is changed is read at once, and not up to two seconds later.
            .args(["-d", "opcache.enable=0", "-S", &format!("127.0.0.1:{port}"), "-t", &format!("{place}/www")])
            .env("SIMPLESAMLPHP_CONFIG_DIR", folder.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let Value::Object(service) = json!({
            "AssertionConsumerService": [{
                "Location": format!("{}/auth/saml/callback", app.base_url),
                "Binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
                "index": 0,
            }],
            "NameIDFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
            "entityid": format!("{}/auth/saml/metadata", app.base_url),
        }) else {
            unreachable!("an object is an object")
        };
        let mut this = Self { base, folder, server, service, keys: vec!["old"] };
        this.knows("Ada Lovelace", "ada@example.com", &["makers"]);
        this.write_metadata();
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                start.elapsed() < PATIENCE && this.server.try_wait().unwrap().is_none(),
                "php did not start"
            );
            std::thread::yield_now();
        }
        Some(this)
    }

    /// Who it is that signs in there from now on.
    pub fn knows(&self, name: &str, email: &str, groups: &[&str]) {
        let person = json!({
            "house": {
                "0": "exampleauth:StaticSource",
                "uid": ["ada"], "displayName": [name], "mail": [email], "groups": groups,
            },
            "admin": { "0": "core:AdminPassword" },
        });
        self.write("authsources.php", "$config", &person);
    }

    /// Encrypts what it says of people to this certificate.
    pub fn encrypts_to(&mut self, pem: &str) {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let key = json!({ "encryption": true, "signing": true, "type": "X509Certificate", "X509Certificate": body });
        self.service.insert("keys".to_owned(), json!([key]));
        self.service.insert("assertion.encryption".to_owned(), json!(true));
        self.write_metadata();
    }

    /// Announces its next key in its metadata; the one before it still signs.
    pub fn announces_a_key(&mut self) {
        self.keys = vec!["old", "new"];
        self.write_metadata();
    }

    /// Signs with the key that was announced.
    pub fn switches_keys(&mut self) {
        self.keys = vec!["new", "old"];
        self.write_metadata();
    }

    /// Its metadata, as anybody can read it. PHP's server tells no length and closes, as HTTP/1.0 has it.
    pub fn metadata(&self) -> String {
        let host = self.base.trim_start_matches("http://");
        let mut server = TcpStream::connect(host).unwrap();
        write!(server, "GET /saml2/idp/metadata.php HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        server.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(body.contains("EntityDescriptor"), "{answer}{}", self.words());
        body.to_owned()
    }

    /// What it wrote into its logs.
    pub fn words(&self) -> String {
        let log =
            |name: &str| fs::read_to_string(self.folder.path().join("log").join(name)).unwrap_or_default();
        format!("{}{}", log("server.log"), log("simplesamlphp.log"))
    }

    fn write_metadata(&self) {
        let entity = format!("{}/saml2/idp/metadata.php", self.base);
        let [signing, rest @ ..] = self.keys.as_slice() else { unreachable!("one key at least") };
        let mut hosted = json!({
            "host": "__DEFAULT__",
            "auth": "house",
            "privatekey": format!("{signing}.pem"),
            "certificate": format!("{signing}.crt"),
            "signature.algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            "NameIDFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
            "authproc": {
                "3": {
                    "class": "saml:AttributeNameID",
                    "attribute": "uid",
                    "Format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
                },
            },
        });
        if let [next] = rest {
            // Both are in the metadata; the first one signs.
            hosted["new_privatekey"] = format!("{next}.pem").into();
            hosted["new_certificate"] = format!("{next}.crt").into();
        }
        let hosted = json!({ entity: hosted });
        self.write("metadata/saml20-idp-hosted.php", "$metadata", &hosted);
        let service = self.service["entityid"].as_str().unwrap();
        let remote = json!({ service: Value::Object(self.service.clone()) });
        self.write("metadata/saml20-sp-remote.php", "$metadata", &remote);
    }

    fn write(&self, name: &str, variable: &str, value: &Value) {
        fs::write(self.folder.path().join(name), format!("<?php\n{variable} = {};\n", php(value))).unwrap();
    }
}

impl Drop for SimpleSaml {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A value as PHP writes it.
fn php(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| match key.parse::<u32>() {
                    Ok(number) => format!("{number} => {}", php(value)),
                    Err(_) => format!("'{key}' => {}", php(value)),
                })
                .collect();
            format!("[{}]", entries.join(", "))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(php).collect::<Vec<_>>().join(", ")),
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        other => other.to_string(),
    }
}

fn config(base: &str, folder: &Path) -> String {
    let place = |name: &str| -> PathBuf { folder.join(name) };
    let settings = json!({
        "baseurlpath": format!("{base}/"),
        "certdir": place("cert/"), "loggingdir": place("log/"), "datadir": place("data/"), "tempdir": place("tmp"),
        "metadatadir": place("metadata/"),
        "metadata.sources": [{ "type": "flatfile", "directory": place("metadata/") }],
        "secretsalt": "the salt of one test", "auth.adminpassword": "nobody is to know it",
        "technicalcontact_email": "nobody@example.org", "timezone": "UTC",
        "logging.handler": "file", "logging.level": 7, "logging.logfile": "simplesamlphp.log",
        "enable.saml20-idp": true,
        "module.enable": { "exampleauth": true, "core": true, "saml": true },
        "session.phpsession.cookiename": "SimpleSAML", "session.phpsession.savepath": place("sessions"),
        "session.cookie.secure": false, "store.type": "phpsession",
        "language.available": ["en"], "language.default": "en",
        "showerrors": true, "errorreporting": false,
    });
    // What the version of the package lets pass as deprecated would end up before the page.
    format!(
        "<?php\nerror_reporting(E_ALL & ~E_DEPRECATED);\nini_set('display_errors', '0');\n$config = {};\n",
        php(&settings)
    )
}

/// An RSA key with a certificate by itself for it.
fn make_key(folder: &Path, name: &str) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut called = X509NameBuilder::new().unwrap();
    called.append_entry_by_text("CN", "SimpleSAMLphp").unwrap();
    let called = called.build();
    let mut certificate = X509Builder::new().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    certificate.set_subject_name(&called).unwrap();
    certificate.set_issuer_name(&called).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(100).unwrap()).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    fs::write(folder.join(format!("{name}.pem")), key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    fs::write(folder.join(format!("{name}.crt")), certificate.build().to_pem().unwrap()).unwrap();
}
