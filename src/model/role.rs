//! Roles that an organisation makes for itself: a name and a set of permissions.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{CodePointMapData, props::Script};

use super::{held_role::HeldRole, name::hides_something};
use crate::{
    clock::Timestamp,
    db::{
        Conn, Tx,
        schema::{role_permissions, roles},
    },
    error::{Error, Errors, Result},
    ids::{Id, OrganisationId, RoleId},
    kinds::Role,
};

/// A role of an organisation's own.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = roles)]
pub(crate) struct CustomRole {
    /// Opaque.
    pub id: RoleId,
    /// What the organisation calls it. Somebody's text.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl From<CustomRole> for HeldRole {
    fn from(role: CustomRole) -> Self {
        Self::Custom { id: role.id, name: role.name }
    }
}

/// What a role is called: 1 to 40 characters of one script, and not like a built-in role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleName(String);

impl RoleName {
    const LONGEST: usize = 40;

    /// The name as typed, without the blanks around it, or a sentence about what is wrong with it.
    pub(crate) fn parse(typed: &str) -> Result<Self, String> {
        let name = ComposingNormalizerBorrowed::new_nfc().normalize(typed.trim()).into_owned();
        // Several blanks look like one.
        let name = name.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        match name.chars().count() {
            0 => return Err("Enter a name for the role.".to_owned()),
            1..=Self::LONGEST => {}
            _ => return Err(format!("Use at most {} characters.", Self::LONGEST)),
        }
        if hides_something(&name) {
            return Err("Use letters, without line breaks or invisible characters.".to_owned());
        }
        let name = Self(name);
        if name.mixes_scripts() {
            return Err("Use one alphabet: some of these characters only look alike.".to_owned());
        }
        if Role::from_word(&name.folded()).is_some() {
            return Err("There is a role of that name already. Choose another.".to_owned());
        }
        Ok(name)
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which names that are one are the same text: NFKC, and Unicode's case folding.
    fn folded(&self) -> String {
        let nfkc = ComposingNormalizerBorrowed::new_nfkc();
        let folded = CaseMapper::new().fold_string(&nfkc.normalize(&self.0)).into_owned();
        nfkc.normalize(&folded).into_owned()
    }

    /// Whether it has letters of more than one script, other than those that are written together (UTS 39 §5.2, "highly
    /// restrictive").
    fn mixes_scripts(&self) -> bool {
        let script = |c: char| match CodePointMapData::<Script>::new().get(c) {
            Script::Common | Script::Inherited => None,
            Script::Hiragana | Script::Katakana | Script::Hangul | Script::Bopomofo => Some(Script::Han),
            script => Some(script),
        };
        let mut scripts: Vec<Script> = self.0.chars().filter_map(script).collect();
        scripts.dedup();
        if scripts.contains(&Script::Han) {
            scripts.retain(|script| *script != Script::Latin);
            scripts.dedup();
        }
        scripts.iter().any(|script| Some(script) != scripts.first())
    }
}

/// The roles of an organisation, by name.
pub(crate) fn of(conn: &mut Conn, organisation: &OrganisationId) -> Result<Vec<CustomRole>> {
    let own = roles::table.filter(roles::organisation_id.eq(organisation));
    Ok(own.order((roles::name_folded, roles::id)).select(CustomRole::as_select()).load(conn)?)
}

/// One of its roles. [`Error::NotFound`] for any other.
pub(crate) fn owned(conn: &mut Conn, organisation: &OrganisationId, id: &RoleId) -> Result<CustomRole> {
    let own = roles::table.find(id).filter(roles::organisation_id.eq(organisation));
    Ok(own.select(CustomRole::as_select()).get_result(conn)?)
}

/// What a role holds.
pub(crate) fn permissions(conn: &mut Conn, id: &RoleId) -> Result<BTreeSet<String>> {
    let held = role_permissions::table.filter(role_permissions::role_id.eq(id));
    Ok(held.select(role_permissions::permission).load(conn)?.into_iter().collect())
}

/// What each role of an organisation holds.
pub(crate) fn all_permissions(
    conn: &mut Conn,
    organisation: &OrganisationId,
) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let held = role_permissions::table
        .inner_join(roles::table)
        .filter(roles::organisation_id.eq(organisation))
        .select((role_permissions::role_id, role_permissions::permission));
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (id, permission) in held.load::<(RoleId, String)>(conn)? {
        found.entry(id.to_string()).or_default().insert(permission);
    }
    Ok(found)
}

/// The names of the roles that hold a permission, each with its organisation, up to `most`.
pub(crate) fn with_permission(
    conn: &mut Conn,
    permission: &str,
    most: i64,
) -> Result<Vec<(String, OrganisationId)>> {
    Ok(role_permissions::table
        .inner_join(roles::table)
        .filter(role_permissions::permission.eq(permission))
        .order((roles::organisation_id, roles::name_folded))
        .limit(most)
        .select((roles::name, roles::organisation_id))
        .load(conn)?)
}

/// Adds a role that holds nothing yet. [`Error::Invalid`] where another one has the name.
pub(crate) fn add(tx: &mut Tx, organisation: &OrganisationId, name: &RoleName) -> Result<CustomRole> {
    let role = CustomRole { id: Id::random()?, name: name.as_str().to_owned(), created_at: tx.now };
    let row = (
        roles::id.eq(&role.id),
        roles::organisation_id.eq(organisation),
        roles::name.eq(&role.name),
        roles::name_folded.eq(name.folded()),
        roles::created_at.eq(role.created_at),
    );
    tx.allow_unique_violation(|conn| diesel::insert_into(roles::table).values(row).execute(conn))?
        .ok_or_else(taken)?;
    Ok(role)
}

/// Gives a role another name. [`Error::Invalid`] where another one has it.
pub(crate) fn rename(tx: &mut Tx, id: &RoleId, name: &RoleName) -> Result<()> {
    let names = (roles::name.eq(name.as_str()), roles::name_folded.eq(name.folded()));
    tx.allow_unique_violation(|conn| diesel::update(roles::table.find(id)).set(names).execute(conn))?
        .ok_or_else(taken)?;
    Ok(())
}

fn taken() -> Error {
    Error::Invalid(Errors::one("name", "There is a role of that name already. Choose another."))
}

/// What a role holds from now on.
pub(crate) fn set_permissions(tx: &mut Tx, id: &RoleId, held: &BTreeSet<String>) -> Result<()> {
    diesel::delete(role_permissions::table.filter(role_permissions::role_id.eq(id))).execute(tx.conn)?;
    let rows =
        held.iter().map(|name| (role_permissions::role_id.eq(id), role_permissions::permission.eq(name)));
    for row in rows {
        diesel::insert_into(role_permissions::table).values(row).execute(tx.conn)?;
    }
    Ok(())
}

/// Removes a role that nobody has.
pub(crate) fn remove(tx: &mut Tx, id: &RoleId) -> Result<()> {
    diesel::delete(roles::table.find(id)).execute(tx.conn)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_not_called_like_a_built_in_one_in_any_spelling_case_152() {
        for name in
            ["owner", " OWNER ", "Ｏｗｎｅｒ", "\u{41e}wner", "Own\u{200b}er", "EDITOR", "viewer", "ｖiewer"]
        {
            assert!(RoleName::parse(name).is_err(), "{name}");
        }
        for name in ["", "a\nb", &"a".repeat(41), "Pаypal", "ΑB", "\u{202e}x"] {
            assert!(RoleName::parse(name).is_err(), "{name}");
        }
        for name in ["Billing", "Владелец", "経理", "経理 Tokyo", "カスタマーサポート", "Owners’ office", "a"]
        {
            assert!(RoleName::parse(name).is_ok(), "{name}");
        }
        let folded = |name: &str| RoleName::parse(name).unwrap().folded();
        assert_eq!(folded("Straße"), folded("STRASSE"));
        assert_eq!(folded("Ｂilling"), folded("billing"));
    }
}
