//! What to paste into an application that signs people in here, filled in.

use askama::Template;

use super::config::Software;
use crate::{
    app::App,
    cli::{
        out::say,
        outcome::{Outcome, refused},
    },
    model::application::client::Client,
};

/// What every text is filled in with.
struct Filled<'a> {
    issuer: String,
    is_https: bool,
    client_id: &'a str,
    has_secret: bool,
    redirect_uri: &'a str,
}

#[derive(Template)]
#[template(path = "client_openid_client.txt")]
struct OpenidClient<'a>(Filled<'a>);

#[derive(Template)]
#[template(path = "client_authlib.txt")]
struct Authlib<'a>(Filled<'a>);

#[derive(Template)]
#[template(path = "client_mod_auth_openidc.txt")]
struct ModAuthOpenidc<'a>(Filled<'a>);

/// Prints it.
pub(super) fn print(app: &App, found: &Client, software: Software) -> Outcome {
    let traits = found.kind.traits();
    let Some(redirect_uri) = found.settings.redirect_uris.first() else {
        return refused(format!("Nobody signs in to {}: it is of kind {}.", found.client_id, found.kind));
    };
    let filled = Filled {
        issuer: app.config().site.origin(),
        is_https: app.config().site.is_https(),
        client_id: &found.client_id,
        has_secret: traits.has_secret,
        redirect_uri,
    };
    let printed = match software {
        Software::OpenidClient => OpenidClient(filled).render(),
        Software::Authlib => Authlib(filled).render(),
        Software::ModAuthOpenidc if !traits.has_secret => {
            return refused("mod_auth_openidc keeps a secret: add the application as one of kind web.");
        }
        Software::ModAuthOpenidc => ModAuthOpenidc(filled).render(),
        _ => {
            return refused(format!("{} is no gate: that is the configuration of a proxy.", found.client_id));
        }
    };
    say!("{}", printed.map_err(|cause| cause.to_string())?.trim_end());
    Ok(())
}
