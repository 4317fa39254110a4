//! What an organisation asks of whoever acts in it, and a look at whom a change would keep out.

mod form;

use std::net::IpAddr;

use actix_web::{HttpRequest, http::Method, web::Data};
use askama::Template;
use chrono::TimeDelta;
use serde::Serialize;

use self::form::{DryQuery, PolicyForm};
use super::path_of;
use crate::{
    accounts::{
        access::AccessRequest,
        organisation_policy,
        policy::Membership,
        policy_changes::{self, LEAST_MINUTES},
        policy_effects::{self, Effects},
    },
    app::App,
    clock::Timestamp,
    db::{Conn, Tx},
    error::{Error, Errors, Result},
    kinds::{AuthMethod, Permission},
    model::{
        organisation::Organisation,
        organisation_policy::OrganisationPolicy,
        rate_limit::{self, Limit},
    },
    web::{
        Input, Member, Reply, SteppedUpMember,
        input::Flags,
        member::{PolicyChange, SettingsManage},
    },
};

// From when the page proposes to ask for a second factor.
const AHEAD: TimeDelta = TimeDelta::days(7);

// Looks at whom a policy keeps out, of one member in an hour.
const MOST_LOOKS: i32 = 20;

/// The policy, whom it keeps out, and the form to change it.
#[derive(Template, Serialize)]
#[template(path = "organisations_policy.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyPage {
    #[serde(flatten)]
    policy: OrganisationPolicy,
    /// Whom it keeps out, where that is asked for.
    effects: Option<Effects>,
    /// Where the reader is, as networks count it.
    your_address: Option<String>,
    /// The code of what the reader's own session lacks.
    unmet: Option<&'static str>,
    #[serde(skip)]
    organisation: Organisation,
    #[serde(skip)]
    form: PolicyForm,
    /// What the reader's own session lacks, in words.
    #[serde(skip)]
    lacking: Option<String>,
    /// Whether the reader may change it.
    #[serde(skip)]
    may_change: bool,
    /// Whether this is what would be, and is not yet.
    #[serde(skip)]
    is_dry: bool,
    /// The day that the page proposes for a second factor.
    #[serde(skip)]
    proposed: String,
    #[serde(skip)]
    errors: Errors,
}

impl PolicyPage {
    /// The methods to choose from: each with its field in the form, and whether it is chosen.
    fn methods(&self) -> impl Iterator<Item = (&'static str, AuthMethod, bool)> {
        let chosen = self.form.chosen_methods();
        form::METHODS.into_iter().map(move |(field, method)| (field, method, chosen.contains(&method)))
    }

    /// The day in the date's field.
    fn day(&self) -> String {
        self.form.day().unwrap_or_else(|| self.proposed.clone())
    }

    fn least_minutes(&self) -> (i32, i32) {
        LEAST_MINUTES
    }

    /// Whom it would keep out, a sentence each.
    fn sentences(&self) -> Vec<String> {
        let Some(effects) = &self.effects else { return Vec::new() };
        let of = |count: usize, all: usize, what: &str| format!("{count} of {all} {what}");
        let members = usize::try_from(effects.members).unwrap_or_default();
        let mut sentences = Vec::new();
        if self.policy.second_factor_from.is_some() {
            let what = "members without two-step verification or this organisation's single sign-on.";
            sentences.push(of(effects.without_second_factor, members, what));
        }
        let signed_in = [
            (effects.sessions_too_old, "would have to sign in again"),
            (effects.other_sign_in_methods, "would have to sign in with another method"),
            (effects.other_networks, "signed in from outside these networks"),
        ];
        let asked = [
            self.policy.session_idle.is_some() || self.policy.session_life.is_some(),
            self.policy.sign_in_methods.is_some(),
            self.policy.networks.is_some(),
        ];
        for ((share, what), _) in signed_in.into_iter().zip(asked).filter(|(_, asked)| *asked) {
            sentences.push(match share {
                Some(share) => format!("{} of the members who are signed in {what}.", share.words()),
                None => format!("Too few members are signed in to say how many {what}."),
            });
        }
        if self.policy.invited_domains.is_some() {
            let others = effects.other_invitations;
            sentences.push(format!("Open invitations that could not be accepted: {others}."));
        }
        if sentences.is_empty() {
            sentences.push("Nothing is asked for, so nobody is affected.".to_owned());
        }
        sentences
    }
}

/// A policy as it is, or would be, with what follows of it.
struct Found {
    mine: Membership,
    policy: OrganisationPolicy,
    effects: Option<Effects>,
    unmet: Option<(&'static str, String)>,
}

/// `wanted`: what would be; nothing for what is. `counts`: whether whom it keeps out is asked for, too.
fn look(
    access: &AccessRequest,
    wanted: Option<OrganisationPolicy>,
    counts: bool,
    conn: &mut Conn,
) -> Result<Found> {
    let mine = access.decide_unbound(conn)?;
    let policy = wanted.unwrap_or_else(|| mine.organisation.policy.clone());
    let effects = match counts {
        true => Some(policy_effects::of(conn, &mine.organisation.id, &policy, access.now)?),
        false => None,
    };
    let unmet = match mine.unmet(conn, &access.by, access.now)? {
        None => None,
        Some(what) => {
            let refusal = organisation_policy::refusal(conn, mine.who(), what)?;
            Some((what.code(), refusal.to_string()))
        }
    };
    Ok(Found { mine, policy, effects, unmet })
}

fn page(found: Found, ip: Option<String>, form: Option<PolicyForm>, now: Timestamp) -> PolicyPage {
    let Found { mine, policy, effects, unmet } = found;
    let (unmet, lacking) = unmet.unzip();
    PolicyPage {
        form: form.unwrap_or_else(|| PolicyForm::of(&policy)),
        policy,
        effects,
        your_address: ip,
        unmet,
        may_change: mine.may(Permission::OwnersManage),
        organisation: mine.organisation,
        lacking,
        is_dry: false,
        proposed: (now + AHEAD).iso_day(),
        errors: Errors::default(),
    }
}

/// `GET /organisations/{slug}/policy`: also for an owner who does not meet it. `?dry=1`: with whom it keeps out.
pub(crate) async fn policy(
    me: Member<SettingsManage>,
    Flags(query): Flags<DryQuery>,
    req: HttpRequest,
    app: Data<App>,
) -> Result<Reply> {
    let (access, ip, now) = (me.access(), address(me.ip()), me.now());
    let counts = query.dry && req.method() != Method::HEAD;
    let found = match counts {
        true => {
            app.write(move |tx| {
                let mine = access.decide_unbound(tx.conn)?;
                count_look(tx, &mine)?;
                look(&access, None, true, tx.conn)
            })
            .await?
        }
        false => app.read(move |conn| look(&access, None, false, conn)).await?,
    };
    Ok(Reply::page(page(found, ip, None, now)))
}

/// Counts a look at whom a policy keeps out: [`Error::TooManyAttempts`] after so many in an hour.
fn count_look(tx: &mut Tx, mine: &Membership) -> Result<()> {
    let whom = format!("{} {}", mine.organisation.id, mine.actor_id());
    rate_limit::consume(tx, &Limit::new("policy-looks", &whom, MOST_LOOKS, TimeDelta::hours(1)))
}

fn address(ip: Option<IpAddr>) -> Option<String> {
    ip.map(|ip| ip.to_string())
}

/// `PUT POST /organisations/{slug}/policy`: the whole policy; what is left out is asked for no more. For owners, and
/// whatever the policy asks of them. `?dry=1`, or the field `dry`: changes nothing, and says whom it would keep out.
pub(crate) async fn set_policy(
    me: SteppedUpMember<PolicyChange>,
    Flags(query): Flags<DryQuery>,
    Input(form): Input<PolicyForm>,
    app: Data<App>,
) -> Result<Reply> {
    let (access, ip, now) = (me.access(), address(me.ip()), me.now());
    let is_dry = query.dry || form.is_dry();
    let wanted = match form.read() {
        Ok(wanted) => wanted,
        Err(errors) => return again(&me, form, errors, &app).await,
    };
    if is_dry {
        let looked = app.write(move |tx| {
            let mine = access.decide(tx.conn)?;
            let wanted = policy_changes::checked(tx.conn, &mine, access.session()?, wanted, access.now)?;
            count_look(tx, &mine)?;
            look(&access, Some(wanted), true, tx.conn)
        });
        return match looked.await {
            Ok(found) => Ok(Reply::page(PolicyPage { is_dry: true, ..page(found, ip, Some(form), now) })),
            Err(Error::Invalid(errors)) => again(&me, form, errors, &app).await,
            Err(error) => Err(error),
        };
    }
    let saved = app.write(move |tx| {
        let mine = access.decide_locked(tx)?;
        let policy = policy_changes::set(tx, &access.actor, &mine, access.session()?, wanted)?;
        let effects = policy_effects::of(tx.conn, &mine.organisation.id, &policy, tx.now)?;
        Ok((mine.organisation.slug, policy, effects))
    });
    match saved.await {
        Ok((slug, policy, effects)) => {
            Reply::done(format!("{}/policy", path_of(&slug)), "The policy is saved.")
                .with("policy", policy)?
                .with("effects", effects)
        }
        Err(Error::Invalid(errors)) => again(&me, form, errors, &app).await,
        Err(error) => Err(error),
    }
}

/// The form once more, with what is wrong with it.
async fn again(
    me: &SteppedUpMember<PolicyChange>,
    form: PolicyForm,
    errors: Errors,
    app: &App,
) -> Result<Reply> {
    let (access, ip, now) = (me.access(), address(me.ip()), me.now());
    let found = app
        .read(move |conn| {
            access.decide(conn)?;
            look(&access, None, false, conn)
        })
        .await?;
    let page = PolicyPage { errors: errors.clone(), ..page(found, ip, Some(form), now) };
    Ok(Reply::refused(page, Error::Invalid(errors)))
}
