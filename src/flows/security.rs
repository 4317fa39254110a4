//! The settings that keep an account safe, on one page.

use actix_web::web::Data;
use askama::Template;
use serde::Serialize;

use crate::{
    accounts::{containment, factors, put_back, sso_policy},
    app::App,
    clock::Timestamp,
    error::Result,
    ids::SecurityChangeId,
    model::{identity, provider_identity, sign_in},
    web::{
        CurrentUser, Reply,
        device_list::{DeviceList, Looker},
        second_factors::FactorsView,
        sign_in_methods::{SignInMethods, Sso},
        views::{LoginView, SessionView},
    },
};

/// The settings page that keeps an account safe.
#[derive(Template, Serialize)]
#[template(path = "security.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecurityPage {
    #[serde(rename = "ways")]
    sign_in_methods: SignInMethods,
    sessions: Vec<SessionView>,
    #[serde(skip)]
    others: usize,
    second_factors: FactorsView,
    logins: Vec<LoginView>,
    removed: Vec<RemovedView>,
}

/// A way in that was removed and can be put back.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RemovedView {
    id: SecurityChangeId,
    kind: &'static str,
    name: String,
    removed_at: Timestamp,
    until: Timestamp,
}

// How many devices the page shows, which has more to say: the one that asks, and three more.
const FEW: usize = 4;

// How many sign-ins it shows.
const RECENT: i64 = 5;

/// `GET /me/security`
pub(crate) async fn show(me: CurrentUser, app: Data<App>) -> Result<Reply> {
    let (person, inner, now) = (me.user.clone(), app.clone(), me.now);
    let (second_factors, logins, removed, unanswered, sso) = app
        .read(move |conn| {
            let factors = factors::of(conn, &person.id)?;
            let second_factors = FactorsView::of(conn, &person.id, factors)?;
            Ok((
                second_factors,
                sign_in::shown(conn, &person.id, person.is_verified(), None, RECENT)?,
                put_back::list(conn, &inner.config().keys, &person.id, now)?,
                containment::unanswered(conn, &person.id, now)?,
                Sso {
                    through: identity::list(conn, &person.id)?.into_iter().map(|(name, _)| name).collect(),
                    providers: provider_identity::list(conn, &person.id)?
                        .into_iter()
                        .filter_map(|one| Some((one.provider_in(inner.config())?.name.clone(), one.known_as)))
                        .collect(),
                    is_required: sso_policy::required_connection(conn, &person)?.is_some(),
                },
            ))
        })
        .await?;
    let sign_in_methods = SignInMethods::of(&me.user, &second_factors, &sso, app.config());
    let logins = logins.into_iter().map(LoginView::from).collect();
    let DeviceList { mut sessions, others, .. } =
        DeviceList::read(&Looker::from(&*me), &app, None, FEW).await?;
    let here = sessions.iter().find(|session| session.current).map(|session| session.created_at);
    for session in &mut sessions {
        session.can_be_confirmed = unanswered.contains(&session.id) && Some(session.created_at) > here;
    }
    let removed = removed.into_iter().map(|one| RemovedView {
        id: one.id,
        kind: one.kind,
        name: one.name,
        removed_at: one.at,
        until: one.until,
    });
    let removed = removed.collect();
    Ok(Reply::page(SecurityPage { sign_in_methods, sessions, others, second_factors, logins, removed }))
}
