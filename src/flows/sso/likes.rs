//! Common identity providers: the names of the attributes that they send, and which of their fields gets which of our
//! values, as their consoles call them.

use serde::Serialize;

pub(crate) use super::like::Like;
use super::{
    like::{Value, Walkthrough},
    likes_oidc,
    views::{ClientView, ServiceView},
};
use crate::kinds::Protocol;

/// Those that are known of a protocol.
pub(super) fn known(protocol: Protocol) -> &'static [Like] {
    match protocol {
        Protocol::Saml => &LIKES,
        Protocol::Oidc => &likes_oidc::LIKES,
    }
}

/// The one with this key.
pub(super) fn find(protocol: Protocol, key: Option<&str>) -> Option<&'static Like> {
    known(protocol).iter().find(|one| Some(one.key) == key)
}

/// How an identity provider is set up, with our own values.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct WalkthroughView {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) fields: Vec<FieldView>,
    pub(super) attributes: &'static str,
    pub(super) metadata: &'static str,
}

/// A field there, and what to copy into it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FieldView {
    pub(super) name: &'static str,
    pub(super) value: String,
}

impl WalkthroughView {
    /// The one of the identity provider with this key: of an OpenID provider where there is a `client`.
    pub(crate) fn of(like: &str, service: &ServiceView, client: Option<&ClientView>) -> Option<Self> {
        let protocol = if client.is_some() { Protocol::Oidc } else { Protocol::Saml };
        let like = find(protocol, Some(like))?;
        let of_client = |value: fn(&ClientView) -> &String| client.map(value).cloned().unwrap_or_default();
        let Walkthrough { path, fields, attributes, metadata } = like.walkthrough;
        let value = |value: &Value| match value {
            Value::EntityId => service.entity_id.clone(),
            Value::AcsUrl => service.acs_url.clone(),
            Value::Metadata => service.metadata.clone(),
            Value::LogoutUrl => service.logout_url.clone(),
            Value::AcsPattern => format!("^{}$", service.acs_url.replace('.', "\\.").replace('/', "\\/")),
            Value::Certificate => service.certificate.clone(),
            Value::RedirectUri => of_client(|client| &client.redirect_uri),
            Value::BackChannelLogout => of_client(|client| &client.logout),
            Value::Initiate => of_client(|client| &client.initiate),
            Value::Text(text) => (*text).to_owned(),
        };
        let fields = fields.iter().map(|(name, told)| FieldView { name, value: value(told) }).collect();
        Some(Self { name: like.name, path, fields, attributes, metadata })
    }
}

/// Those of SAML.
const LIKES: [Like; 8] = [
    Like {
        key: "okta",
        name: "Okta",
        email: "email",
        shown: "displayName",
        groups: "groups",
        identifier: "",
        walkthrough: Walkthrough {
            path: "Applications, Applications, Create App Integration, SAML 2.0",
            fields: &[
                ("Single sign-on URL", Value::AcsUrl),
                ("Audience URI (SP Entity ID)", Value::EntityId),
                ("Name ID format", Value::Text("Persistent")),
            ],
            attributes: "Finish the wizard, then open Attribute Statements on the Sign On tab. Choose Add expression and add \
                         email with user.profile.email and displayName with user.profile.displayName; or choose Show legacy \
                         configuration, and add email with user.email, displayName with user.displayName, and groups under \
                         Group Attribute Statements with the filter Matches regex .* On the Assignments tab, assign yourself \
                         before you test.",
            metadata: "On the Sign On tab, copy the Metadata URL.",
        },
    },
    Like {
        key: "entra",
        name: "Microsoft Entra ID",
        email: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        shown: "http://schemas.microsoft.com/identity/claims/displayname",
        groups: "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
        identifier: "",
        walkthrough: Walkthrough {
            path: "Enterprise applications, New application, Create your own application, then Single sign-on, SAML, Basic \
                   SAML Configuration",
            fields: &[
                ("Identifier (Entity ID)", Value::EntityId),
                ("Reply URL (Assertion Consumer Service URL)", Value::AcsUrl),
                ("Logout Url (Optional)", Value::LogoutUrl),
                (
                    "Name identifier format (under Attributes & Claims, Unique User Identifier)",
                    Value::Text("Persistent"),
                ),
                (
                    "Source attribute (under Attributes & Claims, Unique User Identifier)",
                    Value::Text("user.objectid"),
                ),
            ],
            attributes: "Under Attributes & Claims the email address is there already. Add a group claim, and map groups by \
                         their object IDs. Under Users and groups, assign yourself before you test.",
            metadata: "Under SAML Certificates, copy the App Federation Metadata Url.",
        },
    },
    Like {
        key: "google",
        name: "Google Workspace",
        email: "email",
        shown: "name",
        groups: "groups",
        identifier: "",
        walkthrough: Walkthrough {
            path: "Admin console, Apps, Web and mobile apps, Add app, Add custom SAML app",
            fields: &[
                ("ACS URL", Value::AcsUrl),
                ("Entity ID", Value::EntityId),
                ("Name ID format", Value::Text("EMAIL")),
                ("Name ID", Value::Text("Basic Information > Primary email")),
            ],
            attributes: "Under Attribute mapping, map Primary email to email and First name to name. Under Group membership, \
                         choose groups and name the app attribute groups.",
            metadata: "On the page Google Identity Provider details, press Download metadata and paste the file.",
        },
    },
    Like {
        key: "keycloak",
        name: "Keycloak",
        email: "urn:oid:1.2.840.113549.1.9.1",
        shown: "name",
        groups: "member",
        identifier: "",
        walkthrough: Walkthrough {
            path: "Clients, Create client, Client type SAML",
            fields: &[
                ("Client ID", Value::EntityId),
                ("Valid redirect URIs", Value::AcsUrl),
                ("Master SAML Processing URL", Value::AcsUrl),
                ("Name ID format", Value::Text("persistent")),
                ("Force name ID format", Value::Text("On")),
                ("Import key under Client signature required (Keys tab, from this file)", Value::Certificate),
                ("Logout Service Redirect Binding URL (Advanced tab)", Value::LogoutUrl),
            ],
            attributes: "Under Client scopes, open the dedicated scope and add the predefined mapper X500 email. Add a User \
                         Property mapper for username with the SAML attribute name, and a Group list mapper named member, with \
                         Full group path off.",
            metadata: "Under Realm settings, General, copy the link SAML 2.0 Identity Provider Metadata.",
        },
    },
    Like {
        key: "adfs",
        name: "AD FS",
        email: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        shown: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        groups: "http://schemas.xmlsoap.org/claims/Group",
        identifier: "",
        walkthrough: Walkthrough {
            path: "AD FS Management, Relying Party Trusts, Add Relying Party Trust, Claims aware, Import data about the \
                   relying party published online",
            fields: &[
                ("Federation metadata address (host name or URL)", Value::Metadata),
                ("Relying party trust identifier (if you enter it by hand)", Value::EntityId),
                ("Relying party SAML 2.0 SSO service URL (if you enter it by hand)", Value::AcsUrl),
            ],
            attributes: "Under Edit Claim Issuance Policy, send LDAP attributes as claims: E-Mail-Addresses as E-Mail \
                         Address, Display-Name as Name, Token-Groups as Group. Then transform E-Mail Address to Name ID with \
                         the format Email.",
            metadata: "The link is https://your-server/FederationMetadata/2007-06/FederationMetadata.xml",
        },
    },
    Like {
        key: "onelogin",
        name: "OneLogin",
        email: "email",
        shown: "name",
        groups: "memberOf",
        identifier: "",
        walkthrough: Walkthrough {
            path: "Administration, Applications, Add App, SAML Custom Connector (Advanced), then the Configuration tab",
            fields: &[
                ("Audience (EntityID)", Value::EntityId),
                ("ACS (Consumer) URL Validator", Value::AcsPattern),
                ("ACS (Consumer) URL", Value::AcsUrl),
                ("Single Logout URL", Value::LogoutUrl),
                ("SAML nameID format", Value::Text("Email")),
                ("SAML Signature Algorithm (SSO tab)", Value::Text("SHA-256")),
            ],
            attributes: "On the Parameters tab, add email, name and memberOf, each with Include in SAML assertion ticked.",
            metadata: "Under More Actions, choose SAML Metadata and paste the file.",
        },
    },
    Like {
        key: "jumpcloud",
        name: "JumpCloud",
        email: "email",
        shown: "displayName",
        groups: "memberOf",
        identifier: "",
        walkthrough: Walkthrough {
            path: "SSO Applications, Add New Application, Custom Application, Manage Single Sign-On (SSO) with SAML, then \
                   the SSO tab",
            fields: &[
                ("IdP Entity ID", Value::Text("JumpCloud")),
                ("SP Entity ID", Value::EntityId),
                ("ACS URLs", Value::AcsUrl),
                (
                    "SAMLSubject NameID Format",
                    Value::Text("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"),
                ),
                ("Declare Redirect Endpoint", Value::Text("Ticked")),
            ],
            attributes: "Under Attributes, add email with the value email and displayName with the value displayname. Tick \
                         include group attribute and name it memberOf.",
            metadata: "On the SSO tab, press Copy Metadata URL.",
        },
    },
    Like {
        key: "auth0",
        name: "Auth0",
        email: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        shown: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        groups: "groups",
        identifier: "",
        walkthrough: Walkthrough {
            path: "Applications, Applications, your application, Addons, SAML2 Web App, then the Settings tab",
            fields: &[
                ("Application Callback URL", Value::AcsUrl),
                ("audience (in Settings)", Value::EntityId),
                (
                    "nameIdentifierFormat (in Settings)",
                    Value::Text("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"),
                ),
                ("signatureAlgorithm (in Settings)", Value::Text("rsa-sha256")),
                ("digestAlgorithm (in Settings)", Value::Text("sha256")),
            ],
            attributes: "The email address and the name are sent already. Add groups under mappings in Settings.",
            metadata: "On the Usage tab, copy the link of Identity Provider Metadata.",
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection::Mapping;

    #[test]
    fn what_is_filled_in_is_among_the_usual_names() {
        for (protocol, usual) in [
            (Protocol::Saml, Mapping::DEFAULT_ATTRIBUTE_NAMES),
            (Protocol::Oidc, Mapping::DEFAULT_CLAIM_NAMES),
        ] {
            for like in known(protocol) {
                for (name, usual) in [like.email, like.shown, like.groups].into_iter().zip(usual) {
                    // The claim for the name that AD FS and Auth0 use means an account's name elsewhere.
                    assert!(usual.contains(&name) || name.ends_with("/claims/name"), "{}: {name}", like.name);
                }
            }
        }
    }
}
