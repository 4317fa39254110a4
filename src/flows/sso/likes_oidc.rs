//! Common OpenID providers: the claims that they send, and which of their fields gets which of our values.

use super::like::{Like, Value, Walkthrough};

/// Those that are known here.
pub(crate) const LIKES: [Like; 5] = [
    Like {
        key: "okta",
        name: "Okta",
        email: "email",
        shown: "name",
        groups: "groups",
        identifier: "",
        walkthrough: Walkthrough {
            path: "Applications, Applications, Create App Integration, OIDC - OpenID Connect, Web Application",
            fields: &[
                ("Sign-in redirect URIs", Value::RedirectUri),
                ("Initiate login URI (General tab, Edit)", Value::Initiate),
                (
                    "Back-channel logout URI (General tab, Edit, where your plan has it)",
                    Value::BackChannelLogout,
                ),
            ],
            attributes: "On the Assignments tab, assign yourself before you test. For groups, open the Sign On tab, edit OpenID \
                         Connect ID Token, choose the Groups claim filter groups with Matches regex .*, and add the scope \
                         groups here.",
            metadata: "On the General tab, copy the Client ID and the secret. The issuer is https:// and your Okta domain, as the \
                       Sign On tab shows it.",
        },
    },
    Like {
        key: "entra",
        name: "Microsoft Entra ID",
        email: "email",
        shown: "name",
        groups: "groups",
        identifier: "oid",
        walkthrough: Walkthrough {
            path: "App registrations, New registration, with accounts in this organizational directory only",
            fields: &[
                ("Redirect URI (platform Web)", Value::RedirectUri),
                ("Home page URL (Branding & properties)", Value::Initiate),
            ],
            attributes: "Under Token configuration, add the optional claim email to the ID token, and a groups claim with Groups \
                         assigned to the application. Map groups by their object IDs. People are identified by oid, which stays \
                         when the application is registered anew.",
            metadata: "Under Certificates & secrets, add a client secret; copy its Value and note when it expires. On the Overview \
                       page, copy the Application (client) ID. The issuer is https://login.microsoftonline.com/, the Directory \
                       (tenant) ID, and /v2.0",
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
            path: "Google Cloud console, Google Auth Platform, Audience: Internal, then Clients, Create client, Web application",
            fields: &[("Authorized redirect URIs", Value::RedirectUri)],
            attributes: "Google tells no groups this way, so everyone gets the default role. Connect it by SAML if you want to map \
                         groups. It does not say when someone signed in, so people confirm with a password or a passkey here.",
            metadata: "Copy the Client ID and the Client secret when they are shown. The issuer is https://accounts.google.com",
        },
    },
    Like {
        key: "keycloak",
        name: "Keycloak",
        email: "email",
        shown: "name",
        groups: "groups",
        identifier: "",
        walkthrough: Walkthrough {
            path: "Clients, Create client, Client type OpenID Connect, with Client authentication on and Standard flow only",
            fields: &[
                ("Valid redirect URIs", Value::RedirectUri),
                ("Home URL", Value::Initiate),
                ("Backchannel logout URL (Settings tab, Logout settings)", Value::BackChannelLogout),
                ("Backchannel logout session required", Value::Text("On")),
            ],
            attributes: "Under Client scopes, open the dedicated scope and add a Group Membership mapper named groups with the token \
                         claim name groups, Full group path off and Add to ID token on.",
            metadata: "On the Credentials tab, copy the Client Secret; the client ID is the one you chose. The issuer is the address \
                       of the realm, such as https://keycloak.example.com/realms/acme",
        },
    },
    Like {
        key: "auth0",
        name: "Auth0",
        email: "email",
        shown: "name",
        groups: "groups",
        identifier: "",
        walkthrough: Walkthrough {
            path: "Applications, Applications, Create Application, Regular Web Applications, then the Settings tab",
            fields: &[
                ("Allowed Callback URLs", Value::RedirectUri),
                ("Application Login URI", Value::Initiate),
                ("Back-Channel Logout URI (OpenID Connect Back-Channel Logout)", Value::BackChannelLogout),
            ],
            attributes: "The email address and the name are sent already. For groups, add an Action to the login flow that sets a \
                         custom claim with a namespace, and enter its name as the groups claim here.",
            metadata: "On the Settings tab, copy Client ID and Client Secret. The issuer is https://, the Domain, and a slash at the \
                       end, such as https://acme.eu.auth0.com/",
        },
    },
];
