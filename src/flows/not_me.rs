//! "This wasn't me": the way out for whoever is told of a sign-in they know nothing of.

use std::collections::BTreeMap;

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    accounts::{
        containment::{self, Contained, Doubt, Judgement},
        factor_reset,
    },
    app::App,
    clock::{Timestamp, span_in_words},
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{SessionId, UserId},
    model::{
        device::Device,
        session::Listed,
        token::{self, ReportSignIn, ReportedEvent},
        user,
    },
    secret::Secret,
    web::{Client, Input, Query, Reply, input::tick},
};

/// What was told of the sign-in, and what the button does.
#[derive(Template, Serialize)]
#[template(path = "not_me.html")]
#[serde(rename_all = "camelCase")]
pub struct NotMePage {
    email: String,
    what: Option<String>,
    when: Timestamp,
    device: String,
    ip: String,
    undone: Undone,
    sign_ins: Vec<DoubtfulView>,
    kept: Kept,
    // Whether it is a sign-in that its person can stand by.
    #[serde(skip)]
    can_be_confirmed: bool,
    #[serde(skip)]
    token: String,
}

/// A sign-in in doubt that goes on until the button is pressed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DoubtfulView {
    id: SessionId,
    device: String,
    ip: String,
    began_at: Timestamp,
    // The one that the link tells of is somebody else's, or the button would not be pressed.
    is_told_of: bool,
}

/// What was added since then by browsers that were known before, and stays.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    passkeys: Vec<String>,
    authenticator_app: bool,
    // How long it takes until they are removed, where that may be asked for.
    removal_takes: Option<String>,
}

/// What else the button takes back: what somebody else seems to have done.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Undone {
    passkeys: Vec<String>,
    authenticator_app: bool,
    identities: usize,
    // Shown to whoever reads the mailbox that had the account first.
    address: Option<String>,
    deletion: bool,
}

/// The link.
#[derive(Deserialize)]
pub struct Link {
    #[serde(default)]
    token: Secret<ReportSignIn>,
}

/// `GET /not-me?token=`
pub async fn open(link: Query<Link>, app: Data<App>) -> Result<Reply> {
    let (now, secret, keys) = (app.now(), link.into_inner().token, app.config().keys.clone());
    let removal_takes = span_in_words(app.config().lifetimes.factors_reset);
    let page = app
        .read(move |conn| {
            let token = token::peek(conn, &secret)?;
            if !token.is_live(now) {
                return Err(Error::DeadLink);
            }
            let user = user::by_id(conn, &token.user_id)?;
            let told = token.claim;
            let when = Timestamp::from_unix(told.at);
            let doubt = doubt_of(conn, &user.id, &told, now)?;
            let judged = containment::judge(conn, &user, &doubt, &keys)?;
            let address = judged.address.as_ref().map(|address| address.spelled().to_owned());
            let (sign_ins, kept) = (sign_ins(&judged, &told), kept(&judged, &removal_takes));
            let undone = Undone {
                identities: judged.identities.len(),
                authenticator_app: judged.removes_app,
                deletion: judged.keeps_account,
                passkeys: judged.passkeys.into_iter().map(|(_, name)| name).collect(),
                address: address.filter(|_| told.told_to.as_deref() != Some(&user.email.normalized())),
            };
            // A mailbox that the account has left is not told where it is now.
            let is_theirs = told.told_to.as_ref().is_none_or(|told_to| *told_to == user.email.normalized());
            let email = if is_theirs { user.email.spelled() } else { "" }.to_owned();
            let can_be_confirmed = told.what.is_none() && told.session.is_some();
            let (what, device, ip, token) = (told.what, told.device, told.ip, secret.reveal().to_owned());
            Ok(NotMePage { email, what, when, device, ip, undone, sign_ins, kept, can_be_confirmed, token })
        })
        .await?;
    Ok(Reply::page(page))
}

fn doubt_of(conn: &mut Conn, user: &UserId, told: &ReportedEvent, now: Timestamp) -> Result<Doubt> {
    let moment = Timestamp::from_unix(told.at);
    Doubt::since(conn, user, moment, told.session.clone(), told.told_to.clone(), now)
}

fn sign_ins(judged: &Judgement, told: &ReportedEvent) -> Vec<DoubtfulView> {
    let view = |one: &Listed| DoubtfulView {
        id: one.id.clone(),
        device: Device::name_of(&one.browser, &one.os),
        ip: one.ip.clone(),
        began_at: one.created_at,
        is_told_of: told.session.as_ref() == Some(&one.id),
    };
    judged.in_doubt.iter().map(view).collect()
}

fn kept(judged: &Judgement, removal_takes: &str) -> Kept {
    Kept {
        passkeys: judged.kept_passkeys.clone(),
        authenticator_app: judged.keeps_app,
        removal_takes: judged.may_ask_for_removal.then(|| removal_takes.to_owned()),
    }
}

/// What somebody says about it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    #[serde(default)]
    token: Secret<ReportSignIn>,
    /// Sign-ins that the reader stands by.
    #[serde(default)]
    trusted: Vec<SessionId>,
    /// Those that the page listed, with spaces between; each has a box `disown-…`, and stands if that is not ticked.
    #[serde(default)]
    listed: String,
    /// Whether second factors that stay are asked to be removed.
    #[serde(default, deserialize_with = "tick")]
    remove_factors: bool,
    #[serde(flatten)]
    boxes: BTreeMap<String, Value>,
}

impl Answer {
    fn trusted(&self) -> Vec<SessionId> {
        let listed = self.listed.split(' ').filter(|id| !id.is_empty());
        let unticked = listed.filter(|id| !self.boxes.contains_key(&format!("disown-{id}")));
        self.trusted.iter().cloned().chain(unticked.map(SessionId::from_text)).collect()
    }
}

/// `POST /not-me`
pub async fn create(client: Client, Input(answer): Input<Answer>, app: Data<App>) -> Result<Reply> {
    let held = client.current_session.clone();
    let owner = app.write(move |tx| secure(tx, &client, &answer)).await?;
    let message = "Every device is signed out and the password is blocked. We sent you a link for a new one.";
    let done = Reply::done("/login", message);
    Ok(if held.is_some_and(|(held, _)| held == owner) { done.signed_out() } else { done })
}

/// `POST /not-me/was-me`: "yes, this was me".
pub async fn was_me(client: Client, Input(form): Input<Link>, app: Data<App>) -> Result<Reply> {
    app.write(move |tx| containment::confirm_sign_in(tx, &client.actor(), &form.token)).await?;
    Ok(Reply::done("/login", "Thank you. That sign-in counts as yours from now on."))
}

/// Signs everything out, blocks the password, and starts a reset.
fn secure(tx: &mut Tx, client: &Client, answer: &Answer) -> Result<UserId> {
    let secret = &answer.token;
    let id = token::peek(tx.conn, secret)?.user_id;
    containment::lock(tx, &id)?;
    let told = token::peek(tx.conn, secret)?.claim;
    let doubt = doubt_of(tx.conn, &id, &told, tx.now)?.but_for(answer.trusted());
    token::redeem(tx, secret)?;
    let actor = client.actor().known_as(&id);
    let Contained { user, has_moved, may_ask_for_removal } = containment::contain(tx, &actor, &id, &doubt)?;
    // Never to a mailbox that the account got since: it may be that of whoever moved it.
    if has_moved || told.told_to.is_none_or(|told_to| told_to == user.email.normalized()) {
        containment::send_reset(tx, &user)?;
    }
    if answer.remove_factors && may_ask_for_removal {
        factor_reset::ask(tx, &actor, &user.email)?;
    }
    Ok(id)
}
