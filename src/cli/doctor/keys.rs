//! The secret keys: whether one of them is this database's, and what hangs on which.

use chrono::TimeDelta;

use super::finding::{Finding, Health, finding};
use crate::{
    app::App,
    cli::preflight,
    model::{
        secret_key::{self, Check, Held},
        service_key,
    },
    secret::Role,
};

/// What hangs on each configured key, and on others.
pub(crate) async fn keys(app: &App) -> Finding {
    let keys = app.config().keys.clone();
    let look = move |conn: &mut _| Ok((secret_key::check(conn, &keys)?, secret_key::held(conn, &keys)?));
    let Ok((check, mut held)) = app.read(look).await else {
        return finding("keys", Health::Warning, "cannot be read until the schema is up.");
    };
    let mut told = Vec::new();
    for (role, id) in app.config().keys.fingerprints() {
        let rows = held.remove(id).map(|held| in_words(&held));
        told.push(match (role, rows) {
            (Role::Current, None) => format!("SECRET_KEY {id}: nothing hangs on it yet."),
            (Role::Current, Some(rows)) => format!("SECRET_KEY {id}: {rows}."),
            (Role::Next, None) => format!("SECRET_KEY_NEXT {id} is announced."),
            (Role::Next, Some(rows)) => {
                format!("SECRET_KEY_NEXT {id} is announced, and another node uses it: {rows}.")
            }
            (Role::Previous, None) => {
                format!("SECRET_KEY_PREVIOUS {id}: nothing hangs on it any more, take it out.")
            }
            (Role::Previous, Some(rows)) => format!("SECRET_KEY_PREVIOUS {id}: {rows} still hang on it."),
        });
    }
    if let Check::Foreign(key) = check {
        return finding("keys", Health::Problem, preflight::wrong_key(app.config(), &key));
    }
    if held.is_empty() {
        return finding("keys", Health::Fine, told.join(" "));
    }
    for (id, rows) in held {
        told.push(format!("Nobody has the key {id}: {} open nothing without it.", in_words(&rows)));
    }
    told.push("Put it into SECRET_KEY_PREVIOUS if you still have it.".to_owned());
    finding("keys", Health::Warning, told.join(" "))
}

// NIST SP 800-57 part 1 §5.3.6 has one to three years for keys of these kinds.
const SECRET_KEY_LIFE: TimeDelta = TimeDelta::days(2 * 365);
const SAML_KEY_LIFE: TimeDelta = TimeDelta::days(3 * 365);

/// How old the keys in use are.
pub(crate) async fn ages(app: &App) -> Finding {
    let look = |conn: &mut _| Ok((secret_key::in_use_since(conn)?, service_key::in_use_since(conn)?));
    let Ok((secret, saml)) = app.read(look).await else {
        return finding("key ages", Health::Warning, "cannot be read until the schema is up.");
    };
    let (now, mut health) = (app.now(), Health::Fine);
    let mut told = Vec::new();
    for (name, since, life, way) in [
        ("SECRET_KEY", secret, SECRET_KEY_LIFE, "announce another in SECRET_KEY_NEXT"),
        ("The SAML key", saml, SAML_KEY_LIFE, "run vestibule sso key announce"),
    ] {
        let Some(since) = since else { continue };
        let advice = if now - since > life { format!(": {way}") } else { String::new() };
        if !advice.is_empty() {
            health = Health::Warning;
        }
        told.push(format!("{name} is of {} ({} days){advice}.", since.day(), (now - since).num_days()));
    }
    match told.is_empty() {
        true => finding("key ages", health, "not known: nothing has been noted yet."),
        false => finding("key ages", health, told.join(" ")),
    }
}

/// `3 password(s), 1 canary`.
fn in_words(held: &Held) -> String {
    held.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}
