//! What is recorded of API keys.

use std::collections::BTreeSet;

use crate::{
    ids::{ApiKeyId, OrganisationId},
    model::audit::audit_events,
};

audit_events! {
    /// An API key was made: a person's, perhaps for one organisation only, or an organisation's.
    ApiKeyMade {
        key: ApiKeyId,
        organisation: Option<OrganisationId>,
        name: String,
        permissions: BTreeSet<String>,
    } => of("api_key_made"),
    /// An API key got another secret.
    ApiKeyRolled { key: ApiKeyId, organisation: Option<OrganisationId>, name: String }
        => of("api_key_rolled"),
    /// Its owner ended an API key.
    ApiKeyRevoked { key: ApiKeyId, organisation: Option<OrganisationId>, name: String }
        => of("api_key_revoked"),
    /// Somebody found the secret of an API key, which ended.
    ApiKeyFound { key: ApiKeyId, organisation: Option<OrganisationId>, name: String } => of("api_key_found"),
    /// Whoever made the secret of an API key was somebody else: it is suspended until it gets another.
    ApiKeySecretDisowned { key: ApiKeyId, organisation: Option<OrganisationId>, name: String }
        => of("api_key_secret_disowned"),
    /// A person's own API keys were suspended.
    ApiKeysSuspended { count: usize } => of("api_keys_suspended"),
    /// One of a person's own API keys was taken up again.
    ApiKeyResumed { key: ApiKeyId, name: String } => of("api_key_resumed"),
    /// A person's own API keys ended with what they were for, or with the claim to the address.
    ApiKeysEnded { count: usize } => of("api_keys_ended"),
}
