//! What the word of a provider comes to, case by case, on the database that `TEST_DATABASE_URL` names or on SQLite. There is no
//! page that leads here yet, so these look in from behind.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{Connection as _, PgConnection, prelude::*};
use futures_util::future::join_all;

use super::*;
use crate::{
    accounts::{
        client_facts::ClientHints,
        domains, factors,
        known_devices::KnownDevices,
        organisations,
        provider_linking::{Connected, connect},
    },
    app::App,
    clock::Clock,
    config,
    db::schema::{domains as domain_rows, outbox, provider_identities as rows, users},
    model::{
        connection::{self, Mapping, NewConnection},
        organisation::{Slug, Title},
    },
    secret,
};

mod connecting;

const START: i64 = 1_795_269_900;

struct TestDatabase {
    app: App,
    clock: Clock,
    url: String,
    folder: tempfile::TempDir,
}

#[expect(clippy::disallowed_methods, reason = "tests learn from the environment where they run")]
fn server() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok()
}

fn settings(url: &str, more: &[(&str, &str)]) -> Config {
    let usual = [
        ("DATABASE_URL", url),
        ("SECRET_KEY", "the key of a database that stands for one test"),
        ("SMTP_URL", "folder:/nonexistent"),
        ("BCRYPT_COST", "4"),
        ("THROTTLE", "off"),
        ("EXAMPLE_NOTES", "off"),
        ("GITHUB_CLIENT_ID", "ours"),
        ("GITHUB_CLIENT_SECRET", "hunter2"),
    ];
    let mut values = BTreeMap::new();
    for (name, value) in usual.iter().chain(more) {
        values.insert((*name).to_owned(), (*value).to_owned());
    }
    values.retain(|_, value| !value.is_empty());
    config::from_values(values).unwrap()
}

impl TestDatabase {
    fn with(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match server() {
            None => format!("sqlite://{}", folder.path().join("test.db").display()),
            Some(server) => {
                let name = secret::random_text(12).unwrap().to_lowercase().replace(['-', '_'], "x");
                let mut conn = PgConnection::establish(&server).unwrap();
                diesel::sql_query(format!("CREATE DATABASE providers_{name}")).execute(&mut conn).unwrap();
                format!("{}/providers_{name}", server.rsplit_once('/').unwrap().0)
            }
        };
        let clock = Clock::test(Timestamp::from_unix(START));
        let app = App::open_with(settings(&url, more), clock.clone()).unwrap();
        app.db().migrate().unwrap();
        Self { app, clock, url, folder }
    }

    fn open() -> Self {
        Self::with(&[])
    }

    async fn count(&self) -> (i64, i64) {
        let counts = |conn: &mut Conn| {
            Ok((users::table.count().get_result(conn)?, rows::table.count().get_result(conn)?))
        };
        self.app.read(counts).await.unwrap()
    }

    async fn emails(&self) -> BTreeSet<String> {
        let kinds = |conn: &mut Conn| Ok(outbox::table.select(outbox::kind).load::<String>(conn)?);
        self.app.read(kinds).await.unwrap().into_iter().collect()
    }

    /// Comes with GitHub. Returns what that comes to, in a word, and whose account it is.
    async fn comes(&self, profile: ProviderProfile) -> (String, Option<UserId>) {
        let came = self.app.write(move |tx| {
            let provider = tx.config.provider("github").unwrap();
            resolve(tx, &client(), provider, &profile)
        });
        match came.await {
            Ok(Resolution::Known(user, identity)) => {
                assert_eq!(user.id, identity.user_id);
                let is_verified = if user.is_verified() { "verified" } else { "unverified" };
                (is_verified.to_owned(), Some(user.id))
            }
            Ok(Resolution::Unlinked(owner, _)) => ("unlinked".to_owned(), Some(owner.id)),
            Ok(Resolution::AddressNeeded) => ("address needed".to_owned(), None),
            Err(error) => (error.code().to_owned(), None),
        }
    }

    /// An account without a password.
    async fn account(&self, email: &'static str, is_verified: bool) -> User {
        self.app.write(move |tx| account(tx, email, is_verified)).await.unwrap()
    }

    async fn has_way_in(&self, config: Config, user: &UserId) -> bool {
        let user = user.clone();
        self.app.read(move |conn| factors::has_way_in(conn, &config, &user)).await.unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let _ = self.folder.path();
        let Some(server) = server().filter(|_| !std::thread::panicking()) else { return };
        let (_, name) = self.url.rsplit_once('/').unwrap();
        let mut conn = PgConnection::establish(&server).unwrap();
        diesel::sql_query(format!("DROP DATABASE {name} WITH (FORCE)")).execute(&mut conn).unwrap();
    }
}

fn client() -> ClientFacts {
    ClientFacts {
        ip: "203.0.113.7".to_owned(),
        user_agent: "curl/8.0".to_owned(),
        language: String::new(),
        hints: ClientHints::default(),
        presented: Vec::new(),
        known: KnownDevices::default(),
        binding: None,
        linking: None,
        current_session: None,
    }
}

fn account(tx: &mut Tx, email: &str, is_verified: bool) -> Result<User> {
    let email = EmailAddress::parse(email).unwrap();
    let normalized = email.normalized();
    let new = ProvisionedUser { email, name: None, created_from: "curl".to_owned() };
    let user = registration::provision(tx, &Actor::operator(), new)?;
    if is_verified {
        email_verification::confirm(tx, &Actor::operator(), &user.id, &normalized)?;
    }
    user::by_id(tx.conn, &user.id)
}

fn profile(subject: &str, email: Option<&str>, is_email_verified: bool) -> ProviderProfile {
    ProviderProfile {
        issuer: "https://github.com".to_owned(),
        subject: subject.to_owned(),
        email: email.map(|email| EmailAddress::parse(email).unwrap()),
        is_email_verified,
        name: Some("Ada Lovelace".to_owned()),
        known_as: Some("ada".to_owned()),
    }
}

fn join(tx: &mut Tx, user: &UserId, subject: &str) -> Result<Connected> {
    let provider = tx.config.provider("github").unwrap();
    connect(tx, &Actor::operator(), user, provider, &profile(subject, None, false), "curl")
}

/// Proves a domain for an organisation, and perhaps requires single sign-on there.
fn verify_domain(tx: &mut Tx, name: &str, is_enforced: bool) -> Result<()> {
    let operator = Actor::operator();
    let owner = account(tx, "boss@acme.test", true)?;
    let (title, slug) = (Title::parse("Acme").unwrap(), Slug::parse("acme").unwrap());
    let organisation = organisations::create(tx, &operator, &owner.id, &title, &slug)?;
    let new = NewConnection {
        name: "Acme".to_owned(),
        metadata: String::new(),
        metadata_url: None,
        mapping: Mapping::default(),
    };
    let connection = connection::create(tx, &organisation.id, new)?.unwrap();
    let domain = domains::add(tx, &operator, &organisation.id, Some(&connection.id), name)?;
    domains::verify(tx, &operator, &domain, "operator")?;
    diesel::update(domain_rows::table.find(&domain.id))
        .set(domain_rows::is_enforced.eq(is_enforced))
        .execute(tx.conn)?;
    Ok(())
}

#[actix_web::test]
async fn what_the_word_of_a_provider_comes_to() {
    const ADA: &str = "ada@example.com";
    // Whether it is verified there, what is here, whether providers make accounts; the outcome, and how many accounts there are
    // at the address then.
    for (is_verified, here, sign_ups, outcome, accounts, email) in [
        (Some(true), "nothing", "on", "verified", 1, None),
        (Some(true), "claims", "on", "verified", 1, None),
        (Some(true), "account", "on", "unlinked", 1, None),
        (Some(true), "account", "off", "unlinked", 1, None),
        (Some(true), "domain", "on", "unverified", 1, Some("verify_email")),
        (Some(true), "enforced", "on", "sso_required", 0, None),
        (Some(false), "nothing", "on", "unverified", 1, Some("verify_email")),
        (Some(false), "claims", "on", "unverified", 3, Some("verify_email")),
        (Some(false), "account", "on", "unverified", 2, Some("already_registered")),
        (Some(false), "enforced", "on", "sso_required", 0, None),
        (None, "nothing", "on", "address needed", 0, None),
        (None, "nothing", "off", "provider_refused", 0, None),
        (Some(true), "nothing", "off", "provider_refused", 0, None),
        (Some(false), "account", "off", "provider_refused", 1, None),
    ] {
        let case = format!("{is_verified:?}, {here}, {sign_ups}");
        let test = TestDatabase::with(&[("PROVIDER_SIGN_UPS", sign_ups)]);
        test.app
            .write(move |tx| match here {
                "claims" => account(tx, ADA, false).and_then(|_| account(tx, ADA, false)).map(drop),
                "account" => account(tx, ADA, true).map(drop),
                "domain" => verify_domain(tx, "example.com", false),
                "enforced" => verify_domain(tx, "example.com", true),
                _ => Ok(()),
            })
            .await
            .unwrap();
        let ada = profile("1", is_verified.map(|_| ADA), is_verified == Some(true));

        let (came, whose) = test.comes(ada.clone()).await;

        assert_eq!(came, outcome, "{case}");
        let at_address = |conn: &mut Conn| {
            Ok(users::table.filter(users::email_normalized.eq(ADA)).count().get_result(conn)?)
        };
        let found: i64 = test.app.read(at_address).await.unwrap();
        assert_eq!(found, accounts, "{case}");
        let told = test.emails().await;
        let kinds = ["verify_email", "already_registered"];
        let of_sign_ups = told.iter().map(String::as_str).filter(|kind| kinds.contains(kind));
        assert_eq!(of_sign_ups.collect::<Vec<_>>(), email.into_iter().collect::<Vec<_>>(), "{case}");
        let is_connected = test.count().await.1 == 1;
        assert_eq!(is_connected, outcome.ends_with("verified"), "{case}");
        if is_connected {
            // Whatever is said later, it is the same person.
            let (_, again) = test.comes(profile("1", Some("elsewhere@example.com"), true)).await;
            assert_eq!(again, whose, "{case}");
        }
    }
}

#[actix_web::test]
async fn of_fifty_first_arrivals_of_one_person_there_is_one_account() {
    for is_verified in [true, false] {
        let test = TestDatabase::open();
        let ada = profile("1", Some("ada@example.com"), is_verified);

        let came = join_all((0..50).map(|_| test.comes(ada.clone()))).await;

        let accounts: BTreeSet<String> =
            came.iter().filter_map(|(_, user)| user.as_ref()).map(|user| user.as_str().to_owned()).collect();
        assert_eq!((accounts.len(), test.count().await), (1, (1, 1)), "{came:?}");
    }
}
