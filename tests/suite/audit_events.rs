//! Every use case declares its audit events beside itself, with `audit_events!`; they are read from its tokens here.

use std::{collections::BTreeSet, fs};

use proc_macro2::{TokenStream, TokenTree};

use crate::imports::{Crate, Module, files_below, module_of};

/// An event as its use case declares it.
#[derive(Debug)]
pub struct Declared {
    /// The file of the use case.
    pub module: Module,
    /// The event's name.
    pub name: String,
    /// What kind of event: `of`, `of_sign_in`, `failure`, …
    pub kind: String,
    /// Its fields.
    fields: String,
}

/// Every event.
pub fn declared() -> Vec<Declared> {
    let mut found = Vec::new();
    for file in files_below("src", &["rs"]) {
        let module = module_of(file.strip_prefix("src").unwrap());
        let source: TokenStream = fs::read_to_string(&file).unwrap().parse().unwrap();
        let tokens: Vec<TokenTree> = source.into_iter().collect();
        for window in tokens.windows(3) {
            let [TokenTree::Ident(called), _, TokenTree::Group(body)] = window else { continue };
            if called == "audit_events" {
                let body: Vec<TokenTree> = body.stream().into_iter().collect();
                found.extend(body.windows(5).filter_map(|window| event(&module, window)));
            }
        }
    }
    assert!(found.len() > 90, "how events are declared is not understood any more: {found:#?}");
    found
}

/// `{ fields } => kind("name", …)`
fn event(module: &Module, tokens: &[TokenTree]) -> Option<Declared> {
    let [TokenTree::Group(fields), TokenTree::Punct(_), _, TokenTree::Ident(kind), TokenTree::Group(words)] =
        tokens
    else {
        return None;
    };
    let name = words.stream().into_iter().next()?.to_string().trim_matches('"').to_owned();
    Some(Declared { module: module.clone(), name, kind: kind.to_string(), fields: fields.to_string() })
}

#[test]
fn every_use_case_that_declares_events_is_in_the_list_and_no_two_have_one_name() {
    let declared = declared();
    let missing = not_taken_by("audit_events", &declared);
    assert!(missing.is_empty(), "not in src/accounts/audit_events.rs: {missing:?}");
    let names: BTreeSet<&String> = declared.iter().map(|event| &event.name).collect();
    assert_eq!(names.len(), declared.len(), "{declared:#?}");
}

#[test]
fn erasing_an_account_knows_every_event_that_names_one() {
    let naming = |event: &Declared| event.kind == "naming_an_account";
    let naming: Vec<Declared> = declared().into_iter().filter(naming).collect();
    assert!(!naming.is_empty());
    let missing = not_taken_by("personal_data", &naming);
    assert!(missing.is_empty(), "not in src/accounts/personal_data.rs: {missing:?}");
}

/// The use cases of these events whose `Event` a file of `accounts` does not name.
fn not_taken_by(file: &str, events: &[Declared]) -> BTreeSet<Module> {
    let file: Module = ["accounts", file].map(str::to_owned).to_vec();
    let taken = &Crate::read("src").imports()[&file];
    let takes = |module: &Module| taken.get(module).is_some_and(|names| names.contains("Event"));
    events.iter().map(|event| event.module.clone()).filter(|module| !takes(module)).collect()
}

#[test]
fn every_event_that_concerns_an_organisation_names_it_and_has_a_title() {
    for event in declared() {
        let names_it = event.fields.contains("organisation : OrganisationId");
        let has_title = ["of_organisation", "naming_an_account"].contains(&event.kind.as_str());
        assert_eq!(names_it, has_title, "{event:?}");
    }
}
