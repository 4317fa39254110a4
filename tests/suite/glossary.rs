//! Identifiers are the glossary's words: what `docs/glossary.md` lists under "not" names nothing in `src` and `tests`.
//!
//! Names of tests are sentences, and left out; so are comments, pages and the names of other people's libraries.

use std::{collections::BTreeSet, fs};

use proc_macro2::{TokenStream, TokenTree};

use crate::imports::files_below;

/// Words that no table has to list: the code was once made of them, and nobody else's is.
const LEFT_BEHIND: [&str; 7] = ["believed", "desk", "door", "knock", "meddle", "said", "whither"];

/// Words of the list that name something else as well, and may.
const EVERYDAY: [(&str, &str); 9] = [
    ("claim", "what a token says besides whose it is (RFC 7519)"),
    ("closed", "a pipe, a connection or a queue"),
    ("follow", "a browser follows a link, and an address follows from another setting"),
    ("mailbox", "RFC 5322's word for name and address, and lettre's type"),
    ("person", "whom an identity provider speaks of may have no account yet"),
    ("stale", "a file or a row that is older than what it stands for"),
    ("standing", "how far a database has been migrated"),
    ("turn", "what one poll of a request reads (SQLite)"),
    ("way", "where somebody goes next, or gets back to their account"),
];

/// Names that hold a banned word and stay, each for a reason.
const ALLOWED: [(&str, &str); 4] = [
    ("RECENT", "how many sign-ins a page shows"),
    ("throttles", "the table"),
    ("xmlSecErrorsDefaultCallbackEnableOutput", "xmlsec's own"),
    ("xmlSecIOCleanupCallbacks", "xmlsec's own"),
];

#[test]
fn identifiers_are_the_words_of_the_glossary() {
    let banned = banned();
    let everyday: BTreeSet<&str> = EVERYDAY.iter().map(|(word, _)| *word).collect();
    let allowed: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let (mut found, mut used) = (BTreeSet::new(), BTreeSet::new());
    for file in files_below("src", &["rs"]).into_iter().chain(files_below("tests", &["rs"])) {
        let mut names = BTreeSet::new();
        gather(fs::read_to_string(&file).unwrap().parse().unwrap(), &mut names);
        for name in names {
            let Some(word) = banned.iter().find(|word| holds(&name, word)) else { continue };
            match allowed.get(name.as_str()) {
                Some(name) => drop(used.insert(*name)),
                None if everyday.contains(word.as_str()) => drop(used.insert(word.as_str())),
                None => drop(found.insert(format!("{}: `{name}` ({word})", file.display()))),
            }
        }
    }
    let found: Vec<_> = found.into_iter().collect();
    assert!(found.is_empty(), "the glossary has another word:\n{}", found.join("\n"));
    let idle: Vec<_> = everyday.union(&allowed).filter(|name| !used.contains(**name)).collect();
    assert!(idle.is_empty(), "not needed any more: {idle:?}");
}

/// Words that people of the field stop at, as whole words of a text.
const NOBODY_SAYS: [&str; 10] =
    ["proof", "proofs", "letter", "letters", "whoever", "led to", "go on", "spare key", "house", "somebody"];

/// Where one of them is the right word.
const RIGHT: [&str; 5] = [
    "Use letters, without",
    "Use letters from a to z",
    "starting with a letter",
    "Six letters and digits",
    "made by somebody whom",
];

#[test]
fn pages_emails_and_messages_use_the_words_that_others_use() {
    let mut texts = Vec::new();
    for file in files_below("templates", &["html", "txt"]) {
        let text = fs::read_to_string(&file).unwrap();
        // Comments are for whoever reads the template.
        let parts =
            text.split("{#").map(|part| part.split_once("#}").map_or(part, |(_, rest)| rest).to_owned());
        texts.extend(parts.map(|part| (file.clone(), part)));
    }
    for file in files_below("src", &["rs"]).into_iter().filter(|file| !file.ends_with("tests.rs")) {
        let source = fs::read_to_string(&file).unwrap();
        let source = source.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
        let mut sentences = Vec::new();
        gather_sentences(source.parse().unwrap(), &mut sentences);
        texts.extend(sentences.into_iter().map(|text| (file.clone(), text)));
    }
    assert!(texts.len() > 2_000, "{}", texts.len());
    let mut found = Vec::new();
    for (file, text) in texts {
        let words: Vec<_> = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
        let spaced = format!(" {} ", words.join(" "));
        if let Some(word) = NOBODY_SAYS.iter().find(|word| spaced.contains(&format!(" {word} ")))
            && !RIGHT.iter().any(|right| text.contains(right))
        {
            found.push(format!(
                "{}: {word}: {}",
                file.display(),
                text.trim().chars().take(120).collect::<String>()
            ));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The texts of more than one word, but for documentation.
fn gather_sentences(stream: TokenStream, sentences: &mut Vec<String>) {
    let mut is_attribute = false;
    for tree in stream {
        match tree {
            TokenTree::Group(group) if is_attribute && group.stream().to_string().starts_with("doc") => {}
            TokenTree::Group(group) => gather_sentences(group.stream(), sentences),
            TokenTree::Literal(literal) if literal.to_string().contains(' ') => {
                sentences.push(literal.to_string());
            }
            TokenTree::Punct(punct) if punct.as_char() == '#' || is_attribute && punct.as_char() == '!' => {
                is_attribute = true;
                continue;
            }
            _ => {}
        }
        is_attribute = false;
    }
}

#[test]
fn a_banned_word_is_found_in_every_spelling() {
    for name in ["spare_key", "SpareKey", "SPARE_KEYS", "keep_spare_key", "isSpareKey"] {
        assert!(holds(name, "spare key"), "{name}");
    }
    for name in ["spare", "key_spare", "spared_key", "transparent_key"] {
        assert!(!holds(name, "spare key"), "{name}");
    }
    let mut names = BTreeSet::new();
    let source = "#[test]\nfn a_letter_is_read() { let door = \"ticket\"; }\nfn letter() {} // guest";
    gather(source.parse().unwrap(), &mut names);
    assert!(names.contains("door") && names.contains("letter"), "{names:?}");
    assert!(!names.contains("a_letter_is_read") && !names.contains("ticket"), "{names:?}");
}

/// The column "not" of the glossary, and what is left behind.
fn banned() -> Vec<String> {
    let glossary = fs::read_to_string("docs/glossary.md").unwrap();
    let rows = glossary.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(3));
    let words = cells.flat_map(|cell| cell.split([',', ';'])).map(|word| word.trim().to_lowercase());
    let mut banned: Vec<String> = words.filter(|word| !["", "not", "---"].contains(&word.as_str())).collect();
    assert!(banned.len() > 20, "the table in docs/glossary.md was not understood: {banned:?}");
    banned.extend(LEFT_BEHIND.map(str::to_owned));
    banned
}

/// Whether an identifier has these words in a row, the last one perhaps in the plural.
fn holds(name: &str, banned: &str) -> bool {
    let name = format!("_{}_", in_snake_case(name));
    let banned = banned.replace([' ', '-'], "_");
    name.contains(&format!("_{banned}_")) || name.contains(&format!("_{banned}s_"))
}

/// `LetterKind` → `letter_kind`.
fn in_snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut before = '_';
    for c in name.chars() {
        if c.is_uppercase() && (before.is_lowercase() || before.is_numeric()) {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
        before = c;
    }
    snake
}

/// Every identifier but the names of tests.
fn gather(stream: TokenStream, names: &mut BTreeSet<String>) {
    let mut is_test = false;
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Punct(sign) if sign.as_char() == '#' => {
                if let Some(TokenTree::Group(attribute)) = trees.peek() {
                    is_test |= attribute.stream().to_string().ends_with("test");
                }
            }
            TokenTree::Group(group) => gather(group.stream(), names),
            TokenTree::Ident(word) if word == "fn" => {
                let name = trees.next_if(|next| matches!(next, TokenTree::Ident(_)));
                names.extend(name.filter(|_| !is_test).map(|name| name.to_string()));
                is_test = false;
            }
            TokenTree::Ident(name) => drop(names.insert(name.to_string())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}
