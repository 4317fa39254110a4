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
    methods: Vec<String>,
    #[serde(skip)]
    words: Vec<String>,
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
    let (methods, words) = ways_in(app.config()).into_iter().unzip();
    match EmailAddress::parse(&form.email) {
        Ok(_) => {
            Ok(Reply::page(MethodsPage { methods, words, email: form.email, errors: Errors::default() }))
        }
        Err(problem) => {
            let errors = Errors::one("email", problem.to_string());
            let page = MethodsPage { methods, words, email: form.email, errors: errors.clone() };
            Ok(Reply::refused(page, Error::Invalid(errors)))
        }
    }
}

/// Their names in JSON, and in words.
fn ways_in(config: &Config) -> Vec<(String, String)> {
    let offers = [
        (true, AuthMethod::Password),
        (true, AuthMethod::Passkey),
        (config.magic_links, AuthMethod::MagicLink),
    ];
    let own = offers.iter().filter(|(is_open, _)| *is_open);
    let own = own.map(|(_, method)| (method.as_str().to_owned(), method.words().to_owned()));
    let providers = config.providers.iter().map(|provider| (provider.key.clone(), provider.name.clone()));
    own.chain(providers).collect()
}
