//! The catalogue of the application: what roles still hold that is in it no more.

use super::finding::{Finding, Health, finding};
use crate::{
    app::App,
    model::{organisation, permission, role},
};

// Roles that are named for one permission.
const NAMED: i64 = 5;

/// Whether roles hold what is retired, and which.
pub(super) async fn permissions(app: &App) -> Finding {
    let found = app.read(|conn| {
        let catalogue = permission::all(conn)?;
        let mut held = Vec::new();
        for entry in catalogue.iter().filter(|entry| entry.retired_at.is_some()) {
            let mut roles = Vec::new();
            for (name, organisation) in role::with_permission(conn, &entry.name, NAMED)? {
                roles.push(format!("{name} of {}", organisation::slug_of(conn, &organisation)?));
            }
            if !roles.is_empty() {
                held.push(format!("{} by {}", entry.name, roles.join(", ")));
            }
        }
        let current = catalogue.iter().filter(|entry| entry.retired_at.is_none()).count();
        Ok((current, held))
    });
    match found.await {
        Ok((current, held)) if held.is_empty() => {
            finding("roles", Health::Fine, format!("{current} permission(s) of the application."))
        }
        Ok((_, held)) => {
            let says = format!(
                "retired permissions are still held: {}. They allow nothing; put them back into PERMISSIONS_FILE or take \
                 them out of the roles.",
                held.join("; ")
            );
            finding("roles", Health::Warning, says)
        }
        Err(_) => finding("roles", Health::Warning, "cannot be read until the schema is up."),
    }
}
