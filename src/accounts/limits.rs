//! Rate limits as an operator clears them. Keys are digests, so whom they are for is digested the same way.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use crate::{
    db::{Conn, Tx},
    error::Result,
    ids::UserId,
    mail::EmailAddress,
    model::{
        audit::{self, Actor, audit_events},
        network::{client_network, network_prefix},
        rate_limit,
        user::{self, User},
    },
    secret,
};

audit_events! {
    /// An operator cleared counters: what was tried before no longer counts.
    LimitsCleared { count: usize } => of("limits_cleared"),
}

// The clients of a network are digested one by one, so it has at most 65,536 of them.
const WIDEST: (u8, u8) = (16, 48);

/// Forgets what is counted for an email address and its accounts, an account's id, a network address, or every client of a
/// network. Returns how many counters that were, or a sentence where it is none of these.
pub fn forget(tx: &mut Tx, actor: &Actor, whom: &str) -> Result<Result<usize, String>> {
    let (subject, names) = match named(tx.conn, whom)? {
        Ok(named) => named,
        Err(problem) => return Ok(Err(problem)),
    };
    let digests: BTreeSet<String> = names.iter().map(|name| secret::digest(name)).collect();
    let count = rate_limit::forget_digests(tx, &digests)?;
    note_cleared(tx, actor, subject.as_ref(), count).map(Ok)
}

/// Forgets what is counted for everybody. Returns how many counters that were.
pub(crate) fn forget_all(tx: &mut Tx, actor: &Actor) -> Result<usize> {
    let count = rate_limit::forget_all(tx)?;
    note_cleared(tx, actor, None, count)
}

fn note_cleared(tx: &mut Tx, actor: &Actor, subject: Option<&UserId>, count: usize) -> Result<usize> {
    if count > 0 {
        audit::record(tx, actor, subject, Event::LimitsCleared { count })?;
    }
    Ok(count)
}

type Named = (Option<UserId>, Vec<String>);

/// The names that counters are kept under for whom an operator means, and the account, where it is one.
fn named(conn: &mut Conn, whom: &str) -> Result<Result<Named, String>> {
    let whom = whom.trim();
    if let Ok(ip) = whom.parse::<IpAddr>() {
        let ip = ip.to_canonical().to_string();
        return Ok(Ok((None, vec![client_network(&ip), network_prefix(&ip)])));
    }
    if let Ok(network) = whom.parse::<IpNet>() {
        return Ok(clients_in(network).map(|clients| (None, clients)));
    }
    let id: Option<UserId> = serde_json::from_value(whom.into()).ok();
    if let Some(user) = id.map(|id| user::find(conn, &id)).transpose()?.flatten() {
        let names = vec![user.id.as_str().to_owned(), user.email.normalized()];
        return Ok(Ok((Some(user.id), names)));
    }
    let Ok(email) = EmailAddress::parse(whom) else {
        return Ok(Err(format!(
            "{whom} is neither an email address nor a network address. Write one such as ada@example.com, 203.0.113.9 or \
             203.0.113.0/24, or the id of an account."
        )));
    };
    let mut names = vec![email.normalized()];
    let accounts = user::all_with(conn, &email)?;
    names.extend(accounts.iter().map(|user| user.id.as_str().to_owned()));
    let owner = accounts.into_iter().find(User::is_verified).map(|user| user.id);
    Ok(Ok((owner, names)))
}

/// The clients of a network, each address or each /64 in IPv6, and its neighbourhoods.
fn clients_in(network: IpNet) -> Result<Vec<String>, String> {
    let (widest, near, of_one_client) =
        if network.addr().is_ipv4() { (WIDEST.0, 24, 32) } else { (WIDEST.1, 48, 64) };
    if network.prefix_len() < widest {
        return Err(format!("{network} is too wide. Write a network of /{widest} or narrower, or --all."));
    }
    let parts = |length: u8| {
        let parts = network.trunc().subnets(network.prefix_len().max(length));
        parts.map(|parts| parts.map(|part| part.addr().to_string())).map_err(|cause| cause.to_string())
    };
    let clients = parts(of_one_client)?.map(|ip| client_network(&ip));
    Ok(clients.chain(parts(near)?.map(|ip| network_prefix(&ip))).collect())
}
