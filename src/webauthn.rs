//! Passkeys on the wire: Web Authentication Level 3 behind a few functions.
//!
//! What goes out is what `PublicKeyCredential.parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON` take
//! (§5.1.9, §5.1.10); what comes back is what a credential's `toJSON()` gives (§5.1.8).

use std::{fmt, sync::Arc, time::Duration};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    Credential as RawCredential, DiscoverableAuthentication, Passkey as RawPasskey, PasskeyAuthentication,
    PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Uuid, Webauthn, WebauthnBuilder,
    WebauthnError,
};

use crate::{
    config::Site,
    error::{Error, Result},
    ids::{Id, UserId},
    model::{token::PASSKEY_CEREMONY, user::User},
};

/// This site as browsers know it (§4, Relying Party): its host, and its origin and no other.
#[derive(Clone)]
pub(crate) struct RelyingParty(Option<Arc<Party>>);

struct Party {
    webauthn: Webauthn,
    id: String,
    origin: String,
}

/// A challenge that goes out, and what is needed to judge its answer.
pub(crate) struct Challenge {
    /// What the browser is asked, as JSON.
    pub options: Value,
    /// 256 random bits, as base64url.
    pub challenge: String,
    /// The ceremony's state, as JSON. Not for the browser.
    pub state: String,
}

/// What came of an answer.
pub(crate) enum Verdict {
    /// It is right, and its person was verified.
    Right(Box<Use>),
    /// It is signed by the right key, but counts what was counted before: there is a copy of the key (§6.1.1).
    Copied,
    /// It is not right.
    Wrong,
}

/// What a right answer tells.
pub(crate) struct Use {
    /// The credential as it is now.
    pub credential: Credential,
    /// Its counter; 0 where it does not count.
    pub counter: i64,
    /// Whether a password manager keeps it on several devices.
    pub is_synced: bool,
}

impl RelyingParty {
    /// Passkeys need a name; where people come by a bare address there are none.
    pub(crate) fn of(site: &Site) -> Result<Self> {
        let Some(id) = site.base_url.domain() else { return Ok(Self(None)) };
        let webauthn = WebauthnBuilder::new(id, &site.base_url)
            .and_then(|builder| builder.rp_name(&site.name).timeout(timeout()).build())
            .map_err(Error::internal)?;
        Ok(Self(Some(Arc::new(Party { webauthn, id: id.to_owned(), origin: site.origin() }))))
    }

    fn party(&self) -> Result<&Party> {
        self.0.as_deref().ok_or(Error::NotFound)
    }

    /// The host that passkeys are made for. [`Error::NotFound`] where there can be none.
    pub(crate) fn id(&self) -> Result<&str> {
        Ok(&self.party()?.id)
    }

    /// Asks for a new passkey that can be found without an address being typed, beside those that `user` has.
    pub(crate) fn ask_for_new(&self, user: &User, held: &[Credential]) -> Result<Challenge> {
        let held = held.iter().map(|credential| credential.0.cred_id().clone()).collect();
        let display = if user.name.is_empty() { user.email.spelled() } else { &user.name };
        let (asked, state) = self
            .party()?
            .webauthn
            .start_passkey_registration(handle(&user.id)?, user.email.spelled(), display, Some(held))
            .map_err(Error::internal)?;
        let mut options = json!(asked.public_key);
        options["authenticatorSelection"]["residentKey"] = "required".into();
        options["authenticatorSelection"]["requireResidentKey"] = true.into();
        Challenge::new(options, &asked.public_key.challenge, &state)
    }

    /// Asks for any passkey of this site, or for one of `allowed`.
    pub(crate) fn ask(&self, allowed: Option<&[Credential]>) -> Result<Challenge> {
        let webauthn = &self.party()?.webauthn;
        let (asked, state) = match allowed {
            None => {
                let (asked, state) = webauthn.start_discoverable_authentication().map_err(Error::internal)?;
                (asked, Asked::Any(state))
            }
            Some(allowed) => {
                let allowed: Vec<RawPasskey> = allowed.iter().map(|one| one.0.clone()).collect();
                let (asked, state) =
                    webauthn.start_passkey_authentication(&allowed).map_err(Error::internal)?;
                (asked, Asked::OneOf(state))
            }
        };
        Challenge::new(json!(asked.public_key), &asked.public_key.challenge, &state)
    }

    /// Judges a new passkey (§7.1). `None` where it is not right.
    pub(crate) fn judge_new(&self, answer: &Registration, state: &str) -> Result<Option<Credential>> {
        let party = self.party()?;
        let state: PasskeyRegistration = serde_json::from_str(state)?;
        if !party.is_from_here(&answer.0.response.client_data_json) {
            return Ok(None);
        }
        match party.webauthn.finish_passkey_registration(&answer.0, &state) {
            Ok(passkey) => Ok(Some(Credential(passkey))),
            Err(cause) => {
                tracing::info!(%cause, "a new passkey was refused");
                Ok(None)
            }
        }
    }

    /// Judges what a passkey signed (§7.2).
    pub(crate) fn judge(&self, answer: &Assertion, state: &str, credential: &Credential) -> Result<Verdict> {
        let party = self.party()?;
        if !party.is_from_here(&answer.0.response.client_data_json) {
            return Ok(Verdict::Wrong);
        }
        let judged = match serde_json::from_str(state)? {
            Asked::Any(state) => {
                party.webauthn.finish_discoverable_authentication_v2(&answer.0, state, &credential.0)
            }
            Asked::OneOf(state) => party.webauthn.finish_passkey_authentication(&answer.0, &state),
        };
        match judged {
            Ok(told) if told.user_verified() => {
                let mut credential = credential.clone();
                credential.0.update_credential(&told);
                let (counter, is_synced) = (told.counter().into(), told.backup_state());
                Ok(Verdict::Right(Box::new(Use { credential, counter, is_synced })))
            }
            Ok(_) => Ok(Verdict::Wrong),
            Err(WebauthnError::CredentialPossibleCompromise) => Ok(Verdict::Copied),
            Err(cause) => {
                tracing::info!(%cause, "a passkey was refused");
                Ok(Verdict::Wrong)
            }
        }
    }
}

impl Party {
    /// Whether the browser says that it was on this very site, to the letter (§7.1 step 9, §7.2 step 12).
    fn is_from_here(&self, client_data: &[u8]) -> bool {
        ClientData::read(client_data).is_some_and(|told| told.origin == self.origin)
    }
}

impl fmt::Debug for RelyingParty {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "RelyingParty({:?})", self.0.as_ref().map(|party| &party.id))
    }
}

/// Whether one of some passkeys was asked for, or any.
#[derive(Serialize, Deserialize)]
enum Asked {
    Any(DiscoverableAuthentication),
    OneOf(PasskeyAuthentication),
}

impl Challenge {
    fn new(options: Value, challenge: &[u8], state: &impl Serialize) -> Result<Self> {
        Ok(Self { options, challenge: BASE64.encode(challenge), state: serde_json::to_string(state)? })
    }
}

/// A passkey's public half, and what its authenticator said of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Credential(RawPasskey);

impl Credential {
    /// How its authenticator named it, as base64url.
    pub(crate) fn id(&self) -> String {
        BASE64.encode(self.0.cred_id())
    }

    /// Its counter; 0 where it does not count.
    pub(crate) fn counter(&self) -> i64 {
        self.raw().counter.into()
    }

    /// Whether a password manager keeps it on several devices (§6.1, flag BS).
    pub(crate) fn is_synced(&self) -> bool {
        self.raw().backup_state
    }

    fn raw(&self) -> RawCredential {
        self.0.clone().into()
    }
}

/// A browser's answer with a new passkey: `RegistrationResponseJSON` (§5.1.8).
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Registration(RegisterPublicKeyCredential);

impl Registration {
    /// The challenge that it answers.
    pub(crate) fn challenge(&self) -> Option<String> {
        Some(ClientData::read(&self.0.response.client_data_json)?.challenge)
    }

    /// How the authenticator named it, as base64url.
    pub(crate) fn credential_id(&self) -> String {
        BASE64.encode(&self.0.raw_id)
    }
}

/// A browser's answer with what a passkey signed: `AuthenticationResponseJSON` (§5.1.8).
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Assertion(PublicKeyCredential);

impl Assertion {
    /// The challenge that it answers.
    pub(crate) fn challenge(&self) -> Option<String> {
        Some(ClientData::read(&self.0.response.client_data_json)?.challenge)
    }

    /// Which passkey it was, as base64url.
    pub(crate) fn credential_id(&self) -> String {
        BASE64.encode(&self.0.raw_id)
    }

    /// Whose it is, as the passkey says (§5.4.3, user handle).
    pub(crate) fn user(&self) -> Option<UserId> {
        let bytes = <[u8; 16]>::try_from(self.handle()?).ok()?;
        Some(Id::from_text(format!("{:032x}", u128::from_be_bytes(bytes))))
    }

    /// Whether it says whose it is, understood or not.
    pub(crate) fn names_user(&self) -> bool {
        self.handle().is_some()
    }

    /// A handle has at least one byte (§5.4.3). Some browsers and keys give an empty one where they have none.
    fn handle(&self) -> Option<&[u8]> {
        self.0.get_user_unique_id().filter(|handle| !handle.is_empty())
    }
}

/// What the browser itself says of the ceremony (§5.8.1), as far as it is looked at before anything is verified.
#[derive(Deserialize)]
struct ClientData {
    challenge: String,
    origin: String,
}

impl ClientData {
    fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }
}

/// The user handle (§5.4.3): the 128 bits of the id, which say nothing about the person.
fn handle(user: &UserId) -> Result<Uuid> {
    u128::from_str_radix(user.as_str(), 16).map(Uuid::from_u128).map_err(Error::internal)
}

fn timeout() -> Duration {
    PASSKEY_CEREMONY.to_std().unwrap_or_default()
}
