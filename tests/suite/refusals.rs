//! Every file declares what it alone refuses with `refusals!`; they are read from their tokens here.

use std::{collections::BTreeSet, fs};

use proc_macro2::{TokenStream, TokenTree};
use vestibule::error::Error;

use crate::imports::{Crate, Module, files_below, module_of};

/// A refusal as its owner declares it.
#[derive(Debug)]
struct Declared {
    module: Module,
    name: String,
    code: String,
    sentence: String,
}

fn declared() -> Vec<Declared> {
    let mut found = Vec::new();
    for file in files_below("src", &["rs"]) {
        let module = module_of(file.strip_prefix("src").unwrap());
        let source: TokenStream = fs::read_to_string(&file).unwrap().parse().unwrap();
        let tokens: Vec<TokenTree> = source.into_iter().collect();
        for window in tokens.windows(3) {
            let [TokenTree::Ident(called), TokenTree::Punct(_), TokenTree::Group(body)] = window else {
                continue;
            };
            if called == "refusals" {
                let body: Vec<TokenTree> = body.stream().into_iter().collect();
                found.extend(body.windows(3).filter_map(|window| refusal(&module, window)));
            }
        }
    }
    assert!(found.len() > 60, "how refusals are declared is not understood any more: {found:#?}");
    found
}

/// `NAME = ("code", 403, "A sentence.")`
fn refusal(module: &Module, tokens: &[TokenTree]) -> Option<Declared> {
    let [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Group(what)] = tokens else { return None };
    let texts: Vec<String> = what.stream().into_iter().map(|token| token.to_string()).collect();
    let [code, _, _, _, sentence, ..] = texts.as_slice() else { return None };
    let text = |text: &str| text.trim_matches('"').to_owned();
    Some(Declared {
        module: module.clone(),
        name: name.to_string(),
        code: text(code),
        sentence: text(sentence),
    })
}

#[test]
fn every_file_that_declares_refusals_is_in_the_list() {
    let list: Module = vec!["refusals".to_owned()];
    let taken = &Crate::read("src").imports()[&list];
    let takes = |module: &Module| taken.get(module).is_some_and(|names| names.contains("REFUSALS"));
    let modules = declared().into_iter().map(|one| one.module);
    let missing: BTreeSet<Module> = modules.filter(|module| !takes(module)).collect();
    assert!(missing.is_empty(), "not in src/refusals.rs: {missing:?}");
}

#[test]
fn every_refusal_has_a_name_and_a_sentence_of_its_own_and_its_code_is_in_the_list() {
    let declared = declared();
    let names: BTreeSet<&String> = declared.iter().map(|one| &one.name).collect();
    assert_eq!(names.len(), declared.len(), "{declared:#?}");
    let sentences: BTreeSet<&String> = declared.iter().map(|one| &one.sentence).collect();
    assert_eq!(sentences.len(), declared.len(), "{declared:#?}");
    for one in &declared {
        assert!(one.sentence.ends_with('.'), "{one:?}");
        assert!(Error::CODES.iter().any(|(code, _)| *code == one.code), "{one:?}");
    }
    assert!(Error::CODES.is_sorted(), "the list is in order");
}
