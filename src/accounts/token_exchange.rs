//! A code, or a refresh token, becomes the next tokens: once, whatever comes at the same time.

use std::cmp::min;

use super::{
    containment::way_back::way_back_from,
    grants::{self, Event},
};
use crate::{
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Result},
    ids::GrantId,
    mail::emails,
    model::{
        application::client::Client,
        audit::{self, Actor},
        grant::{self, Grant, GrantKind},
        refresh_token::{self, GivenFor, RefreshSecret, RefreshToken},
        token::{self, AuthorizationCode, CodeGrant},
        user::User,
    },
    oauth::{Code, Refused, Scopes, challenge_of},
    secret::Secret,
};
use chrono::TimeDelta;

/// How many an application has of one person that rest on no session: devices, and some to spare.
const MOST_OFFLINE: usize = 10;

const INVALID: Refused = Refused::new(
    Code::InvalidGrant,
    "The code is unknown, late, used, revoked, or was given to another application.",
);
const VERIFIER_MISSING: Refused = Refused::new(Code::InvalidRequest, "code_verifier is missing.");
const VERIFIER_WRONG: Refused =
    Refused::new(Code::InvalidGrant, "code_verifier does not belong to the code_challenge of this code.");
const REDIRECT_URI_MISSING: Refused = Refused::new(Code::InvalidRequest, "redirect_uri is missing.");
const REDIRECT_URI_OTHER: Refused = Refused::new(
    Code::InvalidGrant,
    "redirect_uri is another than the one that the code was asked for with.",
);

/// The audience is what was allowed (RFC 8707 §2.2).
pub(crate) const RESOURCE_OTHER: Refused =
    Refused::new(Code::InvalidTarget, "resource is another than the one that was allowed.");

/// What tokens are made for.
#[derive(Debug, Clone)]
pub(crate) struct Redeemed {
    /// What they rest on.
    pub grant: Grant,
    /// Whose it is.
    pub user: User,
    /// What they allow.
    pub scopes: Scopes,
    /// What the ID token brings back.
    pub nonce: Option<String>,
    /// The first refresh token, where there is one, and when it ends.
    pub refresh: Option<(Secret<RefreshSecret>, Timestamp)>,
}

/// Exchanges a code (RFC 6749 §4.1.3). One that was used before ends what came of it (§4.1.2): a refusal is committed as well.
pub(crate) fn redeem_code(
    tx: &mut Tx,
    client: &Client,
    code: &Secret<AuthorizationCode>,
    redirect_uri: Option<&str>,
    verifier: Option<&str>,
    resource: Option<&str>,
) -> Result<std::result::Result<Redeemed, Refused>> {
    // Whoever has the code only spends nothing and ends nothing.
    let Some(claim): Option<CodeGrant> = token::claim(tx.conn, code)? else { return Ok(Err(INVALID)) };
    if claim.application != client.id {
        return Ok(Err(INVALID));
    }
    match (&claim.code_challenge, verifier) {
        (Some(_), None) => return Ok(Err(VERIFIER_MISSING)),
        (Some(challenge), Some(verifier)) if challenge_of(verifier).as_ref() == Some(challenge) => {}
        (None, None) => {}
        _ => return Ok(Err(VERIFIER_WRONG)),
    }
    match redirect_uri {
        // Needed where it was sent, which it always was (§4.1.3); OAuth 2.1 §4.1.3 leaves it out.
        None if claim.code_challenge.is_none() => return Ok(Err(REDIRECT_URI_MISSING)),
        Some(uri) if uri != claim.redirect_uri => return Ok(Err(REDIRECT_URI_OTHER)),
        _ => {}
    }
    if resource.is_some_and(|asked| asked != claim.audience) {
        return Ok(Err(RESOURCE_OTHER));
    }
    match token::redeem(tx, code) {
        Ok(_) => {}
        Err(Error::DeadLink) => {
            end_of_reused(tx, claim, code)?;
            return Ok(Err(INVALID));
        }
        Err(error) => return Err(error),
    }
    if !grant::hold(tx, &claim.grant)? {
        return Ok(Err(INVALID));
    }
    let Some((grant, user)) = grants::held(tx.conn, &claim.grant, tx.now)? else { return Ok(Err(INVALID)) };
    // Another request in the same session may have changed its row since.
    let grant = Grant {
        scopes: claim.scopes.clone(),
        audience: claim.audience,
        acr: claim.acr,
        amr: claim.amr,
        auth_time: Timestamp::from_unix(claim.auth_time),
        ..grant
    };
    let site = tx.config.site.origin();
    let Some((grant, user)) = grants::judged(tx.conn, grant, user, &site, tx.now)? else {
        return Ok(Err(INVALID));
    };
    let scopes = grant.scopes();
    let grant = match claim.offline.clone() {
        Some(id) => {
            let ends_at = tx.now + tx.config.lifetimes.refresh;
            let offline = Grant {
                sid: Some(grant.id.clone()),
                id,
                session_id: None,
                kind: GrantKind::Offline,
                created_at: tx.now,
                expires_at: ends_at,
                made_in: Some(claim.session),
                ..grant
            };
            let ip = Some(offline.ip.clone());
            let actor = Actor { session: offline.made_in.clone(), ip, ..Actor::user(&user.id) };
            keep_offline(tx, &actor, client, &user, offline.clone())?;
            offline
        }
        None => grant,
    };
    let refresh = match grant.kind == GrantKind::Offline || client.settings.is_first_party {
        true => Some(first_refresh_token(tx, &grant)?),
        false => None,
    };
    Ok(Ok(Redeemed { grant, user, scopes, nonce: claim.nonce, refresh }))
}

/// The first refresh token of a grant, and when it ends.
pub(crate) fn first_refresh_token(tx: &mut Tx, grant: &Grant) -> Result<(Secret<RefreshSecret>, Timestamp)> {
    let secret = refresh_token::make(&tx.config.token_prefix)?;
    let ends_at = ends_at(grant, tx.now + tx.config.lifetimes.refresh_idle);
    let given_for = GivenFor {
        scopes: grant.scopes.clone(),
        audience: grant.audience.clone(),
        acr: grant.acr.clone(),
        auth_time: grant.auth_time,
    };
    refresh_token::insert(tx, &secret, (&grant.id, 0), given_for, ends_at)?;
    Ok((secret, ends_at))
}

/// Keeps what rests on no session. Whoever has nothing of the kind at this application yet hears of it.
pub(crate) fn keep_offline(
    tx: &mut Tx,
    actor: &Actor,
    client: &Client,
    user: &User,
    new: Grant,
) -> Result<()> {
    let (application, grant) = (new.application_id.clone(), new.id.clone());
    let (is_first, device) = (!grant::has_offline(tx.conn, &user.id, &client.id)?, new.device.clone());
    grant::insert(tx, new)?;
    grant::end_older(tx, &user.id, &client.id, MOST_OFFLINE)?;
    audit::record(tx, actor, &user.id, Event::OfflineGrantMade { application, grant })?;
    if !is_first {
        return Ok(());
    }
    let not_me =
        way_back_from(tx, actor, user, "An application can act for you while you are away", &device)?;
    let (site, when) = (&tx.config.site, tx.now.exact());
    let told = (client.name.as_str(), when.as_str(), device.as_str());
    let email = emails::offline_access(site, &user.email, &user.name, told, not_me.reveal())?;
    tx.mail(Some(&user.id), email)
}

/// A code that comes a second time was copied: whoever has its tokens loses them.
fn end_of_reused(tx: &mut Tx, claim: CodeGrant, code: &Secret<AuthorizationCode>) -> Result<()> {
    if !token::is_used(tx.conn, code)? {
        return Ok(());
    }
    for id in [Some(claim.grant), claim.offline].into_iter().flatten() {
        if let Some((found, user)) = grants::held(tx.conn, &id, tx.now)? {
            grants::end(tx, &Actor::user(&user.id), &found, "code_reused")?;
        }
    }
    Ok(())
}

/// What a refresh token is good for.
#[derive(Debug)]
pub(crate) enum Presented {
    /// The next tokens.
    Fresh(Box<(RefreshToken, Grant, User)>),
    /// What was answered before, sealed.
    Again(String),
    /// It was used before, and so was what followed, or too long ago: there is a copy.
    Copied(Box<(RefreshToken, Grant, User)>),
}

/// Looks at a refresh token of `client`, where a spent one gets the same answer for `grace`; nothing where it opens nothing.
pub(crate) fn look_at(
    conn: &mut Conn,
    client: &Client,
    secret: &Secret<RefreshSecret>,
    site: &str,
    (now, grace): (Timestamp, TimeDelta),
) -> Result<Option<Presented>> {
    let Some(found) = refresh_token::find(conn, &secret.digest())? else { return Ok(None) };
    let Some((grant, user)) = grants::held(conn, &found.grant_id, now)? else { return Ok(None) };
    let GivenFor { scopes, audience, acr, auth_time } = found.given_for.clone();
    // Signing in again in the session may have changed with what, and that is not kept.
    let amr =
        if auth_time == grant.auth_time && acr == grant.acr { grant.amr.clone() } else { String::new() };
    let grant = Grant { amr, scopes, audience, acr, auth_time, ..grant };
    let Some((grant, user)) = grants::judged(conn, grant, user, site, now)? else { return Ok(None) };
    if grant.application_id != client.id || found.expires_at <= now {
        return Ok(None);
    }
    Ok(Some(Presented::of(conn, found, grant, user, (now, grace))?))
}

impl Presented {
    fn of(
        conn: &mut Conn,
        found: RefreshToken,
        grant: Grant,
        user: User,
        (now, grace): (Timestamp, TimeDelta),
    ) -> Result<Self> {
        let Some(spent_at) = found.spent_at else { return Ok(Self::Fresh(Box::new((found, grant, user)))) };
        let next = match &found.next_hash {
            Some(hash) => refresh_token::find(conn, hash)?,
            None => None,
        };
        let is_next_spent = next.is_none_or(|next| next.spent_at.is_some());
        match &found.answer {
            Some(answer) if !is_next_spent && spent_at + grace > now => Ok(Self::Again(answer.clone())),
            _ => Ok(Self::Copied(Box::new((found, grant, user)))),
        }
    }
}

/// What came of a refresh token.
#[derive(Debug)]
pub(crate) enum Rotated {
    /// The answer that was prepared counts.
    Done,
    /// Another one that was given before.
    Again(String),
    /// None: it opens nothing, or there is a copy of it, and what it opened has ended.
    Refused,
}

/// Spends a refresh token for `next`, with the answer that was prepared. Of many at once one counts, and the others get its
/// answer. What is a copy ends the grant; its owner hears of it.
pub(crate) fn rotate(
    tx: &mut Tx,
    client: &Client,
    secret: &Secret<RefreshSecret>,
    prepared: Option<(&Secret<RefreshSecret>, &str)>,
) -> Result<Rotated> {
    let Some(found) = refresh_token::find(tx.conn, &secret.digest())? else { return Ok(Rotated::Refused) };
    // Whoever was first is waited for.
    if !grant::hold(tx, &found.grant_id)? {
        return Ok(Rotated::Refused);
    }
    let times = (tx.now, tx.config.lifetimes.refresh_grace);
    let site = tx.config.site.origin();
    match (look_at(tx.conn, client, secret, &site, times)?, prepared) {
        (None, _) => Ok(Rotated::Refused),
        (Some(Presented::Again(answer)), _) => Ok(Rotated::Again(answer)),
        (Some(Presented::Copied(copied)), _) => {
            let (token, grant, user) = *copied;
            let (application, id) = (grant.application_id.clone(), grant.id.clone());
            let event = Event::RefreshTokenReused { application, grant: id, generation: token.generation };
            let actor = Actor::user(&user.id);
            audit::record(tx, &actor, &user.id, event)?;
            grants::end(tx, &actor, &grant, "refresh_token_reused")?;
            tell_of_copy(tx, &actor, client, &grant, &user)?;
            Ok(Rotated::Refused)
        }
        (Some(Presented::Fresh(_)), None) => Ok(Rotated::Refused),
        (Some(Presented::Fresh(fresh)), Some((next, answer))) => {
            let (token, grant, _) = *fresh;
            let sealed = tx.config.keys.seal(refresh_token::SEAL, answer)?;
            if !refresh_token::spend(tx, &token.hash, next, &sealed)? {
                return Ok(Rotated::Refused);
            }
            let ends_at = ends_at(&grant, tx.now + tx.config.lifetimes.refresh_idle);
            let number = token.generation + 1;
            refresh_token::insert(tx, next, (&grant.id, number), token.given_for, ends_at)?;
            Ok(Rotated::Done)
        }
    }
}

fn tell_of_copy(tx: &mut Tx, actor: &Actor, client: &Client, grant: &Grant, user: &User) -> Result<()> {
    let what = "A copy of your sign-in to an application was used";
    let not_me = way_back_from(tx, actor, user, what, &grant.device)?;
    let (site, when) = (&tx.config.site, tx.now.exact());
    let email =
        emails::copied_sign_in(site, &user.email, &user.name, (&client.name, &when), not_me.reveal())?;
    tx.mail(Some(&user.id), email)
}

/// Ends a grant that its application gives up; nothing where it is another's, or over.
pub(crate) fn revoke(tx: &mut Tx, client: &Client, id: &GrantId) -> Result<()> {
    match grants::held(tx.conn, id, tx.now)? {
        Some((found, user)) if found.application_id == client.id => {
            grants::end(tx, &Actor::user(&user.id), &found, "revoked_by_application").map(drop)
        }
        _ => Ok(()),
    }
}

/// When the next refresh token of a grant ends: never later than the grant itself.
pub(crate) fn ends_at(grant: &Grant, idle_end: Timestamp) -> Timestamp {
    min(idle_end, grant.expires_at)
}
