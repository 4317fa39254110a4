//! A stranger finds it: flow, template and test of a URL are called after one of its parts, and by one name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use vestibule::routes;

use crate::imports::files_below;

// URLs that answer with a document or lead on, and have no page.
const WITHOUT_PAGE: [&str; 16] = [
    "/.well-known/change-password",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/passkey-endpoints",
    "/auth/saml/certificate",
    "/auth/saml/login",
    "/auth/saml/logout",
    "/auth/saml/metadata",
    "/auth/sso/login",
    "/dev/idp/metadata",
    "/dev/oidc/.well-known/openid-configuration",
    "/dev/oidc/jwks",
    "/dev/oidc/userinfo",
    "/me/export",
    "/metrics",
    "/static/{name}",
];

// Parts of URLs that cannot be a name in Rust, or are not the word for what is there; and what is.
const CALLED: [(&str, &str); 6] = [
    (".vestibule", "gate"),
    ("2fa", "second_factor"),
    ("continue", "saved_request"),
    ("healthz", "health"),
    ("readyz", "health"),
    ("static", "assets"),
];

// URLs of which some files are called otherwise. This list only becomes shorter.
const LEFT: &[(&str, &str)] = &[("/organisations/{slug}/sso/{connection}/test", "flow")];

#[test]
fn flow_template_and_test_of_a_url_carry_its_name() {
    let files = ["", "/of_applications", "/of_directories", "/of_organisations"];
    let files = files.map(|file| format!("src/routes{file}.rs"));
    let source = files.map(|file| fs::read_to_string(file).unwrap()).concat();
    let routes: Vec<_> = source.lines().filter_map(route).collect();
    assert_eq!(routes.len(), routes::entries().len(), "the list in src/routes.rs was not understood");
    let templates: Vec<String> = files_below("templates", &["html"]).iter().map(|file| stem(file)).collect();
    let mut flows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut pages = BTreeSet::new();
    for (verb, path, flow) in routes {
        flows.entry(path).or_default().insert(flow);
        // What identity providers call has one form, and no page.
        if verb == "get" && !WITHOUT_PAGE.contains(&path) && !path.starts_with("/scim/") {
            pages.insert(path);
        }
    }
    let missing = |path: &str, name: &str| {
        let page = |template: &String| {
            template.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        let test = Path::new("tests/suite").join(name);
        let found = [
            ("flow", flows[path].contains(name)),
            ("template", !pages.contains(path) || templates.iter().any(page)),
            ("test", test.is_dir() || test.with_extension("rs").is_file()),
        ];
        let missing: Vec<_> =
            found.into_iter().filter(|(_, is_there)| !is_there).map(|(what, _)| what).collect();
        (missing.len(), missing.join(" "))
    };
    let mut found = Vec::new();
    for path in flows.keys() {
        // Of two names that fit as well, the more particular one.
        let tried = names(path).into_iter().rev().map(|name| missing(path, &name));
        let (_, least) = tried.min_by_key(|(missing, _)| *missing).unwrap();
        if !least.is_empty() {
            found.push((*path, least));
        }
    }
    let left: Vec<_> = LEFT.iter().map(|(path, what)| (*path, (*what).to_owned())).collect();
    assert_eq!(found, left, "left: what is not called after its URL; right: what LEFT says");
}

/// Verb, path and flow of a line such as `get("/me", "the account", me::show),`.
fn route(line: &str) -> Option<(&str, &str, &str)> {
    let (verb, rest) = line.trim().strip_suffix("),")?.split_once("(\"/")?;
    let (path, rest) = rest.split_once('"')?;
    let (_, handler) = rest.rsplit_once(", ")?;
    let start = line.find("\"/")? + 1;
    Some((verb, &line[start..start + 1 + path.len()], handler.split("::").next()?))
}

/// What files of a URL may be called: one of its parts, or two in a row, as Rust spells them.
fn names(path: &str) -> Vec<String> {
    let parts = path.split('/').filter(|part| !part.is_empty() && !part.starts_with('{'));
    let called = |part: &str| {
        CALLED.iter().find(|(found, _)| *found == part).map_or(part, |(_, name)| name).to_owned()
    };
    let parts: Vec<_> = parts.map(|part| called(part).trim_start_matches('.').replace('-', "_")).collect();
    let pairs = parts.windows(2).map(|pair| pair.join("_"));
    match parts.is_empty() {
        true => vec!["front".to_owned()],
        false => pairs.chain(parts.iter().cloned()).collect(),
    }
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap().to_string_lossy().into_owned()
}
