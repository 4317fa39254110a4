//! What pages lead to is a route, and so is every path that code names.

use std::{fs, path::Path};

use vestibule::routes::entries;

use crate::imports::{files_below, is_for_tests};

#[test]
fn every_link_and_form_of_a_page_leads_to_a_route() {
    let routes: Vec<(String, &str)> =
        entries().iter().map(|entry| (entry.method.to_string(), entry.path)).collect();
    let (mut found, mut looked_at) = (Vec::new(), 0);
    for file in files_below("templates", &["html"]) {
        let page = fs::read_to_string(&file).unwrap();
        for tag in page.split('<').filter(|tag| tag.starts_with("a ") || tag.starts_with("form ")) {
            let Some((_, path)) = tag.split_once("href=\"/").or_else(|| tag.split_once("action=\"/")) else {
                continue;
            };
            let method = if tag.contains("method=\"post\"") { "POST" } else { "GET" };
            let path = format!("/{}", plain(path));
            looked_at += 1;
            if !routes.iter().any(|(taken, route)| taken == method && is_of(&path, route)) {
                found.push(format!("{}: {method} {path}", file.display()));
            }
        }
    }
    assert!(found.is_empty(), "these lead nowhere:\n{}", found.join("\n"));
    assert!(looked_at > 80, "the links were not understood: {looked_at}");
}

#[test]
fn every_path_that_code_names_is_a_route() {
    let routes: Vec<&str> = entries().iter().map(|entry| entry.path).collect();
    let (mut found, mut looked_at) = (Vec::new(), 0);
    // Where the addresses stand, the former ones too.
    let maps = ["src/routes.rs", "src/urls.rs"].map(Path::new);
    let is_map = |file: &Path| file.starts_with("src/routes") || maps.contains(&file);
    for file in files_below("src", &["rs"]).into_iter().filter(|file| !is_for_tests(file) && !is_map(file)) {
        let source = fs::read_to_string(&file).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        // A page of an organisation is named by what comes after its short name.
        let page = |line: &str| {
            let (_, rest) = line.split_once("organisation_page(")?.1.split_once('"')?;
            Some(format!("/organisations/{{slug}}/{}", rest.split_once('"')?.0))
        };
        let pages = lines.clone().filter_map(page);
        let literals = lines.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned);
        for literal in literals.chain(pages) {
            let begins = literal.strip_prefix('/').is_some_and(|rest| rest.starts_with(char::is_alphabetic));
            let path = literal.split(['?', '#', '\\']).next().unwrap();
            let path = path.split('/').map(|part| if part.contains('{') { "x" } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            looked_at += usize::from(begins);
            // What is only compared with the end of a path is the end of one.
            // And others hang below an issuer.
            let is_base = |route: &str| route.strip_prefix(&path).is_some_and(|rest| rest.starts_with('/'));
            let leads = |route: &&str| is_of(&path, route) || route.ends_with(&path) || is_base(route);
            if begins && !routes.iter().any(leads) {
                found.push(format!("{}: {literal}", file.display()));
            }
        }
    }
    assert!(found.is_empty(), "these lead nowhere:\n{}", found.join("\n"));
    assert!(looked_at > 200, "the paths were not understood: {looked_at}");
}

/// How long something lasts is a setting, or a constant beside its rule: a page that names it says what holds.
#[test]
fn no_page_names_a_span_by_itself() {
    let units = ["second", "minute", "hour", "day", "week", "month"];
    let numbers = ["one", "two", "three", "five", "seven", "ten", "fourteen", "thirty", "ninety"];
    let is_number = |word: &str| word.parse::<u32>().is_ok() || numbers.contains(&word);
    let mut found = Vec::new();
    for file in files_below("templates", &["html", "txt"]) {
        let page = fs::read_to_string(&file).unwrap();
        let words: Vec<&str> = page.split_whitespace().collect();
        for pair in words.windows(2) {
            let (number, unit) =
                (pair[0].rsplit('>').next().unwrap(), pair[1].trim_end_matches(['.', ',', 's']));
            if is_number(number) && units.contains(&unit) {
                found.push(format!("{}: {number} {}", file.display(), pair[1]));
            }
        }
    }
    // "1 day left", beside "N days left".
    found.retain(|one| !one.ends_with(": 1 day"));
    assert!(found.is_empty(), "these name a span: {found:#?}");
}

/// A path in a template up to its query, with `x` where the page fills something in.
fn plain(attribute: &str) -> String {
    let mut path = String::new();
    let mut rest = attribute;
    while let Some(at) = rest.find(['{', '"', '?', '#']) {
        path += &rest[..at];
        match rest[at..].strip_prefix("{{").and_then(|filled| filled.split_once("}}")) {
            Some((_, after)) => {
                path.push('x');
                rest = after;
            }
            None => break,
        }
    }
    path
}

fn is_of(path: &str, route: &str) -> bool {
    let (parts, wanted): (Vec<_>, Vec<_>) = (path.split('/').collect(), route.split('/').collect());
    parts.len() == wanted.len()
        && parts.iter().zip(&wanted).all(|(part, wanted)| part == wanted || wanted.starts_with('{'))
}
