//! The whole program for one test: its own database, clock, mail server and address.
//!
//! Tests come in through the front door, as a browser or as curl. Emails travel over real SMTP; the outbox runs
//! when a test asks for an email, so nothing ever waits. With `TEST_DATABASE_URL` set, rows are on PostgreSQL.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

pub mod authenticator;
pub mod constants;
pub mod oidc_provider;
pub mod organisations;
pub mod outbound;
mod process;
pub mod proxies;
mod storage;
pub mod visitor;
pub mod wire;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    rc::Rc,
};

use actix_web::http::Method;
use chrono::TimeDelta;
use diesel::RunQueryDsl;
use vestibule::{
    app::App,
    clock::{Clock, Timestamp},
    config,
    ids::UserId,
    jobs,
    mail::{Catcher, Caught, Email, EmailAddress, EmailKind},
    server,
};

pub use authenticator::Authenticator;
pub use process::{Ground, Process, any_number, eventually, free_port};
pub use storage::{Storage, test_server};
pub use visitor::{Answer, Visitor};

/// A password that is good enough for everybody in the tests.
pub const PASSWORD: &str = "correct horse battery staple";

/// A secret key that production takes: it was made by chance.
pub const KEY: &str = "kT9wZ3vQ7xLr2MfY8sBn5HcD4gJp6aWe";

/// 21 November 2026, 14:05 UTC.
pub const START: i64 = 1_795_269_900;

/// The program, open for one test.
pub struct TestApp {
    pub inner: App,
    pub clock: Clock,
    pub base_url: String,
    pub port: u16,
    pub settings: BTreeMap<String, String>,
    pub catcher: Catcher,
    storage: Rc<Storage>,
}

impl TestApp {
    /// In development mode with the default settings, but for a cheap bcrypt and without the example of notes.
    pub async fn open() -> Self {
        Self::with(&[]).await
    }

    /// The same with some settings of one's own.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::at(Clock::test(Timestamp::from_unix(START)), settings).await
    }

    /// The same where it is as late as it is: commands are programs of their own, and go by the machine's clock.
    pub async fn today() -> Self {
        Self::today_with(&[]).await
    }

    /// The same with some settings of one's own.
    pub async fn today_with(settings: &[(&str, &str)]) -> Self {
        Self::at(Clock::test(Clock::system().now()), settings).await
    }

    async fn at(clock: Clock, settings: &[(&str, &str)]) -> Self {
        let storage = Rc::new(Storage::new());
        let catcher = Catcher::start(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let base_url = format!("http://localhost:{port}");
        let smtp_url = format!("smtp://{}", catcher.addr());
        let mut values = BTreeMap::new();
        let usual = [
            ("DATABASE_URL", storage.url.as_str()),
            ("BASE_URL", &base_url),
            ("SMTP_URL", &smtp_url),
            ("SECRET_KEY", KEY),
            ("BCRYPT_COST", "4"),
            ("WORKERS", "2"),
            // Catalogues are the tests' own.
            ("EXAMPLE_NOTES", "off"),
            // So are providers.
            ("DEMO_PROVIDER", "off"),
            // Tests do in a second what people do in a day. Those of the limits turn them on.
            ("THROTTLE", if settings.contains(&("MODE", "production")) { "on" } else { "off" }),
        ];
        for (name, value) in usual.iter().chain(settings) {
            values.insert((*name).to_owned(), (*value).to_owned());
        }
        let app = App::open_with(config::from_values(values.clone()).unwrap(), clock.clone()).unwrap();
        app.db().migrate().unwrap();
        actix_web::rt::spawn(server::start(&app, listener).unwrap());
        let base_url = app.config().site.origin();
        Self { inner: app, clock, base_url, port, settings: values, catcher, storage }
    }

    /// A second node on the same database and clock; its own address, the same emails.
    pub async fn second_node(&self) -> Self {
        self.second_node_with(&[]).await
    }

    /// The same with some settings of its own.
    pub async fn second_node_with(&self, settings: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut values = self.settings.clone();
        values.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let config = config::from_values(values.clone()).unwrap();
        let app = App::open_with(config, self.clock.clone()).unwrap();
        actix_web::rt::spawn(server::start(&app, listener).unwrap());
        Self {
            inner: app,
            clock: self.clock.clone(),
            base_url: self.base_url.clone(),
            port,
            settings: values,
            catcher: self.catcher.clone(),
            storage: self.storage.clone(),
        }
    }

    /// Somebody with a browser: asks for pages, keeps cookies, follows nothing by itself.
    pub fn browser(&self) -> Visitor {
        Visitor::browser(self.port)
    }

    /// Somebody with curl and a cookie jar: asks for JSON.
    pub fn curl(&self) -> Visitor {
        Visitor::curl(self.port)
    }

    /// Lets time pass.
    pub fn wait(&self, span: TimeDelta) {
        self.clock.advance(span);
    }

    /// Sends what is due, and reads every email to `address` that arrived, oldest first.
    pub async fn emails_to(&self, address: &str) -> Vec<Caught> {
        self.send_emails().await;
        let mut emails = self.catcher.emails();
        emails.retain(|email| email.to == address);
        emails.reverse();
        emails
    }

    /// Sends what is due, and counts the emails to `address` that have these words.
    pub async fn emails_that_say(&self, address: &str, words: &str) -> usize {
        let emails = self.emails_to(address).await;
        emails.iter().filter(|email| email.subject.contains(words) || email.text.contains(words)).count()
    }

    /// Sends what is due.
    pub async fn send_emails(&self) {
        while jobs::run_outbox(&self.inner).await.unwrap() > 0 {}
    }

    /// The newest email to `address` whose first link is one that was asked for. One that tells of something begins with
    /// the way back, and may leave at the same moment.
    pub async fn requested_email(&self, address: &str) -> Caught {
        let emails = self.emails_to(address).await;
        let first_link = |text: &str| text.split_once("?token=").map(|(before, _)| before.to_owned());
        let is_asked = |text: &str| first_link(text).is_some_and(|link| !link.ends_with("/not-me"));
        emails.into_iter().rev().find(|email| is_asked(&email.text)).expect("a letter with a link")
    }

    /// The token in it.
    pub async fn token_for(&self, address: &str) -> String {
        let email = self.requested_email(address).await;
        token_in(&email.text).expect("a link")
    }

    /// Signs up through the front door; the address is a claim. The curl that comes back holds the session.
    pub async fn unverified_user(&self, address: &str) -> Visitor {
        let curl = self.curl();
        let answer = curl
            .post_json(
                "/signup",
                serde_json::json!({ "email": address, "password": PASSWORD, "name": "Ada" }),
            )
            .await;
        answer.is(201);
        curl
    }

    /// Signs up and confirms. The curl that comes back holds the session.
    pub async fn verified(&self, address: &str) -> Visitor {
        let curl = self.unverified_user(address).await;
        let token = self.token_for(address).await;
        curl.post_json("/verify-email", serde_json::json!({ "token": token })).await.is(200);
        curl
    }

    /// Signs up, confirms, and sets up an authenticator app. The code of this moment is spent.
    pub async fn with_app(&self, address: &str) -> Owner {
        let curl = self.verified(address).await;
        curl.steps_up().await;
        let secret = self.waiting_app(&curl).await;
        let done = curl.confirms_app(&self.code(&secret)).await.is(200).json();
        let codes = done["recoveryCodes"].as_array().expect("codes with the first second factor");
        let recovery_codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        Owner { address: address.to_owned(), curl, secret, recovery_codes }
    }

    /// Starts a set-up, having stepped up before. Returns the secret that its app would have.
    pub async fn waiting_app(&self, curl: &Visitor) -> String {
        let setup = curl.send(Method::POST, "/me/2fa/totp", None).await.is(200).json();
        setup["secret"].as_str().unwrap().to_owned()
    }

    /// What an app with this secret shows now.
    pub fn code(&self, secret: &str) -> String {
        self.code_off(secret, 0)
    }

    /// What it shows after the code of this moment: half a minute passes.
    pub fn next_code(&self, secret: &str) -> String {
        self.wait(TimeDelta::seconds(30));
        self.code(secret)
    }

    /// What an app shows whose clock is wrong by so many steps of half a minute.
    pub fn code_off(&self, secret: &str, steps: i64) -> String {
        let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
        let app = totp_rs::Builder::new().with_secret(secret.as_bytes().to_vec()).build_noncompliant();
        let seconds = self.clock.now().unix() + 30 * steps;
        app.generate(u64::try_from(seconds).unwrap()).to_string()
    }

    /// How many rows a query finds: `SELECT count(*) AS n FROM …`.
    pub async fn count(&self, from: &str) -> i64 {
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }
        let query = format!("SELECT count(*) AS n FROM {from}");
        self.inner.read(move |conn| Ok(diesel::sql_query(&query).get_result::<Count>(conn)?.n)).await.unwrap()
    }

    /// Texts in the database: `SELECT … AS text FROM …`.
    /// The id of the account with this address.
    pub async fn user_id(&self, address: &str) -> UserId {
        let address = address.to_lowercase();
        let query = format!("SELECT id AS text FROM users WHERE email_normalized = '{address}'");
        UserId::from_text(self.texts(&query).await.remove(0))
    }

    pub async fn texts(&self, query: &str) -> Vec<String> {
        #[derive(diesel::QueryableByName)]
        struct Text {
            #[diesel(sql_type = diesel::sql_types::Text)]
            text: String,
        }
        let query = query.to_owned();
        let rows =
            self.inner.read(move |conn| Ok(diesel::sql_query(&query).load::<Text>(conn)?)).await.unwrap();
        rows.into_iter().map(|row| row.text).collect()
    }

    /// Somebody meddles with the rows behind the program's back.
    pub async fn db_execute(&self, statement: &str) {
        let statement = statement.to_owned();
        let db_execute = self.inner.write(move |tx| Ok(diesel::sql_query(statement).execute(tx.conn)?));
        assert!(db_execute.await.unwrap() > 0, "a statement that changes nothing proves nothing");
    }

    /// Everything that is stored, as somebody reads it who stole the disk: the file and its log byte by byte, or
    /// every row of every table.
    pub async fn dump_storage(&self) -> String {
        if let Some(path) = self.settings["DATABASE_URL"].strip_prefix("sqlite://") {
            let files =
                [path.to_owned(), format!("{path}-wal")].map(|path| fs::read(path).unwrap_or_default());
            return String::from_utf8_lossy(&files.concat()).into_owned();
        }
        let tables = "SELECT tablename::text AS text FROM pg_tables WHERE schemaname = 'public'";
        let mut everything = String::new();
        for table in self.texts(tables).await {
            let rows = format!("SELECT coalesce(string_agg(t::text, ' '), '') AS text FROM {table} t");
            everything += &self.texts(&rows).await.concat();
        }
        everything
    }

    /// Runs the program beside this one: the same settings, the same database.
    pub fn command(&self, arguments: &[&str]) -> CommandOutput {
        run_program(arguments, &self.settings)
    }
}

/// Somebody confirmed who has an authenticator app, signed in where it was set up.
pub struct Owner {
    pub address: String,
    pub curl: Visitor,
    pub secret: String,
    pub recovery_codes: Vec<String>,
}

impl Owner {
    /// Gives the password in this browser or program; a code is asked for next.
    pub async fn submits_password(&self, visitor: &Visitor) -> Answer {
        visitor.post("/login", &[("email", &self.address), ("password", PASSWORD)]).await
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct CommandOutput {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl CommandOutput {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs the program with these arguments, and with these settings and nothing else in its environment.
pub fn run_program<N: AsRef<OsStr>, V: AsRef<OsStr>>(
    arguments: &[&str],
    settings: impl IntoIterator<Item = (N, V)>,
) -> CommandOutput {
    CommandOutput::of(Command::new(program()).args(arguments).env_clear().envs(settings).output().unwrap())
}

/// How often a race is run: `RACE_ROUNDS`, or twenty times.
#[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
pub fn rounds() -> usize {
    std::env::var("RACE_ROUNDS").map_or(20, |rounds| rounds.parse().expect("RACE_ROUNDS is a number"))
}

/// The token of the first link in a text.
pub fn token_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("token=")?;
    Some(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect())
}

/// The program as cargo built it for these tests.
pub fn program() -> String {
    env!("CARGO_BIN_EXE_vestibule").to_owned()
}

/// Port 1025 is one for the whole machine: waits until no other test uses it, and keeps it until this is dropped.
pub fn port_1025() -> File {
    let lock = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("port-1025")).unwrap();
    lock.lock().unwrap();
    lock
}

/// An email that says nothing.
pub fn an_email(to: EmailAddress) -> Email {
    let (text, html) = ("This email only shows that emails arrive.".to_owned(), "<p>It does.</p>".to_owned());
    Email { kind: EmailKind::Test, to, subject: "Test email".to_owned(), text, html }
}
