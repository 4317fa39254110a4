//! The protocols of single sign-on.

use crate::text_enum;

text_enum! {
    /// How an organisation's identity provider is spoken to.
    Protocol {
        /// SAML 2.0.
        Saml => "saml",
        /// OpenID Connect 1.0.
        Oidc => "oidc",
    }
}

impl Protocol {
    /// Its name.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Protocol::Saml => "SAML 2.0",
            Protocol::Oidc => "OpenID Connect",
        }
    }
}
