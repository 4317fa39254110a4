//! Just-in-time provisioning: which account an assertion belongs to, and what is brought up to date in it.

use super::{
    connections,
    directory_sign_in::{self, Listed},
    email_verification, identity_links,
    linking::{self, Admission},
    organisations, profile, provisioned_address, registration, sso_policy,
};
use crate::{
    db::{Conn, Tx},
    error::Result,
    mail::EmailAddress,
    model::{
        audit::Actor,
        connection::{Connection, MappedProfile},
        identity, membership,
        user::{self, ProvisionedUser, User},
    },
    saml,
};

/// Who it is that arrives.
#[derive(Debug)]
pub(crate) enum Resolution {
    /// Somebody who was here before, or has an account since just now.
    Known(User),
    /// An account has the address. Its person has to sign in once the old way to connect the two.
    Unlinked(User),
    /// Nobody who may come in.
    Refused(ProvisioningError),
}

/// Why somebody may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProvisioningError {
    /// No address is said of them, or one that no mail can reach.
    NoAddress,
    /// The organisation has not proved the domain of the address, and does not speak for it.
    DomainNotVerified,
    /// Another organisation speaks for the domain of the address.
    AnotherDomain,
    /// Their domain signs in through another connection only.
    AnotherConnection,
    /// The member with the address goes by another name at this identity provider.
    AnotherName,
    /// The organisation's directory says that they have left.
    Deactivated,
    /// The organisation's directory does not list them, and it lets nobody else in.
    NotInDirectory,
}

impl ProvisioningError {
    /// Its name.
    pub(crate) fn code(self) -> &'static str {
        match self {
            ProvisioningError::NoAddress => "no_address",
            ProvisioningError::DomainNotVerified => "domain_not_proved",
            ProvisioningError::AnotherDomain => "another_domain",
            ProvisioningError::AnotherConnection => "another_connection",
            ProvisioningError::AnotherName => "another_name",
            ProvisioningError::Deactivated => "deactivated",
            ProvisioningError::NotInDirectory => "not_in_directory",
        }
    }

    /// The reason in a sentence for an owner.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            ProvisioningError::NoAddress => {
                "The identity provider does not tell the person's address. Map the attribute or claim that holds it."
            }
            ProvisioningError::DomainNotVerified => {
                "The organisation has not proved the domain of this address, so it does not speak for it. Prove the domain, \
                 or make the person a member first."
            }
            ProvisioningError::AnotherDomain => "The domain of this address belongs to another organisation.",
            ProvisioningError::AnotherConnection => {
                "People of this domain sign in through another connection only."
            }
            ProvisioningError::AnotherName => {
                "The member with this address goes by another name at the identity provider. If it is the same person, \
                 take the member out and let them sign in again."
            }
            ProvisioningError::Deactivated => "The directory says that this person has left.",
            ProvisioningError::NotInDirectory => {
                "The directory does not list this person, and only people in the directory may come in."
            }
        }
    }
}

/// Decides who arrives, makes the account of somebody new, and brings name, address and role up to date.
pub(crate) fn resolve(
    tx: &mut Tx,
    actor: &Actor,
    connection: &Connection,
    name: &saml::Name,
    profile: &MappedProfile,
    created_from: &str,
) -> Result<Resolution> {
    let organisation = &connection.organisation_id;
    directory_sign_in::lock(tx, organisation)?;
    // Two first arrivals of one person take turns.
    tx.lock(&format!("identity {} {} {}", connection.id, name.format, name.value))?;
    let known = identity_links::owner_of(tx.conn, &connection.id, name)?;
    lock_addresses(tx, known.as_ref(), profile)?;
    // Read again: the account may have changed, or ended, while its address was waited for.
    let (found, listed) = match_account(tx.conn, connection, name, profile)?;
    let user = match found {
        AccountMatch::Refused(refused) => return Ok(Resolution::Refused(refused)),
        AccountMatch::Unlinked(owner) => return Ok(Resolution::Unlinked(owner)),
        AccountMatch::Known(user) => user,
        AccountMatch::Member(owner) => {
            linking::link(tx, actor, connection, name, &owner, created_from)?;
            owner
        }
        AccountMatch::New { email } => {
            connections::hold(tx, connection)?;
            let shown = profile.name.clone().or_else(|| user::Name::parse(local_part(email.spelled())).ok());
            let provisioned =
                ProvisionedUser { email: email.clone(), name: shown, created_from: created_from.to_owned() };
            let user = registration::provision(tx, actor, provisioned)?;
            email_verification::confirm(tx, actor, &user.id, &email.normalized())?;
            identity_links::link(tx, actor, &connection.id, name, &user.id)?;
            organisations::add_member(tx, actor, organisation, &user.id, profile.role)?;
            directory_sign_in::follow(tx, actor, organisation, listed, &user)?;
            return user::by_id(tx.conn, &user.id).map(Resolution::Known);
        }
    };
    // Where the directory lists them, it decides; what the sign-in says is left aside.
    if directory_sign_in::follow(tx, actor, organisation, listed, &user)? {
        identity::mark_used(tx, &connection.id, name)?;
        return user::by_id(tx.conn, &user.id).map(Resolution::Known);
    }
    sync_profile(tx, actor, connection, name, user, profile).map(Resolution::Known)
}

/// How the assertion's subject maps to an account.
enum AccountMatch {
    /// The account that the name is connected with.
    Known(User),
    /// The account of the member with the address.
    Member(User),
    /// The account of somebody else with the address.
    Unlinked(User),
    /// No account has the address, and the organisation speaks for its domain.
    New { email: EmailAddress },
    /// Nobody who may come in.
    Refused(ProvisioningError),
}

fn match_account(
    conn: &mut Conn,
    connection: &Connection,
    name: &saml::Name,
    profile: &MappedProfile,
) -> Result<(AccountMatch, Listed)> {
    let known = identity_links::owner_of(conn, &connection.id, name)?;
    let organisation = &connection.organisation_id;
    let listed =
        directory_sign_in::look_up(conn, organisation, known.as_ref(), name, profile.email.as_ref())?;
    let refused = match &listed {
        Listed::Left => Some(ProvisioningError::Deactivated),
        Listed::Missing => Some(ProvisioningError::NotInDirectory),
        Listed::Several => Some(ProvisioningError::AnotherName),
        Listed::Linked(_, user) if known.is_none() => {
            return match_listed(conn, connection, user).map(|found| (found, listed));
        }
        _ => None,
    };
    let found = match refused {
        Some(refused) => AccountMatch::Refused(refused),
        None => match_unlisted(conn, connection, known, profile)?,
    };
    Ok((found, listed))
}

/// Whoever comes for the first time whose entry in the organisation's directory stands for an account: directory and identity
/// provider are one organisation's word, and the account is its own. Where the organisation does not speak for it, its person signs
/// in once the old way: who only joined gave nobody a way past their second factor.
fn match_listed(conn: &mut Conn, connection: &Connection, user: &User) -> Result<AccountMatch> {
    let way = sso_policy::required_connection(conn, user)?;
    let refused = match linking::admission(conn, connection, &user.email, Some(&user.id))? {
        _ if way.is_some_and(|way| way != connection.id) => ProvisioningError::AnotherConnection,
        Admission::AnotherDomain => ProvisioningError::AnotherDomain,
        Admission::AnotherConnection => ProvisioningError::AnotherConnection,
        Admission::Stranger => ProvisioningError::DomainNotVerified,
        Admission::Member => return Ok(AccountMatch::Unlinked(user.clone())),
        Admission::Speaks if membership::role_of(conn, &connection.organisation_id, &user.id)?.is_none() => {
            return Ok(AccountMatch::Unlinked(user.clone()));
        }
        Admission::Speaks if identity::is_known(conn, &connection.id, &user.id)? => {
            ProvisioningError::AnotherName
        }
        Admission::Speaks => return Ok(AccountMatch::Member(user.clone())),
    };
    Ok(AccountMatch::Refused(refused))
}

fn match_unlisted(
    conn: &mut Conn,
    connection: &Connection,
    known: Option<User>,
    profile: &MappedProfile,
) -> Result<AccountMatch> {
    if let Some(user) = known {
        let way = sso_policy::required_connection(conn, &user)?;
        return Ok(match way.is_none_or(|way| way == connection.id) {
            true => AccountMatch::Known(user),
            false => AccountMatch::Refused(ProvisioningError::AnotherConnection),
        });
    }
    let Some(email) = profile.email.clone() else {
        return Ok(AccountMatch::Refused(ProvisioningError::NoAddress));
    };
    let owner = user::confirmed(conn, &email)?;
    let is_member = match &owner {
        Some(owner) => membership::role_of(conn, &connection.organisation_id, &owner.id)?.is_some(),
        None => false,
    };
    let is_verified =
        match linking::admission(conn, connection, &email, owner.as_ref().map(|owner| &owner.id))? {
            Admission::Speaks => true,
            Admission::Member => false,
            Admission::AnotherDomain => return Ok(AccountMatch::Refused(ProvisioningError::AnotherDomain)),
            Admission::AnotherConnection => {
                return Ok(AccountMatch::Refused(ProvisioningError::AnotherConnection));
            }
            // Of anybody else's address it says what it likes; also to the owners: nobody learns there who has an account here.
            Admission::Stranger => return Ok(AccountMatch::Refused(ProvisioningError::DomainNotVerified)),
        };
    let Some(owner) = owner else { return Ok(AccountMatch::New { email }) };
    if !(is_verified && is_member) {
        return Ok(AccountMatch::Unlinked(owner));
    }
    // An address may have been given to somebody new since.
    Ok(match identity::is_known(conn, &connection.id, &owner.id)? {
        true => AccountMatch::Refused(ProvisioningError::AnotherName),
        false => AccountMatch::Member(owner),
    })
}

/// What [`resolve`] would come to, in a sentence for an owner. Nothing is changed.
pub(crate) fn dry_run(
    conn: &mut Conn,
    connection: &Connection,
    name: &saml::Name,
    profile: &MappedProfile,
) -> Result<Result<&'static str, ProvisioningError>> {
    Ok(match match_account(conn, connection, name, profile)?.0 {
        AccountMatch::Known(_) => Ok("The account that this name is connected with."),
        AccountMatch::Member(_) => Ok("The account of the member with this address."),
        AccountMatch::Unlinked(_) => {
            Ok("The account with this address, once its person has signed in the old way.")
        }
        AccountMatch::New { .. } => Ok("A new account with this address."),
        AccountMatch::Refused(refused) => Err(refused),
    })
}

/// Brings name, address and role of somebody known up to what their identity provider says now. An account that is locked
/// or on its way out stays as it is.
pub(crate) fn sync_profile(
    tx: &mut Tx,
    actor: &Actor,
    connection: &Connection,
    name: &saml::Name,
    user: User,
    profile: &MappedProfile,
) -> Result<User> {
    if user.locked_at.is_some() || user.deletes_at.is_some() {
        return Ok(user);
    }
    identity::mark_used(tx, &connection.id, name)?;
    if let Some(shown) = &profile.name
        && shown.as_str() != user.name
    {
        profile::rename(tx, actor, &user.id, shown)?;
    }
    if let Some(new) = &profile.email {
        provisioned_address::follow(tx, actor, &connection.organisation_id, &user, new)?;
    }
    let organisation = &connection.organisation_id;
    let is_kept = profile.keeps_role && membership::role_of(tx.conn, organisation, &user.id)?.is_some();
    if !is_kept {
        organisations::sync_role(tx, actor, organisation, &user.id, profile.role)?;
    }
    user::by_id(tx.conn, &user.id)
}

/// The addresses first, in the order of their names, as everywhere.
fn lock_addresses(tx: &mut Tx, known: Option<&User>, profile: &MappedProfile) -> Result<()> {
    let mut names: Vec<String> =
        known.map(|user| &user.email).into_iter().chain(&profile.email).map(|one| one.normalized()).collect();
    names.sort();
    names.dedup();
    names.iter().try_for_each(|name| tx.lock(name))
}

fn local_part(address: &str) -> &str {
    address.split('@').next().unwrap_or(address)
}
