//! "How you can sign in": every way, how much it proves, and what is missing.

use serde::Serialize;

use crate::{accounts::factors::Factors, clock::Timestamp, config::Config, model::user::User};

/// Every way, as its owner sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignInMethods {
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
pub struct SignInMethod {
    /// `sso`, `password`, `magic_link`, `passkey`, `totp` or `recovery_code`.
    pub method: &'static str,
    /// Its name, with how many there are.
    pub name: String,
    /// How much it proves: "one proof", "two proofs", "a second factor".
    pub strength: &'static str,
    /// What that means.
    pub meaning: &'static str,
    /// Whether it is set up.
    pub is_set: bool,
    /// How many there are.
    pub count: i64,
    /// Whether nothing else opens the account, so that it cannot be removed.
    pub is_only: bool,
    /// Where it is looked after.
    #[serde(skip)]
    pub href: Option<(&'static str, &'static str)>,
}

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recommendation {
    /// What, and why it matters.
    pub what: String,
    /// Where to mend it, and the words for that.
    #[serde(skip)]
    pub href: (&'static str, &'static str),
}

impl SignInMethods {
    /// The ways of `user`, who has `factors` and comes in through these organisations, perhaps only so.
    pub fn of(user: &User, factors: Factors, sso: &Sso, config: &Config) -> Self {
        let mut list: Vec<_> = sso.through.iter().map(|name| organisation(name)).collect();
        if !sso.is_required {
            list.push(password(factors));
            list.extend(config.magic_links.then(magic_link));
        }
        list.extend([passkeys(factors), app(factors)]);
        list.extend(factors.is_second_due().then(|| recovery_codes(factors)));
        mark_last_method(&mut list);
        Self {
            list,
            recommendations: recommend(user, factors, sso),
            reset_at: factors.reset_at,
            is_partial_reset: factors.is_partial_reset,
        }
    }
}

/// How somebody comes in through organisations.
#[derive(Debug, Clone, Default)]
pub struct Sso {
    /// The names of the connections that know them.
    pub through: Vec<String>,
    /// Whether they may not come in otherwise.
    pub is_required: bool,
}

fn organisation(name: &str) -> SignInMethod {
    SignInMethod {
        method: "sso",
        name: name.to_owned(),
        strength: "as much as your organisation asks for",
        meaning: "Your organisation says who you are.",
        is_set: true,
        count: 1,
        is_only: false,
        href: None,
    }
}

fn password(factors: Factors) -> SignInMethod {
    SignInMethod {
        method: "password",
        name: "Password".to_owned(),
        strength: "one proof",
        meaning: "Something that you know.",
        is_set: factors.has_password,
        count: i64::from(factors.has_password),
        is_only: false,
        href: Some(match factors.has_password {
            true => ("/me/password", "Change your password"),
            false => ("/forgot-password", "Set a password"),
        }),
    }
}

fn magic_link() -> SignInMethod {
    SignInMethod {
        method: "magic_link",
        name: "Link by mail".to_owned(),
        strength: "one proof",
        meaning: "Your mailbox: whoever reads your mail can use it.",
        is_set: true,
        count: 1,
        is_only: false,
        href: None,
    }
}

fn passkeys(factors: Factors) -> SignInMethod {
    SignInMethod {
        method: "passkey",
        name: match factors.passkeys {
            0 | 1 => "Passkey".to_owned(),
            n => format!("{n} passkeys"),
        },
        strength: "two proofs",
        meaning: "A device that you have, unlocked by you. It is asked for nothing else.",
        is_set: factors.passkeys > 0,
        count: factors.passkeys,
        is_only: false,
        href: Some(match factors.passkeys {
            0 => ("/me/passkeys", "Add a passkey"),
            _ => ("/me/passkeys", "Look at your passkeys"),
        }),
    }
}

fn app(factors: Factors) -> SignInMethod {
    SignInMethod {
        method: "totp",
        name: "Authenticator app".to_owned(),
        strength: "a second proof",
        meaning: "Something that you have. It is asked for after a password or a link.",
        is_set: factors.has_totp,
        count: i64::from(factors.has_totp),
        is_only: false,
        href: Some(match factors.has_totp {
            true => ("/me/2fa", "Look at your app"),
            false => ("/me/2fa", "Set up an app"),
        }),
    }
}

fn recovery_codes(factors: Factors) -> SignInMethod {
    SignInMethod {
        method: "recovery_code",
        name: match factors.recovery_codes {
            1 => "1 recovery code".to_owned(),
            n => format!("{n} recovery codes"),
        },
        strength: "a second proof",
        meaning: "On paper, for the day when your phone is lost. Each works once.",
        is_set: factors.recovery_codes > 0,
        count: factors.recovery_codes,
        is_only: false,
        href: Some(("/me/2fa", "Make new codes")),
    }
}

/// The one way that opens the account by itself, where there is no other.
fn mark_last_method(list: &mut [SignInMethod]) {
    let opens = |method: &SignInMethod| {
        method.is_set && ["sso", "password", "magic_link", "passkey"].contains(&method.method)
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
        let what = "Your address is not confirmed. Until it is, nothing can be added here.";
        add(what.to_owned(), ("/me", "Confirm your address"));
        return recommendations;
    }
    // An organisation that knows somebody confirms as well that it is them, and asks for what it wants.
    if sso.is_required {
        return recommendations;
    }
    if factors.step_up().is_empty() && sso.through.is_empty() {
        let what = "You have no password. Without one nothing can show that it is still you when something \
                    sensitive is changed.";
        add(what.to_owned(), ("/forgot-password", "Set a password"));
    }
    if !factors.is_second_due() {
        let what = "One proof opens your account: whoever learns your password or reads your mail is in. A passkey \
                    or an authenticator app adds a second.";
        add(what.to_owned(), ("/me/2fa", "Add a second proof"));
        return recommendations;
    }
    if factors.is_running_out() {
        let what = match factors.recovery_codes {
            0 => "You have no recovery codes left. If you lose your device, you are locked out.".to_owned(),
            1 => "Only 1 recovery code is left.".to_owned(),
            left => format!("Only {left} recovery codes are left."),
        };
        add(what, ("/me/2fa", "Make new recovery codes"));
    }
    recommendations
}
