//! Handing an organisation over: an owner offers it, and the member answers by the link in the email.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    accounts::{hand_over, hand_over_offers},
    app::App,
    clock::{Timestamp, span_in_words},
    db::Conn,
    error::{Error, Errors, Result},
    ids::{Id, OrganisationId, UserId},
    kinds::AfterHandOver,
    model::{
        membership::{self, Search},
        organisation::Organisation,
        token::{HandOver, HandOverOffer},
    },
    secret::Secret,
    urls,
    web::{Input, Member, Query, Reply, SteppedUpMember, VerifiedUser, member::OwnersManage},
};

/// Members to choose from on the page.
const MOST_LISTED: i64 = 200;

/// The offer that waits, and the form for one.
#[derive(Template, Serialize)]
#[template(path = "hand_over.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct HandOverPage {
    hand_over: Option<OfferView>,
    #[serde(skip)]
    organisation: Organisation,
    /// Those to choose from, and the one who is chosen already.
    #[serde(skip)]
    members: Vec<Recipient>,
    #[serde(skip)]
    chosen: Option<UserId>,
    #[serde(skip)]
    life: String,
}

/// An offer as owners see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfferView {
    to: Recipient,
    then: AfterHandOver,
    expires_at: Timestamp,
    /// Whether the reader made it.
    #[serde(skip)]
    is_own: bool,
}

/// A member to whom an organisation is offered.
#[derive(Clone, Serialize)]
struct Recipient {
    id: UserId,
    name: String,
    email: String,
}

/// To whom.
#[derive(Deserialize)]
pub(crate) struct MemberQuery {
    member: Option<String>,
}

/// An offer.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    member: String,
    #[serde(default)]
    then: String,
}

/// What the link in the email offers.
#[derive(Template, Serialize)]
#[template(path = "hand_over_accept.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct AcceptPage {
    organisation: NamedOrganisation,
    from: Recipient,
    then: AfterHandOver,
    expires_at: Timestamp,
    #[serde(skip)]
    token: String,
}

/// An organisation in an answer to someone who may still be asked.
#[derive(Serialize)]
struct NamedOrganisation {
    name: String,
    slug: String,
}

/// The link.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: Secret<HandOver>,
}

impl Form {
    fn check(&self) -> Result<(UserId, AfterHandOver), Errors> {
        let mut errors = Errors::default();
        let (member, then) = (Id::parse(&self.member), AfterHandOver::from_word(&self.then));
        if member.is_none() {
            errors.add("member", "Choose a member.");
        }
        if then.is_none() {
            errors.add("then", "Choose what you become: editor, viewer, owner or leave.");
        }
        member.zip(then).ok_or(errors)
    }
}

fn recipient(conn: &mut Conn, organisation: &OrganisationId, id: UserId) -> Result<Option<Recipient>> {
    let search = Search { user: Some(id), ..Search::default() };
    let found = membership::list(conn, organisation, &search, 1)?.pop();
    Ok(found.map(Recipient::from))
}

impl From<membership::Member> for Recipient {
    fn from(member: membership::Member) -> Self {
        Self { id: member.user_id, name: member.name, email: member.email.spelled().to_owned() }
    }
}

/// The members who could own an organisation and do not yet: the first of them, `chosen` among them.
fn eligible(
    conn: &mut Conn,
    organisation: &OrganisationId,
    chosen: Option<&UserId>,
) -> Result<Vec<Recipient>> {
    let members = membership::list(conn, organisation, &Search::default(), MOST_LISTED)?;
    let members = members.into_iter().filter(|member| !member.role.is_owner());
    let mut members: Vec<Recipient> = members.map(Recipient::from).collect();
    if let Some(chosen) = chosen
        && members.iter().all(|member| member.id != *chosen)
    {
        members.extend(recipient(conn, organisation, chosen.clone())?);
    }
    Ok(members)
}

fn view(conn: &mut Conn, offer: HandOverOffer, is_own: bool) -> Result<Option<OfferView>> {
    let (then, expires_at) = (offer.then, offer.until());
    let to = recipient(conn, &offer.organisation, offer.to)?;
    Ok(to.map(|to| OfferView { to, then, expires_at, is_own }))
}

/// `GET /organisations/{slug}/hand-over?member=`
pub(crate) async fn form(
    me: Member<OwnersManage>,
    query: Query<MemberQuery>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, now) = (me.access(), me.now());
    let chosen = query.into_inner().member.and_then(|typed| Id::parse(&typed));
    let life = span_in_words(app.config().lifetimes.hand_over);
    let page = app.read(move |conn| {
        let mine = access.decide(conn)?;
        let waiting = hand_over_offers::open(conn, &mine.organisation.id, now)?;
        let waiting = waiting.map(|(from, offer)| view(conn, offer, Some(from) == mine.user)).transpose()?;
        Ok(HandOverPage {
            hand_over: waiting.flatten(),
            members: eligible(conn, &mine.organisation.id, chosen.as_ref())?,
            organisation: mine.organisation,
            chosen: chosen.clone(),
            life: life.clone(),
        })
    });
    Ok(Reply::page(page.await?))
}

/// `POST /organisations/{slug}/hand-over`: offers the organisation; nothing changes before the member accepts.
pub(crate) async fn offer(
    me: SteppedUpMember<OwnersManage>,
    Input(form): Input<Form>,
    app: Data<App>,
) -> Result<Reply> {
    let access = me.access();
    let (slug, offered) = app
        .write(move |tx| {
            let mine = access.decide_locked(tx)?;
            let (member, then) = form.check().map_err(Error::Invalid)?;
            let offer = hand_over::offer(tx, &access.actor, &mine, &member, then)?;
            Ok((mine.organisation.slug, view(tx.conn, offer, true)?.ok_or(Error::NotFound)?))
        })
        .await?;
    let message = format!("{} gets an email. Nothing changes until they accept.", offered.to.email);
    Reply::done(path_of(&slug), message).with("handOver", offered)
}

/// `DELETE /organisations/{slug}/hand-over`, and `POST …/revoke`: takes the offer back.
pub(crate) async fn take_back(me: Member<OwnersManage>, app: Data<App>) -> Result<Reply> {
    let access = me.access();
    let (slug, was_open) = app
        .write(move |tx| {
            let organisation = access.decide_locked(tx)?.organisation;
            let was_open = hand_over::take_back(tx, &access.actor, &organisation)?;
            Ok((organisation.slug, was_open))
        })
        .await?;
    let message = if was_open { "The offer is taken back." } else { "There was no open offer." };
    Ok(Reply::done(path_of(&slug), message))
}

/// `GET /hand-over?token=`: what it means, and a button. It changes nothing.
pub(crate) async fn open(me: VerifiedUser, link: Query<Link>, app: Data<App>) -> Result<Reply> {
    let (user, now, secret) = (me.user.id.clone(), me.now, link.into_inner().token);
    let token = secret.reveal().to_owned();
    let (offer, from, organisation) =
        app.read(move |conn| hand_over::look(conn, &user, &secret, now)).await?;
    let from = Recipient { id: from.id, name: from.name, email: from.email.spelled().to_owned() };
    let (then, expires_at) = (offer.then, offer.until());
    let organisation = NamedOrganisation { name: organisation.name, slug: organisation.slug };
    Ok(Reply::page(AcceptPage { organisation, from, then, expires_at, token }))
}

/// `POST /hand-over`: accepts it.
pub(crate) async fn accept(me: VerifiedUser, Input(form): Input<Link>, app: Data<App>) -> Result<Reply> {
    let (actor, user, session) = (me.actor(), me.user.id.clone(), me.traits());
    let accept = app.write(move |tx| hand_over::accept(tx, &actor, (&user, &session), &form.token));
    let mine = accept.await?;
    let (to, message) = (urls::organisation(&mine.slug), format!("You are an owner of {} now.", mine.name));
    Reply::done(to, message).with("organisation", NamedOrganisation { name: mine.name, slug: mine.slug })
}

fn path_of(slug: &str) -> String {
    urls::organisation_page(slug, "hand-over")
}
