//! What pages lead to is a route.

use std::fs;

use vestibule::routes::entries;

use crate::imports::files_below;

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
