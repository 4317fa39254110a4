//! Which ways in there are, before anybody said who they are.

use actix_web::web::Data;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    config::Config,
    error::{Error, Errors, Result},
    kinds::AuthMethod,
    mail::EmailAddress,
    web::{Input, Reply},
};

/// The ways in, the usual one first.
#[derive(Template, Serialize)]
#[template(path = "methods.html")]
pub(crate) struct MethodsPage {
    methods: Vec<AuthMethod>,
    #[serde(skip)]
    email: String,
    #[serde(skip)]
    errors: Errors,
}

/// Whose ways in.
#[derive(Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    email: String,
}

/// `POST /auth/methods`. From the settings alone: no account is looked at, so that nobody learns who is here, nor by the
/// time it takes.
pub(crate) async fn show(Input(form): Input<Form>, app: Data<App>) -> Result<Reply> {
    let methods = ways_in(app.config());
    match EmailAddress::parse(&form.email) {
        Ok(_) => Ok(Reply::page(MethodsPage { methods, email: form.email, errors: Errors::default() })),
        Err(problem) => {
            let errors = Errors::one("email", problem.to_string());
            let page = MethodsPage { methods, email: form.email, errors: errors.clone() };
            Ok(Reply::refused(page, Error::Invalid(errors)))
        }
    }
}

fn ways_in(config: &Config) -> Vec<AuthMethod> {
    let offers = [
        (true, AuthMethod::Password),
        (true, AuthMethod::Passkey),
        (config.magic_links, AuthMethod::MagicLink),
    ];
    offers.iter().filter(|(is_open, _)| *is_open).map(|(_, method)| *method).collect()
}
