//! Invitations as an organisation sees them: sending, sending again, taking back.

pub(crate) mod accept;
pub(crate) mod own;

use actix_web::{
    HttpRequest,
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    accounts::{invitations, open_invitations, policy::Membership, roles},
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Error, Errors, Result},
    ids::InvitationId,
    kinds::Strength,
    mail::EmailAddress,
    model::{
        held_role::HeldRole,
        invitation::{self, Invitation, Search, State},
        organisation::Organisation,
        rate_limit::{self, Limit},
    },
    web::{Client, Input, Member, Query, Reply, member::MembersInvite, saved_request},
};

/// Invitations on one page.
const A_PAGE: usize = 50;

/// How many addresses one form takes, and how many forms one person sends in an hour.
const MOST_AT_ONCE: usize = 50;
const MOST_AN_HOUR: i32 = 10;

/// The form for more invitations, and those that there are.
#[derive(Template, Serialize)]
#[template(path = "invitations.html")]
pub(crate) struct InvitationsPage {
    invitations: Vec<InvitationView>,
    next: Option<usize>,
    #[serde(skip)]
    organisation: Organisation,
    /// Those that the reader may give.
    #[serde(skip)]
    roles: Vec<HeldRole>,
    #[serde(skip)]
    form: Form,
    #[serde(skip)]
    errors: Errors,
}

/// An invitation as those see it who may invite. The link is in the email only.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvitationView {
    id: InvitationId,
    email: String,
    role: HeldRole,
    role_name: String,
    state: State,
    sent_at: Timestamp,
    emails_sent: i32,
    expires_at: Timestamp,
    invited_by: String,
}

/// Who is invited: one address, or a list; a form has one on each line.
#[derive(Default, Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    email: String,
    #[serde(default, deserialize_with = "lines")]
    emails: Vec<String>,
    role: Option<String>,
}

/// Somebody who was not invited, and why.
#[derive(Serialize)]
struct Refused {
    email: String,
    why: &'static str,
    #[serde(skip)]
    words: String,
}

/// How many invitations came before this page.
#[derive(Deserialize)]
pub(crate) struct Cursor {
    next: Option<usize>,
}

fn lines<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum List {
        Items(Vec<String>),
        Text(String),
    }
    Ok(match List::deserialize(deserializer)? {
        List::Items(items) => items,
        List::Text(text) => text.split(['\n', '\r', ',', ';']).map(str::to_owned).collect(),
    })
}

impl Form {
    /// The addresses that were typed, each once.
    fn addresses(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for typed in [self.email.as_str()].into_iter().chain(self.emails.iter().map(String::as_str)) {
            let typed = typed.trim();
            if !typed.is_empty() && !found.contains(&typed) {
                found.push(typed);
            }
        }
        found
    }

    fn text(&self) -> String {
        self.addresses().join("\n")
    }

    fn is_for(&self, role: &HeldRole) -> bool {
        self.role.as_deref().unwrap_or("viewer") == role.to_string()
    }
}

/// `GET /organisations/{slug}/invitations`: the open ones, and those that ended in the last 30 days.
pub(crate) async fn index(me: Member<MembersInvite>, cursor: Query<Cursor>, app: Data<App>) -> Result<Reply> {
    let (access, skip, now) = (me.access(), cursor.into_inner().next.unwrap_or_default(), app.now());
    let page = app.read(move |conn| {
        let mine = access.decide(conn)?;
        InvitationsPage::of(conn, &mine, skip, now)
    });
    Ok(Reply::page(page.await?))
}

impl InvitationsPage {
    fn of(conn: &mut Conn, mine: &Membership, skip: usize, now: Timestamp) -> Result<Self> {
        let search = Search { organisation: Some(&mine.organisation.id), ..Search::default() };
        let from = i64::try_from(skip).unwrap_or(i64::MAX);
        // One more than a page tells whether there is another.
        let most = i64::try_from(A_PAGE + 1).map_err(Error::internal)?;
        let mut found = invitation::list(conn, &search, from, most)?;
        let next = (found.len() > A_PAGE).then_some(skip.saturating_add(A_PAGE));
        found.truncate(A_PAGE);
        let views = found.iter().map(|one| InvitationView::new(one, now)).collect();
        Ok(Self {
            invitations: views,
            next,
            organisation: mine.organisation.clone(),
            roles: invitations::givable(conn, mine)?,
            form: Form::default(),
            errors: Errors::default(),
        })
    }
}

/// `POST /organisations/{slug}/invitations`. The answer is the same whether or not an account has an address. To make somebody
/// an owner takes a step-up.
pub(crate) async fn create(
    me: Member<MembersInvite>,
    Input(form): Input<Form>,
    client: Client,
    req: HttpRequest,
    app: Data<App>,
) -> Result<Reply> {
    if form.role.as_deref() == Some("owner") && !me.is_stepped_up_in_full(&app).await? {
        let fields = vec![("emails".to_owned(), form.text()), ("role".to_owned(), "owner".to_owned())];
        let resume = match client.is_browser {
            true => saved_request::keep(&app, &me, &req, fields).await?,
            false => None,
        };
        return Err(me.step_up_required(&app, Strength::Full, resume).await?);
    }
    match invite(&me, &form, &app).await {
        Ok((organisation, made, refused)) => {
            let sent = match made.len() {
                1 => "One invitation sent.".to_owned(),
                count => format!("{count} invitations sent."),
            };
            if client.is_browser && !refused.is_empty() {
                // What was not sent stays in the form.
                let words: String = refused.iter().map(|one| format!(" {}", one.words)).collect();
                let left = refused.into_iter().map(|one| one.email).collect();
                let form = Form { email: String::new(), emails: left, ..form };
                return again(&me, form, Errors::one("emails", sent + " Not sent:" + &words), &app).await;
            }
            let to = format!("/organisations/{}/invitations", organisation.slug);
            Reply::done(to, sent)
                .status(StatusCode::CREATED)
                .with("invitations", made)?
                .with("refused", refused)
        }
        Err(Error::Invalid(errors)) => again(&me, form, errors, &app).await,
        Err(error) => Err(error),
    }
}

/// The page with the form, and what is wrong with it.
async fn again(me: &Member<MembersInvite>, form: Form, errors: Errors, app: &App) -> Result<Reply> {
    let (access, now) = (me.access(), app.now());
    let page = app.read(move |conn| {
        let mine = access.decide(conn)?;
        InvitationsPage::of(conn, &mine, 0, now)
    });
    let page = InvitationsPage { form, errors: errors.clone(), ..page.await? };
    Ok(Reply::refused(page, Error::Invalid(errors)))
}

type Invited = (Organisation, Vec<InvitationView>, Vec<Refused>);

async fn invite(me: &Member<MembersInvite>, form: &Form, app: &App) -> Result<Invited> {
    let typed = form.addresses();
    if typed.is_empty() || typed.len() > MOST_AT_ONCE {
        let sentence = match typed.len() {
            0 => "Enter the email address of each person you invite.".to_owned(),
            count => format!("Invite at most {MOST_AT_ONCE} people at once. These are {count}."),
        };
        return Err(Error::Invalid(Errors::one("emails", sentence)));
    }
    let mut addresses = Vec::new();
    let mut refused = Vec::new();
    for typed in typed {
        match EmailAddress::parse(typed) {
            Ok(address) => addresses.push(address),
            Err(problem) => refused.push(Refused {
                email: typed.to_owned(),
                why: "invalid",
                words: format!("{typed}: {problem}"),
            }),
        }
    }
    let (access, role) = (me.access(), form.role.clone().unwrap_or_else(|| "viewer".to_owned()));
    let limit = Limit::new("invite", me.user.id.as_str(), MOST_AN_HOUR, TimeDelta::hours(1));
    let (organisation, made, not) = app
        .write(move |tx| {
            let mine = access.decide_locked(tx)?;
            let role = roles::named(tx.conn, &mine.organisation.id, &role)?;
            open_invitations::may_invite(tx.conn, &mine, &role)?;
            rate_limit::consume(tx, &limit)?;
            let (mut made, mut not) = (Vec::new(), Vec::new());
            for address in &addresses {
                match invitations::invite(tx, &access.actor, &mine, address, &role)? {
                    Ok(invitation) => made.push(InvitationView::new(&invitation, tx.now)),
                    Err(why) => not.push((address.spelled().to_owned(), why)),
                }
            }
            Ok((mine.organisation, made, not))
        })
        .await?;
    refused.extend(not.into_iter().map(|(email, why)| {
        let words = format!("{email} {}.", why.words());
        Refused { email, why: why.code(), words }
    }));
    if made.is_empty() {
        let mut errors = Errors::default();
        refused.into_iter().for_each(|one| errors.add("emails", one.words));
        return Err(Error::Invalid(errors));
    }
    Ok((organisation, made, refused))
}

/// `POST /organisations/{slug}/invitations/{invitation}/resend`: another email with another link; older ones die.
pub(crate) async fn resend(
    me: Member<MembersInvite>,
    path: Path<(String, InvitationId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, (slug, id)) = (me.access(), path.into_inner());
    let sent = app
        .write(move |tx| {
            let mine = access.decide_locked(tx)?;
            let sent = invitations::resend(tx, &access.actor, &mine, &id)?;
            Ok(InvitationView::new(&sent, tx.now))
        })
        .await?;
    let message = format!("Another email to {} is on its way. Its link replaces the older ones.", sent.email);
    Reply::done(format!("/organisations/{slug}/invitations"), message).with("invitation", sent)
}

/// `DELETE /organisations/{slug}/invitations/{invitation}` and `POST …/revoke`: takes it back.
pub(crate) async fn revoke(
    me: Member<MembersInvite>,
    path: Path<(String, InvitationId)>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, (slug, id)) = (me.access(), path.into_inner());
    app.write(move |tx| {
        let mine = access.decide_locked(tx)?;
        invitations::revoke(tx, &access.actor, &mine, &id)
    })
    .await?;
    Ok(Reply::done(format!("/organisations/{slug}/invitations"), "The invitation is taken back."))
}

impl InvitationView {
    fn new(one: &Invitation, now: Timestamp) -> Self {
        Self {
            id: one.id.clone(),
            email: one.email.spelled().to_owned(),
            role: one.role.clone(),
            role_name: one.role.words().to_owned(),
            state: one.state_at(now),
            sent_at: one.sent_at,
            emails_sent: one.emails_sent,
            expires_at: one.expires_at,
            invited_by: one.inviter.clone(),
        }
    }

    fn is_open(&self) -> bool {
        self.state == State::Open
    }

    fn can_be_sent_again(&self) -> bool {
        matches!(self.state, State::Open | State::Expired)
    }
}
