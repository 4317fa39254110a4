//! What the application behind this site asks, with the cookie of its visitor: may they do this in this organisation?

use actix_web::web::Data;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    accounts::checks::{self, Check, MOST_CHECKS, Why},
    app::App,
    error::{Error, Errors, Result},
    web::{CurrentUser, Input, Reply},
};

/// One question, or several.
#[derive(Deserialize)]
pub(crate) struct Form {
    organisation: Option<String>,
    permission: Option<String>,
    owner: Option<String>,
    checks: Option<Vec<Question>>,
    /// Whether it counts as a use of the session: a program that asks again and again must not keep one alive.
    activity: Option<bool>,
}

/// One of several.
#[derive(Deserialize)]
pub(crate) struct Question {
    permission: String,
    owner: Option<String>,
}

/// `POST /auth/check`: 200 whether it is allowed or not.
pub(crate) async fn create(me: CurrentUser, Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    if form.activity != Some(false) {
        me.note_activity(&app).await;
    }
    let is_batch = form.checks.is_some();
    // Where none is named, the one in use in this session is meant.
    let current = me.organisation.as_ref().map(|current| current.id.as_str().to_owned());
    let (user, now, organisation) = (me.user.id.clone(), me.now, form.organisation.clone().or(current));
    let session = me.traits();
    let questions = form.questions()?;
    let checked = app
        .read(move |conn| {
            checks::check(conn, (&user, Some(&session)), organisation.as_deref(), &questions, now)
        })
        .await?;
    let results: Vec<Value> = checked.results.iter().map(|why| result(*why)).collect();
    let mut answer = match (is_batch, results.first()) {
        (false, Some(only)) => only.clone(),
        _ => json!({ "results": results }),
    };
    answer["user"] = json!({ "id": me.user.id });
    if let Some(mine) = checked.membership {
        answer["organisation"] = json!({ "id": mine.organisation.id, "slug": mine.organisation.slug });
        answer["role"] = json!(mine.role);
        answer["roleName"] = mine.role.words().into();
    }
    Ok(Reply::data("/organisations", answer))
}

fn result(why: Option<Why>) -> Value {
    match why {
        None => json!({ "allowed": true }),
        Some(why) => json!({ "allowed": false, "why": why.as_str() }),
    }
}

impl Form {
    fn questions(self) -> Result<Vec<Check>> {
        let invalid = |field, sentence: String| Err(Error::Invalid(Errors::one(field, sentence)));
        match (self.permission, self.checks) {
            (Some(permission), None) => Ok(vec![Check { permission, owner: self.owner }]),
            (None, Some(checks)) if (1..=MOST_CHECKS).contains(&checks.len()) => {
                let check = |one: Question| Check { permission: one.permission, owner: one.owner };
                Ok(checks.into_iter().map(check).collect())
            }
            (None, Some(_)) => invalid("checks", format!("Send 1 to {MOST_CHECKS} checks.")),
            (Some(_), Some(_)) => invalid("checks", "Send a permission or checks, not both.".to_owned()),
            (None, None) => invalid("permission", "Send the permission to check.".to_owned()),
        }
    }
}
