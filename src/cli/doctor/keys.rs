//! The secret keys: whether one of them is this database's, and what hangs on which.

use super::finding::{Finding, Health, finding};
use crate::{
    app::App,
    cli::preflight,
    model::secret_key::{self, Check, Held},
    secret::Role,
};

/// What hangs on each configured key, and on others.
pub async fn keys(app: &App) -> Finding {
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

/// `3 password(s), 1 canary`.
fn in_words(held: &Held) -> String {
    held.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}
