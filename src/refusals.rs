//! Every refusal that there is: the closed list of codes, joined from the files that declare them.
//!
//! A file that declares refusals and is not listed here fails a test, and so does a code that docs/errors.md leaves out.

use crate::{
    accounts::{
        api_keys, applications, authn_request, ceremony, clients, deletion, directories, email_verification,
        factors, invitations, organisation_deletion, organisation_policy, organisations,
        passkeys as account_passkeys, policy, provider_identities, provider_sign_in, roles, session_tokens,
        sso_policy, step_up,
    },
    error::{self, Error, Refusal},
    flows::{
        gate, login, magic_link, oidc, organisations as organisation_pages, passkeys, reset_password,
        verify_email,
    },
    jobs::issuers,
    model::{domain, passkey, user},
    scim,
    web::{gate_request, link_token, origin, pending, plain_http, request_refused, token_in_use, visitor},
};

const ALL: &[&[&Refusal]] = &[
    error::REFUSALS,
    request_refused::REFUSALS,
    origin::REFUSALS,
    plain_http::REFUSALS,
    link_token::REFUSALS,
    visitor::REFUSALS,
    pending::REFUSALS,
    token_in_use::REFUSALS,
    gate_request::REFUSALS,
    user::REFUSALS,
    clients::REFUSALS,
    session_tokens::REFUSALS,
    login::REFUSALS,
    magic_link::verify::REFUSALS,
    reset_password::REFUSALS,
    email_verification::REFUSALS,
    verify_email::REFUSALS,
    step_up::REFUSALS,
    passkey::REFUSALS,
    ceremony::REFUSALS,
    account_passkeys::REFUSALS,
    passkeys::REFUSALS,
    factors::REFUSALS,
    deletion::REFUSALS,
    provider_sign_in::REFUSALS,
    provider_identities::REFUSALS,
    issuers::REFUSALS,
    oidc::refused::REFUSALS,
    authn_request::REFUSALS,
    sso_policy::REFUSALS,
    domain::REFUSALS,
    policy::REFUSALS,
    organisation_policy::REFUSALS,
    organisations::REFUSALS,
    organisation_pages::REFUSALS,
    organisation_deletion::REFUSALS,
    roles::REFUSALS,
    invitations::REFUSALS,
    api_keys::REFUSALS,
    applications::REFUSALS,
    directories::REFUSALS,
    scim::REFUSALS,
    gate::by_key::REFUSALS,
];

const COUNT: usize = {
    let (mut count, mut file) = (0, 0);
    while file < ALL.len() {
        count += ALL[file].len();
        file += 1;
    }
    count
};

/// Each code once, in order, and how many there are. Refusals that share a code share its status: the build fails where two
/// do not.
const SORTED: ([(&str, u16); COUNT], usize) = {
    let (mut sorted, mut count, mut file) = ([("", 0); COUNT], 0, 0);
    while file < ALL.len() {
        let mut at = 0;
        while at < ALL[file].len() {
            let one = ALL[file][at];
            let mut place = count;
            while place > 0 && is_before(one.code, sorted[place - 1].0) {
                place -= 1;
            }
            if place > 0 && !is_before(sorted[place - 1].0, one.code) {
                assert!(sorted[place - 1].1 == one.status, "one code with two statuses");
            } else {
                let mut last = count;
                while last > place {
                    sorted[last] = sorted[last - 1];
                    last -= 1;
                }
                sorted[place] = (one.code, one.status);
                count += 1;
            }
            at += 1;
        }
        file += 1;
    }
    (sorted, count)
};

/// Strings are not compared in constants by themselves.
const fn is_before(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() {
        if one[at] != other[at] {
            return one[at] < other[at];
        }
        at += 1;
    }
    one.len() < other.len()
}

impl Error {
    /// Every code with its HTTP status, by its name: the closed list that docs/errors.md explains.
    pub const CODES: &'static [(&'static str, u16)] = SORTED.0.split_at(SORTED.1).0;
}
