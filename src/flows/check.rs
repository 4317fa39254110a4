//! What the application behind this site asks, with the cookie of its visitor or an API key: may they do this in this organisation?

use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    accounts::{
        checks::{self, Asker, Check, MOST_CHECKS, Why},
        organisation_policy::Credential,
    },
    app::App,
    db::Conn,
    error::{Error, Errors, Result},
    ids::Id,
    oauth::ORGANISATION_READ,
    web::{Input, Principal, Reply, input::optional_tick},
};

/// One question, or several.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    organisation: Option<String>,
    permission: Option<String>,
    owner: Option<String>,
    checks: Option<Vec<Question>>,
    /// Whether it counts as a use of the session: a program that asks again and again must not keep one alive.
    #[serde(default, deserialize_with = "optional_tick")]
    activity: Option<bool>,
}

/// One of several.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    permission: String,
    owner: Option<String>,
}

/// `POST /auth/check`: 200 whether it is allowed or not. Takes an API key or an access token in the place of the cookie.
pub(crate) async fn create(who: Principal, Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    let (is_batch, named) = (form.checks.is_some(), form.organisation.clone());
    let is_activity = form.activity != Some(false);
    let questions = form.questions()?;
    let (mut about, checked) = match who {
        Principal::User(me) => {
            if is_activity {
                me.note_activity(&app).await;
            }
            // Where none is named, the one in use in this session is meant.
            let current = me.organisation.as_ref().map(|current| current.id.as_str().to_owned());
            let (user, now, organisation) = (me.user.id.clone(), me.now, named.or(current));
            let session = me.traits();
            let check = move |conn: &mut Conn| {
                let asker = Asker::User(&user, Some(Credential::Session(&session)));
                checks::check(conn, asker, organisation.as_deref(), &questions, now)
            };
            (json!({ "user": { "id": me.user.id } }), app.read(check).await?)
        }
        Principal::Token(token) => {
            token.require(ORGANISATION_READ)?;
            let (user, by, now) = (token.user.id.clone(), token.by.clone(), token.now);
            let about = json!({ "user": { "id": user } });
            let check = move |conn: &mut Conn| {
                let asker = Asker::User(&user, Some((&by).into()));
                checks::check(conn, asker, named.as_deref(), &questions, now)
            };
            (about, app.read(check).await?)
        }
        Principal::ApiKey(program) => {
            let (by, ip, now) = ((*program.presented).clone(), program.ip, program.now);
            let mut about = json!({ "key": { "id": by.key.id, "name": by.key.name } });
            if let Some(user) = by.user_id() {
                about["user"] = json!({ "id": user });
            }
            let check = move |conn: &mut Conn| {
                checks::check(conn, Asker::ApiKey(&by, ip), named.as_deref(), &questions, now)
            };
            (about, app.read(check).await?)
        }
    };
    if let Some(mine) = checked.membership {
        about["organisation"] = json!({ "id": mine.organisation.id, "slug": mine.organisation.slug });
        // A key of the organisation's own has none.
        if mine.user.is_some() {
            about["role"] = json!(mine.role);
            about["roleName"] = mine.role.words().into();
        }
    }
    let mut results = checked.results.into_iter().map(Outcome::from);
    let (outcome, results) = match is_batch {
        true => (None, Some(results.collect())),
        false => (results.next(), None),
    };
    Reply::data("/organisations", &Answer { outcome, about, results })
}

/// What is answered: the outcome of one question, or of each, and about whom.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    outcome: Option<Outcome>,
    #[serde(flatten)]
    about: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<Outcome>>,
}

#[derive(Serialize)]
struct Outcome {
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

impl From<Option<Why>> for Outcome {
    fn from(why: Option<Why>) -> Self {
        Self { allowed: why.is_none(), why: why.map(Why::as_str) }
    }
}

/// [`Error::Invalid`] where the owner is nobody's id: an address, or a name, would never be theirs.
fn asked(permission: String, owner: Option<String>) -> Result<Check> {
    let owner = owner.map(|typed| Id::parse(typed.trim()).ok_or(())).transpose();
    let sentence = "Send the id of the account that it belongs to, as GET /me tells it.";
    let owner = owner.map_err(|()| Error::Invalid(Errors::one("owner", sentence)))?;
    Ok(Check { permission, owner })
}

impl Form {
    fn questions(self) -> Result<Vec<Check>> {
        let invalid = |field, sentence: String| Err(Error::Invalid(Errors::one(field, sentence)));
        match (self.permission, self.checks) {
            (Some(permission), None) => Ok(vec![asked(permission, self.owner)?]),
            (None, Some(checks)) if (1..=MOST_CHECKS).contains(&checks.len()) => {
                checks.into_iter().map(|one| asked(one.permission, one.owner)).collect()
            }
            (None, Some(_)) => invalid("checks", format!("Send 1 to {MOST_CHECKS} checks.")),
            (Some(_), Some(_)) => invalid("checks", "Send a permission or checks, not both.".to_owned()),
            (None, None) => invalid("permission", "Send the permission to check.".to_owned()),
        }
    }
}
