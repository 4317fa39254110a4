//! Kinds: the words that several tables and pages share, each one word in a TEXT column and in JSON.

mod protocol;

pub(crate) use self::protocol::Protocol;
use crate::text_enum;

text_enum! {
    /// How a session began.
    AuthMethod {
        /// With a password.
        Password => "password",
        /// With a link in an email.
        MagicLink => "magic_link",
        /// With a passkey and nothing else.
        Passkey => "passkey",
        /// Through the person's organisation.
        Sso => "sso",
        /// With an account at a provider.
        Provider => "provider",
        /// By making the account.
        SignUp => "sign_up",
    }
}

impl AuthMethod {
    /// The method in words.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            AuthMethod::Password => "Password",
            AuthMethod::MagicLink => "Email link",
            AuthMethod::Passkey => "Passkey",
            AuthMethod::Sso => "Single sign-on",
            AuthMethod::Provider => "Another service",
            AuthMethod::SignUp => "New account",
        }
    }

    /// The method with what was given after it, in words: "Password + recovery code".
    pub(crate) fn with(&self, second: &Option<Factor>) -> String {
        self.named(None, second)
    }

    /// The same where the provider's name is known: "GitHub + passkey".
    pub(crate) fn named(&self, provider: Option<&str>, second: &Option<Factor>) -> String {
        let first = provider.filter(|_| *self == Self::Provider).unwrap_or(self.words());
        match second {
            None => first.to_owned(),
            // Which is both by itself.
            Some(Factor::Passkey) if *self == Self::Passkey => first.to_owned(),
            Some(second) => format!("{first} + {}", second.words()),
        }
    }
}

text_enum! {
    /// A kind of second factor.
    Factor {
        /// A code from an authenticator app (RFC 6238).
        Totp => "totp",
        /// One of the ten codes on paper.
        RecoveryCode => "recovery_code",
        /// A passkey (WebAuthn).
        Passkey => "passkey",
    }
}

impl Factor {
    /// The factor in words, within a sentence.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Factor::Totp => "authenticator app",
            Factor::RecoveryCode => "recovery code",
            Factor::Passkey => "passkey",
        }
    }
}

text_enum! {
    /// What a step-up is made with.
    StepUpMethod {
        /// The account's password.
        Password => "password",
        /// A code from an authenticator app.
        Totp => "totp",
        /// A recovery code.
        RecoveryCode => "recovery_code",
        /// A passkey that verified its person.
        Passkey => "passkey",
        /// A new sign-in at the identity provider.
        Sso => "sso",
        /// A new sign-in at a provider of the settings.
        Provider => "provider",
    }
}

impl StepUpMethod {
    /// Whether it is a second factor.
    pub(crate) fn is_second_factor(self) -> bool {
        matches!(self, Self::Totp | Self::RecoveryCode | Self::Passkey)
    }
}

impl From<Factor> for StepUpMethod {
    fn from(factor: Factor) -> Self {
        match factor {
            Factor::Totp => Self::Totp,
            Factor::RecoveryCode => Self::RecoveryCode,
            Factor::Passkey => Self::Passkey,
        }
    }
}

text_enum! {
    /// How strong a step-up has to be.
    Strength {
        /// By any method that the account has.
        Any => "any",
        /// As strong as a sign-in: with a second factor where one is due at the sign-in.
        Full => "full",
    }
}

text_enum! {
    /// What a member may do, the most powerful first.
    Role {
        /// Everything, the members and the single sign-on included.
        Owner => "owner",
        /// Change what the organisation has.
        Editor => "editor",
        /// Look.
        Viewer => "viewer",
    }
}

impl Role {
    /// The role in words.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Role::Owner => "Owner",
            Role::Editor => "Editor",
            Role::Viewer => "Viewer",
        }
    }

    /// Whether it allows less than `other`.
    pub(crate) fn is_below(&self, other: Role) -> bool {
        let rank = |role: &Role| Role::ALL.iter().position(|one| one == role);
        rank(self) > rank(&other)
    }
}

text_enum! {
    /// What becomes of an owner who hands an organisation over.
    AfterHandOver {
        /// They become an editor.
        Editor => "editor",
        /// They become a viewer.
        Viewer => "viewer",
        /// They leave.
        Leave => "leave",
        /// They stay an owner.
        Owner => "owner",
    }
}

impl AfterHandOver {
    /// What the owner becomes, in words.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Self::Editor => "becomes an editor",
            Self::Viewer => "becomes a viewer",
            Self::Leave => "leaves the organisation",
            Self::Owner => "stays an owner",
        }
    }

    /// The same, to the owner.
    pub(crate) fn yours(&self) -> &'static str {
        match self {
            Self::Editor => "You become an editor",
            Self::Viewer => "You become a viewer",
            Self::Leave => "You leave the organisation",
            Self::Owner => "You stay an owner",
        }
    }
}

text_enum! {
    /// What the program itself asks for in an organisation: a closed list. An application adds to it by its catalogue.
    Permission {
        /// The organisation's page and one's own role.
        OrganisationRead => "organisation:read",
        /// Names and addresses of members.
        MembersRead => "members:read",
        /// Invite people.
        MembersInvite => "members:invite",
        /// Give roles and remove members, owners excepted.
        MembersManage => "members:manage",
        /// The organisation's own roles.
        RolesManage => "roles:manage",
        /// Name and short name, and to see the policy.
        SettingsManage => "settings:manage",
        /// API keys.
        KeysManage => "keys:manage",
        /// The organisation's record.
        AuditRead => "audit:read",
        /// Make and unmake owners.
        OwnersManage => "owners:manage",
        /// Delete the organisation, and restore it.
        OrganisationDelete => "organisation:delete",
        /// Connections and domains.
        SsoManage => "sso:manage",
        /// Provisioning by an identity provider.
        ScimManage => "scim:manage",
    }
}

impl Permission {
    /// Whether a custom role may hold it. Whoever can change how people sign in, or who owns the organisation, is an owner
    /// under another name.
    pub(crate) const fn fits_custom_roles(&self) -> bool {
        !matches!(
            self,
            Permission::OwnersManage
                | Permission::OrganisationDelete
                | Permission::SsoManage
                | Permission::ScimManage
        )
    }

    /// Whether an API key may hold it: no key makes another.
    pub(crate) const fn fits_api_keys(&self) -> bool {
        self.fits_custom_roles() && !matches!(self, Permission::KeysManage)
    }

    /// Whether a built-in role has it.
    pub(crate) fn is_of(&self, role: Role) -> bool {
        role == Role::Owner || matches!(self, Permission::OrganisationRead | Permission::MembersRead)
    }

    /// What it allows, in words.
    pub(crate) fn title(&self) -> &'static str {
        match self {
            Permission::OrganisationRead => "Open the organisation's page",
            Permission::MembersRead => "See names and email addresses of members",
            Permission::MembersInvite => "Invite people",
            Permission::MembersManage => "Change roles and remove members, but not owners",
            Permission::RolesManage => "Manage roles",
            Permission::SettingsManage => "Change name and short name, and see the policy",
            Permission::KeysManage => "Manage API keys",
            Permission::AuditRead => "Read the audit log",
            Permission::OwnersManage => "Add and remove owners",
            Permission::OrganisationDelete => "Delete the organisation",
            Permission::SsoManage => "Manage single sign-on",
            Permission::ScimManage => "Manage provisioning",
        }
    }
}

/// Declares an enum that is one word in a TEXT column and in JSON.
#[macro_export]
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Text)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every one there is.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The word for it.
            pub fn as_str(&self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            /// The one with this word.
            pub(crate) fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::from_word(&word).ok_or_else(|| serde::de::Error::custom(concat!("unknown ", stringify!($name))))
            }
        }

        impl<DB: diesel::backend::Backend> diesel::deserialize::FromSql<diesel::sql_types::Text, DB> for $name
        where
            String: diesel::deserialize::FromSql<diesel::sql_types::Text, DB>,
        {
            fn from_sql(raw: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                let word = String::from_sql(raw)?;
                Self::from_word(&word).ok_or_else(|| format!(concat!("unknown ", stringify!($name), ": {}"), word).into())
            }
        }

        impl<DB: diesel::backend::Backend> diesel::serialize::ToSql<diesel::sql_types::Text, DB> for $name
        where
            str: diesel::serialize::ToSql<diesel::sql_types::Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
                self.as_str().to_sql(out)
            }
        }
    };
}
