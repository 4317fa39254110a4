//! The README says what the program does. Its tables are made here; a test that fails prints the whole block, to be
//! pasted between its markers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use vestibule::{
    accounts::{email_verification, magic_link},
    clock::span_in_words,
    config::{self, SETTINGS},
    error::Error,
    model::{
        password::{LONGEST, policy},
        rate_limit,
        recovery_code::{COUNT, FEW},
    },
    routes::entries,
};

use crate::harness::run_program;

const README: &str = include_str!("../../README.md");

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
        [
            format!("`{} {}`", entry.method, entry.path),
            in_words(&format!("{:?}", entry.access)),
            entry.does.to_owned(),
        ]
    });
    assert_block("routes", &table(["route", "who", "what it does"], rows));
}

#[test]
fn the_errors_are_those_of_the_program() {
    let written: BTreeMap<&str, &str> = block("errors")
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
                 them, and those made of the address, the name or the house's name, are refused",
                policy::SHORTEST,
                LONGEST
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
                magic_link::MOST_CODES
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
            "somebody who asked to be deleted",
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
        row("recovery codes", format!("{}, each once; at {} left pages ask for new ones", COUNT, FEW)),
        row("sign-ups", format!("{} an hour from one client", limits.signups_per_network)),
        row(
            "mails of one kind to one address",
            format!("{} a minute, {} an hour", limits.mails_per_minute, limits.mails_per_hour),
        ),
        row(
            "mails to an address that nobody confirmed",
            format!(
                "{} a day of all kinds, {} of them by one network (IPv4: /24, IPv6: /48)",
                rate_limit::MAILS_TO_UNCONFIRMED,
                rate_limit::MAILS_TO_UNCONFIRMED_BY_ONE_NETWORK
            ),
        ),
        row(
            "accounts that wait for one address to be confirmed",
            format!(
                "{}; one more ends the oldest of the network that made the most",
                email_verification::MOST_UNVERIFIED
            ),
        ),
        row("a request body", format!("at most {} KiB", config.body_limit / 1024)),
    ];
    assert_block("numbers", &table(["what", "default"], rows));
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
    for (arguments, name) in [
        (&["--help"][..], "vestibule"),
        (&["jobs", "--help"], "vestibule jobs"),
        (&["user", "--help"], "vestibule user"),
        (&["limits", "--help"], "vestibule limits"),
        (&["session", "--help"], "vestibule session"),
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
            assert!(README.contains(&format!("`{name} {command}")), "{name} {command} is not in the README");
        }
    }
}

#[test]
fn the_tour_with_curl_knocks_at_doors_that_exist() {
    let (_, tour) = README.split_once("### With curl").unwrap();
    let (tour, _) = tour.split_once("\n### ").unwrap();
    let paths: Vec<String> = tour
        .split("$BASE/")
        .skip(1)
        .map(|rest| {
            let path = rest.split([' ', '?', '"', '\n', ')']).next().unwrap();
            format!("/{}", path.replace("$PHONE", "{id}"))
        })
        .collect();
    assert!(paths.len() > 5, "{paths:?}");
    for path in paths {
        assert!(entries().iter().any(|entry| entry.path == path), "{path}");
    }
}

/// Whoever copies one block after the other into a shell has what each of them uses.
#[test]
fn every_variable_of_a_shell_block_was_set_before() {
    let blocks = README.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
    let mut set: BTreeSet<&str> = BTreeSet::new();
    for line in blocks.flat_map(str::lines).filter(|line| !line.starts_with('#')) {
        for used in line.split('$').skip(1) {
            let name = &used[..used.find(|c| !is_name(c)).unwrap_or(used.len())];
            assert!(name.is_empty() || set.contains(name), "${name} is not set where it is used: {line}");
        }
        set.extend(line.split_once('=').map(|(name, _)| name).filter(|name| name.chars().all(is_name)));
    }
    assert!(set.contains("BASE") && set.len() > 3, "{set:?}");
}

#[test]
fn it_opens_with_two_commands_and_its_links_lead_somewhere() {
    let fence = README.split("```").nth(1).unwrap();
    let commands: Vec<&str> = fence.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(commands, ["bin/run", "bin/test"]);
    assert!(README.lines().position(|line| line.starts_with("```")).unwrap() < 3);
    let anchors: Vec<String> = README
        .lines()
        .filter_map(|line| line.strip_prefix('#').map(|line| line.trim_start_matches('#').trim()))
        .map(|title| title.to_lowercase().replace(' ', "-").replace([',', '.', '`'], ""))
        .collect();
    for link in README.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let leads_somewhere = match link.strip_prefix('#') {
            Some(anchor) => anchors.iter().any(|title| title == anchor),
            None => link.starts_with("https://") || Path::new(link).exists(),
        };
        assert!(leads_somewhere, "{link}");
    }
}

/// `SignedIn` → `signed in`.
fn in_words(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
    }
    words
}

fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(N));
    for row in rows {
        let cells = row.map(|cell| cell.replace('|', "\\|"));
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

/// What stands between `<!-- name -->` and `<!-- /name -->`.
fn block(name: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("<!-- {name} -->\n")).unwrap();
    rest.split_once(&format!("<!-- /{name} -->")).unwrap().0
}

#[track_caller]
fn assert_block(name: &str, expected: &str) {
    assert!(
        block(name) == expected,
        "README.md says something else. Put this between its markers:\n\n<!-- {name} -->\n{expected}<!-- /{name} -->\n"
    );
}
