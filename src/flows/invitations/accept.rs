//! An invitation as whoever got its email sees it: joining, declining, coming in as somebody else, asking for a new one.

use actix_web::{http::StatusCode, web::Data};
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{
        authentication,
        email_verification::EMAIL_UNVERIFIED,
        invitations::{self, INVITATION_EXPIRED, INVITATION_FOR_ANOTHER, Which},
        open_invitations,
        sessions::Event,
        sign_up,
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Error, Errors, Result},
    kinds::AuthMethod,
    log,
    model::{
        audit,
        invitation::Invitation,
        organisation::{self, Organisation},
        password::Password,
        rate_limit, session,
        token::Invite,
        user::{self, NewUser},
    },
    secret::Secret,
    urls,
    web::{Client, CurrentUser, Input, MaybeUser, Query, Reply, views::UserView},
};

/// What somebody is invited to, and what they can do about it as who they are.
#[derive(Template, Serialize)]
#[template(path = "invitations_accept.html")]
pub(crate) struct AcceptPage {
    invitation: InvitedView,
    you: Reader,
    /// The whole address, for whoever is not signed in: they read its mail.
    #[serde(skip)]
    email: String,
    /// Whether somebody has the address confirmed, and signs in rather than up.
    #[serde(skip)]
    has_account: bool,
    #[serde(skip)]
    yours: String,
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    token: String,
    #[serde(skip)]
    errors: Errors,
}

/// An invitation that nobody can answer any more.
#[derive(Template, Serialize)]
#[template(path = "invitations_dead.html")]
pub(crate) struct DeadPage {
    message: String,
    /// Where it led to, for somebody who belongs there.
    #[serde(skip)]
    joined: Option<Organisation>,
    #[serde(skip)]
    can_ask: bool,
    #[serde(skip)]
    token: String,
}

/// An invitation as its reader sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InvitedView {
    organisation: OrganisationName,
    role: String,
    invited_by: String,
    invited: String,
    expires_at: Timestamp,
}

#[derive(Serialize)]
struct OrganisationName {
    name: String,
}

/// Who looks at an invitation.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reader {
    /// The account with the invited address, confirmed.
    Match,
    /// An account with another address.
    Another,
    /// Nobody who is signed in.
    Nobody,
    /// An account that has not confirmed the invited address yet.
    Unconfirmed,
}

/// The link.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: Secret<Invite>,
}

/// The link, and what a newcomer says of themselves.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    token: Secret<Invite>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: Password,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    screen: String,
}

/// `GET /invitations/accept?token=`. Changes nothing, whoever asks.
pub(crate) async fn open(visitor: MaybeUser, link: Query<Link>, app: Data<App>) -> Result<Reply> {
    let secret = link.into_inner().token;
    match page(&visitor, &secret, &app).await {
        Err(error) if error.code() == INVITATION_EXPIRED.code => {
            let can_ask = matches!(error, Error::Refused(INVITATION_EXPIRED, _));
            let token = secret.reveal().to_owned();
            let joined = match visitor.signed_in().map(|me| me.user.id.clone()) {
                Some(user) => {
                    let (link, now) = (secret.clone(), app.now());
                    app.read(move |conn| open_invitations::joined(conn, &link, &user, now)).await?
                }
                None => None,
            };
            Ok(Reply::refused(DeadPage { message: error.to_string(), joined, can_ask, token }, error))
        }
        page => page.map(Reply::page),
    }
}

async fn page(visitor: &MaybeUser, secret: &Secret<Invite>, app: &App) -> Result<AcceptPage> {
    let (now, link, me) = (app.now(), secret.clone(), visitor.signed_in().map(|me| me.user.clone()));
    let token = secret.reveal().to_owned();
    app.read(move |conn| {
        let found = invitations::open(conn, &link, now)?;
        let you = match &me {
            None => Reader::Nobody,
            Some(user) => match invitations::ensure_theirs(&found, user) {
                Ok(()) => Reader::Match,
                Err(Error::Refused(EMAIL_UNVERIFIED, _)) => Reader::Unconfirmed,
                Err(Error::Refused(INVITATION_FOR_ANOTHER, _)) => Reader::Another,
                Err(error) => return Err(error),
            },
        };
        Ok(AcceptPage {
            invitation: InvitedView::new(conn, &found)?,
            you,
            email: found.email.spelled().to_owned(),
            has_account: user::confirmed(conn, &found.email)?.is_some(),
            yours: me.as_ref().map(|user| user.email.spelled().to_owned()).unwrap_or_default(),
            name: String::new(),
            token: token.clone(),
            errors: Errors::default(),
        })
    })
    .await
}

impl InvitedView {
    fn new(conn: &mut Conn, found: &Invitation) -> Result<Self> {
        Ok(Self {
            organisation: OrganisationName { name: organisation::by_id(conn, &found.organisation_id)?.name },
            role: found.role.words().to_owned(),
            invited_by: found.inviter.clone(),
            invited: found.email.masked(),
            expires_at: found.expires_at,
        })
    }
}

/// `POST /invitations/accept`: joins, as whoever is signed in; with a name and a password of nobody who is, as somebody new,
/// whose address the link proves.
pub(crate) async fn create(
    client: Client,
    visitor: MaybeUser,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let Some(me) = visitor.signed_in() else { return join_as_newcomer(client, &visitor, form, &app).await };
    let (actor, user, which) = (me.actor(), me.user.clone(), Which::Link(form.token));
    let organisation = app
        .write(move |tx| {
            tx.lock(&user.email.normalized())?;
            invitations::accept(tx, &actor, &which, &user.id)
        })
        .await?;
    joined(organisation)
}

/// The answer to whoever belongs to an organisation now.
pub(super) fn joined(organisation: Organisation) -> Result<Reply> {
    let Organisation { id, name, slug, .. } = organisation;
    let message = format!("You belong to {name} now.");
    let view = serde_json::json!({ "id": id, "name": name, "slug": slug });
    Reply::done(urls::organisation(&slug), message).with("organisation", view)
}

async fn join_as_newcomer(client: Client, visitor: &MaybeUser, form: Form, app: &App) -> Result<Reply> {
    let (now, link) = (app.now(), form.token.clone());
    let email = app.read(move |conn| Ok(invitations::open(conn, &link, now)?.email)).await?;
    let (app_name, address) = (app.config().site.name.clone(), email.clone());
    let checked =
        log::spawn_blocking(move || (sign_up::check(&form.name, &form.password, &address, &app_name), form))
            .await;
    let (name, form) = match checked.map_err(Error::internal)? {
        (Ok(name), form) => (name, form),
        (Err(errors), form) => {
            let page = page(visitor, &form.token, app).await?;
            let page = AcceptPage { name: form.name, errors: errors.clone(), ..page };
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
    };
    let counted = email.normalized();
    app.write(move |tx| rate_limit::count_hash(tx, &counted)).await?;
    let password_hash = app.hasher().hash(form.password).await?;
    let client = client.with_hints(&form.zone, &form.screen);
    let (user, organisation, outcome) = app
        .write(move |tx| {
            let new = NewUser { email, name, password_hash, created_from: client.device().name() };
            let user = sign_up::by_invitation(tx, &client.actor(), &form.token, new)?;
            let actor = client.actor().known_as(&user.id);
            let joined = invitations::accept(tx, &actor, &Which::Link(form.token), &user.id)?;
            let outcome =
                authentication::complete_first_factor(tx, &client, &user, AuthMethod::SignUp, false)?;
            Ok((user, joined, outcome))
        })
        .await?;
    let reply = joined(organisation)?.status(StatusCode::CREATED);
    Ok(reply.with("user", UserView::from(&user))?.sign_in(outcome))
}

/// `POST /invitations/decline`
pub(crate) async fn decline(client: Client, Input(form): Input<Link>, app: Data<App>) -> Result<Reply> {
    app.write(move |tx| invitations::decline(tx, &client.actor(), &Which::Link(form.token), None)).await?;
    Ok(Reply::done("/", "The invitation is declined."))
}

/// `POST /invitations/ask`: asks whoever sent one that ran out for another.
pub(crate) async fn ask(_: Client, Input(form): Input<Link>, app: Data<App>) -> Result<Reply> {
    app.write(move |tx| invitations::ask_again(tx, &form.token)).await?;
    Ok(Reply::done("/", "We told the person who invited you. If they agree, you get another email."))
}

/// `POST /invitations/switch`: signs this browser out, and leads back here as whoever signs in next.
pub(crate) async fn switch(me: CurrentUser, Input(form): Input<Link>, app: Data<App>) -> Result<Reply> {
    let (actor, user, id) = (me.actor(), me.user.id.clone(), me.session.id.clone());
    let link = form.token.clone();
    app.write(move |tx| {
        // Not for a link that leads nowhere.
        invitations::open(tx.conn, &link, tx.now)?;
        session::end(tx, &id)?;
        audit::record(tx, &actor, &user, Event::SignedOut {})
    })
    .await?;
    // The browser keeps the link itself: no address has it.
    Ok(Reply::go(urls::with_query("/login", [("next", "/invitations/accept")])).signed_out())
}
