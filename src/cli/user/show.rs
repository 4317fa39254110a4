//! `vestibule user show`.

use serde_json::{Value, json};

use crate::{
    accounts::{
        deletion,
        factors::{self, Factors},
    },
    app::App,
    cli::{
        out::say,
        outcome::{Outcome, sentence},
    },
    clock::Timestamp,
    db::Conn,
    error::Error,
    ids::UserId,
    model::{
        held_role::HeldRole,
        identity,
        organisation::{self, Organisation},
        outbox,
        passkey::{self, Passkey},
        provider_identity::{self, ProviderIdentity},
        session::{self, Listed},
        sign_in,
        user::User,
    },
};

pub(crate) fn told(user: &User) -> Value {
    json!({
        "id": user.id,
        "email": user.email.spelled(),
        "name": user.name,
        "emailVerified": user.is_verified(),
        "createdAt": user.created_at,
        "lockedAt": user.locked_at,
        "suspendedBy": user.suspended_by,
        "deleteAt": user.deletes_at,
    })
}

pub(crate) fn state(user: &User) -> String {
    let mut words =
        vec![if user.is_verified() { "confirmed".to_owned() } else { "not confirmed".to_owned() }];
    words.extend(user.locked_at.map(|_| "locked".to_owned()));
    words.extend(user.suspended_by.as_ref().map(|by| format!("suspended by the organisation {by}")));
    words.extend(user.deletes_at.map(|at| format!("deleted on {}", at.iso())));
    words.join(", ")
}

/// Prints what there is to know of an account.
pub(crate) async fn run(app: &App, user: User, as_json: bool) -> Outcome {
    let (id, now) = (user.id.clone(), app.now());
    let more = sentence(app.read(move |conn| More::about(conn, &id, now)).await)?;
    if as_json {
        let mut told = told(&user);
        told["holdReason"] = json!(more.hold);
        told["sessions"] = more.sessions.iter().map(|(_, line)| line.as_str()).collect();
        told["signIns"] = json!(more.sign_ins);
        told["secondFactors"] = json!({
            "authenticatorApp": more.factors.has_totp,
            "passkeys": more.passkeys.iter().map(|one| &one.name).collect::<Vec<_>>(),
            "recoveryCodes": more.factors.recovery_codes,
        });
        told["hasPassword"] = more.factors.has_password.into();
        told["identities"] =
            more.identities.iter().map(|(by, name)| json!({ "by": by, "name": name })).collect();
        told["identitiesElsewhere"] = more
            .at_providers
            .iter()
            .map(|one| json!({ "provider": one.provider, "knownAs": one.known_as }))
            .collect();
        told["organisations"] = more
            .organisations
            .iter()
            .map(|(one, role)| json!({ "slug": one.slug, "name": one.name, "role": role.audited() }))
            .collect();
        told["emails"] = more
            .emails
            .iter()
            .map(|(kind, at, state)| json!({ "kind": kind, "at": at, "state": state }))
            .collect();
        say!("{told}");
        return Ok(());
    }
    say!("{}  {}", user.id, user.email.spelled());
    say!("  name       {}", printable(&user.name));
    say!("  state      {}", state(&user));
    say!("  made       {} from {}", user.created_at.iso(), printable(&user.created_from));
    if let Some(reason) = more.hold {
        say!("  held       {reason}");
    }
    if more.factors.has_password {
        say!("  signs in   with a password");
    }
    for passkey in &more.passkeys {
        say!("  signs in   with the passkey {}", printable(&passkey.name));
    }
    for one in &more.at_providers {
        let known_as = one.known_as.as_deref().unwrap_or(&one.subject);
        say!("  signs in   with {} as {}", printable(&one.provider), printable(known_as));
    }
    for (by, name) in &more.identities {
        say!("  signs in   through {} as {}", printable(by), printable(name));
    }
    if more.factors.has_totp {
        say!("  then       with an authenticator app");
    }
    if more.factors.is_second_due() {
        say!("  codes      {} recovery codes are left", more.factors.recovery_codes);
    }
    for (one, role) in &more.organisations {
        say!("  belongs to {} ({}), as {}", printable(&one.name), one.slug, printable(&role.audited()));
    }
    for (state, line) in more.sessions {
        say!("  {state:<9}  {line}");
    }
    for line in more.sign_ins {
        say!("  tried      {line}");
    }
    for (kind, at, state) in more.emails {
        say!("  mailed     {}  {kind}, {state}", at.iso());
    }
    Ok(())
}

/// A terminal obeys control characters, and a name is whatever somebody typed.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// What else there is to know of an account.
struct More {
    hold: Option<String>,
    // "signed in" or "locked", and where.
    sessions: Vec<(&'static str, String)>,
    sign_ins: Vec<String>,
    factors: Factors,
    passkeys: Vec<Passkey>,
    // The connection, and the name there.
    identities: Vec<(String, String)>,
    at_providers: Vec<ProviderIdentity>,
    organisations: Vec<(Organisation, HeldRole)>,
    // Kind, when it was written, and what became of it.
    emails: Vec<(String, Timestamp, &'static str)>,
}

impl More {
    fn about(conn: &mut Conn, id: &UserId, now: Timestamp) -> Result<Self, Error> {
        let sessions = session::list(conn, id, now)?.into_iter().map(|session| {
            let Listed { browser, os, ip, .. } = session;
            let line = format!("{}  {browser} on {os}, {ip}", session.last_active_at.iso());
            match session.locked_by {
                None => ("signed in", line),
                Some(by) => ("locked", format!("{line}; locked because it was used from {by}")),
            }
        });
        let sessions = sessions.collect();
        let sign_ins = sign_in::list(conn, id, 10)?.into_iter().map(|attempt| {
            let from = format!("{} on {}, {}", attempt.browser, attempt.os, attempt.ip);
            format!("{}  {}: {from}", attempt.at.iso(), attempt.outcome)
        });
        Ok(Self {
            hold: deletion::held_because(conn, id)?,
            sessions,
            sign_ins: sign_ins.collect(),
            factors: factors::of(conn, id)?,
            passkeys: passkey::list(conn, id)?,
            identities: identity::list(conn, id)?,
            at_providers: provider_identity::list(conn, id)?,
            organisations: organisation::of(conn, id)?,
            emails: outbox::latest_to(conn, id, 10)?,
        })
    }
}
