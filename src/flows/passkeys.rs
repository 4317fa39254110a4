//! The passkeys that one has: adding, naming and removing them.

use actix_web::{
    http::StatusCode,
    web::{Data, Path},
};
use askama::Template;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    accounts::{
        authentication::{self, IssuedSession},
        ceremony::{self, CeremonyBinding},
        factor_removal, factors, organisation_policy, passkey_enrolment, passkeys, second_factors,
        security_changes,
    },
    app::App,
    clock::Timestamp,
    db::Tx,
    error::{Error, Errors, Result, refusals},
    ids::PasskeyId,
    kinds::Factor,
    mail::emails::FactorChange,
    model::{
        audit::Actor,
        passkey::{self, Passkey, PasskeyName},
        security_change::Kind,
        session,
        user::User,
    },
    web::{
        Authenticated, Client, CurrentUser, Input, Reply, SteppedUpVerifiedUser, second_factors::CodesPage,
    },
    webauthn::{Registration, RelyingParty},
};

refusals! {
    /// What a browser sent as a new passkey was not one.
    PASSKEY_REFUSED = (
        "passkey_refused", 422, "That passkey could not be added. Try again, or choose another device."
    ).page("That passkey was not added", "/me/passkeys", "Go to your passkeys");
}

/// The list of passkeys.
#[derive(Template, Serialize)]
#[template(path = "passkeys.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasskeysPage {
    passkeys: Vec<PasskeyView>,
    #[serde(skip)]
    is_verified: bool,
    // Whether the first one comes with recovery codes, and is asked for from then on.
    #[serde(skip)]
    is_first_factor: bool,
    // Which organisations ask for the second factor that nothing but the only passkey is, in a sentence.
    #[serde(skip)]
    asked: Option<String>,
    // The one whose new name was refused.
    #[serde(skip)]
    renaming: Option<Renaming>,
    #[serde(skip)]
    errors: Errors,
}

impl PasskeysPage {
    /// What was typed for this one and refused.
    fn refused_name(&self, id: &PasskeyId) -> Option<&str> {
        self.renaming.as_ref().filter(|one| one.id == *id).map(|one| one.typed.as_str())
    }
}

/// A passkey as its owner sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasskeyView {
    id: PasskeyId,
    name: String,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
    synced: bool,
    warning: Option<String>,
}

struct Renaming {
    id: PasskeyId,
    typed: String,
}

/// A new passkey as its browser tells it: the answer itself, or in a form as the text of one field.
#[derive(Deserialize)]
pub(crate) struct NewForm {
    #[serde(flatten)]
    answer: Option<Registration>,
    credential: Option<String>,
    #[serde(default)]
    name: String,
}

/// What a passkey is to be called.
#[derive(Deserialize)]
pub(crate) struct NameForm {
    #[serde(default)]
    name: String,
}

/// `GET /me/passkeys`
pub(crate) async fn index(me: CurrentUser, app: Data<App>) -> Result<Reply> {
    page(&me, &app, None, Errors::default()).await.map(Reply::page)
}

async fn page(
    me: &Authenticated,
    app: &App,
    renaming: Option<Renaming>,
    errors: Errors,
) -> Result<PasskeysPage> {
    let owner = me.user.id.clone();
    let (passkeys, factors, asked) = app
        .read(move |conn| {
            let (passkeys, factors) = (passkey::list(conn, &owner)?, factors::of(conn, &owner)?);
            let is_last = passkeys.len() == 1 && !factors.has_totp;
            let asked = match is_last {
                true => organisation_policy::asked_second_factor(conn, &owner)?,
                false => None,
            };
            Ok((passkeys, factors, asked))
        })
        .await?;
    let here = app.relying_party().id().ok();
    let passkeys = passkeys.into_iter().map(|passkey| PasskeyView::of(passkey, here)).collect();
    let (is_verified, is_first_factor) = (me.user.is_verified(), !factors.is_second_due());
    Ok(PasskeysPage { passkeys, is_verified, is_first_factor, asked, renaming, errors })
}

/// `POST /me/passkeys/options`
pub(crate) async fn options(me: SteppedUpVerifiedUser, client: Client, app: Data<App>) -> Result<Reply> {
    let (user, binding, party) =
        (me.user.clone(), CeremonyBinding::Session(me.session.id.clone()), app.relying_party().clone());
    let options = app
        .write(move |tx| {
            ceremony::count_challenge(tx, &client.ip)?;
            if factors::of(tx.conn, &user.id)?.passkeys >= passkey::MOST {
                let sentence = format!("You have {} passkeys. Remove one you no longer use.", passkey::MOST);
                return Err(Error::Invalid(Errors::one("form", sentence)));
            }
            ceremony::ask_for_new(tx, &party, &user, binding)
        })
        .await?;
    Reply::data("/me/passkeys", &options)
}

/// `POST /me/passkeys`
pub(crate) async fn create(
    me: SteppedUpVerifiedUser,
    client: Client,
    Input(form): Input<NewForm>,
    app: Data<App>,
) -> Result<Reply> {
    let named = match form.name.trim() {
        "" => PasskeyName::parse(&client.device().name()),
        typed => PasskeyName::parse(typed),
    };
    let name = match named {
        Ok(name) => name,
        Err(sentence) => {
            let errors = Errors::one("name", sentence);
            let page = page(&me, &app, None, errors.clone()).await?;
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
    };
    let adding = Adding {
        answer: form.answer()?,
        name,
        user: me.user.clone(),
        actor: me.actor(),
        here: me.session.clone(),
        device: client.device().name(),
    };
    let party = app.relying_party().clone();
    let added = app.write(move |tx| adding.run(tx, &party)).await?;
    let Some(Added { passkey, codes, issued }) = added else { return Err(PASSKEY_REFUSED.error()) };
    let passkey = PasskeyView::of(passkey, app.relying_party().id().ok());
    let reply = match codes {
        Some(codes) => {
            let page = CodesPage::new(codes, "Your passkey is added.", &me.user);
            Reply::page(page.because_of(passkey)?)
        }
        None => Reply::done("/me/passkeys", "That passkey is added.").with("passkey", passkey)?,
    };
    Ok(reply.status(StatusCode::CREATED).signed_in(issued))
}

struct Adding {
    answer: Registration,
    name: PasskeyName,
    user: User,
    actor: Actor,
    here: session::CurrentSession,
    device: String,
}

impl Adding {
    fn run(self, tx: &mut Tx, party: &RelyingParty) -> Result<Option<Added>> {
        let Self { answer, name, user, actor, here, device } = self;
        tx.lock(&user.email.normalized())?;
        let binding = CeremonyBinding::Session(here.id.clone());
        let Some(credential) = ceremony::judge_new(tx, party, &user.id, &binding, &answer)? else {
            return Ok(None);
        };
        let before = factors::of(tx.conn, &user.id)?;
        // Challenges may have been asked for before the last one was added.
        if before.passkeys >= passkey::MOST {
            return Ok(None);
        }
        let passkey = passkey_enrolment::add(tx, &actor, &user.id, party.id()?, &credential, name)?;
        security_changes::note(tx, &actor, &user.id, Kind::PasskeyAdded, Some(passkey.id.as_str()))?;
        second_factors::added(tx, &actor, &user.id, &here, before, Factor::Passkey)?;
        let codes = match before.is_second_due() {
            true => None,
            false => Some(second_factors::make_codes(tx, &actor, &user.id)?),
        };
        second_factors::tell(tx, &actor, &user, FactorChange::PasskeyAdded, &device)?;
        Ok(Some(Added { passkey, codes, issued: authentication::rotate(tx, &here)? }))
    }
}

/// A passkey that was added, and what comes with the first.
struct Added {
    passkey: Passkey,
    codes: Option<Vec<Zeroizing<String>>>,
    issued: IssuedSession,
}

/// `PUT /me/passkeys/{id}` and `POST /me/passkeys/{id}/rename`
pub(crate) async fn rename(
    me: CurrentUser,
    id: Path<PasskeyId>,
    Input(form): Input<NameForm>,
    app: Data<App>,
) -> Result<Reply> {
    let id = id.into_inner();
    let name = match PasskeyName::parse(&form.name) {
        Ok(name) => name,
        Err(sentence) => {
            let errors = Errors::one("name", sentence);
            let renaming = Renaming { id, typed: form.name };
            let page = page(&me, &app, Some(renaming), errors.clone()).await?;
            return Ok(Reply::refused(page, Error::Invalid(errors)));
        }
    };
    let (actor, owner) = (me.actor(), me.user.id.clone());
    app.write(move |tx| passkeys::rename(tx, &actor, &owner, &id, &name)).await?;
    Ok(Reply::done("/me/passkeys", "That passkey has its new name."))
}

/// `DELETE /me/passkeys/{id}` and `POST /me/passkeys/{id}/remove`. The last way in stays.
pub(crate) async fn remove(
    me: SteppedUpVerifiedUser,
    client: Client,
    id: Path<PasskeyId>,
    app: Data<App>,
) -> Result<Reply> {
    let (actor, user, here, id) = (me.actor(), me.user.clone(), me.session.clone(), id.into_inner());
    let (asked, issued) = app
        .write(move |tx| {
            factor_removal::remove_passkey(tx, &actor, &user, &here, &id, &client.device().name())?;
            let asked = match factors::of(tx.conn, &user.id)?.has_usable_second() {
                true => None,
                false => organisation_policy::asked_second_factor(tx.conn, &user.id)?,
            };
            Ok((asked, authentication::rotate(tx, &here)?))
        })
        .await?;
    let removed = "That passkey is removed.";
    let message = asked.map_or_else(|| removed.to_owned(), |asked| format!("{removed} {asked}"));
    Ok(Reply::done("/me/passkeys", message).signed_in(issued))
}

impl NewForm {
    fn answer(self) -> Result<Registration> {
        let from_field = || serde_json::from_str(self.credential.as_deref()?).ok();
        let missing = || Error::Invalid(Errors::one("form", "Send the new passkey as its browser made it."));
        self.answer.or_else(from_field).ok_or_else(missing)
    }
}

impl PasskeyView {
    fn of(passkey: Passkey, here: Option<&str>) -> Self {
        let is_elsewhere = here != Some(passkey.rp_id.as_str());
        let warning = match passkey.copied_at {
            Some(_) => Some("Someone used a copy of it, so it no longer works. Remove it.".to_owned()),
            None if is_elsewhere => {
                Some(format!("It was made for {} and does not work here.", passkey.rp_id))
            }
            None => None,
        };
        Self {
            id: passkey.id,
            name: passkey.name,
            created_at: passkey.created_at,
            last_used_at: passkey.last_used_at,
            synced: passkey.is_synced,
            warning,
        }
    }
}
