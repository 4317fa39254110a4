//! Invitations as an organisation sees them: sending, sending again, taking back.

pub(crate) mod accept;
pub(crate) mod own;
mod step_up;

use std::collections::HashSet;

use actix_web::{
    HttpRequest,
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize};

use self::step_up::{Given, ensure_stepped_up};
use crate::{
    accounts::{
        invitations::{self, NotInvited},
        open_invitations,
        policy::Membership,
        roles,
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Error, Errors, Result},
    ids::InvitationId,
    mail::EmailAddress,
    model::{
        address_list,
        held_role::HeldRole,
        invitation::{self, Invitation, Search, State},
        organisation::Organisation,
        rate_limit::{self, Limit},
    },
    urls,
    web::{Client, Input, Member, Query, Reply, member::MembersInvite},
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
        List::Text(text) => vec![text],
    })
}

impl Form {
    /// The addresses that were typed, each once.
    fn addresses(&self) -> Vec<String> {
        let typed = [&self.email].into_iter().chain(&self.emails).flat_map(|text| address_list::read(text));
        let mut seen = HashSet::new();
        typed
            .filter(|typed| {
                seen.insert(EmailAddress::parse(typed).map_or_else(|_| typed.clone(), |one| one.normalized()))
            })
            .collect()
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

/// `POST /organisations/{slug}/invitations`. The answer is the same whether or not an account has an address. A role that
/// manages something takes a step-up.
pub(crate) async fn create(
    me: Member<MembersInvite>,
    Input(form): Input<Form>,
    client: Client,
    req: HttpRequest,
    app: Data<App>,
) -> Result<Reply> {
    let role = form.role.clone().unwrap_or_else(|| "viewer".to_owned());
    let fields = vec![("emails".to_owned(), form.text()), ("role".to_owned(), role.clone())];
    ensure_stepped_up(&me, Given::Role(role), fields, (&client, &req), &app).await?;
    match invite(&me, &form, &app).await {
        Ok((_, made, refused)) if made.is_empty() => {
            let mut errors = Errors::default();
            sentences(&refused).into_iter().for_each(|sentence| errors.add("emails", sentence));
            again(&me, form, errors, &app).await?.with("refused", refused)
        }
        Ok((organisation, made, refused)) => {
            let sent = match made.len() {
                1 => "One invitation sent.".to_owned(),
                count => format!("{count} invitations sent."),
            };
            if client.is_browser && !refused.is_empty() {
                // What was not sent stays in the form.
                let words = sentences(&refused).join(" ");
                let left = refused.into_iter().map(|one| one.email).collect();
                let form = Form { email: String::new(), emails: left, ..form };
                return again(&me, form, Errors::one("emails", sent + " Not sent: " + &words), &app).await;
            }
            let to = urls::organisation_page(&organisation.slug, "invitations");
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
        match EmailAddress::parse(&typed) {
            Ok(address) => addresses.push(address),
            Err(problem) => {
                let words = format!("{typed}: {problem}");
                refused.push(Refused { email: typed, why: "invalid", words });
            }
        }
    }
    let (access, role) = (me.access(), form.role.clone().unwrap_or_else(|| "viewer".to_owned()));
    let (organisation, made, not) = app
        .write(move |tx| {
            let mine = access.decide_locked(tx)?;
            // Who is invited hears from a person, and the invitation ends with what they may.
            let limit = Limit::new("invite", mine.person()?.as_str(), MOST_AN_HOUR, TimeDelta::hours(1));
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
    Ok((organisation, made, refused))
}

/// Why these were not invited, the day's limit once.
fn sentences(refused: &[Refused]) -> Vec<String> {
    let limit = NotInvited::TooMany;
    let (late, others): (Vec<_>, Vec<_>) = refused.iter().partition(|one| one.why == limit.code());
    let mut sentences: Vec<String> = others.into_iter().map(|one| one.words.clone()).collect();
    match late.as_slice() {
        [] => {}
        [one] => sentences.push(one.words.clone()),
        late => sentences.push(format!("{} addresses {}.", late.len(), limit.words())),
    }
    sentences
}

/// `POST /organisations/{slug}/invitations/{invitation}/resend`: another email with another link; older ones die.
pub(crate) async fn resend(
    me: Member<MembersInvite>,
    path: Path<(String, InvitationId)>,
    client: Client,
    req: HttpRequest,
    app: Data<App>,
) -> Result<Reply> {
    let (access, (slug, id)) = (me.access(), path.into_inner());
    ensure_stepped_up(&me, Given::Again(id.clone()), Vec::new(), (&client, &req), &app).await?;
    let sent = app
        .write(move |tx| {
            let mine = access.decide_locked(tx)?;
            let sent = invitations::resend(tx, &access.actor, &mine, &id)?;
            Ok(InvitationView::new(&sent, tx.now))
        })
        .await?;
    let message = format!("Another email to {} is on its way. Its link replaces the older ones.", sent.email);
    Reply::done(urls::organisation_page(&slug, "invitations"), message).with("invitation", sent)
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
    Ok(Reply::done(urls::organisation_page(&slug, "invitations"), "The invitation is taken back."))
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
