//! What providers say of themselves and the keys they sign with: read when somebody first needs it, kept in the database for all
//! nodes, and read again daily. A conditional UPDATE takes the turn; the network is asked between two transactions.

use std::time::Duration;

use crate::{
    app::App,
    config::{OfConnection, Provider},
    error::{Error, Result, refusals},
    ids::Id,
    model::issuer::{self, Issuer},
    oidc::{self, KeySet, ProviderMetadata, Reason, Transport},
    outbound::guard::NamedBy,
    secret::Secret,
};

refusals! {
    /// A provider does not answer.
    PROVIDER_SILENT = (
        "provider_silent", 503, "{} does not answer. Try again in a moment, or sign in another way."
    ).page("You are not signed in", "/login", "Back to sign in").header("retry-after", "5");
}

/// [`PROVIDER_SILENT`] of this name.
pub(crate) fn provider_silent(provider: String) -> Error {
    PROVIDER_SILENT.about(provider)
}

const JSON: &str = "application/json";

// How long a request waits for another one that reads just then, and how often it looks.
const PATIENCE: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// A provider, as it describes itself.
#[derive(Debug, Clone)]
pub(crate) struct Discovered {
    /// Where it takes requests, and how.
    pub metadata: ProviderMetadata,
    /// What it signs with.
    pub keys: KeySet,
}

/// What a provider says of itself, read now where nobody did or it is a day old. What was read before stays good where the
/// provider does not answer; [`PROVIDER_SILENT`] where there is nothing.
pub(crate) async fn discover(app: &App, provider: &Provider) -> Result<Discovered> {
    for _ in 0..PATIENCE {
        let kept = find(app, provider).await?;
        let known = kept.as_ref().and_then(|kept| parse(app, provider, kept));
        if kept.as_ref().is_some_and(|kept| !kept.is_due(app.now()))
            && let Some(known) = known
        {
            return Ok(known);
        }
        let name = provider.issuer.clone();
        if app.write(move |tx| issuer::take_turn(tx, &name)).await? {
            return read(app, provider).await?.or(known).ok_or_else(|| silent(provider));
        }
        match (known, kept.is_some_and(|kept| kept.read_error.is_some())) {
            (Some(known), _) => return Ok(known),
            (None, true) => break,
            (None, false) => tokio::time::sleep(PAUSE).await,
        }
    }
    Err(silent(provider))
}

/// Reads both documents of an issuer that an organisation is about to connect, now. Nothing is kept of what does not fit: why is
/// told in a sentence.
pub(crate) async fn examine(app: &App, issuer: &str) -> Result<std::result::Result<Discovered, String>> {
    let of = OfConnection {
        id: Id::from_text(""),
        subject_claim: String::new(),
        addresses: Vec::new(),
        groups: Vec::new(),
    };
    let provider = Provider::of_connection(of, ("", issuer, ""), Secret::default(), "");
    let (document, keys, discovered) = match read_documents(app, &provider).await {
        Ok(read) => read,
        Err(why) => return Ok(Err(why)),
    };
    let name = provider.issuer;
    app.write(move |tx| {
        issuer::take_turn(tx, &name)?;
        issuer::keep(tx, &name, &document, &keys)
    })
    .await?;
    Ok(Ok(discovered))
}

/// Reads both documents of a provider, to see whether they are there and good. Nothing is kept; why they are not, in a sentence.
pub(crate) async fn check(app: &App, provider: &Provider) -> std::result::Result<(), String> {
    read_documents(app, provider).await.map(drop)
}

/// What a provider says of itself, as it was kept last; nothing where nobody read it, or it would be refused today.
pub(crate) async fn known(app: &App, provider: &Provider) -> Result<Option<Discovered>> {
    Ok(find(app, provider).await?.and_then(|kept| parse(app, provider, &kept)))
}

/// The same as it was read last, whenever that was. [`PROVIDER_SILENT`] where nobody did.
pub(crate) async fn stored(app: &App, provider: &Provider) -> Result<Discovered> {
    known(app, provider).await?.ok_or_else(|| silent(provider))
}

/// The keys of a provider, read again for the sake of one that is not among them, at most once in five minutes; in between as
/// they are kept, for another node may have read them meanwhile.
pub(crate) async fn keys_again(
    app: &App,
    provider: &Provider,
    metadata: &ProviderMetadata,
) -> Result<KeySet> {
    let name = provider.issuer.clone();
    if app.write(move |tx| issuer::take_keys_turn(tx, &name)).await? {
        match read_keys(app, provider, &metadata.jwks_uri).await {
            Ok((text, keys)) => {
                let name = provider.issuer.clone();
                app.write(move |tx| issuer::keep_keys(tx, &name, &text)).await?;
                return Ok(keys);
            }
            Err(why) => note(app, provider, why).await?,
        }
    }
    Ok(stored(app, provider).await?.keys)
}

fn silent(provider: &Provider) -> Error {
    provider_silent(provider.name.clone())
}

async fn find(app: &App, provider: &Provider) -> Result<Option<Issuer>> {
    let name = provider.issuer.clone();
    app.read(move |conn| issuer::find(conn, &name)).await
}

/// Whether a provider may be asked over plain http: on a developer's machine.
pub(crate) fn transport(app: &App) -> Transport {
    if app.config().is_development() { Transport::Plain } else { Transport::Tls }
}

fn parse(app: &App, provider: &Provider, kept: &Issuer) -> Option<Discovered> {
    let metadata = oidc::read_metadata(kept.document.as_deref()?, &provider.issuer, transport(app)).ok()?;
    Some(Discovered { metadata, keys: oidc::read_keys(kept.keys.as_deref()?).ok()? })
}

/// Reads both documents, having taken the turn. Nothing where that did not work: why is noted.
async fn read(app: &App, provider: &Provider) -> Result<Option<Discovered>> {
    match read_documents(app, provider).await {
        Ok((document, keys, discovered)) => {
            let name = provider.issuer.clone();
            app.write(move |tx| issuer::keep(tx, &name, &document, &keys)).await?;
            Ok(Some(discovered))
        }
        Err(why) => note(app, provider, why).await.map(|()| None),
    }
}

async fn read_documents(
    app: &App,
    provider: &Provider,
) -> std::result::Result<(String, String, Discovered), String> {
    let url = provider.metadata_url().unwrap_or_default();
    let document = fetch(app, provider, &url).await?;
    let metadata =
        oidc::read_metadata(&document, &provider.issuer, transport(app)).map_err(|refusal| {
            match (refusal.reason, &refusal.found) {
                (Reason::AnotherIssuer, Some(named)) => {
                    format!("It calls itself {named} there. Enter that, character for character.")
                }
                _ => refusal.sentence(),
            }
        })?;
    let (text, keys) = read_keys(app, provider, &metadata.jwks_uri).await?;
    Ok((document, text, Discovered { metadata, keys }))
}

async fn read_keys(
    app: &App,
    provider: &Provider,
    address: &str,
) -> std::result::Result<(String, KeySet), String> {
    let text = fetch(app, provider, address).await?;
    let read = oidc::read_keys(&text);
    app.metrics().oidc_keys(if read.is_ok() { "read" } else { "refused" });
    let keys = read.map_err(|reason| reason.sentence().to_owned())?;
    Ok((text, keys))
}

async fn fetch(app: &App, provider: &Provider, address: &str) -> std::result::Result<String, String> {
    match app.outbound().get(NamedBy::of(provider), address, JSON, None).await {
        Ok(answer) if answer.status == 200 => Ok(answer.body),
        Ok(answer) => Err(format!("{address} answered with the status {}.", answer.status)),
        Err(unreadable) => Err(unreadable.to_string()),
    }
}

async fn note(app: &App, provider: &Provider, why: String) -> Result<()> {
    tracing::warn!(provider = provider.key, why, "a provider's documents were not read");
    let name = provider.issuer.clone();
    app.write(move |tx| issuer::note_error(tx, &name, &why)).await
}
