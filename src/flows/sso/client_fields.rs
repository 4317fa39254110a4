//! What is typed about a connection of OpenID Connect: who the identity provider is, and who this site is there.

use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    clock::Timestamp,
    config::ClientSecret,
    error::Errors,
    jobs::issuers,
    model::connection::{
        Connection,
        client::{ClientSettings, USUAL_SCOPES},
    },
    oidc,
    secret::Secret,
};

const LONGEST_ID: usize = 255;
const LONGEST_SECRET: usize = 4096;
const LONGEST_SCOPES: usize = 1024;

/// The fields of OpenID Connect.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ClientFields {
    pub(super) issuer: String,
    pub(super) client_id: String,
    /// Empty keeps the one that is there.
    #[serde(skip_serializing)]
    pub(super) client_secret: Secret<ClientSecret>,
    /// The day on which the secret expires, or the moment; empty where it does not.
    pub(super) secret_expires: String,
    /// Empty asks for the usual ones.
    pub(super) scopes: String,
    /// The id that the form has shown the addresses of, sealed.
    pub(super) reserved: String,
}

impl ClientFields {
    /// Those of a connection as it is now.
    pub(super) fn of(connection: &Connection) -> Self {
        let scopes = connection.scopes.clone().filter(|scopes| scopes != USUAL_SCOPES);
        Self {
            issuer: connection.issuer.clone(),
            client_id: connection.client_id.clone().unwrap_or_default(),
            secret_expires: connection.ends_at().map(|at| at.iso_day()).unwrap_or_default(),
            scopes: scopes.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// What they come to, or what is wrong with them. All of it may be missing where it is to come `later`; the secret where
    /// `before` has one.
    pub(super) fn check(
        &self,
        later: bool,
        before: Option<&Connection>,
        app: &App,
    ) -> Result<ClientSettings, Errors> {
        let mut errors = Errors::default();
        let mut issuer = String::new();
        if !(later && self.issuer.trim().is_empty()) {
            match oidc::read_issuer(&self.issuer, issuers::transport(app)) {
                Ok(read) => issuer = read,
                Err(reason) => errors.add("issuer", reason.sentence()),
            }
        }
        let client_id = self.client_id.trim();
        let is_id = (later || !client_id.is_empty()) && client_id.len() <= LONGEST_ID;
        if !is_id || client_id.chars().any(char::is_control) {
            errors.add("clientId", "Enter the client ID that your identity provider shows.");
        }
        let secret = self.client_secret.reveal().trim();
        // What one identity provider gave out is never sent to another one.
        let is_kept = before.is_some_and(|one| one.secret_sealed.is_some() && one.issuer == issuer);
        if (secret.is_empty() && !later && !is_kept) || secret.len() > LONGEST_SECRET {
            errors.add("clientSecret", "Enter the client secret that your identity provider shows.");
        }
        let secret_expires_at = match self.secret_expires.trim() {
            "" => None,
            typed => {
                let at = Timestamp::from_text(typed);
                let is_kept = before.is_some_and(|one| one.ends_at() == at);
                match at {
                    None => errors.add("secretExpires", "Enter a day such as 2027-11-30, or leave it empty."),
                    Some(at) if at <= app.now() && !is_kept => {
                        errors.add(
                            "secretExpires",
                            "That day is over. Make a new client secret at your identity provider.",
                        );
                    }
                    Some(_) => {}
                }
                at
            }
        };
        let scopes = Some(self.scopes.trim()).filter(|scopes| !scopes.is_empty()).unwrap_or(USUAL_SCOPES);
        let is_plain = scopes.chars().all(|c| c.is_ascii_graphic() && !"\"\\".contains(c) || c == ' ');
        if !is_plain || scopes.len() > LONGEST_SCOPES {
            errors
                .add("scopes", "Write scopes with blanks between them, such as openid email profile groups.");
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(ClientSettings {
            issuer,
            client_id: client_id.to_owned(),
            secret: Some(Secret::from_text(secret)).filter(|_| !secret.is_empty()),
            secret_expires_at,
            scopes: scopes.to_owned(),
        })
    }
}
