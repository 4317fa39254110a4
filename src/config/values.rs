//! One value at a time: a text, a number, a span, networks. What cannot be read is noted, with what to write instead.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
};

use chrono::TimeDelta;
use ipnet::{IpNet, Ipv4Net};

use super::insecure::Insecurity;

/// The texts of the settings by name, and what is wrong with them so far.
#[derive(Default)]
pub(crate) struct Reader {
    /// By name, as they were written.
    pub values: BTreeMap<String, String>,
    /// What `ALLOW_INSECURE` names.
    pub allowed: Vec<Insecurity>,
    /// What the program does not start with, a sentence each.
    pub problems: Vec<String>,
    /// What is said at start and by `doctor`, a sentence each.
    pub warnings: Vec<String>,
    /// The settings whose file is of no use: a sentence says so already.
    pub unreadable: BTreeSet<String>,
    /// The variables for libpq that are set: they say where it connects, and how, beside the address.
    pub libpq: Vec<&'static str>,
    /// What was read so far, defaults included, as it may be written.
    pub held: BTreeMap<&'static str, String>,
    /// Whether nothing is to be made that is not there, such as development's key.
    pub only_looks: bool,
    /// Whether the secret key is one that this process made, and nobody kept.
    pub has_passing_key: bool,
}

impl Reader {
    /// What was written, unless it is blank, without the quotes that env files of containers keep around a value.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let value = trimmed(self.values.get(name)?);
        let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        let value = trimmed(unquoted.unwrap_or(value));
        if value.is_empty() { None } else { Some(value.to_owned()) }
    }

    /// The items between commas, or on lines of their own.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// A whole number in `range`.
    pub(crate) fn whole<T>(&mut self, name: &'static str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let number = self.whole_or(name, default, range);
        self.held.insert(name, number.to_string());
        number
    }

    fn whole_or<T>(&mut self, name: &'static str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(text) = self.text(name) else { return default };
        if let Some(number) = text.parse().ok().filter(|number| range.contains(number)) {
            return number;
        }
        let digits: String = text.chars().filter(|c| !matches!(c, '_' | ',' | '\'' | ' ')).collect();
        match digits.parse::<T>().ok().filter(|number| digits != text && range.contains(number)) {
            Some(number) => self.problem(name, &text, &format!("digits only: {number}")),
            None => {
                let (least, most) = (range.start(), range.end());
                self.problem(name, &text, &format!("a whole number from {least} to {most}"));
            }
        }
        default
    }

    /// The value of one of these words, in upper or lower case.
    pub(crate) fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        self.choice_or(name, choices, &words.join(" or "))
    }

    fn choice_or<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)], expected: &str) -> Option<T> {
        let text = self.text(name)?;
        let found =
            choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text)).map(|(_, value)| *value);
        if found.is_none() {
            self.problem(name, &text, expected);
        }
        found
    }

    /// On or off.
    pub(crate) fn switch(&mut self, name: &'static str, default: bool) -> bool {
        let words = [
            ("on", true),
            ("off", false),
            ("yes", true),
            ("no", false),
            ("true", true),
            ("false", false),
            ("1", true),
            ("0", false),
        ];
        let is_on = self.choice_or(name, &words, "on or off").unwrap_or(default);
        self.held.insert(name, if is_on { "on" } else { "off" }.to_owned());
        is_on
    }

    /// A time such as `30m`.
    pub(crate) fn span(&mut self, name: &'static str, default: &str) -> TimeDelta {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        self.held.insert(name, text.clone());
        parse_span(&text).unwrap_or_else(|| {
            let expected = match span_meant(&text) {
                Some(meant) => meant,
                None => format!("a whole number and s, m, h or d, such as {default}, up to 3650d"),
            };
            self.problem(name, &text, &expected);
            TimeDelta::zero()
        })
    }

    /// The same, or `off`.
    pub(crate) fn span_or_off(&mut self, name: &'static str, default: &str) -> Option<TimeDelta> {
        if self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("off")) {
            self.held.insert(name, "off".to_owned());
            return None;
        }
        Some(self.span(name, default))
    }

    /// A span of so many seconds; `0s` where that is among them.
    pub(crate) fn span_within(
        &mut self,
        name: &'static str,
        default: &str,
        seconds: RangeInclusive<i64>,
    ) -> TimeDelta {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        self.held.insert(name, text.clone());
        let span = if text == "0s" { Some(TimeDelta::zero()) } else { parse_span(&text) };
        span.filter(|span| seconds.contains(&span.num_seconds())).unwrap_or_else(|| {
            self.problem(name, &text, &format!("{}s to {}s", seconds.start(), seconds.end()));
            TimeDelta::zero()
        })
    }

    /// An address and a port, with what is usually left out of it put back in for the advice.
    pub(crate) fn socket(&mut self, name: &'static str, example: SocketAddr) -> Option<SocketAddr> {
        let text = self.text(name)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let meant = socket_meant(&text, example).unwrap_or(example);
            self.problem(name, &text, &format!("an address in digits and a port, such as {meant}"));
        }
        parsed
    }

    /// Networks and single addresses, or none.
    pub(crate) fn networks(&mut self, name: &'static str, default: &[&str]) -> Vec<IpNet> {
        let given = self.text(name);
        let words: Vec<&str> = match &given {
            None => default.to_vec(),
            Some(text) => text.split([',', ' ']).filter(|word| !word.is_empty() && *word != "none").collect(),
        };
        let mut networks = Vec::new();
        for word in words {
            match word.parse::<IpNet>().or_else(|_| word.parse::<IpAddr>().map(IpNet::from)) {
                Ok(network) => {
                    if network.addr() != network.network() {
                        self.warnings.push(format!(
                            "{name} holds `{network}`, and so all of {}. Write {} where the one address is meant.",
                            network.trunc(),
                            network.addr()
                        ));
                    }
                    networks.push(unmapped(network.trunc()));
                }
                Err(_) if word == "localhost" => self.problem(name, word, "127.0.0.1, ::1"),
                Err(_) => self.problem(name, word, "networks such as 10.0.0.0/8, or none"),
            }
        }
        let words: Vec<String> = networks.iter().map(ToString::to_string).collect();
        self.held.insert(name, if words.is_empty() { "none".to_owned() } else { words.join(", ") });
        networks
    }

    /// Notes that a setting is `found`, and what to write instead.
    pub(crate) fn problem(&mut self, name: &str, found: &str, expected: &str) {
        let shown: String = found.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
        let cut = if shown.len() < found.len() { "…" } else { "" };
        let tidy = match found {
            _ if found.contains(" #") => ", with no comment behind it",
            _ if found.starts_with(['"', '\'']) || found.ends_with(['"', '\'']) => ", without quotes",
            _ => "",
        };
        self.problems.push(format!("{name} is `{shown}{cut}`. Write {expected}{tidy}."));
    }
}

// How much of a wrong value is repeated.
const SHOWN: usize = 120;

/// Without blanks around it, nor the marks that no editor shows.
fn trimmed(value: &str) -> &str {
    value.trim_matches(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{feff}' | '\u{200b}'))
}

const UNITS: [(&str, i64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// `30m` → 30 minutes; more than zero, at most ten years.
pub(crate) fn parse_span(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().next_back()?;
    let number: i64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    let (_, seconds) = UNITS.iter().find(|(name, _)| name.starts_with(unit))?;
    let total = number.checked_mul(*seconds)?;
    (1..=315_360_000).contains(&total).then(|| TimeDelta::seconds(total))
}

/// `15 minutes` → `15m`, `1.5h` → `90m`, `15` → `15m or 15s`.
fn span_meant(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let amount: f64 = number.parse().ok().filter(|amount| *amount > 0.0)?;
    let seconds = match unit.trim().to_lowercase().as_str() {
        "" if number.contains('.') => return None,
        "" => return Some(format!("{number}m or {number}s, with its unit")),
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return None,
    };
    let total = (amount * seconds).round() as i64;
    let (unit, size) = UNITS.iter().find(|(_, size)| total % size == 0)?;
    let meant = format!("{}{unit}", total / size);
    parse_span(&meant).map(|_| meant)
}

/// `3000`, `:3000`, `localhost:3000`, `127.0.0.1`, `http://…` → the address that was meant.
fn socket_meant(text: &str, example: SocketAddr) -> Option<SocketAddr> {
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/');
    let named = match bare.rsplit_once(':') {
        // `::1:3000` is an address as well, and nobody means it.
        Some((host, port)) if port.len() > 2 && host.contains(':') && host.parse::<IpAddr>().is_ok() => {
            Some((host, port))
        }
        _ if bare.parse::<IpAddr>().is_ok() => None,
        Some((host, port)) => Some((host, port)),
        None => Some(("", bare)),
    };
    let Some((host, port)) = named else {
        return Some(SocketAddr::new(bare.parse().ok()?, example.port()));
    };
    let ip = match host {
        "*" => IpAddr::from([0, 0, 0, 0]),
        "" if bare.starts_with(':') => IpAddr::from([0, 0, 0, 0]),
        host => host.parse().unwrap_or(example.ip()),
    };
    Some(SocketAddr::new(ip, port.parse().ok()?))
}

/// A network of IPv4 that is written as IPv6 (RFC 4291 §2.5.5.2) is the same one: clients are compared as IPv4.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let mapped = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    mapped.and_then(|(ip, length)| Ipv4Net::new(ip, length).ok()).map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_is_refused_is_written_as_it_was_meant() {
        for (text, meant) in [
            ("15 minutes", Some("15m")),
            ("15", Some("15m or 15s, with its unit")),
            ("1.5h", Some("90m")),
            ("1.5 days", Some("36h")),
            ("2 weeks", Some("14d")),
            ("90 SECONDS", Some("90s")),
            ("120s ", Some("2m")),
            ("30 Min", Some("30m")),
            ("0.5s", Some("1s")),
            ("1.5", None),
            ("0 minutes", None),
            ("-5m", None),
            ("3 months", None),
            ("500ms", None),
            ("99999999999d", None),
            ("½h", None),
            ("", None),
        ] {
            assert_eq!(span_meant(text).as_deref(), meant, "{text}");
            assert!(!text.is_empty() || parse_span(text).is_none());
        }
    }

    #[test]
    fn an_address_that_is_refused_is_written_as_it_was_meant() {
        let example = SocketAddr::from(([127, 0, 0, 1], 3000));
        for (text, meant) in [
            ("4000", Some("127.0.0.1:4000")),
            (":4000", Some("0.0.0.0:4000")),
            ("*:4000", Some("0.0.0.0:4000")),
            ("localhost:4000", Some("127.0.0.1:4000")),
            ("http://localhost:4000/", Some("127.0.0.1:4000")),
            ("10.0.0.5", Some("10.0.0.5:3000")),
            ("::1", Some("[::1]:3000")),
            ("tcp://0.0.0.0:80", Some("0.0.0.0:80")),
            ("127.0.0.1:99999", None),
            ("localhost", None),
            ("unix:/run/v.sock", None),
        ] {
            let expected = meant.map(|meant| meant.parse().unwrap());
            assert_eq!(socket_meant(text, example), expected, "{text}");
        }
    }
}
