//! Who did what to whom, when and from where; written in the same transaction as the change.

use diesel::prelude::*;
use serde::Serialize;

use super::{
    passkey::Passkey,
    second_factor::Factor,
    session::{Method, Session},
    user::User,
};
use crate::{
    clock::Timestamp,
    db::{Id, Tx, schema::audit},
    error::Result,
    text_enum,
};

text_enum! {
    /// What kind of actor it was.
    ActorKind {
        /// A person, signed in or arriving.
        User => "user",
        /// Somebody with a shell on the server.
        Operator => "operator",
        /// The program itself.
        Job => "job",
    }
}

/// Who acts, and from where.
#[derive(Debug, Clone)]
pub struct Actor {
    /// What kind of actor.
    pub kind: ActorKind,
    /// The person, where it is one we know.
    pub user: Option<Id<User>>,
    /// Their session, where there is one.
    pub session: Option<Id<Session>>,
    /// Their address on the network.
    pub ip: Option<String>,
}

impl Actor {
    /// Somebody with a shell on the server.
    pub fn operator() -> Self {
        Self { kind: ActorKind::Operator, user: None, session: None, ip: None }
    }

    /// The same visitor, now known to be `user`.
    pub fn known_as(&self, user: &Id<User>) -> Self {
        let session = self.session.clone().filter(|_| self.user.as_ref() == Some(user));
        Self { user: Some(user.clone()), session, ..self.clone() }
    }
}

#[expect(missing_docs, reason = "each field is named for what it holds")]
/// What happened. The variant's name is the event's; its fields are the detail, and never secrets.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Event {
    /// An account was made. Its address is a claim.
    SignedUp {},
    /// A session began.
    SignedIn { method: Method, session: Id<Session> },
    /// A proof failed.
    SignInFailed { method: Method },
    /// A first proof was right, and a second is due.
    SecondFactorAsked { method: Method },
    /// The code after the first proof failed.
    SecondFactorFailed {},
    /// A session was ended by its own person, here.
    SignedOut {},
    /// A device was signed out from the list.
    SessionRevoked { session: Id<Session> },
    /// A session was suddenly used from another device, and is locked.
    SessionLocked { session: Id<Session>, used_by: String },
    /// A person confirmed that it is them.
    SteppedUp { with: &'static str },
    /// A step-up failed.
    StepUpFailed { with: &'static str },
    /// Every other device was signed out.
    OtherSessionsRevoked { count: usize },
    /// The address is proved.
    EmailConfirmed {},
    /// An unproved account ended, because the address was proved by another or its owner said so.
    ClaimEnded { disowned: bool },
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
    ClaimCleared {},
    /// A new password was set through a mailed link.
    PasswordReset {},
    /// A hash was made again with today's cost and key.
    PasswordRehashed {},
    /// A second factor was added.
    SecondFactorAdded { factor: Factor, passkey: Option<Id<Passkey>> },
    /// A passkey got another name.
    PasskeyRenamed { passkey: Id<Passkey> },
    /// A passkey's counter went back: there is a copy of it, and it opens nothing from now on.
    PasskeyCopied { passkey: Id<Passkey> },
    /// A second factor was removed.
    SecondFactorRemoved { factor: Factor, passkey: Option<Id<Passkey>> },
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
    /// Demonstration data was made.
    Seeded {},
}

/// Writes the row. `subject` is the user it is about, `None` where nobody is known.
pub fn record<'a>(
    tx: &mut Tx,
    actor: &Actor,
    subject: impl Into<Option<&'a Id<User>>>,
    event: Event,
) -> Result<()> {
    let told = serde_json::to_value(&event)?;
    let (name, detail) = told
        .as_object()
        .and_then(|object| object.iter().next())
        .ok_or_else(|| anyhow::anyhow!("an event without a name"))?;
    diesel::insert_into(audit::table)
        .values((
            audit::id.eq(Id::<Event>::random()?),
            audit::at.eq(tx.now),
            audit::actor_kind.eq(actor.kind),
            audit::actor_id.eq(&actor.user),
            audit::session_id.eq(&actor.session),
            audit::ip.eq(&actor.ip),
            audit::event.eq(name),
            audit::subject_id.eq(subject.into()),
            audit::detail.eq(detail.to_string()),
        ))
        .execute(tx.conn)?;
    Ok(())
}
