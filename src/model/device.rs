//! What somebody signs in with, in the words they would use for it: "Chrome on macOS", "Safari on iPhone".
//!
//! Every word comes from this file, never from the header: a user agent is written by a stranger, and the
//! device's name stands in emails to people who did not ask for them.

mod engine;
mod words;

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use woothee::parser::Parser;

pub(crate) use engine::can_be_one;
use words::{BARE, BOTS, DISGUISED, PARTICULAR, PLAIN, PROGRAMS, TEXT_BROWSERS};

/// What stands in [`Device::browser`] or [`Device::os`] where the user agent does not say.
pub(crate) const UNKNOWN: &str = "Unknown";

/// How much of a user agent is read, in characters. Real ones stay under 400.
const READ: usize = 512;

static PARSER: Parser = Parser {};

/// A browser or a program, and what it runs on. Each field is at most 64 characters of plain text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Device {
    /// The browser or program as people call it, without its version, or [`UNKNOWN`].
    pub browser: String,
    /// The system, or the device where people know that better (`iPhone`), or [`UNKNOWN`].
    pub os: String,
    /// What sort of thing it is.
    pub kind: DeviceKind,
}

/// What sort of thing a [`Device`] is; in rows and JSON the lower-case word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeviceKind {
    /// A desktop or laptop computer.
    Computer,
    /// A telephone.
    Phone,
    /// A tablet.
    Tablet,
    /// Something without a person in front of it: a command, a library, a bot.
    Program,
    /// Anything else, and whatever does not say.
    #[default]
    Unknown,
}

impl Device {
    /// Reads a `User-Agent` header. Never fails: what it cannot place is [`UNKNOWN`].
    pub(crate) fn of(user_agent: &str) -> Device {
        let agent: String = user_agent.chars().take(READ).filter(|c| !c.is_control()).collect();
        let agent = agent.trim();
        let parsed = PARSER.parse(agent).unwrap_or_default();

        if let Some(program) = program(agent, parsed.category) {
            return Device { browser: program.into(), os: UNKNOWN.into(), kind: DeviceKind::Program };
        }
        let browser = browser(agent, parsed.name);
        let os = os(agent, parsed.os);
        Device { browser: browser.into(), os: os.into(), kind: kind(agent, os) }
    }

    /// What is kept of one, in a few words.
    pub(crate) fn name_of(browser: &str, os: &str) -> String {
        Self { browser: browser.to_owned(), os: os.to_owned(), kind: DeviceKind::Unknown }.name()
    }

    /// The device in a few words, fit to stand alone or after "from": "Chrome on macOS", "curl".
    pub(crate) fn name(&self) -> String {
        let (knows_browser, knows_os) = (self.browser != UNKNOWN, self.os != UNKNOWN);
        match (self.kind, knows_browser, knows_os) {
            (DeviceKind::Program, false, _) => "A program".into(),
            (DeviceKind::Program, true, _) | (_, true, false) => self.browser.clone(),
            (_, true, true) => format!("{} on {}", self.browser, self.os),
            (_, false, true) => format!("A browser on {}", self.os),
            (_, false, false) => "An unknown device".into(),
        }
    }
}

impl DeviceKind {
    /// The word kept in rows and shown in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            DeviceKind::Computer => "computer",
            DeviceKind::Phone => "phone",
            DeviceKind::Tablet => "tablet",
            DeviceKind::Program => "program",
            DeviceKind::Unknown => "unknown",
        }
    }
}

impl FromStr for DeviceKind {
    type Err = Infallible;

    /// Reads [`DeviceKind::as_str`] back. A word that it does not know is [`DeviceKind::Unknown`].
    fn from_str(word: &str) -> Result<DeviceKind, Infallible> {
        Ok(match word {
            "computer" => DeviceKind::Computer,
            "phone" => DeviceKind::Phone,
            "tablet" => DeviceKind::Tablet,
            "program" => DeviceKind::Program,
            _ => DeviceKind::Unknown,
        })
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What to call it, if this is a program and no browser: [`UNKNOWN`] where it is nobody we know.
fn program(agent: &str, category: &str) -> Option<&'static str> {
    if let Some(bot) = find(agent, BOTS) {
        return Some(bot);
    }
    if category == "crawler" {
        return Some("A bot");
    }
    let lower = agent.to_ascii_lowercase();
    if let Some((_, program)) = PROGRAMS.iter().find(|(start, _)| lower.starts_with(start)) {
        return Some(program);
    }
    let is_browser = lower.starts_with("mozilla/") || browser(agent, "") != UNKNOWN;
    let (product, _) = agent.split_once('/')?;
    let is_product = (1..=40).contains(&product.len())
        && product.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+ ".contains(&b));
    (is_product && !is_browser).then_some(UNKNOWN)
}

fn browser(agent: &str, parsed: &str) -> &'static str {
    if let Some(browser) = text_browser(agent).or_else(|| find(agent, DISGUISED)) {
        return browser;
    }
    match parsed {
        "Chrome" => "Chrome",
        "Firefox" => "Firefox",
        // Only Apple's own sign with a version; an Android browser that claims Safari is the old stock one.
        "Safari" if agent.contains("Android") => "Android Browser",
        "Safari" => "Safari",
        "Internet Explorer" => "Internet Explorer",
        "Sleipnir" => "Sleipnir",
        "Webview" => "An app",
        _ => find(agent, PLAIN).unwrap_or(UNKNOWN),
    }
}

fn os(agent: &str, parsed: &str) -> &'static str {
    if let Some(os) = find(agent, PARTICULAR) {
        return os;
    }
    match parsed {
        // An iPad asks for desktop pages by calling itself a Mac. No Mac says Mobile or runs an iOS browser.
        "Mac OSX" if ["Mobile/", "CriOS/", "FxiOS/", "EdgiOS/"].iter().any(|sign| agent.contains(sign)) => {
            "iPad"
        }
        "Mac OSX" | "Mac OS Classic" => "macOS",
        "iPhone" => "iPhone",
        "iPad" => "iPad",
        "iPod" => "iPod",
        "Android" => "Android",
        "Linux" => "Linux",
        "Firefox OS" => "Firefox OS",
        "BlackBerry" | "BlackBerry 10" => "BlackBerry",
        "SymbianOS" => "Symbian",
        "Xbox 360" | "Xbox One" => "Xbox",
        _ if parsed.starts_with("Windows") => "Windows",
        _ if parsed.starts_with("PlayStation") || agent.contains("PlayStation") => "PlayStation",
        _ if parsed.starts_with("Nintendo") || agent.contains("Nintendo") => "Nintendo",
        _ => find(agent, BARE).unwrap_or(UNKNOWN),
    }
}

fn kind(agent: &str, os: &str) -> DeviceKind {
    match os {
        "iPhone" | "iPod" | "Windows Phone" | "KaiOS" | "BlackBerry" | "Symbian" => DeviceKind::Phone,
        "iPad" => DeviceKind::Tablet,
        // Google's advice to sites: a phone says "Mobile", a tablet does not.
        "Android" | "HarmonyOS" | "Firefox OS" if agent.contains("Mobile") => DeviceKind::Phone,
        // Too short to be a real browser's, so "Mobile" may be missing for want of space.
        "Android" if !agent.starts_with("Mozilla/") && !agent.contains("Tablet") => DeviceKind::Phone,
        "Android" | "HarmonyOS" | "Firefox OS" => DeviceKind::Tablet,
        "Windows" | "macOS" | "Linux" | "ChromeOS" | "FreeBSD" | "OpenBSD" | "NetBSD" => DeviceKind::Computer,
        // They run in a terminal, and most do not say where.
        _ if text_browser(agent).is_some() => DeviceKind::Computer,
        _ => DeviceKind::Unknown,
    }
}

/// Browsers of few words and no disguise: their name stands first.
fn text_browser(agent: &str) -> Option<&'static str> {
    let lower = agent.to_ascii_lowercase();
    TEXT_BROWSERS.iter().find(|(start, _)| lower.starts_with(start)).map(|(_, browser)| *browser)
}

fn find(agent: &str, words: &[(&str, &'static str)]) -> Option<&'static str> {
    words.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, word)| *word)
}

#[cfg(test)]
mod tests;
