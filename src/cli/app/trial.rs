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
    },
    model::{
        application::{Application, Needs, client::Client},
        consent,
        user::User,
    },
    oauth::{RedirectUri, RedirectUse},
};

/// What is found out, in the order in which it would happen.
struct Trial {
    outcome: &'static str,
    steps: Vec<String>,
}

impl Trial {
    fn new() -> Self {
        Self { outcome: "allowed", steps: Vec::new() }
    }

    fn says(&mut self, step: impl Into<String>) {
        self.steps.push(step.into());
    }

    /// The first that stands in the way is what comes of it.
    fn stops(&mut self, outcome: &'static str, step: impl Into<String>) {
        self.says(step);
        if self.outcome == "allowed" {
            self.outcome = outcome;
        }
    }

    /// What somebody meets who is signed in.
    async fn of_user(&mut self, app: &App, needs: &Needs, user: &User) -> Outcome {
        let (asked, id, now) = (needs.clone(), user.id.clone(), app.now());
        let looked_up = app.read(move |conn| {
            let is_member =
                gate_needs::is_member(conn, &asked, &Raised::default(), Who::User(&id, None), now)?;
            Ok((is_member, factors::of(conn, &id)?.is_second_due()))
        });
        let (is_member, has_second) = sentence(looked_up.await)?;
        if user.locked_at.is_some() {
            self.stops("refused", "The account is locked: it cannot sign in.");
        }
        if user.suspended_by.is_some() {
            self.stops("refused", "Its organisation has ended its access: it cannot sign in.");
        }
        if user.is_leaving() {
            self.stops(
                "refused",
                "The account waits to be deleted: 403 `deletion_scheduled`, and the page leads to cancel.",
            );
        }
        if !user.is_verified() {
            self.stops("refused", "The address is not confirmed: they are asked to confirm it; a program gets 403 `email_unverified`.");
        }
        if !is_member {
            self.stops(
                "refused",
                "They belong to none of the organisations, or not in that role: 403 `application_forbidden`.",
            );
        }
        if needs.second_factor && !has_second {
            self.stops(
                "refused",
                "They have no second factor: they are told to turn two-step verification on.",
            );
        } else if needs.second_factor {
            self.says("Their second factor is asked for, unless it was in this session.");
        }
        if let Some(seconds) = needs.max_age {
            self.says(format!(
                "They confirm that it is them, unless they signed in at most {seconds} seconds ago."
            ));
        }
        Ok(())
    }

    fn print(self, name: (&str, &str), path: &str, as_json: bool) {
        let (key, name) = name;
        let Self { outcome, steps } = self;
        match as_json {
            true if key == "host" => {
                say!("{}", json!({ "host": name, "path": path, "outcome": outcome, "steps": steps }));
            }
            true => say!("{}", json!({ "clientId": name, "outcome": outcome, "steps": steps })),
            false => {
                say!("{name}{path}: {outcome}");
                steps.iter().for_each(|step| say!("  {step}"));
            }
        }
    }
}

/// Says it of a gate. `who`: nobody is signed in where it is left out.
pub(super) async fn gate(
    app: &App,
    found: Application,
    path: &str,
    who: Option<User>,
    as_json: bool,
) -> Outcome {
    let is_open = gates::is_open(&found.settings.open, path.split('?').next().unwrap_or_default());
    let mut trial = Trial::new();
    if app.config().trusted_proxies.is_empty() {
        trial.stops("closed", "TRUSTED_PROXIES names no proxy: the gate answers nobody.");
    }
    if found.disabled_at.is_some() {
        trial.stops(
            "closed",
            "The application is disabled: nobody comes in. `vestibule app enable` lets people in again.",
        );
    }
    if is_open {
        trial.says(format!("{path} is open: everybody gets through, signed in or not."));
    }
    match who {
        None if is_open => {}
        None => trial
            .stops("sign_in_required", "A person is sent to sign in; a program gets 401 `sign_in_required`."),
        Some(user) => {
            let before = trial.outcome;
            trial.of_user(app, &found.needs, &user).await?;
            if is_open {
                trial.outcome = before;
            }
        }
    }
    if trial.outcome == "allowed" {
        trial.says("The request goes through.");
    }
    trial.print(("host", &found.host), path, as_json);
    Ok(())
}

/// Says it of an application that signs people in here, which asks for what it usually may.
pub(super) async fn client(app: &App, found: Client, who: Option<User>, as_json: bool) -> Outcome {
    let mut trial = Trial::new();
    if found.disabled_at.is_some() {
        trial.stops(
            "closed",
            "The application is disabled: it gets nothing. `vestibule app enable` changes that.",
        );
    }
    match (found.kind.traits().signs_in, who) {
        (None, _) => trial.says("Nobody signs in: with its secret it gets a token for itself."),
        (Some(_), None) => {
            trial.stops(
                "sign_in_required",
                "A person is asked to sign in; `prompt=none` is told `login_required`.",
            );
        }
        (Some(used), Some(user)) => {
            trial.of_user(app, &found.needs, &user).await?;
            let (application, id) = (found.id.clone(), user.id.clone());
            let allowed = sentence(app.read(move |conn| consent::of(conn, &id, &application)).await)?;
            let is_unclaimed = used == RedirectUse::Device
                && !found.settings.redirect_uris.is_empty()
                && found.settings.redirect_uris.iter().all(|uri| RedirectUri::is_unclaimed(uri));
            match (found.settings.is_first_party, allowed) {
                _ if is_unclaimed => {
                    trial.says("They are asked each time: any program on the device could be at its address.")
                }
                (true, _) => {}
                (false, None) => trial.says("They are asked to allow it."),
                (false, Some(scopes)) => {
                    trial.says(format!(
                        "They allowed it `{}`, and are asked for anything more.",
                        scopes.text()
                    ));
                }
            }
        }
    }
    if trial.outcome == "allowed" && found.kind.traits().signs_in.is_some() {
        trial.says("The application gets its code.");
    }
    trial.print(("clientId", &found.client_id), "", as_json);
    Ok(())
}
