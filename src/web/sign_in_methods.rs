//! "Sign-in methods": every way, how it stands, and what is missing.

use serde::Serialize;

use super::second_factors::FactorsView;
use crate::{
    accounts::factors::Factors,
    clock::Timestamp,
    config::Config,
    kinds::Factor,
    model::{recovery_code, user::User},
};

/// Every way, as its owner sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignInMethods {
    /// The ways, those that open the account first.
    pub list: Vec<SignInMethod>,
    /// What is missing, the most pressing first; empty where nothing is.
    #[serde(rename = "missing")]
    pub recommendations: Vec<Recommendation>,
    /// When a reset takes second factors away, where one is under way.
    pub reset_at: Option<Timestamp>,
    /// Whether it takes only some of them away.
    #[serde(skip)]
    pub is_partial_reset: bool,
}

/// One way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignInMethod {
    /// `sso`, `provider`, `password`, `magic_link`, `passkey`, `totp` or `recovery_code`.
    pub method: &'static str,
    /// Its name.
    pub name: String,
    /// How it stands, in words: "On", "2 passkeys", "Off".
    pub state: String,
    /// Since when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Whether it is set up.
    pub is_set: bool,
    /// How many there are.
    pub count: i64,
    /// Whether nothing else opens the account, so that it cannot be removed.
    pub is_only: bool,
    /// Where it is looked after, and the verb for that.
    #[serde(skip)]
    pub href: Option<(&'static str, &'static str)>,
}

impl SignInMethod {
    /// Whether it is about to run out.
    pub(crate) fn is_scarce(&self) -> bool {
        self.method == Factor::RecoveryCode.as_str() && self.count <= recovery_code::FEW
    }

    /// What the verb of its link is about.
    pub(crate) fn what(&self) -> String {
        self.name.to_lowercase()
    }
}

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Recommendation {
    /// What, and why it matters.
    pub what: String,
    /// Where to mend it, and the words for that.
    #[serde(skip)]
    pub href: (&'static str, &'static str),
}

impl SignInMethods {
    /// The ways of `user`, who has these second factors and comes in through these organisations, perhaps only so.
    pub(crate) fn of(user: &User, second: &FactorsView, sso: &Sso, config: &Config) -> Self {
        let factors = second.factors;
        let mut list = Vec::new();
        if !sso.is_required {
            list.push(password(factors));
        }
        list.extend([passkeys(factors), app(second)]);
        list.extend(factors.is_second_due().then(|| recovery_codes(factors)));
        list.extend((!sso.is_required && config.magic_links).then(|| magic_link(user)));
        list.extend(sso.through.iter().map(|name| organisation(name)));
        if !sso.is_required {
            list.extend(sso.providers.iter().map(|(name, known_as)| provider(name, known_as.as_deref())));
            list.extend((sso.providers.is_empty() && !config.providers.is_empty()).then(no_provider));
        }
        mark_last_method(&mut list);
        Self {
            list,
            recommendations: recommend(user, factors, sso),
            reset_at: factors.reset_at,
            is_partial_reset: factors.is_partial_reset,
        }
    }
}

/// How somebody comes in through organisations, and with accounts elsewhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sso {
    /// The names of the connections that know them.
    pub through: Vec<String>,
    /// The names of the providers whose accounts open theirs, and what they are called there.
    pub providers: Vec<(String, Option<String>)>,
    /// Whether they may not come in otherwise.
    pub is_required: bool,
}

fn method(method: &'static str, name: &str, count: i64, state: String) -> SignInMethod {
    SignInMethod {
        method,
        name: name.to_owned(),
        state,
        since: None,
        is_set: count > 0,
        count,
        is_only: false,
        href: None,
    }
}

fn organisation(name: &str) -> SignInMethod {
    method("sso", name, 1, "Linked".to_owned())
}

fn provider(name: &str, known_as: Option<&str>) -> SignInMethod {
    let state =
        known_as.map_or_else(|| "Connected".to_owned(), |known_as| format!("Connected as {known_as}"));
    SignInMethod { href: Some(("/me/providers", "Manage")), ..method("provider", name, 1, state) }
}

fn no_provider() -> SignInMethod {
    let href = Some(("/me/providers", "Connect"));
    SignInMethod { href, ..method("provider", "Accounts elsewhere", 0, "None".to_owned()) }
}

fn password(factors: Factors) -> SignInMethod {
    let (state, href) = match factors.has_password {
        true => ("On", ("/me/password", "Change")),
        false => ("Not set", ("/forgot-password", "Set")),
    };
    let method = method("password", "Password", i64::from(factors.has_password), state.to_owned());
    SignInMethod { href: Some(href), ..method }
}

fn magic_link(user: &User) -> SignInMethod {
    method("magic_link", "Email link", 1, format!("Sent to {}", user.email.spelled()))
}

fn passkeys(factors: Factors) -> SignInMethod {
    let (state, verb) = match factors.passkeys {
        0 => ("Off".to_owned(), "Add"),
        1 => ("1 passkey".to_owned(), "Manage"),
        n => (format!("{n} passkeys"), "Manage"),
    };
    SignInMethod {
        href: Some(("/me/passkeys", verb)),
        ..method("passkey", "Passkeys", factors.passkeys, state)
    }
}

fn app(second: &FactorsView) -> SignInMethod {
    let (state, verb) = match second.totp.enabled {
        true => ("Set up", "Manage"),
        false => ("Off", "Set up"),
    };
    let method = method("totp", "Authenticator app", i64::from(second.totp.enabled), state.to_owned());
    SignInMethod { since: second.totp.since, href: Some(("/me/2fa", verb)), ..method }
}

fn recovery_codes(factors: Factors) -> SignInMethod {
    let state = match factors.recovery_codes {
        0 => "None left".to_owned(),
        left => format!("{left} of {} left", recovery_code::COUNT),
    };
    let method = method("recovery_code", "Recovery codes", factors.recovery_codes, state);
    SignInMethod { href: Some(("/me/2fa#recovery-codes", "Renew")), ..method }
}

/// The one way that opens the account by itself, where there is no other.
fn mark_last_method(list: &mut [SignInMethod]) {
    let opens = |method: &SignInMethod| {
        method.is_set && ["sso", "provider", "password", "magic_link", "passkey"].contains(&method.method)
    };
    if list.iter().filter(|method| opens(method)).count() == 1
        && let Some(only) = list.iter_mut().find(|method| opens(method))
    {
        only.is_only = true;
    }
}

fn recommend(user: &User, factors: Factors, sso: &Sso) -> Vec<Recommendation> {
    let mut recommendations = Vec::new();
    let mut add = |what: String, href| recommendations.push(Recommendation { what, href });
    if !user.is_verified() {
        let what = "Your email address isn't confirmed. Until it is, nothing can be added here.";
        add(what.to_owned(), ("/me", "Confirm"));
        return recommendations;
    }
    // An organisation that knows somebody confirms as well that it is them, and asks for what it wants.
    if sso.is_required {
        return recommendations;
    }
    if factors.step_up().is_empty() && sso.through.is_empty() {
        let what = "You have no password. Set one, so that you can confirm it's you when something sensitive changes.";
        add(what.to_owned(), ("/forgot-password", "Set a password"));
    }
    // Who has no password signs in at an organisation, which asks for what it wants, or by email.
    if !factors.is_second_due() && !user.has_password {
        if sso.through.is_empty() {
            let what = "Signing in takes one step only. Two-step verification keeps your account safe even if someone \
                        gets into your email.";
            add(what.to_owned(), ("/me/2fa", "Turn on two-step verification"));
        }
        return recommendations;
    }
    if !factors.is_second_due() {
        let what = "Your account is protected by your password only. Two-step verification keeps it safe even if \
                    someone learns your password.";
        add(what.to_owned(), ("/me/2fa", "Turn on two-step verification"));
        return recommendations;
    }
    if factors.is_running_out() {
        let what = match factors.recovery_codes {
            0 => "You have no recovery codes left. If you lose your device, you are locked out.".to_owned(),
            1 => "Only 1 recovery code is left.".to_owned(),
            left => format!("Only {left} recovery codes are left."),
        };
        add(what, ("/me/2fa#recovery-codes", "Renew recovery codes"));
    }
    recommendations
}
