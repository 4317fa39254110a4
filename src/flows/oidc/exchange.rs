//! A code becomes what a provider says of a person. Nothing is held meanwhile, and no token is kept.

use crate::{
    accounts::{oidc_request::RequestSecrets, provider_identities::ProviderProfile},
    app::App,
    clock::Timestamp,
    config::{self, ClientCredential, ClientSecret, Provider, ProviderKind},
    error::Result,
    jobs::issuers::{self, Discovered},
    mail::EmailAddress,
    oidc::{
        self, AuthorizationResponse, Check, Claims, Exchange, Expected, Reason, Refusal, Tokens, apple,
        github, google, microsoft,
        profile::{self, AddressTrust},
    },
    outbound::{exchange::Answer, guard::NamedBy},
    secret::Secret,
    urls,
};

const JSON: &str = "application/json";

// What is shown of a name there.
const LONGEST: usize = 200;

/// What came back, and what it answers.
pub(super) struct Came<'a> {
    /// The answer.
    pub response: &'a AuthorizationResponse,
    /// The code in it.
    pub code: &'a str,
    /// What ties it to the request.
    pub secrets: RequestSecrets,
    /// When that was sent.
    pub asked_at: Timestamp,
    /// Whether the person had to sign in there again.
    pub is_step_up: bool,
}

/// What a provider verified.
pub(super) struct Verified {
    /// Who it is.
    pub profile: ProviderProfile,
    /// What the provider calls its session.
    pub sid: Option<String>,
    /// All that it says of them.
    pub claims: Claims,
    /// When they signed in there, if it says.
    pub authenticated_at: Option<Timestamp>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// Why nothing was read of what it says besides the ID token, although something was missing there.
    pub unread: Option<Reason>,
}

/// Exchanges a code, and checks what comes. [`Reason::NoAnswer`] where the provider is silent. `discovered` is what it says of
/// itself: nothing for GitHub.
pub(super) async fn exchange(
    app: &App,
    provider: &Provider,
    discovered: Option<&Discovered>,
    came: &Came<'_>,
) -> Result<std::result::Result<Verified, Box<Refusal>>> {
    match discovered {
        None => Ok(by_oauth(app, provider, came).await.map_err(Box::from)),
        Some(discovered) => by_oidc(app, provider, discovered, came).await,
    }
}

async fn by_oauth(app: &App, provider: &Provider, came: &Came<'_>) -> std::result::Result<Verified, Reason> {
    let tokens = redeem(app, provider, github::TOKEN_ENDPOINT, &github::CLIENT_AUTHENTICATION, came).await;
    let tokens = tokens.map_err(|refusal| refusal.reason)?;
    let user = ask(app, provider, github::USER_ENDPOINT, &tokens).await?;
    let emails = ask(app, provider, github::EMAILS_ENDPOINT, &tokens).await?;
    if user.status != 200 || emails.status != 200 {
        return Err(Reason::BadUserinfo);
    }
    let claims = github::read_user(&user.body, &emails.body)?;
    let subject = claims.identifier("sub").ok_or(Reason::NoSubject)?.to_owned();
    let profile = read_profile(provider, came, github::ISSUER, &subject, &claims);
    Ok(Verified { profile, sid: None, claims, authenticated_at: None, checks: Vec::new(), unread: None })
}

async fn by_oidc(
    app: &App,
    provider: &Provider,
    Discovered { metadata, keys }: &Discovered,
    came: &Came<'_>,
) -> Result<std::result::Result<Verified, Box<Refusal>>> {
    let redeemed =
        redeem(app, provider, &metadata.token_endpoint, &metadata.client_authentication, came).await;
    let (tokens, token) = match redeemed {
        Ok(Tokens { id_token: None, .. }) => return Ok(Err(Reason::NoIdToken.into())),
        Ok(Tokens { id_token: Some(token), access_token }) => (access_token, token),
        Err(reason) => return Ok(Err(reason)),
    };
    let subject_claim = match (&provider.connection, provider.kind) {
        (Some(connection), _) => &connection.subject_claim,
        (None, ProviderKind::Microsoft) => microsoft::SUBJECT_CLAIM,
        (None, _) => "sub",
    };
    let expected = Expected {
        metadata,
        keys,
        client_id: &provider.client_id,
        nonce: &came.secrets.nonce,
        requested_at: came.asked_at,
        subject_claim,
        access_token: Some(tokens.reveal()),
        reauthentication: came.is_step_up,
        now: app.now(),
    };
    let mut read = oidc::read_id_token(&token, &expected);
    if read.as_ref().is_err_and(|refusal| refusal.reason == Reason::UnknownKey) {
        let keys = issuers::keys_again(app, provider, metadata).await?;
        read = oidc::read_id_token(&token, &Expected { keys: &keys, ..expected });
    }
    let read = match read {
        Ok(read) => read,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Err(reason) = google::check_domain(&read.claims, &provider.domains) {
        return Ok(Err(reason.into()));
    }
    let mut claims = read.claims;
    // It is asked for what is missing, and for nothing else.
    let mut unread = None;
    if let (true, Some(endpoint)) = (is_something_missing(provider, &claims), &metadata.userinfo_endpoint) {
        let asked = get(app, provider, endpoint, tokens.reveal()).await;
        let sub = claims.text("sub").unwrap_or_default();
        let told = asked.and_then(|answer| {
            oidc::read_userinfo(answer.status, answer.media_type.as_deref(), &answer.body, sub)
        });
        match told {
            Ok(told) => claims.add_userinfo(told),
            // What is only wished for does not stop what is known.
            Err(reason) if has_address(provider, &claims) => unread = Some(reason),
            Err(reason) => return Ok(Err(reason.into())),
        }
    }
    let profile = read_profile(provider, came, &read.issuer, &read.subject, &claims);
    let (sid, authenticated_at, checks) = (read.session_id, read.authenticated_at, read.checks);
    Ok(Ok(Verified { profile, sid, claims, authenticated_at, checks, unread }))
}

/// Whether a claim is missing, or holds nothing that can be used, that is looked for first.
fn is_something_missing(provider: &Provider, claims: &Claims) -> bool {
    match &provider.connection {
        Some(of) => {
            let best = of.addresses.first();
            let is_told = |name: &String| claims.get(name).is_some();
            !best.is_some_and(|name| is_address(claims, name))
                || !of.groups.is_empty() && !of.groups.iter().any(is_told)
        }
        None => !has_address(provider, claims),
    }
}

fn has_address(provider: &Provider, claims: &Claims) -> bool {
    match &provider.connection {
        Some(of) => of.addresses.iter().any(|name| is_address(claims, name)),
        None => claims.text("email").is_some(),
    }
}

fn is_address(claims: &Claims, name: &str) -> bool {
    claims.text(name).is_some_and(|text| EmailAddress::parse(text).is_ok())
}

/// What is handed out for the code. Some providers decide for each client how it authenticates, and list more than that: the
/// next way is tried where one is not taken, for a client that nobody knows spends no code.
async fn redeem(
    app: &App,
    provider: &Provider,
    endpoint: &str,
    ways: &[oidc::ClientAuthentication],
    came: &Came<'_>,
) -> std::result::Result<Tokens, Box<Refusal>> {
    let mut tried = Err(Reason::BadSecret.into());
    for way in ways {
        tried = redeem_by(app, provider, endpoint, *way, came).await;
        if !tried.as_ref().is_err_and(|refusal| refusal.reason == Reason::BadSecret) {
            break;
        }
    }
    tried.inspect_err(|refusal| {
        tracing::warn!(provider = provider.key, why = refusal.sentence(), "a code was not exchanged");
    })
}

async fn redeem_by(
    app: &App,
    provider: &Provider,
    endpoint: &str,
    authentication: oidc::ClientAuthentication,
    came: &Came<'_>,
) -> std::result::Result<Tokens, Box<Refusal>> {
    let secret = client_secret(provider, app.now())?;
    let exchange = Exchange {
        code: came.code,
        redirect_uri: &app.config().site.link(&urls::oidc_redirect(&provider.key)),
        verifier: &came.secrets.verifier,
        client_id: &provider.client_id,
        client_secret: secret.reveal(),
    };
    let request = oidc::token_request(exchange, authentication);
    let answer =
        app.outbound().post_form(NamedBy::of(provider), endpoint, &request.form, request.basic).await;
    let answer = answer.map_err(|unreadable| no_answer(provider, &unreadable))?;
    oidc::read_token_response(answer.status, answer.media_type.as_deref(), &answer.body)
}

/// Apple's is a token that is made anew for each exchange, so it never expires.
fn client_secret(provider: &Provider, now: Timestamp) -> std::result::Result<Secret<ClientSecret>, Reason> {
    match &provider.credential {
        ClientCredential::Secret(secret) => Ok(Secret::from_text(secret.reveal())),
        ClientCredential::Apple { team, key_id, key } => {
            let key = apple::AppleKey::read(key.reveal())?;
            let made = key.client_secret(team, key_id, &provider.client_id, now)?;
            Ok(Secret::from_text(made.reveal()))
        }
    }
}

async fn ask(
    app: &App,
    provider: &Provider,
    address: &str,
    tokens: &Tokens,
) -> std::result::Result<Answer, Reason> {
    get(app, provider, address, tokens.access_token.reveal()).await
}

async fn get(
    app: &App,
    provider: &Provider,
    address: &str,
    token: &str,
) -> std::result::Result<Answer, Reason> {
    let answer = app.outbound().get(NamedBy::of(provider), address, JSON, Some(token)).await;
    answer.map_err(|unreadable| {
        tracing::warn!(%unreadable, "a provider did not say more about a person");
        Reason::NoAnswer
    })
}

fn no_answer(provider: &Provider, unreadable: &crate::outbound::Unreadable) -> Reason {
    tracing::warn!(provider = provider.key, %unreadable, "a provider did not answer");
    Reason::NoAnswer
}

fn read_profile(
    provider: &Provider,
    came: &Came<'_>,
    issuer: &str,
    subject: &str,
    claims: &Claims,
) -> ProviderProfile {
    let named = profile::email(claims, trust(provider));
    let name = match provider.kind {
        ProviderKind::Apple => came.response.user.as_deref().and_then(apple::name),
        _ => profile::name(claims),
    };
    let known_as = profile::known_as(claims)
        .filter(|known| known.chars().count() <= LONGEST && !known.contains(char::is_control));
    ProviderProfile {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        is_email_verified: named.as_ref().is_some_and(|named| named.is_verified),
        email: named.map(|named| named.address),
        name,
        known_as: known_as.map(str::to_owned),
    }
}

/// When an address counts as verified: as the settings say, else as each provider writes it.
fn trust(provider: &Provider) -> AddressTrust {
    match (provider.trust, provider.kind) {
        (config::AddressTrust::Always, _) => AddressTrust::Always,
        (config::AddressTrust::Never, _) => AddressTrust::Never,
        (config::AddressTrust::WhereVerified, kind) => match kind {
            ProviderKind::GitHub => AddressTrust::GitHub,
            ProviderKind::Google => AddressTrust::Google,
            ProviderKind::Microsoft => AddressTrust::Microsoft,
            ProviderKind::Apple => AddressTrust::Apple,
            ProviderKind::Oidc => AddressTrust::Stated,
        },
    }
}
