//! A request to a host that shows an API key: it is judged by that alone, and no cookie counts beside it.

use super::outcome::{Outcome, note};
use crate::{
    accounts::{
        api_keys::{ACCOUNT_READ, INVALID_TOKEN},
        applications::{self, APPLICATION_UNKNOWN},
        gate_keys::{self, Unfit},
        gates, policy,
    },
    app::App,
    error::{Error, Particulars, Result, refusals},
    model::{api_key::ApiKeySecret, application::Application},
    secret::Secret,
    web::{GateRequest, key_in_use::Asked},
};

refusals! {
    /// An API key, where the application asks how its visitor signed in.
    INSUFFICIENT_AUTHENTICATION = (
        "insufficient_user_authentication", 401,
        "An API key is not enough for this application. It asks for a person who signed in."
    );
}

/// [`INSUFFICIENT_AUTHENTICATION`] for an authentication context class, and for a sign-in so many seconds ago at most
/// (RFC 9470 §3).
fn insufficient_authentication(acr: Option<&'static str>, max_age: Option<i64>) -> Error {
    let mut challenge = "Bearer error=\"insufficient_user_authentication\"".to_owned();
    challenge.extend(acr.map(|acr| format!(", acr_values=\"{acr}\"")));
    challenge.extend(max_age.map(|seconds| format!(", max_age=\"{seconds}\"")));
    let header = Some(("www-authenticate", challenge));
    INSUFFICIENT_AUTHENTICATION.with(Particulars { header, ..Particulars::default() })
}

/// What comes of it; nothing where the application takes no keys, so that `Authorization` is its own.
pub(super) async fn judge(
    asked: &GateRequest,
    secret: Secret<ApiKeySecret>,
    app: &App,
) -> Result<Option<(Application, Outcome)>> {
    let (host, raised, ip, now) =
        (asked.visitor.host.clone(), asked.raised.clone(), asked.visitor.ip, app.now());
    let key = Asked { secret, ip, now };
    let permitted = key.may_look_up();
    let (looked_up, is_permitted) = (key.clone(), permitted.is_ok());
    let found = app
        .read(move |conn| {
            let Some((application, _)) = gates::at_host(conn, &host, &[], now)? else {
                return Err(APPLICATION_UNKNOWN.error());
            };
            if !application.settings.takes_keys {
                return Ok(None);
            }
            let by = if is_permitted { looked_up.find(conn)? } else { None };
            let judgement = match &by {
                Some(by) => Some(gate_keys::judge(conn, &application, (by, ip), &raised, now)?),
                None => None,
            };
            Ok(Some((application, by, judgement)))
        })
        .await?;
    let Some((application, by, judgement)) = found else { return Ok(None) };
    note(&application, &asked.visitor, None, app).await;
    let used = match permitted {
        Ok(()) => key.use_found(by, app).await.map(drop),
        refused => refused,
    };
    let is_open = asked.is_open(&application.settings.open);
    let outcome = match (used, judgement) {
        (Ok(()), Some(Ok(identity))) => Outcome::Through(Some(identity)),
        _ if is_open => Outcome::Through(None),
        (Ok(()), Some(Err(unfit))) => Outcome::Refused(refusal(unfit, &application)),
        (Ok(()), None) => Outcome::Refused(INVALID_TOKEN.error()),
        (Err(error), _) => Outcome::Refused(error),
    };
    Ok(Some((application, outcome)))
}

fn refusal(unfit: Unfit, application: &Application) -> Error {
    match unfit {
        Unfit::AccountRead => policy::key_forbidden(ACCOUNT_READ.to_owned()),
        Unfit::NotMember => applications::application_forbidden(application.name.clone()),
        Unfit::SignIn(acr, max_age) => insufficient_authentication(acr.map(|acr| acr.as_str()), max_age),
    }
}
