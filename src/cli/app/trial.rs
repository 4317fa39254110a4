//! What a visitor of an application would get, and why.

use serde_json::json;

use crate::{
    accounts::{
        factors,
        gate_needs::{self, Raised, Who},
        gates,
    },
    app::App,
    cli::{
        out::say,
        outcome::{Outcome, sentence},
        user,
    },
    model::application::Application,
};

/// Says it, in the order in which it would happen.
pub(super) async fn run(
    app: &App,
    found: Application,
    path: &str,
    address: Option<&str>,
    as_json: bool,
) -> Outcome {
    let who = match address {
        Some(address) => Some(user::find(app, address).await?),
        None => None,
    };
    let is_open = gates::is_open(&found.settings.open, path.split('?').next().unwrap_or_default());
    let mut steps = Vec::new();
    let mut outcome = "allowed";
    if app.config().trusted_proxies.is_empty() {
        steps.push("TRUSTED_PROXIES names no proxy: the gate answers nobody.".to_owned());
        outcome = "closed";
    }
    if found.disabled_at.is_some() {
        steps.push(
            "The application is disabled: nobody comes in. `vestibule app enable` lets people in again."
                .to_owned(),
        );
        outcome = "closed";
    }
    if is_open {
        steps.push(format!("{path} is open: everybody gets through, signed in or not."));
    }
    match who {
        None if is_open => {}
        None => {
            steps.push("A person is sent to sign in; a program gets 401 `sign_in_required`.".to_owned());
            if outcome == "allowed" {
                outcome = "sign_in_required";
            }
        }
        Some(user) => {
            let (needs, id, now) = (found.needs.clone(), user.id.clone(), app.now());
            let looked_up = app.read(move |conn| {
                let is_member =
                    gate_needs::is_member(conn, &needs, &Raised::default(), Who::User(&id, None), now)?;
                Ok((is_member, factors::of(conn, &id)?.is_second_due()))
            });
            let (is_member, has_second) = sentence(looked_up.await)?;
            let mut refuse = |says: String| {
                steps.push(says);
                if outcome == "allowed" && !is_open {
                    outcome = "refused";
                }
            };
            if user.locked_at.is_some() {
                refuse("The account is locked: it cannot sign in.".to_owned());
            }
            if user.is_leaving() {
                refuse("The account waits to be deleted: 403 `deletion_scheduled`, and the page leads to cancel.".to_owned());
            }
            if !user.is_verified() {
                refuse("The address is not confirmed: they are asked to confirm it; a program gets 403 `email_unverified`.".to_owned());
            }
            if !is_member {
                refuse("They belong to none of the organisations, or not in that role: 403 `application_forbidden`.".to_owned());
            }
            if found.needs.second_factor && !has_second {
                refuse(
                    "They have no second factor: they are told to turn two-step verification on.".to_owned(),
                );
            } else if found.needs.second_factor {
                steps.push("Their second factor is asked for, unless it was in this session.".to_owned());
            }
            if let Some(seconds) = found.needs.max_age {
                steps.push(format!(
                    "They confirm that it is them, unless they signed in at most {seconds} seconds ago."
                ));
            }
        }
    }
    if outcome == "allowed" {
        steps.push("The request goes through.".to_owned());
    }
    match as_json {
        true => say!("{}", json!({ "host": found.host, "path": path, "outcome": outcome, "steps": steps })),
        false => {
            say!("{}{path}: {outcome}", found.host);
            steps.iter().for_each(|step| say!("  {step}"));
        }
    }
    Ok(())
}
