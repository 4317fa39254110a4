//! What a person sees of their second factors: what there is, and new recovery codes, shown once.

use askama::Template;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::visitor::Authenticated;
use crate::{
    accounts::{
        factors::{self, Factors},
        organisation_policy,
    },
    app::App,
    clock::Timestamp,
    db::Conn,
    error::{Errors, Result},
    ids::UserId,
    model::{recovery_code, totp, user::User},
};

/// The second factors of an account, as its owner sees them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FactorsView {
    /// The authenticator app.
    pub totp: AppView,
    /// How many recovery codes were not used yet.
    pub recovery_codes_left: i64,
    /// How many passkeys there are.
    pub passkeys: i64,
    /// What they open.
    #[serde(skip)]
    pub factors: Factors,
}

/// An authenticator app, as its owner sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppView {
    /// Whether one is set up.
    pub enabled: bool,
    /// Since when.
    pub since: Option<Timestamp>,
    /// When one of its codes was last used.
    pub last_used_at: Option<Timestamp>,
}

impl FactorsView {
    /// What `user` has, who has `factors`.
    pub(crate) fn of(conn: &mut Conn, user: &UserId, factors: Factors) -> Result<Self> {
        let (since, last_used_at) = totp::since(conn, user)?.unzip();
        Ok(Self {
            totp: AppView { enabled: factors.has_totp, since, last_used_at },
            recovery_codes_left: factors.recovery_codes,
            passkeys: factors.passkeys,
            factors,
        })
    }
}

/// The second factors on a page of their own.
#[derive(Template, Serialize)]
#[template(path = "second_factors.html")]
pub(crate) struct FactorsPage {
    #[serde(flatten)]
    second_factors: FactorsView,
    // Which set of codes the page offers to replace: sent twice, its form makes new ones once.
    #[serde(skip)]
    edition: String,
    // Which organisations ask for a second factor, in a sentence.
    #[serde(skip)]
    asked: Option<String>,
    #[serde(skip)]
    errors: Errors,
}

impl FactorsPage {
    /// The page of whoever is signed in, with what was wrong.
    pub(crate) async fn of(me: &Authenticated, app: &App, errors: Errors) -> Result<Self> {
        let id = me.user.id.clone();
        app.read(move |conn| {
            let factors = factors::of(conn, &id)?;
            let second_factors = FactorsView::of(conn, &id, factors)?;
            let asked = organisation_policy::asked_second_factor(conn, &id)?;
            let edition = recovery_code::edition(conn, &id)?;
            Ok(Self { second_factors, edition, asked, errors: errors.clone() })
        })
        .await
    }
}

/// New recovery codes, shown once: nothing here can show them again.
///
/// It is the answer to the POST itself, for a page to be led to would have to keep the codes somewhere. Sending that
/// POST again, as a reload does, makes no other codes: a set-up is confirmed once, a new set names the one it replaces.
#[derive(Template, Serialize)]
#[template(path = "recovery_codes.html")]
#[serde(rename_all = "camelCase")]
pub(crate) struct CodesPage {
    #[serde(serialize_with = "texts")]
    recovery_codes: Vec<Zeroizing<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passkey: Option<serde_json::Value>,
    #[serde(skip)]
    what: &'static str,
    #[serde(skip)]
    email: String,
    #[serde(skip)]
    on: &'static str,
}

impl CodesPage {
    /// The codes of `user`, after a sentence on `what` has just happened.
    pub(crate) fn new(recovery_codes: Vec<Zeroizing<String>>, what: &'static str, user: &User) -> Self {
        let email = user.email.spelled().to_owned();
        Self { recovery_codes, passkey: None, what, email, on: "/me/2fa" }
    }

    /// The same, made because of this first passkey.
    pub(crate) fn because_of(self, passkey: impl Serialize) -> Result<Self> {
        Ok(Self { passkey: Some(serde_json::to_value(passkey)?), on: "/me/passkeys", ..self })
    }

    /// All of them in one field, for the form that sends them back as a file.
    fn joined(&self) -> Zeroizing<String> {
        Zeroizing::new(self.recovery_codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(" "))
    }
}

fn texts<S: Serializer>(codes: &[Zeroizing<String>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(codes.iter().map(|code| code.as_str()))
}
