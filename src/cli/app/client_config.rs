//! What to paste into an application that signs people in here, filled in.

use askama::Template;

use super::config::Software;
use crate::{
    app::App,
    cli::{
        out::say,
        outcome::{Outcome, refused},
    },
    model::application::{Kind, client::Client},
};

/// What every text is filled in with.
struct Filled<'a> {
    kind: Kind,
    issuer: String,
    is_https: bool,
    client_id: &'a str,
    has_secret: bool,
    /// Of those to whom nobody signs in, nothing.
    redirect_uri: &'a str,
    /// Its own scopes, between blanks.
    scope: String,
}

impl Filled<'_> {
    /// How curl says who asks.
    fn as_curl(&self) -> String {
        match self.has_secret {
            true => format!("-u {}:\"$CLIENT_SECRET\"", self.client_id),
            false => format!("-d client_id={}", self.client_id),
        }
    }
}

#[derive(Template)]
#[template(path = "client_openid_client.txt")]
struct OpenidClient<'a>(Filled<'a>);

#[derive(Template)]
#[template(path = "client_authlib.txt")]
struct Authlib<'a>(Filled<'a>);

#[derive(Template)]
#[template(path = "client_curl.txt")]
struct Curl<'a>(Filled<'a>);

#[derive(Template)]
#[template(path = "client_device.txt")]
struct Device<'a>(Filled<'a>);

#[derive(Template)]
#[template(path = "client_mod_auth_openidc.txt")]
struct ModAuthOpenidc<'a>(Filled<'a>);

/// Prints it.
pub(super) fn print(app: &App, found: &Client, software: Software) -> Outcome {
    let traits = found.kind.traits();
    let filled = Filled {
        kind: found.kind,
        issuer: app.config().site.origin(),
        is_https: app.config().site.is_https(),
        client_id: &found.client_id,
        has_secret: traits.has_secret,
        redirect_uri: found.settings.redirect_uris.first().map_or("", String::as_str),
        scope: found.settings.scopes.join(" "),
    };
    let has_address = !found.settings.redirect_uris.is_empty() || found.kind == Kind::Service;
    let printed = match software {
        Software::Curl if found.settings.serves_devices => Device(filled).render(),
        _ if !has_address => {
            let sentence = "runs on devices without a browser only. Write `curl` for what they do.";
            return refused(format!("{} {sentence}", found.client_id));
        }
        Software::OpenidClient => OpenidClient(filled).render(),
        Software::Curl if found.kind == Kind::Service => Curl(filled).render(),
        Software::Curl => {
            return refused(
                "With curl only a service gets its tokens, or a device (`--device on`): others need a browser.",
            );
        }
        Software::Authlib if found.kind == Kind::Browser => {
            return refused("Authlib does not run in a browser. openid-client does.");
        }
        Software::Authlib => Authlib(filled).render(),
        Software::ModAuthOpenidc if found.kind != Kind::Web => {
            return refused(
                "mod_auth_openidc signs people in to a site: add the application as one of kind web.",
            );
        }
        Software::ModAuthOpenidc => ModAuthOpenidc(filled).render(),
        _ => {
            return refused(format!("{} is no gate: that is the configuration of a proxy.", found.client_id));
        }
    };
    say!("{}", printed.map_err(|cause| cause.to_string())?.trim_end());
    Ok(())
}
