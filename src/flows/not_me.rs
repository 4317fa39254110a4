//! "This wasn't me": the way out for whoever is told of a sign-in they know nothing of.

mod views;

use std::collections::BTreeMap;

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::views::{DoubtfulView, KeptPasskey, KeptView, Undone};
use crate::{
    accounts::{
        containment::{self, Contained, Doubt, Judgement, Undoing},
        factor_reset::Target,
    },
    app::App,
    clock::{Timestamp, span_in_words},
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{SessionId, UserId},
    mail::emails::ResetOccasion,
    model::{
        api_key::{self, Of},
        device::Device,
        session::Listed,
        token::{self, ReportSignIn, ReportedEvent},
        user,
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
    kept: KeptView,
    // Whether it is a sign-in that its person can stand by, and whether they did.
    #[serde(skip)]
    can_be_confirmed: bool,
    is_confirmed: bool,
    #[serde(skip)]
    token: String,
}

/// The link.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: Secret<ReportSignIn>,
}

/// `GET /not-me?token=`
pub(crate) async fn open(link: Query<Link>, app: Data<App>) -> Result<Reply> {
    Ok(Reply::page(load(&app, link.into_inner().token).await?))
}

async fn load(app: &App, secret: Secret<ReportSignIn>) -> Result<NotMePage> {
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
        let Undoing { connections, organisations } = containment::undoing(conn, &keys, &user.id, &judged)?;
        let undone = Undone {
            connections,
            organisations,
            identities: judged.identities.len(),
            authenticator_app: judged.removes_app,
            recovery_codes: judged.removes_codes,
            deletion: judged.keeps_account,
            keys: api_key::list(conn, Of::Person(&user.id))?.len(),
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
            token,
        })
    })
    .await
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

fn kept(judged: &Judgement, removal_takes: &str) -> KeptView {
    let mut view = KeptView { removal_takes: removal_takes.to_owned(), ..KeptView::default() };
    for one in &judged.kept {
        match &one.factor {
            Target::Totp => (view.authenticator_app, view.is_app_disowned) = (true, one.is_disowned),
            Target::Passkey(id) => view.passkeys.push(KeptPasskey {
                id: id.clone(),
                name: one.name.clone(),
                is_disowned: one.is_disowned,
                added_at: one.added_at,
                added_on: one.added_on.clone(),
            }),
        }
    }
    view
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
    /// Second factors that would stay and are asked to be removed: `totp`, or the id of a passkey; left out, all that one of
    /// the sign-ins in doubt added. A form has a box `remove-…` for each.
    remove_factors: Option<Vec<String>>,
    #[serde(flatten)]
    boxes: BTreeMap<String, Value>,
}

impl Answer {
    fn trusted(&self) -> Vec<SessionId> {
        let listed = self.listed.split(' ').filter(|id| !id.is_empty());
        let unticked = listed.filter(|id| !self.boxes.contains_key(&format!("disown-{id}")));
        self.trusted.iter().cloned().chain(unticked.map(SessionId::from_text)).collect()
    }

    /// Whether its reader said which second factors are to be removed. A form says so of those that its page offered.
    fn chooses(&self) -> bool {
        self.is_form() || self.remove_factors.is_some()
    }

    fn is_form(&self) -> bool {
        self.boxes.contains_key("offered")
    }

    fn removes(&self, factor: &Target) -> bool {
        let name = match factor {
            Target::Totp => "totp",
            Target::Passkey(id) => id.as_str(),
        };
        self.remove_factors.iter().flatten().any(|one| one == name)
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
    let (owner, sent_to) = app.write(move |tx| secure(tx, &client, &answer)).await?;
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

/// `POST /not-me/was-me`: "yes, this was me".
pub(crate) async fn was_me(client: Client, Input(form): Input<Link>, app: Data<App>) -> Result<Reply> {
    app.write(move |tx| containment::confirm_sign_in(tx, &client.actor(), &form.token)).await?;
    Ok(Reply::done("/login", "Thank you. That sign-in counts as yours from now on."))
}

/// Signs everything out, blocks the password, and starts a reset. Returns whose account it is, and the address to which an
/// email leads back in.
fn secure(tx: &mut Tx, client: &Client, answer: &Answer) -> Result<(UserId, Option<String>)> {
    let secret = &answer.token;
    let id = token::peek(tx.conn, secret)?.user_id;
    containment::lock(tx, &id)?;
    let told = token::peek(tx.conn, secret)?.claim;
    let doubt = doubt_of(tx.conn, &id, &told, tx.now)?.but_for(answer.trusted());
    token::redeem(tx, secret)?;
    let actor = client.actor().known_as(&id);
    let Contained { user, has_moved, kept } = containment::contain(tx, &actor, &id, &doubt)?;
    // Never to a mailbox that the account got since: it may be that of whoever moved it.
    let is_sent = has_moved || told.told_to.is_none_or(|told_to| told_to == user.email.normalized());
    match is_sent {
        true => containment::send_reset(tx, &user, ResetOccasion::Secured)?,
        false => containment::tell_present_address(tx, &user)?,
    }
    let chosen = |factor: &Target| answer.removes(factor);
    containment::dispute(tx, &actor, &user, kept, answer.chooses().then_some(&chosen))?;
    Ok((id, is_sent.then(|| user.email.spelled().to_owned())))
}
