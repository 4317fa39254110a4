//! The floors of the house: nobody reaches up, and flows never name each other.
//!
//! The floors are read from the table at the top of `src/lib.rs`, so the map and the rule cannot part.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::imports::{Crate, Module, files_below, is_for_tests, module_of};

/// Where a module lives.
type Floors = BTreeMap<String, usize>;

#[test]
fn nobody_reaches_up_and_flows_never_name_each_other() {
    let floors = floors();
    let mut broken = Vec::new();
    for file in files_below("src", &["rs"]).into_iter().filter(|file| !is_for_tests(file)) {
        let here = module_of(file.strip_prefix("src").unwrap());
        let Some(first) = here.first() else { continue }; // main.rs and lib.rs stand outside
        if !floors.contains_key(first) {
            broken.push(format!("{}: `{first}` has no floor in the table of src/lib.rs", file.display()));
        }
        let source = fs::read_to_string(&file).unwrap();
        broken.extend(
            offences(&floors, &here, &source).iter().map(|what| format!("{}: {what}", file.display())),
        );
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn emails_know_nothing_of_pages() {
    let floors = floors();
    let mut broken = Vec::new();
    for file in files_below("templates", &["html", "txt"]) {
        let is_email = file.starts_with("templates/mail");
        let here = [if is_email { "mail" } else { "flows" }.to_owned()];
        let source = fs::read_to_string(&file).unwrap();
        broken.extend(
            offences(&floors, &here, &source).iter().map(|what| format!("{}: {what}", file.display())),
        );
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_map_names_every_module_once() {
    let source = fs::read_to_string("src/lib.rs").unwrap();
    let modules = source.lines().map(|line| line.strip_prefix("pub ").unwrap_or(line));
    let declared: Vec<&str> =
        modules.filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    let mut drawn: Vec<String> = floors().into_keys().collect();
    let mut expected: Vec<String> = declared.into_iter().map(str::to_owned).collect();
    drawn.sort();
    expected.sort();
    assert_eq!(drawn, expected, "left: the table in src/lib.rs; right: its modules");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let source = Crate::read("src");
    let imports = source.imports();
    let mut found = Vec::new();
    for circle in source.circles() {
        for from in &circle {
            let ties = imports[from].iter().filter(|(to, _)| circle.contains(to));
            found.extend(
                ties.map(|(to, names)| format!("{} takes {names:?} from {}", from.join("::"), to.join("::"))),
            );
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A table file has its rows and queries. What several tables have to do with each other is a rule, and lives in
/// `accounts`.
#[test]
fn a_table_file_names_no_other() {
    let imports = Crate::read("src").imports();
    // A file with a folder of its own is one with what is in there.
    let unit = |module: &Module| (module.first()? == "model").then(|| module.get(1).cloned()).flatten();
    let schema: Module = vec!["db".to_owned(), "schema".to_owned()];
    let tables: BTreeSet<String> = imports
        .iter()
        .filter(|(_, taken)| taken.contains_key(&schema))
        .filter_map(|(file, _)| unit(file))
        .collect();
    assert!(tables.len() > 10, "{tables:?}");
    let mut found = BTreeSet::new();
    for (from, taken) in &imports {
        let Some(from) = unit(from).filter(|from| tables.contains(from)) else { continue };
        let others = taken.keys().filter_map(unit).filter(|to| *to != from && tables.contains(to));
        found.extend(others.map(|to| format!("the table {from} names the table {to}")));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn names_that_are_handed_on_lead_to_the_file_that_defines_them() {
    let module = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
    let files = [
        ("model", "pub mod user;\npub mod session;"),
        ("model::user", "use super::session;\nfn f() { session::end() }"),
        ("model::session", "mod ending;\npub use ending::{end, Gone as Ended};\npub struct Session;"),
        ("model::session::ending", "use super::Session;\npub fn end() {}\npub struct Gone;"),
        ("flows", "macro_rules! all { ($x:expr) => { $x } }\nfn f() { all!(crate::model::session::Ended) }"),
        (
            "web",
            "use crate::model::{self, session::Session as Row};\nfn g(row: Row) { let end = row.end(); }",
        ),
        ("cli", "#[cfg(test)]\nmod tests {\n    use crate::web::g;\n}"),
    ];
    let source = Crate::of(files.map(|(path, source)| (module(path), source.to_owned())));
    let taken = |from: &str| {
        let imports = source.imports();
        let taken = imports[&module(from)].iter();
        taken.map(|(to, names)| format!("{}: {names:?}", to.join("::"))).collect::<Vec<_>>()
    };
    assert_eq!(taken("model::user"), ["model::session::ending: {\"end\"}"]);
    assert_eq!(taken("model::session"), [""; 0], "handing on is no import");
    assert_eq!(taken("flows"), ["model::session::ending: {\"Gone\"}"]);
    assert_eq!(taken("web"), ["model::session: {\"Session\"}"]);
    assert_eq!(taken("cli"), [""; 0]);
    assert_eq!(source.circles(), [[""; 0]; 0].map(|_| Vec::<Module>::new()));
    let back = [("a", "use crate::b::x;"), ("b", "pub fn x() { crate::a::y() }"), ("c", "use crate::a::y;")];
    let source = Crate::of(back.map(|(path, source)| (module(path), source.to_owned())));
    assert_eq!(source.circles(), [[module("a"), module("b")]]);
}

/// A rule that finds nothing looks like a house in order, so each way of breaking it is tried.
#[test]
fn every_way_of_reaching_up_is_noticed() {
    let floors = floors();
    let model = ["model".to_owned(), "user".to_owned()];
    let login = ["flows".to_owned(), "login".to_owned()];
    let part = ["flows".to_owned(), "login".to_owned(), "page".to_owned()];
    let broken: [(&[String], &str); 11] = [
        (&model, "use crate::web::Reply;"),
        (&model, "use crate::{db::{Conn, Id}, web::{guard, Reply}};"),
        (&model, "fn f() { crate::flows::login::create() }"),
        (&model, "fn f() { super::super::app::App::open() }"),
        (&model, "use crate::{\n    db::Tx,\n    app::App,\n};"),
        (&login, "use crate::flows::signup;"),
        (&login, "use crate::{flows::{login, signup}};"),
        (&login, "use super::signup;"),
        (&login, "use super::*;"),
        (&login, "use crate::flows; fn f() { flows::signup::form() }"),
        (&part, "use super::super::signup::SignupPage;"),
    ];
    for (here, source) in broken {
        assert!(!offences(&floors, here, source).is_empty(), "{source}");
    }
    let fine: [(&[String], &str); 7] = [
        (&model, "use crate::{clock::Timestamp, db::{Conn, Id, Tx, schema::users}, error::Result};"),
        (&model, "use super::audit::{self, Event};"),
        (&model, "//! Unlike crate::web, a noun has no page.\nuse crate::mail;"),
        (&login, "use crate::{app::App, web::Reply, accounts::authentication};"),
        (&login, "use crate::flows::login::page;"),
        (&part, "use super::LoginPage;"),
        (&login, "#[cfg(test)]\nmod tests {\n    use super::*;\n}"),
    ];
    for (here, source) in fine {
        assert_eq!(offences(&floors, here, source), Vec::<String>::new(), "{source}");
    }
}

/// The table in the crate's documentation: `| 3 | [`app`], [`jobs`]: what … |`.
fn floors() -> Floors {
    let source = fs::read_to_string("src/lib.rs").unwrap();
    let mut floors = Floors::new();
    for row in source.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let Some((number, rest)) = row.split_once(" | ") else { continue };
        let Ok(floor) = number.parse() else { continue };
        for name in rest.split("[`").skip(1).filter_map(|rest| rest.split_once("`]")) {
            assert_eq!(floors.insert(name.0.to_owned(), floor), None, "{} lives on two floors", name.0);
        }
    }
    assert!(floors.len() > 10, "the table of floors in src/lib.rs was not understood: {floors:?}");
    floors
}

/// What `source`, in the module `here`, names that it may not.
fn offences(floors: &Floors, here: &[String], source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in paths(here, source) {
        let (Some(from), Some(to)) = (floors.get(&here[0]), path.first().and_then(|name| floors.get(name)))
        else {
            continue;
        };
        let is_other_flow = path[0] == "flows" && here[0] == "flows" && path.get(1) != here.get(1);
        // `flows/mod.rs` lists them all, and is not one itself.
        if to > from || (is_other_flow && here.len() > 1) {
            found.push(format!("names crate::{}", path.join("::")));
        }
    }
    found
}

/// Every path from the crate's root that `source` names, by `crate::` or by `super::`, its groups unfolded.
/// Comments and the tests at a file's end may name what they like.
fn paths(here: &[String], source: &str) -> Vec<Vec<String>> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    let mut rest = code.as_str();
    while let Some(start) = ["crate::", "super::"].iter().filter_map(|word| rest.find(word)).min() {
        let is_word_end = rest[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        rest = &rest[start..];
        let mut base = match rest.starts_with("super::") {
            true => here.to_vec(),
            false => Vec::new(),
        };
        rest = rest.strip_prefix("crate::").unwrap_or(rest);
        while let Some(further) = rest.strip_prefix("super::") {
            base.pop();
            rest = further;
        }
        if !is_word_end {
            rest = unfold(&base, rest, &mut found);
        }
    }
    found
}

/// Reads one tree of names (`a::{b, c::d}`), adds its paths below `base`, and returns what follows it.
fn unfold<'a>(base: &[String], source: &'a str, found: &mut Vec<Vec<String>>) -> &'a str {
    let source = source.trim_start();
    if let Some(mut rest) = source.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            rest = unfold(base, rest, found);
            // `as name`, up to the comma or the end of the group.
            rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
            rest = rest.strip_prefix(',').unwrap_or(rest);
            if rest.is_empty() {
                return rest;
            }
        }
    }
    let end = source.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(source.len());
    let (name, rest) = source.split_at(end);
    let mut path = base.to_vec();
    if !name.is_empty() && name != "self" {
        path.push(name.to_owned());
    }
    match rest.strip_prefix("::") {
        Some(further) if !name.is_empty() => unfold(&path, further, found),
        _ => {
            found.push(path);
            rest
        }
    }
}

/// askama names a template relative to the file of the macro, and the compiler reads that name relative to the file of the
/// caller: in another folder, it is only found where the crate is the one that is built, and no application could embed it.
#[test]
fn macros_that_name_templates_stand_in_the_folder_of_their_callers() {
    let files = files_below("src", &["rs"]);
    let sources: Vec<_> = files.iter().map(|file| (file, fs::read_to_string(file).unwrap())).collect();
    let mut seen = 0;
    for (file, source) in &sources {
        for (_, rest) in
            source.match_indices("macro_rules! ").map(|(at, found)| (at, &source[at + found.len()..]))
        {
            let body = rest.split("\n}").next().unwrap();
            if !body.contains("#[template(path = $") {
                continue;
            }
            let call = format!("{}!(", rest.split(' ').next().unwrap());
            for (caller, _) in sources.iter().filter(|(_, source)| source.contains(&call)) {
                assert_eq!(caller.parent(), file.parent(), "{} calls {call}", caller.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 5, "how templates are named is not understood any more");
}
