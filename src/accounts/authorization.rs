//! What an application asks of whoever is signed in (OpenID Connect Core 1.0 §3.1.2): what is still missing, and the code once
//! nothing is.

use std::net::IpAddr;

use chrono::TimeDelta;

use super::{
    factors::{self, Factors},
    gate_needs::{self, Candidate, Missing, Raised},
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::{GrantId, Id, UserId},
    kinds::Strength,
    model::{
        application::client::Client,
        consent,
        grant::{self, Grant, GrantKind},
        network::client_network,
        rate_limit::{self, Limit},
        session::{self, Acr, Authentication, CurrentSession},
        token::{self, AskedFor, AuthorizationCode, AuthorizeRequest, CodeGrant},
        user::User,
    },
    oauth::{AuthorizationRequest, Prompt, RedirectUri, Scopes},
    secret::Secret,
};

/// What is to happen before the application gets its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Answer,
    /// The account waits to be deleted.
    Account,
    /// The address is to be confirmed.
    VerifyEmail,
    /// They show anew who they are.
    Reauthenticate(Strength),
    /// They need a second factor and have none.
    SetUpSecondFactor,
    /// They do not belong there.
    Forbidden,
    /// They say which account it is to be.
    ChooseAccount,
    /// They allow it.
    Consent,
}

/// Who is there.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// The user.
    pub user: User,
    /// Their session.
    pub session: CurrentSession,
    /// From where.
    pub ip: Option<IpAddr>,
    /// When.
    pub now: Timestamp,
}

/// What is asked for, by whom.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    /// Who asks.
    pub client: Client,
    /// What for.
    pub request: AuthorizationRequest,
    /// When, where the request was kept: what was shown since then was shown for it.
    pub at: Option<Timestamp>,
}

impl Asking {
    /// What of it the application may have.
    pub(crate) fn scopes(&self) -> Scopes {
        self.client.allowed(self.request.scopes())
    }

    /// Whether it says of whom it is to be, and that is somebody else (OpenID Connect Core 1.0 §3.1.2.2).
    pub(crate) fn is_about_other(&self, user: &UserId) -> bool {
        self.request.subject.as_deref().is_some_and(|subject| subject != user.as_str())
    }

    /// What of that goes on without the session.
    fn is_offline(&self) -> bool {
        self.scopes().has("offline_access")
    }
}

/// The first thing that is missing. [`crate::error::Error::NotFound`] where the session has ended meanwhile.
pub(crate) fn next_step(conn: &mut Conn, asking: &Asking, who: &Visitor) -> Result<Step> {
    let authentication = Authentication::of(conn, &who.session.id)?;
    let factors = factors::of(conn, &who.user.id)?;
    let request = &asking.request;
    let shown_at = authentication.at(who.now);
    let is_fresh = asking.at.is_some_and(|at| shown_at >= at);
    // What is only wished for is asked once.
    // And ends no silent request (OpenID Connect Core 1.0 §5.5.1.1).
    let wished = if is_fresh || request.has(Prompt::None) { None } else { wished_acr(request, factors) };
    let raised = Raised { acr: wished, max_age: None, member: None };
    let candidate = Candidate {
        user: &who.user.id,
        is_verified: who.user.is_verified(),
        is_leaving: who.user.is_leaving(),
        authentication: &authentication,
        through: (&who.session, who.ip),
    };
    match gate_needs::missing(conn, &asking.client.needs, &raised, candidate, who.now)? {
        Some(Missing::Account) => return Ok(Step::Account),
        Some(Missing::VerifiedEmail) => return Ok(Step::VerifyEmail),
        Some(Missing::Membership) => return Ok(Step::Forbidden),
        Some(Missing::Acr(_)) if factors.is_second_due() => return Ok(Step::Reauthenticate(Strength::Full)),
        Some(Missing::Acr(_)) => return Ok(Step::SetUpSecondFactor),
        Some(Missing::Freshness) => return Ok(Step::Reauthenticate(Strength::Full)),
        None => {}
    }
    let age = who.now - shown_at;
    let is_too_old =
        request.max_age.is_some_and(|most| age > TimeDelta::seconds(most.min(315_360_000)) || most == 0);
    if (request.has(Prompt::Login) || is_too_old) && !is_fresh {
        return Ok(Step::Reauthenticate(Strength::Full));
    }
    let is_other = request
        .login_hint
        .as_deref()
        .is_some_and(|hint| hint.contains('@') && !hint.eq_ignore_ascii_case(who.user.email.spelled()));
    if (request.has(Prompt::SelectAccount) && !is_fresh) || is_other || asking.is_about_other(&who.user.id) {
        return Ok(Step::ChooseAccount);
    }
    if is_consent_missing(conn, asking, &who.user.id)? { Ok(Step::Consent) } else { Ok(Step::Answer) }
}

/// The first that is wished for and that the account can show.
fn wished_acr(request: &AuthorizationRequest, factors: Factors) -> Option<Acr> {
    request.acr_values.iter().filter_map(|word| Acr::from_word(word)).find(|acr| match acr {
        Acr::OneFactor => true,
        Acr::TwoFactors => factors.is_second_due(),
        Acr::PhishingResistant => factors.usable_passkeys > 0,
    })
}

fn is_consent_missing(conn: &mut Conn, asking: &Asking, user: &UserId) -> Result<bool> {
    if asking.request.has(Prompt::Consent) {
        return Ok(true);
    }
    // Any program on the device could be at that address (RFC 8252 §8.6).
    if RedirectUri::is_unclaimed(&asking.request.redirect_uri)
        && asking.client.kind.traits().signs_in == Some(crate::oauth::RedirectUse::Device)
    {
        return Ok(true);
    }
    if asking.client.settings.is_first_party {
        return Ok(false);
    }
    let allowed = consent::of(conn, user, &asking.client.id)?;
    Ok(!allowed.is_some_and(|allowed| allowed.cover(&asking.scopes())))
}

/// Keeps a request while something is asked. Of strangers, whose address on the network is told, as many as may try to sign in:
/// [`Error::TooManyAttempts`] beyond that.
pub(crate) fn keep_request(
    tx: &mut Tx,
    request: &AskedFor,
    stranger: Option<&str>,
) -> Result<Secret<AuthorizeRequest>> {
    if let Some(ip) = stranger {
        let (network, most) = (client_network(ip), tx.config.limits.login_per_network);
        rate_limit::consume(tx, &Limit::new("authorize-request", &network, most, TimeDelta::minutes(1)))?;
    }
    token::issue_unowned(tx, request)
}

/// What an application gets through the session of whoever is there, which the transaction holds then; not kept yet.
pub(crate) fn session_grant(
    tx: &mut Tx,
    client: &Client,
    who: &Visitor,
    (scopes, resource): (&Scopes, Option<&str>),
    device: String,
) -> Result<Grant> {
    session::hold(tx, &who.session.id)?;
    let authentication = Authentication::of(tx.conn, &who.session.id)?;
    let site = tx.config.site.origin();
    Ok(Grant {
        id: Id::random()?,
        application_id: client.id.clone(),
        user_id: who.user.id.clone(),
        session_id: Some(who.session.id.clone()),
        kind: GrantKind::Session,
        scopes: scopes.clone().without("offline_access").text(),
        audience: client.audience(resource, &site).unwrap_or(site),
        acr: authentication.acr().to_string(),
        amr: authentication.amr().join(" "),
        second_factor: authentication.second_factor(),
        auth_time: authentication.at(tx.now),
        device,
        ip: who.ip.map(|ip| ip.to_string()).unwrap_or_default(),
        created_at: tx.now,
        last_used_at: tx.now,
        expires_at: authentication.expires_at,
        made_in: None,
        listed_as: None,
        sid: None,
    })
}

/// The code for an application that nothing is asked of any more; [`Error::Conflict`] where it asked for somebody else. `device`:
/// where it goes on, in words.
pub(crate) fn issue_code(
    tx: &mut Tx,
    asking: &Asking,
    who: &Visitor,
    device: String,
) -> Result<Secret<AuthorizationCode>> {
    if asking.is_about_other(&who.user.id) {
        return Err(Error::Conflict);
    }
    let scopes = asking.scopes();
    let grant =
        session_grant(tx, &asking.client, who, (&scopes, asking.request.resource.as_deref()), device)?;
    let (audience, acr, amr, auth_time) =
        (grant.audience.clone(), grant.acr.clone(), grant.amr.clone(), grant.auth_time.unix());
    let grant = grant::keep_for_session(tx, grant)?;
    let offline: Option<GrantId> = if asking.is_offline() { Some(Id::random()?) } else { None };
    let code = CodeGrant {
        application: asking.client.id.clone(),
        session: who.session.id.clone(),
        grant,
        offline,
        redirect_uri: asking.request.redirect_uri.clone(),
        code_challenge: asking.request.code_challenge.clone(),
        nonce: asking.request.nonce.clone(),
        scopes: scopes.text(),
        audience,
        acr,
        amr,
        auth_time,
    };
    let life = tx.config.lifetimes.code;
    // Two tabs may be on their way.
    token::issue_with(tx, &who.user.id, &code, life)
}
