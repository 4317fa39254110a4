//! Rows whose time is up, a few at a time, so that people who sign in meanwhile hardly wait.

use std::time::{Duration, Instant};

use super::run::{Run, Stop};
use crate::{
    accounts::{audit_events, put_back},
    db::Tx,
    error::Result,
    model::{
        api_key, assertion, audit, delivery, device_request, former_slug, gate_session, grant, invitation,
        outbox, rate_limit, refresh_token, secret_key, security_change, session, sign_in, signing_key, token,
        totp,
    },
};

/// Removes up to so many rows (or parts of rows) whose time is up, and says how many it found.
type Broom = fn(&mut Tx, i64) -> Result<usize>;

/// A table with rows that end, and who removes them.
const BROOMS: &[(&str, Broom)] = &[
    ("sessions", session::sweep),
    ("gate_sessions", gate_session::sweep),
    ("grants", grant::sweep),
    ("refresh_tokens", refresh_token::sweep),
    ("device_requests", device_request::sweep),
    ("deliveries", delivery::sweep),
    ("signing_keys", signing_key::sweep),
    ("tokens", token::sweep),
    ("invitations", invitation::sweep),
    ("api_keys", api_key::sweep),
    ("totp_setups", totp::sweep),
    ("throttles", rate_limit::sweep),
    ("assertions", assertion::sweep),
    ("sign_ins", sign_in::sweep),
    ("security_changes", security_change::sweep),
    ("removed_credentials", |tx, most| security_change::sweep_removed(tx, most, put_back::OFFERED_FOR)),
    ("former_slugs", former_slug::sweep),
    ("emails", outbox::sweep),
    ("audit_networks", audit::forget_networks),
    ("audit_sign_ins", audit_events::sweep_sign_ins),
    ("audit_attempts", audit_events::sweep_attempts),
    // Nothing ends here: what a previous key sealed is sealed anew, so that nothing ends with that key.
    ("resealed", secret_key::renew),
];

// SQLite has one writer at a time: so many rows are a few milliseconds.
const AT_ONCE: i64 = 200;

/// Sweeps every table.
pub(crate) async fn all(run: &mut Run<'_>) -> Result<(), Stop> {
    for (what, broom) in BROOMS {
        loop {
            let began = Instant::now();
            let Some(count) = run.step(|tx| broom(tx, AT_ONCE)).await? else { break };
            run.count(what, count);
            if (count as i64) < AT_ONCE {
                break;
            }
            // Then it is the others' turn, for longer than this one took.
            tokio::time::sleep(2 * began.elapsed().max(Duration::from_millis(1))).await;
        }
    }
    Ok(())
}
