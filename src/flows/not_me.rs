//! "This wasn't me": the way out for whoever is told of a sign-in they know nothing of.

mod views;

use std::collections::BTreeMap;

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::views::{DoubtfulView, Kept, KeptPasskey, Undone};
use crate::{
    accounts::{
        containment::{self, Contained, Doubt, Judgement, single_sign_on},
        factor_reset::{self, Target},
        link_password,
    },
    app::App,
    clock::{Timestamp, span_in_words},
    db::{Conn, Tx},
    error::{Error, Errors, Result},
    ids::{SessionId, UserId},
    mail::emails::ResetOccasion,
    model::{
        device::Device,
        password::Password,
        session::Listed,
        token::{self, ReportSignIn, ReportedEvent},
        user::{self, PasswordCredential},
    },
    secret::Secret,
    web::{Client, Input, Query, Reply},
};

/// What was told of the sign-in, and what the button does.
#[derive(Template, Serialize)]
#[template(path = "not_me.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotMePage {
    email: String,
    what: Option<String>,
    when: Timestamp,
    device: String,
    ip: String,
    undone: Undone,
    sign_ins: Vec<DoubtfulView>,
    kept: Kept,
    // Whether it is a sign-in that its person can stand by, and whether they did.
    #[serde(skip)]
    can_be_confirmed: bool,
    is_confirmed: bool,
    #[serde(skip)]
    has_password: bool,
    #[serde(skip)]
    token: String,
    #[serde(skip)]
    errors: Errors,
}

/// The link.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: Secret<ReportSignIn>,
}

/// `GET /not-me?token=`
pub(crate) async fn open(link: Query<Link>, app: Data<App>) -> Result<Reply> {
    Ok(Reply::page(load(&app, link.into_inner().token, Errors::default()).await?))
}

async fn load(app: &App, secret: Secret<ReportSignIn>, errors: Errors) -> Result<NotMePage> {
    let (now, keys) = (app.now(), app.config().keys.clone());
    let removal_takes = span_in_words(app.config().lifetimes.factors_reset);
    app.read(move |conn| {
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
        let changed = single_sign_on::changed(conn, &keys, &user.id, &judged.sessions)?;
        let undone = Undone {
            connections: changed.connections().map(str::to_owned).collect(),
            identities: judged.identities.len(),
            authenticator_app: judged.removes_app,
            recovery_codes: judged.removes_codes,
            deletion: judged.keeps_account,
            passkeys: judged.passkeys.into_iter().map(|(_, name)| name).collect(),
            address: address.filter(|_| told.told_to.as_deref() != Some(&user.email.normalized())),
        };
        // A mailbox that the account has left is not told where it is now.
        let is_theirs = told.told_to.as_ref().is_none_or(|told_to| *told_to == user.email.normalized());
        let email = if is_theirs { user.email.spelled() } else { "" }.to_owned();
        let is_sign_in = told.what.is_none() && told.session.is_some();
        let is_open = match &told.session {
            Some(session) => containment::unanswered(conn, &user.id, now)?.contains(session),
            None => false,
        };
        let (can_be_confirmed, is_confirmed) = (is_sign_in && is_open, is_sign_in && !is_open);
        let (what, device, ip, token) = (told.what, told.device, told.ip, secret.reveal().to_owned());
        Ok(NotMePage {
            email,
            what,
            when,
            device,
            ip,
            undone,
            sign_ins,
            kept,
            can_be_confirmed,
            is_confirmed,
            has_password: user.has_password,
            token,
            errors: errors.clone(),
        })
    })
    .await
    .map_err(used)
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
    let passkeys = judged.kept_passkeys.iter().cloned().map(|(id, name)| KeptPasskey {
        is_told_of: judged.told_of.contains(&Target::Passkey(id.clone())),
        id,
        name,
    });
    Kept {
        passkeys: passkeys.collect(),
        authenticator_app: judged.keeps_app,
        is_app_told_of: judged.told_of.contains(&Target::Totp),
        removal_takes: removal_takes.to_owned(),
    }
}

/// What somebody says about it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    #[serde(default)]
    token: Secret<ReportSignIn>,
    /// Sign-ins that the reader stands by.
    #[serde(default)]
    trusted: Vec<SessionId>,
    /// Those that the page listed, with spaces between; each has a box `disown-…`, and stands if that is not ticked.
    #[serde(default)]
    listed: String,
    /// Second factors that would stay and are asked to be removed: `totp`, or the id of a passkey. A form has a box
    /// `remove-…` for each.
    #[serde(default)]
    remove_factors: Vec<String>,
    /// The account's password, where the reader still knows it: what is to be removed goes at once.
    #[serde(default)]
    password: Password,
    #[serde(flatten)]
    boxes: BTreeMap<String, Value>,
}

impl Answer {
    fn trusted(&self) -> Vec<SessionId> {
        let listed = self.listed.split(' ').filter(|id| !id.is_empty());
        let unticked = listed.filter(|id| !self.boxes.contains_key(&format!("disown-{id}")));
        self.trusted.iter().cloned().chain(unticked.map(SessionId::from_text)).collect()
    }

    fn removes(&self, factor: &Target) -> bool {
        let name = match factor {
            Target::Totp => "totp",
            Target::Passkey(id) => id.as_str(),
        };
        self.remove_factors.iter().any(|one| one == name)
            || self.boxes.contains_key(&format!("remove-{name}"))
    }
}

/// What the button came to, and how to get in again.
#[derive(Template, Serialize)]
#[template(path = "notice.html")]
pub(crate) struct DonePage {
    #[serde(skip)]
    title: &'static str,
    message: String,
    #[serde(skip)]
    href: Option<&'static str>,
    #[serde(skip)]
    label: Option<&'static str>,
}

/// `POST /not-me`
pub(crate) async fn create(client: Client, Input(answer): Input<Answer>, app: Data<App>) -> Result<Reply> {
    let held = client.current_session.clone();
    let credential = match answer.password.is_empty() {
        true => None,
        false => match check_password(&app, &answer).await.map_err(used)? {
            Some(credential) => Some(credential),
            None => {
                let errors = Errors::one("password", "That is not the password of this account.");
                let page = load(&app, answer.token, errors.clone()).await?;
                return Ok(Reply::refused(page, Error::Invalid(errors)));
            }
        },
    };
    let (owner, sent_to) =
        app.write(move |tx| secure(tx, &client, &answer, credential)).await.map_err(used)?;
    let (then, href, label) = match sent_to {
        Some(address) => (
            format!("Open the email that we just sent to {address}: it has a link to get back in."),
            "/login",
            "Back to sign in",
        ),
        None => (
            "The account has another address by now: ask for a new password with that one.".to_owned(),
            "/forgot-password",
            "Ask for a new password",
        ),
    };
    let message = format!("Every device is signed out, and the password is blocked. {then}");
    let title = "Your account is secured";
    let done = Reply::page(DonePage { title, message, href: Some(href), label: Some(label) });
    Ok(if held.is_some_and(|(held, _)| held == owner) { done.signed_out() } else { done })
}

/// What is stored of the account's password, where it is the one that is given: whoever knows it as well as the mailbox may
/// take away at once what otherwise waits.
async fn check_password(app: &App, answer: &Answer) -> Result<Option<PasswordCredential>> {
    let (now, secret) = (app.now(), answer.token.clone());
    let token = app.read(move |conn| token::peek(conn, &secret)).await?;
    if !token.is_live(now) {
        return Err(Error::DeadLink);
    }
    link_password::check(app, &token.user_id, &answer.password).await
}

/// Nobody can ask for another link of this kind; the way on is a new password.
fn used(error: Error) -> Error {
    match error {
        Error::DeadLink => Error::DeadResetLink,
        other => other,
    }
}

/// `POST /not-me/was-me`: "yes, this was me".
pub(crate) async fn was_me(client: Client, Input(form): Input<Link>, app: Data<App>) -> Result<Reply> {
    app.write(move |tx| containment::confirm_sign_in(tx, &client.actor(), &form.token))
        .await
        .map_err(used)?;
    Ok(Reply::done("/login", "Thank you. That sign-in counts as yours from now on."))
}

/// Signs everything out, blocks the password, and starts a reset. Returns whose account it is, and the address to which an
/// email leads back in.
fn secure(
    tx: &mut Tx,
    client: &Client,
    answer: &Answer,
    credential: Option<PasswordCredential>,
) -> Result<(UserId, Option<String>)> {
    let secret = &answer.token;
    let id = token::peek(tx.conn, secret)?.user_id;
    containment::lock(tx, &id)?;
    let told = token::peek(tx.conn, secret)?.claim;
    let doubt = doubt_of(tx.conn, &id, &told, tx.now)?.but_for(answer.trusted());
    token::redeem(tx, secret)?;
    let knows_password = match credential {
        Some(checked) => link_password::still_fits(tx, &checked)?,
        None => false,
    };
    let actor = client.actor().known_as(&id);
    let Contained { user, has_moved, removable } = containment::contain(tx, &actor, &id, &doubt)?;
    // Never to a mailbox that the account got since: it may be that of whoever moved it.
    let is_sent = has_moved || told.told_to.is_none_or(|told_to| told_to == user.email.normalized());
    match is_sent {
        true => containment::send_reset(tx, &user, ResetOccasion::Secured)?,
        false => containment::tell_present_address(tx, &user)?,
    }
    let asked: Vec<Target> = removable.into_iter().filter(|one| answer.removes(one)).collect();
    if knows_password && !asked.is_empty() {
        factor_reset::remove_now(tx, &actor, &user, &asked)?;
    } else if !asked.is_empty() {
        factor_reset::ask_for(tx, &actor, &user, Some(asked))?;
    }
    Ok((id, is_sent.then(|| user.email.spelled().to_owned())))
}
