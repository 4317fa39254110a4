//! Everything that the record can say happened.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    clock::Timestamp,
    ids::{
        ApiKeyId, ApplicationId, ConnectionId, InvitationId, OrganisationId, PasskeyId, RoleId, SessionId,
        UserId,
    },
    kinds::{AfterHandOver, AuthMethod, Factor, Role},
    model::organisation_policy::OrganisationPolicy,
};

/// A custom role at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RoleState {
    /// What it was called.
    pub name: String,
    /// What it held.
    pub permissions: BTreeSet<String>,
}

/// What an organisation is called at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OrganisationState {
    /// Its name.
    pub name: String,
    /// Its part of a URL.
    pub slug: String,
}

/// What happened. The variant's name is the event's; its fields are the detail, and never secrets.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    /// An account was made. Its address is a claim.
    SignedUp {},
    /// A session began.
    SignedIn { method: AuthMethod, session: SessionId },
    /// A proof failed.
    SignInFailed { method: AuthMethod },
    /// A first factor was right, and a second is due.
    SecondFactorAsked { method: AuthMethod },
    /// The code after the first factor failed.
    SecondFactorFailed {},
    /// A session was ended by its own person, here.
    SignedOut {},
    /// A device was signed out from the list.
    SessionRevoked { session: SessionId },
    /// A session ended because there were as many as an account may have, and another began.
    SessionDisplaced { session: SessionId },
    /// A session was suddenly used from another device, and is locked.
    SessionLocked { session: SessionId, used_by: String },
    /// A person confirmed that it is them.
    SteppedUp { with: &'static str },
    /// A step-up failed.
    StepUpFailed { with: &'static str },
    /// Too many failed in a row, and their session is over.
    StepUpsExhausted { session: SessionId },
    /// Every other device was signed out.
    OtherSessionsRevoked { count: usize },
    /// Another link to confirm the address was sent.
    ConfirmationSent {},
    /// The address is proved.
    EmailConfirmed {},
    /// An unproved account ended, because the address was proved by another or its owner said so.
    UnverifiedAccountRemoved { disowned: bool },
    /// The display name changed.
    Renamed {},
    /// Another address was asked for.
    EmailChangeRequested { to: String },
    /// The address changed.
    EmailChanged { from: String, to: String },
    /// A change of address was stopped by the old address.
    EmailChangeStopped { to: String },
    /// The old address was taken back.
    EmailChangeUndone { from: String, to: String },
    /// A new password was set by its person.
    PasswordChanged {},
    /// "This wasn't me": everything is signed out and the password is blocked.
    AccountSecured {},
    /// A reset link was asked for.
    ResetRequested {},
    /// A link to sign in was asked for.
    MagicLinkRequested {},
    /// A claim was proved by its mailbox; what its maker had put there is gone.
    UnverifiedAccountCleared {},
    /// A new password was set through a mailed link.
    PasswordReset {},
    /// A hash was made again with today's cost and key.
    PasswordRehashed {},
    /// A second factor was added.
    SecondFactorAdded { factor: Factor, passkey: Option<PasskeyId> },
    /// A passkey got another name.
    PasskeyRenamed { passkey: PasskeyId },
    /// A passkey's counter went back: there is a copy of it, and it opens nothing from now on.
    PasskeyCopied { passkey: PasskeyId },
    /// A second factor was removed.
    SecondFactorRemoved { factor: Factor, passkey: Option<PasskeyId> },
    /// An operator asked to have every second factor taken away, in a while.
    SecondFactorsResetAsked { at: Timestamp },
    /// That was stopped.
    SecondFactorsResetStopped {},
    /// Every second factor was taken away, after an operator's reset.
    SecondFactorsReset {},
    /// New recovery codes were made; older ones are dead.
    RecoveryCodesMade {},
    /// A recovery code was used.
    RecoveryCodeUsed { left: i64 },
    /// An account was made on its person's first sign-in through an organisation or a provider, or by an operator.
    Provisioned {},
    /// "Yes, this was me" was said of a sign-in.
    SignInConfirmed { session: SessionId },
    /// An identity at an identity provider was connected with the account.
    IdentityLinked { connection: ConnectionId },
    /// Identities were disconnected from the account.
    IdentitiesUnlinked { count: usize },
    /// An identity at a provider was connected with the account.
    ProviderIdentityLinked { provider: String },
    /// An identity at a provider was disconnected from the account.
    ProviderIdentityUnlinked { provider: String },
    /// What came from a provider was refused.
    ProviderRefused { provider: String, reason: String },
    /// A provider ended sessions of the account that began with it.
    SignedOutElsewhere { provider: String, count: usize },
    /// A response of an identity provider was refused.
    SsoRefused { connection: ConnectionId, reason: String },
    /// An identity provider was connected.
    ConnectionMade { organisation: OrganisationId, connection: ConnectionId },
    /// The settings of a connection changed.
    ConnectionChanged { organisation: OrganisationId, connection: ConnectionId },
    /// An owner made a link by which somebody without an account sets a connection up.
    SetupLinkMade { organisation: OrganisationId, connection: ConnectionId },
    /// Such a link was used.
    SetupLinkUsed { organisation: OrganisationId, connection: ConnectionId, by: &'static str },
    /// Such links were revoked.
    SetupLinkRevoked { organisation: OrganisationId, connection: ConnectionId },
    /// An owner put a connection into use that such a link had changed.
    ConnectionSwitchedOn { organisation: OrganisationId, connection: ConnectionId },
    /// A connection ended.
    ConnectionRemoved { organisation: OrganisationId, connection: ConnectionId },
    /// An organisation says that a domain is its own.
    DomainAdded { organisation: OrganisationId, domain: String },
    /// It proved that.
    DomainVerified { organisation: OrganisationId, domain: String, by: &'static str },
    /// The proof is gone.
    DomainUnverified { organisation: OrganisationId, domain: String },
    /// A domain was taken off an organisation's list.
    DomainRemoved { organisation: OrganisationId, domain: String },
    /// The people of a domain are led to a connection, or to none.
    DomainLed { organisation: OrganisationId, domain: String, connection: Option<ConnectionId> },
    /// From now on the people of a domain sign in by its connection only.
    DomainEnforced { organisation: OrganisationId, domain: String, break_glass: UserId },
    /// They may sign in otherwise again.
    DomainReleased { organisation: OrganisationId, domain: String },
    /// The house got another SAML key.
    ServiceKeyMade {},
    /// The announced SAML key is in use.
    ServiceKeySwitched {},
    /// An organisation was made.
    OrganisationMade { organisation: OrganisationId },
    /// It got another name, or another short name.
    OrganisationRenamed { organisation: OrganisationId, before: OrganisationState, after: OrganisationState },
    /// What it asks of whoever acts in it changed.
    OrganisationPolicyChanged {
        organisation: OrganisationId,
        before: OrganisationPolicy,
        after: OrganisationPolicy,
    },
    /// An owner deleted it; it ends after the grace.
    OrganisationDeletionScheduled { organisation: OrganisationId, delete_at: Timestamp },
    /// It was restored in time.
    OrganisationRestored { organisation: OrganisationId },
    /// An owner offered it to a member.
    HandOverOffered { organisation: OrganisationId, then: AfterHandOver },
    /// That offer was taken back.
    HandOverTakenBack { organisation: OrganisationId },
    /// The member accepted; the owner who offered it became what was said.
    HandedOver { organisation: OrganisationId, then: AfterHandOver },
    /// An organisation ended.
    OrganisationEnded { organisation: OrganisationId },
    /// Somebody became a member.
    MemberAdded { organisation: OrganisationId, role: Role },
    /// Somebody was invited, in a role: built in, or by its name.
    MemberInvited { organisation: OrganisationId, invitation: InvitationId, role: String },
    /// An invitation was sent again.
    InvitationResent { organisation: OrganisationId, invitation: InvitationId },
    /// An invitation was taken back, or ended because whoever sent it may give that role no more.
    InvitationRevoked { organisation: OrganisationId, invitation: InvitationId },
    /// Somebody who was invited joined.
    InvitationAccepted { organisation: OrganisationId, invitation: InvitationId },
    /// Somebody who was invited did not want to.
    InvitationDeclined { organisation: OrganisationId, invitation: InvitationId },
    /// A member got another role: built in, or by its name.
    RoleChanged { organisation: OrganisationId, from: String, to: String },
    /// An organisation made a role of its own.
    CustomRoleMade {
        organisation: OrganisationId,
        role_id: RoleId,
        name: String,
        permissions: BTreeSet<String>,
    },
    /// Such a role got another name, or other permissions.
    CustomRoleChanged { organisation: OrganisationId, role_id: RoleId, before: RoleState, after: RoleState },
    /// Such a role was removed.
    CustomRoleRemoved { organisation: OrganisationId, role_id: RoleId, name: String },
    /// Somebody is no longer a member, and what their role was: built in, or by its name.
    MemberRemoved { organisation: OrganisationId, role: String },
    /// A member took a copy of its record: in which form, and which part of it.
    AuditExported {
        organisation: OrganisationId,
        format: &'static str,
        event: Option<String>,
        by: Option<UserId>,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    },
    /// An operator added an application.
    ApplicationAdded { application: ApplicationId, host: String },
    /// An operator changed what it is called, what it asks for or how it behaves.
    ApplicationChanged { application: ApplicationId, host: String },
    /// An operator took it out of use.
    ApplicationDisabled { application: ApplicationId, host: String },
    /// An operator put it back into use.
    ApplicationEnabled { application: ApplicationId, host: String },
    /// An operator removed it.
    ApplicationRemoved { application: ApplicationId, host: String },
    /// An API key was made: a person's, perhaps for one organisation only, or an organisation's.
    ApiKeyMade {
        key: ApiKeyId,
        organisation: Option<OrganisationId>,
        name: String,
        permissions: BTreeSet<String>,
    },
    /// It got another secret.
    ApiKeyRolled { key: ApiKeyId, organisation: Option<OrganisationId>, name: String },
    /// Its owner ended it.
    ApiKeyRevoked { key: ApiKeyId, organisation: Option<OrganisationId>, name: String },
    /// Somebody found its secret, which ended.
    ApiKeyFound { key: ApiKeyId, organisation: Option<OrganisationId>, name: String },
    /// A person's own were suspended.
    ApiKeysSuspended { count: usize },
    /// One of them was taken up again.
    ApiKeyResumed { key: ApiKeyId, name: String },
    /// A person's own ended with what they were for, or with the claim to the address.
    ApiKeysEnded { count: usize },
    /// Demonstration data was made.
    #[cfg(feature = "development")]
    Seeded {},
    /// The account is to be deleted.
    DeletionScheduled { delete_at: Timestamp },
    /// The account stays.
    DeletionCancelled {},
    /// An operator keeps the account from being purged.
    DeletionHeld { reason: String },
    /// An operator lifted that hold.
    DeletionReleased {},
    /// The account was purged.
    Purged {},
    /// Nobody confirmed the address in time.
    UnverifiedAccountExpired {},
    /// Somebody took a copy of what is held about them.
    Exported {},
    /// An operator ended every session there was.
    EverySessionRevoked { count: i64 },
    /// An operator cleared counters: what was tried before no longer counts.
    LimitsCleared { count: usize },
    /// An operator keeps everybody out of the account.
    UserLocked {},
    /// An operator unlocked the account.
    UserUnlocked {},
}

impl Event {
    /// Whether it is an attempt that failed.
    pub(super) fn is_failure(&self) -> bool {
        matches!(
            self,
            Event::SignInFailed { .. }
                | Event::SecondFactorFailed {}
                | Event::StepUpFailed { .. }
                | Event::SsoRefused { .. }
                | Event::ProviderRefused { .. }
        )
    }
}
