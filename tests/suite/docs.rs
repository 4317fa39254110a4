//! README and docs/ say what the program does. Their tables are made here; a test that fails prints the whole block, to
//! be pasted between its markers.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use vestibule::{
    clock::span_in_words,
    config::{self, SETTINGS},
    error::Error,
    routes::entries,
};

use crate::{
    audit_events::{Declared, declared},
    harness::{constants::number, run_program},
};

const README: &str = include_str!("../../README.md");

/// Every document of the repository: its path and its text.
pub fn documents() -> Vec<(PathBuf, String)> {
    let mut folders = vec![PathBuf::from("."), PathBuf::from("docs")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() && folder != Path::new(".") {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&entry).unwrap();
                found.push((entry.strip_prefix(".").unwrap_or(&entry).to_owned(), text));
            }
        }
    }
    found.sort();
    assert!(found.len() > 20, "{found:?}");
    found
}

/// What stands where nobody has written what an error means yet.
const UNWRITTEN: &str = "…";

#[test]
fn the_settings_are_those_of_the_program() {
    let rows = SETTINGS.iter().map(|setting| {
        let default = match setting.default {
            "" => String::new(),
            words if words.contains('`') => words.to_owned(),
            word => format!("`{word}`"),
        };
        let name = match setting.is_secret {
            true => format!("`{0}` or `{0}_FILE`", setting.name),
            false => format!("`{}`", setting.name),
        };
        [name, default, setting.meaning.to_owned()]
    });
    assert_block("settings", &table(["setting", "default", "meaning"], rows));
}

#[test]
fn the_routes_are_those_of_the_program() {
    let rows = entries().into_iter().map(|entry| {
        let who = match entry.needs {
            Some(needs) => format!("{} with `{needs}`", entry.access),
            None => entry.access.to_string(),
        };
        [format!("`{} {}`", entry.method, entry.path), who, entry.does.to_owned()]
    });
    assert_block("routes", &table(["route", "who", "what it does"], rows));
}

#[test]
fn the_errors_are_those_of_the_program() {
    let (_, block) = block("errors");
    let written: BTreeMap<&str, &str> = block
        .lines()
        .filter_map(|row| {
            let mut cells = row.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
            Some((cells.next()?.trim_matches('`'), cells.nth(1)?))
        })
        .collect();
    let rows = Error::CODES.iter().map(|(code, status)| {
        let meaning = written.get(code).copied().unwrap_or(UNWRITTEN);
        [format!("`{code}`"), status.to_string(), meaning.to_owned()]
    });
    let expected = table(["code", "status", "when"], rows);
    assert_block("errors", &expected);
    assert!(!expected.contains(&format!("| {UNWRITTEN} |")), "say when each error happens");
}

#[test]
fn the_numbers_are_the_defaults_of_the_program() {
    let key = ("SECRET_KEY".to_owned(), "the key of a house that stands for one test".to_owned());
    let config = config::from_values(BTreeMap::from([key])).unwrap();
    let (life, limits) = (config.lifetimes, config.limits);
    let row = |what: &str, number: String| [what.to_owned(), number];
    let rows = [
        row(
            "a password",
            format!(
                "{} to {} characters of any alphabet, blanks included; no rules of composition; common ones, also with digits behind \
                 them, and those made of the address, the name or the product's name, are refused",
                number("src/model/password/policy.rs", "SHORTEST"),
                number("src/model/password/mod.rs", "LONGEST")
            ),
        ),
        row("bcrypt's cost", config.bcrypt_cost.to_string()),
        row(
            "a session",
            format!(
                "ends after {} without a request, or {} after it began",
                span_in_words(life.session_idle),
                span_in_words(life.session)
            ),
        ),
        row(
            "a session on a remembered device",
            format!(
                "ends after {} without a request, or {} after it began",
                span_in_words(life.remembered_idle),
                span_in_words(life.remembered)
            ),
        ),
        row(
            "sessions of one account",
            format!(
                "{}; one more ends the least recently used of the network with the most",
                limits.sessions_per_account
            ),
        ),
        row(
            "a confirmation link",
            format!("works for {}; the newest works, older ones die", span_in_words(life.verify_link)),
        ),
        row(
            "a link to a new password",
            format!("works once, for {}; using it ends every session", span_in_words(life.reset_link)),
        ),
        row(
            "a link to sign in",
            format!(
                "works once, for {}; the newest works, older ones die; {} tries at its short code",
                span_in_words(life.magic_link),
                number("src/accounts/magic_link.rs", "MOST_CODES")
            ),
        ),
        row(
            "an operator's reset of second factors",
            format!("takes effect after {}, unless its owner stops it", span_in_words(life.factors_reset)),
        ),
        row(
            "a link to a new address",
            format!(
                "works once, for {}; the old address can stop the change as long, and take itself back for {} afterwards",
                span_in_words(life.email_change),
                span_in_words(life.email_undo)
            ),
        ),
        row(
            "a person who asked to be deleted",
            format!(
                "has {} to change their mind, and is reminded {} before the end",
                span_in_words(life.deletion_grace),
                span_in_words(life.deletion_reminder)
            ),
        ),
        row(
            "an account whose address is not confirmed",
            format!(
                "is told so after {}, and removed after {}",
                span_in_words(life.unconfirmed_warning),
                span_in_words(life.unconfirmed)
            ),
        ),
        row(
            "sign-ins, also in the audit, the network addresses in it, and what was mailed when",
            format!("are kept for {}", span_in_words(life.history)),
        ),
        row(
            "failed sign-ins in the audit, and links that were asked for",
            format!("are kept for {}", span_in_words(life.failed_sign_in)),
        ),
        row("a step-up", format!("is good for {} in its session", span_in_words(life.step_up))),
        row(
            "sign-in attempts",
            format!(
                "{} a minute for one address, {} a minute from one client, {} a minute from one neighbourhood (IPv4: /24, IPv6: \
                 /48), sign-ups included",
                limits.login_per_address, limits.login_per_network, limits.login_per_neighbourhood
            ),
        ),
        row(
            "failures in a row",
            format!(
                "after {}, browsers that the account does not know wait {}",
                limits.login_failures,
                span_in_words(limits.login_cool_down)
            ),
        ),
        row(
            "a sign-in that waits for its second step",
            format!("lives for {}; five wrong codes end it", span_in_words(life.pending_sign_in)),
        ),
        row(
            "recovery codes",
            format!(
                "{}, each once; at {} left pages ask for new ones",
                number("src/model/recovery_code.rs", "COUNT"),
                number("src/model/recovery_code.rs", "FEW")
            ),
        ),
        row("sign-ups", format!("{} an hour from one client", limits.signups_per_network)),
        row(
            "mails of one kind to one address",
            format!("{} a minute, {} an hour", limits.mails_per_minute, limits.mails_per_hour),
        ),
        row(
            "mails to an address that nobody confirmed",
            format!(
                "{} a day of all kinds, {} of them by one network (IPv4: /24, IPv6: /48)",
                number("src/model/rate_limit.rs", "MAILS_TO_UNCONFIRMED"),
                number("src/model/rate_limit.rs", "MAILS_TO_UNCONFIRMED_BY_ONE_NETWORK")
            ),
        ),
        row(
            "what an application has of one person with `offline_access`",
            format!("the newest {}", number("src/accounts/token_exchange.rs", "MOST_OFFLINE")),
        ),
        row(
            "accounts that wait for one address to be confirmed",
            format!(
                "{}; one more ends the oldest of the network that made the most",
                number("src/accounts/email_verification.rs", "MOST_UNVERIFIED")
            ),
        ),
        row("a request body", format!("at most {} KiB", config.body_limit / 1024)),
    ];
    assert_block("numbers", &table(["what", "default"], rows));
}

#[test]
fn the_audit_events_are_those_of_the_program() {
    let (_, block) = block("events");
    let written: BTreeMap<&str, &str> = block
        .lines()
        .filter_map(|row| row.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .collect();
    // In the order that they are explained in; what nobody has explained goes last.
    let mut events = declared();
    let order = |event: &Declared| block.find(&format!("| `{}` |", event.name)).unwrap_or(block.len());
    events.sort_by_key(order);
    let rows = events.iter().map(|event| {
        let says = written.get(event.name.as_str()).copied().unwrap_or(UNWRITTEN);
        [format!("`{}`", event.name), says.to_owned()]
    });
    let expected = table(["event", "when"], rows);
    assert_block("events", &expected);
    assert!(expected.lines().count() > 50 && !expected.contains(&format!("| {UNWRITTEN} |")), "{expected}");
}

#[test]
fn the_usual_names_of_attributes_are_those_of_the_program() {
    let source = fs::read_to_string("src/model/connection/mapping.rs").unwrap();
    let (_, lists) = source.split_once("const DEFAULT_ATTRIBUTE_NAMES").unwrap();
    let (_, lists) = lists.split_once(" = [").unwrap();
    let (lists, _) = lists.split_once("];").unwrap();
    let titles = ["Email attribute", "Name attribute", "Groups attribute"];
    let rows = titles.into_iter().zip(lists.split("&[").skip(1)).map(|(title, names)| {
        let names: Vec<String> =
            names.split('"').skip(1).step_by(2).map(|name| format!("`{name}`")).collect();
        [title.to_owned(), names.join(", ")]
    });
    assert_block("usual names", &table(["setting", "names that are looked for when it is empty"], rows));
}

/// Each row of pools, waits and retries names its constant, whose number stands in the row: in its own unit, or as minutes,
/// hours, days, KiB or MiB.
#[test]
fn pools_waits_and_retries_have_the_numbers_of_their_constants() {
    let document = fs::read_to_string("docs/security.md").unwrap();
    let mut held = 0;
    for row in document.lines().filter(|row| row.starts_with('|') && row.contains("<!-- ")) {
        let (told, comment) = row.split_once("<!-- ").unwrap();
        let (comment, _) = comment.split_once(" -->").unwrap();
        let numbers: Vec<u64> = numbers(told);
        let mut file = "";
        for word in comment.split([',', ' ', ':']).filter(|word| !word.is_empty()) {
            if word.ends_with(".rs") {
                file = word;
                continue;
            }
            let Some(value) = constant(file, word) else {
                // A literal, a function or a type that is named beside.
                assert!(!word.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{file} has no {word}");
                continue;
            };
            let units = [1, 60, 3_600, 86_400, 1_024, 1_048_576];
            let fits =
                |n: &u64| units.iter().any(|unit| n.is_multiple_of(*unit) && numbers.contains(&(n / unit)));
            let is_daily = told.contains("daily") || told.contains("hourly");
            assert!(is_daily || value.iter().any(fits), "{file} {word} is {value:?}, not as in {told}");
            held += 1;
        }
    }
    assert!(held > 40, "{held}");
}

/// The numbers of a constant, and their product.
fn constant(file: &str, name: &str) -> Option<Vec<u64>> {
    let source = fs::read_to_string(Path::new("src").join(file)).unwrap_or_else(|_| panic!("no src/{file}"));
    let (_, rest) = source.split_once(&format!("const {name}: "))?;
    let value = rest.split_once(" = ")?.1.split_once(';')?.0;
    let mut found = numbers(&value.replace('_', ""));
    found.push(found.iter().product());
    Some(found)
}

/// The whole numbers in a text; `4,096` is one.
fn numbers(text: &str) -> Vec<u64> {
    let text = text.replace(',', "");
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[test]
fn the_floors_are_those_of_the_map() {
    let map = fs::read_to_string("src/lib.rs").unwrap();
    let rows =
        map.lines().filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |")?.split_once(" | "));
    let rows = rows
        .filter(|(number, _)| number.parse::<u8>().is_ok())
        .map(|(number, who)| [number.to_owned(), who.replace("[`", "`").replace("`]", "`")]);
    assert_block("floors", &table(["floor", "who lives there"], rows));
}

#[test]
fn every_command_is_told() {
    let written = fs::read_to_string("docs/commands.md").unwrap();
    for (arguments, name) in [
        (&["--help"][..], "vestibule"),
        (&["jobs", "--help"], "vestibule jobs"),
        (&["user", "--help"], "vestibule user"),
        (&["limits", "--help"], "vestibule limits"),
        (&["session", "--help"], "vestibule session"),
        (&["organisation", "--help"], "vestibule organisation"),
        (&["permission", "--help"], "vestibule permission"),
        (&["app", "--help"], "vestibule app"),
    ] {
        let help = run_program::<&str, &str>(arguments, []).out;
        let (_, commands) = help.split_once("Commands:\n").unwrap();
        let commands: Vec<&str> = commands
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|word| !word.is_empty()))
            .filter(|word| *word != "help")
            .collect();
        assert!(!commands.is_empty(), "{help}");
        for command in commands {
            assert!(
                written.contains(&format!("`{name} {command}")),
                "{name} {command} is not in docs/commands.md"
            );
        }
    }
}

#[test]
fn the_readme_is_short_and_opens_with_what_it_is_pictures_and_two_commands() {
    assert!(README.lines().count() <= 150);
    let (first, rest) = README.split_once("```sh\n").unwrap();
    assert_eq!(first.matches("<picture>").count(), 3);
    let commands = rest.split_once("```").unwrap().0.lines().filter_map(|line| line.split(' ').next());
    assert_eq!(commands.collect::<Vec<_>>(), ["bin/run", "bin/test"]);
}

#[test]
fn every_link_and_picture_leads_somewhere() {
    let documents = documents();
    let anchors = |text: &str| -> Vec<String> {
        let titles = text.lines().filter(|line| line.starts_with('#'));
        titles
            .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
            .map(|title| title.replace(|c: char| !c.is_alphanumeric() && !"-_".contains(c), ""))
            .collect()
    };
    for (path, text) in &documents {
        let ends = [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')];
        let links = ends.iter().flat_map(|(start, end)| {
            text.split(start).skip(1).filter_map(move |rest| rest.split(*end).next())
        });
        for link in links.filter(|link| !link.contains("://") && !link.contains(' ')) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            assert!(target.exists(), "{}: {link}", path.display());
            if !anchor.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                assert!(anchors(&text).iter().any(|found| found == anchor), "{}: {link}", path.display());
            }
        }
    }
}

fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(N));
    for row in rows {
        let cells = row.map(|cell| cell.replace('|', "\\|"));
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

/// Which document has `<!-- name -->`, and what stands there until `<!-- /name -->`.
pub fn block(name: &str) -> (PathBuf, String) {
    let mut found = documents().into_iter().filter_map(|(path, text)| {
        let (_, rest) = text.split_once(&format!("<!-- {name} -->\n"))?;
        let (block, _) = rest.split_once(&format!("<!-- /{name} -->")).unwrap();
        Some((path, block.to_owned()))
    });
    let block = found.next().unwrap_or_else(|| panic!("no document has the block {name}"));
    assert_eq!(found.next(), None, "{name} stands twice");
    block
}

#[track_caller]
pub fn assert_block(name: &str, expected: &str) {
    let (path, written) = block(name);
    assert!(
        written == expected,
        "{} says something else. Put this between its markers:\n\n<!-- {name} -->\n{expected}<!-- /{name} -->\n",
        path.display()
    );
}
