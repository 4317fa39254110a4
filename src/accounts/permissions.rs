//! The catalogue of the application, brought up to what its file says; and what a role may be made of.

use std::collections::BTreeSet;

use crate::{
    config::DeclaredPermission,
    db::{Conn, Tx},
    error::{Error, Errors, Result},
    kinds::Permission,
    model::permission::{self, CatalogueEntry},
};

/// Brings the catalogue up to what is declared. What is declared no more is retired: roles that hold it keep it, no other
/// takes it, and it allows nothing. Returns how many were retired just now.
pub(crate) fn declare(tx: &mut Tx, declared: &[DeclaredPermission]) -> Result<usize> {
    add(tx, declared)?;
    let names: Vec<&str> = declared.iter().map(|one| one.name.as_str()).collect();
    permission::retire_others(tx, &names)
}

/// Puts what is declared into the catalogue, beside what is there.
pub(crate) fn add(tx: &mut Tx, declared: &[DeclaredPermission]) -> Result<()> {
    tx.lock("permissions")?;
    declared.iter().try_for_each(|one| permission::declare(tx, &one.name, &one.title, &one.roles))
}

/// Reads what was chosen for a role that holds `before`: permissions of the program and of the catalogue, none of an owner's
/// own, and none that is retired, but for those that it holds already. [`Error::Invalid`] for any other.
pub(crate) fn chosen(
    conn: &mut Conn,
    names: &BTreeSet<String>,
    before: &BTreeSet<String>,
) -> Result<BTreeSet<String>> {
    let catalogue = permission::named(conn, names)?;
    let is_current = |name: &str| {
        let entry = catalogue.iter().find(|entry| entry.name == name);
        entry.map(|entry: &CatalogueEntry| entry.retired_at.is_none())
    };
    let mut errors = Errors::default();
    for name in names.iter().filter(|name| !before.contains(*name)) {
        let sentence = match (Permission::from_word(name), is_current(name)) {
            (Some(permission), _) if permission.fits_custom_roles() => continue,
            (Some(_), _) => format!("{name} is for owners only and cannot be part of a role."),
            (None, Some(true)) => continue,
            (None, Some(false)) => format!("{name} is retired. Choose another permission."),
            (None, None) => unknown(name),
        };
        errors.add("permissions", sentence);
    }
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    // Whoever belongs to an organisation sees its page.
    let own = Permission::OrganisationRead.to_string();
    Ok(names.iter().cloned().chain([own]).collect())
}

/// What is said of a name that stands for no permission.
pub(crate) fn unknown(name: &str) -> String {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    format!("There is no permission called \"{shown}\".")
}
