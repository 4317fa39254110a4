//! The catalogue of the application behind this site: what its roles may hold, declared in a TOML file.
//!
//! ```toml
//! [[permission]]
//! name = "notes:update-own"
//! title = "Change one's own notes"
//! roles = ["owner", "editor"]
//! ```

use std::{collections::BTreeSet, fs, io::ErrorKind};

use toml::{Table, Value};

use super::values::Reader;
use crate::kinds::{Permission, Role};

/// Permissions in one catalogue.
const MOST: usize = 200;

/// Characters of a title.
const LONGEST_TITLE: usize = 120;

/// A permission as an operator declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeclaredPermission {
    /// `resource:action`, of a to z, digits and dashes.
    pub name: String,
    /// What it allows, for people who put roles together.
    pub title: String,
    /// The built-in roles that have it. Owners have it always.
    pub roles: Vec<Role>,
}

/// What the example of notes brings along where there is no file.
pub(crate) fn example_permissions() -> Vec<DeclaredPermission> {
    parse(include_str!("../../examples/notes/permissions.toml")).unwrap_or_default()
}

impl Reader {
    /// What the file of `PERMISSIONS_FILE` declares; nothing where there is none.
    pub(super) fn permissions(&mut self) -> Option<Vec<DeclaredPermission>> {
        let path = self.text("PERMISSIONS_FILE")?;
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == ErrorKind::InvalidData => {
                self.problems.push(format!("PERMISSIONS_FILE {path}: Save it as UTF-8."));
                return None;
            }
            Err(cause) => {
                let expected = format!("the path of a TOML file; this one cannot be read ({cause})");
                self.problem("PERMISSIONS_FILE", &path, &expected);
                return None;
            }
        };
        parse(&text)
            .map_err(|problems| {
                let problems =
                    problems.into_iter().map(|problem| format!("PERMISSIONS_FILE {path}: {problem}"));
                self.problems.extend(problems);
            })
            .ok()
    }
}

/// The catalogue in a text, or a sentence for each thing that is wrong with it.
fn parse(text: &str) -> Result<Vec<DeclaredPermission>, Vec<String>> {
    let table: Table = text.parse().map_err(|cause: toml::de::Error| {
        let before = cause.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        vec![format!("line {}: {}.", before.matches('\n').count() + 1, cause.message())]
    })?;
    let mut problems: Vec<String> = table
        .keys()
        .filter(|key| *key != "permission")
        .map(|key| match &table[key] {
            Value::Table(_) | Value::Array(_) => format!("There is no [{key}]. Write [[permission]]."),
            _ => format!("{key} is nothing that it can hold. Write each permission as [[permission]]."),
        })
        .collect();
    let entries = match table.get("permission") {
        None => &[][..],
        Some(Value::Array(entries)) => entries.as_slice(),
        Some(_) => {
            problems.push("Write [[permission]], with two brackets on each side.".to_owned());
            &[]
        }
    };
    if entries.len() > MOST {
        problems.push(format!("It has {} permissions. Declare at most {MOST}.", entries.len()));
    }
    let mut names = BTreeSet::new();
    let mut declared = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        match read(entry) {
            Ok(permission) if !names.insert(permission.name.clone()) => {
                problems.push(format!("{} is there twice. Declare it once.", permission.name));
            }
            Ok(permission) => declared.push(permission),
            Err(sentences) => {
                let which = match entry.get("name").and_then(Value::as_str) {
                    Some(name) => name.to_owned(),
                    None => format!("permission number {}", number + 1),
                };
                problems.extend(sentences.into_iter().map(|sentence| format!("{which}: {sentence}")));
            }
        }
    }
    if problems.is_empty() { Ok(declared) } else { Err(problems) }
}

fn read(entry: &Value) -> Result<DeclaredPermission, Vec<String>> {
    let Some(table) = entry.as_table() else { return Err(vec!["Write it as a section.".to_owned()]) };
    let unknown = table.keys().filter(|key| !["name", "title", "roles"].contains(&key.as_str()));
    let mut problems: Vec<String> = unknown
        .map(|key| format!("{key} is nothing that a permission has. Write name, title and roles."))
        .collect();
    let name = match table.get("name").and_then(Value::as_str) {
        Some(name) => name,
        None => {
            problems.push("Its name is missing. Write name = \"resource:action\".".to_owned());
            ""
        }
    };
    match name.split_once(':') {
        _ if name.is_empty() => {}
        Some((resource, action)) if is_word(resource) && is_word(action) => {
            if is_reserved(resource) {
                problems.push(format!("Names with {resource} before the colon are taken. Choose another word."));
            }
        }
        _ => problems.push(
            "Write two words of a to z, digits and dashes with a colon between, such as notes:read, each starting with a letter and \
             of at most 32 characters."
                .to_owned(),
        ),
    }
    let title = table.get("title").and_then(Value::as_str).unwrap_or_default().trim();
    match title.chars().count() {
        0 => problems.push("Its title is missing. Write title = \"Read notes\".".to_owned()),
        1..=LONGEST_TITLE if !title.chars().any(char::is_control) => {}
        _ => problems.push(format!("Its title is one line of at most {LONGEST_TITLE} characters.")),
    }
    let mut roles = Vec::new();
    match table.get("roles") {
        None => {}
        Some(Value::Array(words)) => {
            for word in words {
                match word.as_str().and_then(Role::from_word) {
                    Some(role) if !roles.contains(&role) => roles.push(role),
                    Some(_) => {}
                    None => {
                        problems.push(format!("{word} is no built-in role. Write owner, editor or viewer."))
                    }
                }
            }
        }
        Some(_) => problems.push("Write its roles as a list: roles = [\"editor\", \"viewer\"].".to_owned()),
    }
    match problems.is_empty() {
        true => Ok(DeclaredPermission { name: name.to_owned(), title: title.to_owned(), roles }),
        false => Err(problems),
    }
}

/// One side of a permission's name.
fn is_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.len() <= 32
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whether the program's own permissions begin with it.
fn is_reserved(resource: &str) -> bool {
    let mut own = Permission::ALL.iter().filter_map(|permission| permission.as_str().split_once(':'));
    own.any(|(taken, _)| taken == resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_is_read() {
        let found = parse(
            "[[permission]]\nname = \"notes:read\"\ntitle = \"Read notes\"\nroles = [\"owner\", \"viewer\"]\n\
             [[permission]]\nname = \"notes:update-own\"\ntitle = \" Change one's own notes \"",
        )
        .unwrap();
        assert_eq!(found[0].roles, [Role::Owner, Role::Viewer]);
        assert_eq!(found[1].title, "Change one's own notes");
        assert_eq!(found[1].roles, []);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn the_example_has_a_catalogue() {
        let found = example_permissions();
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        let expected = ["read", "create", "update", "update-own", "delete", "delete-own"];
        assert_eq!(names, expected.map(|action| format!("notes:{action}")));
    }

    #[test]
    fn each_mistake_has_a_sentence_that_says_what_to_write() {
        let entry = |rest: &str| format!("[[permission]]\n{rest}\n");
        let good = entry("name = \"notes:read\"\ntitle = \"Read notes\"");
        for (text, says) in [
            ("[[permission", "line 1"),
            ("permission = 1", "Write [[permission]]"),
            (&entry("title = \"Read\""), "permission number 1: Its name is missing"),
            (&entry("name = \"notes:read\""), "notes:read: Its title is missing"),
            (&entry("name = \"Notes:read\"\ntitle = \"x\""), "Write two words"),
            (&entry("name = \"notes\"\ntitle = \"x\""), "Write two words"),
            (&entry("name = \"notes:*\"\ntitle = \"x\""), "Write two words"),
            (&entry("name = \"a:b:c\"\ntitle = \"x\""), "Write two words"),
            (&entry(&format!("name = \"{}:b\"\ntitle = \"x\"", "a".repeat(33))), "Write two words"),
            (&entry("name = \"members:ban\"\ntitle = \"x\""), "members before the colon are taken"),
            (&entry("name = \"a:b\"\ntitle = \"x\\ny\""), "one line"),
            (&entry("name = \"a:b\"\ntitle = \"x\"\nroles = [\"admin\"]"), "\"admin\" is no built-in role"),
            (&entry("name = \"a:b\"\ntitle = \"x\"\nroles = \"owner\""), "as a list"),
            (&entry("name = \"a:b\"\ntitle = \"x\"\nrole = []"), "role is nothing that a permission has"),
            (&format!("{good}{good}"), "notes:read is there twice"),
            ("[roles]\n", "There is no [roles]. Write [[permission]]."),
        ] {
            let problems = parse(text).unwrap_err();
            assert!(problems.len() == 1 && problems[0].contains(says), "{text}: {problems:?}");
        }
        let many: String = (0..201).map(|n| entry(&format!("name = \"n:a{n}\"\ntitle = \"x\""))).collect();
        assert_eq!(parse(&many).unwrap_err(), ["It has 201 permissions. Declare at most 200."]);
    }
}
