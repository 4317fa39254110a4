//! Applications that sign people in here by OpenID Connect: added, changed, shown.

use clap::Args;
use serde_json::{Value, json};

use super::{
    options::{Changes, Switch, Which, origin, parse_name, wrong},
    shown::{needs_in_words, needs_of},
};
use crate::{
    accounts::clients,
    app::App,
    cli::{
        out::{self, say},
        outcome::{Outcome, refused, sentence},
    },
    config::parse_span,
    db::{Conn, Tx},
    error::Result,
    model::{
        application::{
            Kind,
            client::{self, Client},
        },
        audit::Actor,
        delivery,
    },
    oauth::{RedirectUri, RedirectUse, Scopes, SigningAlgorithm},
};

/// What an application that is no gate can be added with, or changed to.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClientChanges {
    /// Where answers go, as it is written there. Of what is no gate; so are all of the following.
    #[arg(long = "redirect", value_name = "URI")]
    redirects: Vec<String>,
    /// Where a browser goes that signed out there.
    #[arg(long = "logout", value_name = "URI")]
    logouts: Vec<String>,
    /// Where it hears that somebody signed out; `none` takes it back.
    #[arg(long, value_name = "URI")]
    backchannel: Option<String>,
    /// An origin of its scripts, which may ask for tokens.
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// For whom its access tokens may be, the usual one first.
    #[arg(long = "audience", value_name = "URI")]
    audiences: Vec<String>,
    /// A scope of its own that it may ask for, and what that allows, for those who are asked: `notes:read="read your notes"`.
    #[arg(long = "scope", value_name = "SCOPE[=WORDS]")]
    scopes: Vec<String>,
    /// Whether it belongs to someone else: its people are asked what it may know.
    #[arg(long, value_name = "on|off")]
    third_party: Option<Switch>,
    /// How its ID tokens are signed: RS256 or ES256.
    #[arg(long, value_parser = |word: &str| SigningAlgorithm::from_word(word).ok_or("write RS256 or ES256"))]
    sign_with: Option<SigningAlgorithm>,
    /// Whether its requests need a code challenge: `optional` is for old software of kind web only.
    #[arg(long, value_name = "required|optional", value_parser = |word: &str| match word {
        "required" => Ok(true),
        "optional" => Ok(false),
        _ => Err("write required or optional"),
    })]
    pkce: Option<bool>,
    /// Whether devices without a browser may ask for it: their people type a code at /device.
    #[arg(long, value_name = "on|off")]
    device: Option<Switch>,
}

impl ClientChanges {
    /// Whether any was given.
    pub(super) fn is_any(&self) -> bool {
        let lists = [&self.redirects, &self.logouts, &self.origins, &self.audiences, &self.scopes];
        lists.iter().any(|list| !list.is_empty())
            || self.backchannel.is_some()
            || self.third_party.is_some()
            || self.sign_with.is_some()
            || self.pkce.is_some()
            || self.device.is_some()
    }

    /// The client with what was given in place of what was there.
    fn apply(&self, mut to: Client, is_development: bool) -> Result<Client> {
        let traits = to.kind.traits();
        let settings = &mut to.settings;
        let used = traits.signs_in.unwrap_or(RedirectUse::Site);
        let addresses = |given: &[String]| -> Result<Vec<String>> {
            let given = given.iter().filter(|text| *text != "none");
            for text in given.clone() {
                RedirectUri::register(text, used, is_development).or_else(wrong)?;
            }
            Ok(given.cloned().collect())
        };
        if !self.redirects.is_empty() {
            settings.redirect_uris = addresses(&self.redirects)?;
        }
        if !self.logouts.is_empty() {
            settings.logout_uris = addresses(&self.logouts)?;
        }
        if let Some(text) = &self.backchannel {
            settings.backchannel_uri = match text.as_str() {
                "none" => None,
                text => {
                    RedirectUri::register(text, RedirectUse::Site, is_development).or_else(wrong)?;
                    Some(text.to_owned())
                }
            };
        }
        if !self.origins.is_empty() {
            let given = self.origins.iter().filter(|text| *text != "none");
            settings.origins = given.map(|text| origin(text)).collect::<Result<_>>()?;
        }
        if !self.audiences.is_empty() {
            let given = self.audiences.iter().filter(|text| *text != "none");
            settings.audiences = given.cloned().collect();
        }
        if let Some(text) = settings.audiences.iter().find(|text| url::Url::parse(text).is_err()) {
            return wrong(format!("{text} is no address. Write one like https://api.example.com."));
        }
        if !self.scopes.is_empty() {
            let given = self.scopes.iter().filter(|text| *text != "none");
            let given: Vec<(&str, Option<&str>)> = given
                .map(|text| {
                    text.split_once('=')
                        .map_or((text.as_str(), None), |(scope, words)| (scope, Some(words.trim())))
                })
                .collect();
            settings.scopes = given.iter().map(|(scope, _)| (*scope).to_owned()).collect();
            let described =
                given.iter().filter_map(|(scope, words)| Some(((*scope).to_owned(), (*words)?.to_owned())));
            settings.scope_words = described.filter(|(_, words)| !words.is_empty()).collect();
        }
        for text in &settings.scopes {
            let is_one = Scopes::parse(text).is_some_and(|scopes| scopes.iter().eq([text.as_str()]));
            if !is_one || Scopes::KNOWN.iter().any(|(known, _)| known == text) {
                return wrong(format!("{text} is no scope of its own. Write one like notes:read."));
            }
        }
        settings.is_first_party =
            self.third_party.map_or(settings.is_first_party, |third_party| third_party == Switch::Off);
        settings.sign_with = self.sign_with.unwrap_or(settings.sign_with);
        settings.asks_pkce = self.pkce.unwrap_or(settings.asks_pkce);
        if !settings.asks_pkce && to.kind != Kind::Web {
            return wrong("Only an application of kind web can do without PKCE.".to_owned());
        }
        settings.serves_devices = self.device.map_or(settings.serves_devices, |device| device == Switch::On);
        if settings.serves_devices && !traits.may_be_offline {
            return wrong("Only an application of kind web or native runs on devices of its own.".to_owned());
        }
        match (traits.signs_in, settings.redirect_uris.is_empty()) {
            // A device comes back for its answer by itself.
            (Some(_), true) if settings.serves_devices => Ok(to),
            (Some(_), true) => {
                wrong("Say where answers go: --redirect https://app.example.com/callback.".to_owned())
            }
            (None, false) => wrong("Nobody signs in to an application of kind service.".to_owned()),
            _ => Ok(to),
        }
    }
}

/// Adds one called `name`.
pub(super) async fn add(
    app: &App,
    kind: Kind,
    name: &str,
    changes: Changes,
    own: ClientChanges,
    as_json: bool,
) -> Outcome {
    let name = parse_name(changes.name.as_deref().unwrap_or(name))?;
    let new = sentence(Client::new(kind, name, app.now()))?;
    let new = read(app, new, changes, own).await?;
    let added = new.clone();
    let secret = app.write(move |tx| clients::add(tx, &Actor::operator(), &new)).await;
    let secret = sentence(secret)?;
    let shown = added.clone();
    let mut told = sentence(app.read(move |conn| told(conn, &shown)).await)?;
    let (id, issuer) = (&added.client_id, app.config().site.origin());
    let mut words = format!("{} is added.", added.name);
    if secret.is_some() {
        words += " Its secret is shown this once.";
    }
    words += &format!("\nClient ID:     {id}");
    if let Some(secret) = secret {
        told["clientSecret"] = secret.reveal().into();
        words += &format!("\nClient secret: {}", secret.reveal());
    }
    let next = match kind.traits().signs_in {
        Some(_) if added.settings.redirect_uris.is_empty() => format!("vestibule app config {id} curl"),
        Some(_) if kind == Kind::Web => {
            format!("vestibule app config {id} openid-client (or authlib, mod_auth_openidc)")
        }
        Some(_) => format!("vestibule app config {id} openid-client"),
        None => format!("vestibule app config {id} curl (or openid-client, authlib)"),
    };
    words += &format!("\nIssuer:        {issuer}\nNext:          {next}");
    out::print(&told, as_json, &words);
    if kind == Kind::Browser && added.settings.origins.is_empty() {
        out::complain(
            "Its scripts may not ask for tokens yet: `vestibule app set` with --origin says from where they come.",
        );
    }
    Ok(())
}

async fn read(
    app: &App,
    before: Client,
    changes: Changes,
    own: ClientChanges,
) -> std::result::Result<Client, String> {
    if changes.has_gate_options() {
        return Err("Some of these options are a gate's. `vestibule app add --help` says which.".to_owned());
    }
    let is_development = app.config().is_development();
    let changed = app.read(move |conn| {
        let mut to = before.clone();
        changes.apply_common(conn, &mut to.name, &mut to.needs)?;
        own.apply(to, is_development)
    });
    sentence(changed.await)
}

/// What there is to know of one.
pub(super) fn told(conn: &mut Conn, found: &Client) -> Result<Value> {
    let settings = &found.settings;
    Ok(json!({
        "id": found.id, "kind": found.kind, "clientId": found.client_id, "name": found.name,
        "needs": needs_of(conn, &found.needs)?, "thirdParty": !settings.is_first_party,
        "redirectUris": settings.redirect_uris, "logoutUris": settings.logout_uris, "origins": settings.origins,
        "backchannelUri": settings.backchannel_uri, "undelivered": delivery::parked(conn, &found.id)?,
        "audiences": settings.audiences, "scopes": settings.scopes, "scopeWords": settings.scope_words, "signWith": settings.sign_with,
        "pkce": if settings.asks_pkce { "required" } else { "optional" },
        "device": if settings.serves_devices { "on" } else { "off" },
        "createdAt": found.created_at, "disabledAt": found.disabled_at,
    }))
}

/// One line about one.
pub(super) fn line(found: &Client) -> String {
    let state = match found.disabled_at {
        Some(at) => format!("disabled since {}", at.iso()),
        None => "in use".to_owned(),
    };
    format!("{:<7} {:<38} {state:<30} {}", found.kind, found.client_id, found.name)
}

/// Shows one.
pub(super) async fn show(app: &App, found: Client, as_json: bool) -> Outcome {
    let shown = found.clone();
    let told = sentence(app.read(move |conn| told(conn, &shown)).await)?;
    if as_json {
        say!("{told}");
        return Ok(());
    }
    say!("{}", line(&found));
    say!("  added {}", found.created_at.iso());
    let lists = [
        ("answers go to", &found.settings.redirect_uris),
        ("signed out to", &found.settings.logout_uris),
        ("scripts from", &found.settings.origins),
        ("tokens for", &found.settings.audiences),
        ("scopes", &found.settings.scopes),
    ];
    for (what, list) in lists {
        say!("  {what}: {}", if list.is_empty() { "none".to_owned() } else { list.join(", ") });
    }
    if found.kind.traits().signs_in.is_none() {
        return Ok(());
    }
    needs_in_words(&found.needs, &told["needs"]["members"]);
    let settings = &found.settings;
    say!(
        "  run by: {}",
        if settings.is_first_party { "you; nobody is asked" } else { "someone else; people are asked" }
    );
    say!("  PKCE: {}", if settings.asks_pkce { "required" } else { "optional" });
    say!("  ID tokens: {}", settings.sign_with);
    say!("  devices without a browser: {}", if settings.serves_devices { "yes" } else { "no" });
    if let Some(uri) = &settings.backchannel_uri {
        say!("  told of endings at: {uri}; {} never arrived", told["undelivered"]);
    }
    Ok(())
}

/// Changes one.
pub(super) async fn set(
    app: &App,
    which: &Which,
    found: Client,
    changes: Changes,
    own: ClientChanges,
) -> Outcome {
    let after = read(app, found.clone(), changes, own).await?;
    let words = ["is changed", "is so already"];
    act(app, which, found, words, move |tx, before| clients::change(tx, &Actor::operator(), before, &after))
        .await
}

/// Another secret.
pub(super) async fn rotate_secret(app: &App, which: &Which, found: Client, overlap: &str) -> Outcome {
    if !found.kind.traits().has_secret {
        return refused(format!("{} has no secret: it is of kind {}.", found.client_id, found.kind));
    }
    let Some(span) = (if overlap == "none" { Some(chrono::TimeDelta::zero()) } else { parse_span(overlap) })
    else {
        return refused(format!("{overlap} is no span. Write one like 24h, or none."));
    };
    let client_id = found.client_id.clone();
    let secret = app.write(move |tx| clients::rotate_secret(tx, &Actor::operator(), &found, span)).await;
    let secret = sentence(secret)?;
    match which.json {
        true => say!("{}", json!({ "clientId": client_id, "clientSecret": secret.reveal() })),
        false => say!("{client_id} has another secret, shown this once: {}", secret.reveal()),
    }
    Ok(())
}

/// Does something to one. `words`: what to say where that changed something, and where it did not.
pub(super) async fn act<F>(app: &App, which: &Which, found: Client, words: [&str; 2], change: F) -> Outcome
where
    F: FnOnce(&mut Tx, &Client) -> Result<bool> + Send + 'static,
{
    let (id, client_id) = (found.id.clone(), found.client_id.clone());
    let changed = sentence(app.write(move |tx| change(tx, &found)).await)?;
    let [done, not_done] = words;
    let told = if changed { done } else { not_done };
    if which.json {
        say!("{}", json!({ "id": id, "clientId": client_id, "changed": changed, "message": told }));
    }
    match changed {
        false => refused(format!("{client_id} {told}: nothing was changed.")),
        true if !which.json => {
            say!("{client_id} {told}.");
            Ok(())
        }
        true => Ok(()),
    }
}

/// Every one.
pub(super) fn all(conn: &mut Conn) -> Result<Vec<(Value, Client)>> {
    client::all(conn)?.into_iter().map(|found| Ok((told(conn, &found)?, found))).collect()
}
