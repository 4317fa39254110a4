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

pub use engine::can_be_one;
use words::{BARE, BOTS, DISGUISED, PARTICULAR, PLAIN, PROGRAMS, TEXT_BROWSERS};

/// What stands in [`Device::browser`] or [`Device::os`] where the user agent does not say.
pub const UNKNOWN: &str = "Unknown";

/// How much of a user agent is read, in characters. Real ones stay under 400.
const READ: usize = 512;

static PARSER: Parser = Parser {};

/// A browser or a program, and what it runs on. Each field is at most 64 characters of plain text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
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
pub enum DeviceKind {
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
    pub fn of(user_agent: &str) -> Device {
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
    pub fn name_of(browser: &str, os: &str) -> String {
        Self { browser: browser.to_owned(), os: os.to_owned(), kind: DeviceKind::Unknown }.name()
    }

    /// The device in a few words, fit to stand alone or after "from": "Chrome on macOS", "curl".
    pub fn name(&self) -> String {
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
    pub fn as_str(self) -> &'static str {
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
mod tests {
    use super::*;
    use DeviceKind::*;

    const WEBKIT: &str = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
    const BLINK: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";

    /// User agent (`{W}` and `{B}` stand for the two engines), name, kind.
    const SEEN: &[(&str, &str, DeviceKind)] = &[
        // As short as curl users write them.
        ("Chrome/120 macOS", "Chrome on macOS", Computer),
        ("Safari/17 iPhone", "Safari on iPhone", Phone),
        ("Safari/17 iPad", "Safari on iPad", Tablet),
        ("Safari/17 iOS", "Safari on iPhone", Phone),
        ("Firefox/121 Linux", "Firefox on Linux", Computer),
        ("Firefox/121 Windows", "Firefox on Windows", Computer),
        ("Edge/120 Windows", "Edge on Windows", Computer),
        ("Chrome/120 Android", "Chrome on Android", Phone),
        ("Chrome", "Chrome", Unknown),
        // Computers, with today's frozen versions.
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/131.0.0.0 Safari/537.36",
            "Chrome on Windows",
            Computer,
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {B} Chrome/131.0.0.0 Safari/537.36",
            "Chrome on macOS",
            Computer,
        ),
        ("Mozilla/5.0 (X11; Linux x86_64) {B} Chrome/131.0.0.0 Safari/537.36", "Chrome on Linux", Computer),
        (
            "Mozilla/5.0 (X11; Linux x86_64) {B} HeadlessChrome/131.0.0.0 Safari/537.36",
            "Chrome on Linux",
            Computer,
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {B} Chrome/131.0.0.0 Safari/537.36",
            "Chrome on ChromeOS",
            Computer,
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {W} Version/18.1 Safari/605.1.15",
            "Safari on macOS",
            Computer,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "Firefox on Windows",
            Computer,
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:133.0) Gecko/20100101 Firefox/133.0",
            "Firefox on macOS",
            Computer,
        ),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "Firefox on Linux",
            Computer,
        ),
        (
            "Mozilla/5.0 (X11; OpenBSD amd64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "Firefox on OpenBSD",
            Computer,
        ),
        (
            "Mozilla/5.0 (X11; FreeBSD amd64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "Firefox on FreeBSD",
            Computer,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
            "Edge on Windows",
            Computer,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/131.0.0.0 Safari/537.36 OPR/115.0.0.0",
            "Opera on Windows",
            Computer,
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) {B} Chrome/131.0.0.0 Safari/537.36 Vivaldi/7.0",
            "Vivaldi on Linux",
            Computer,
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {W} Version/18.1 Safari/605.1.15 Ddg/18.1",
            "DuckDuckGo on macOS",
            Computer,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
            "Internet Explorer on Windows",
            Computer,
        ),
        ("Opera/9.80 (Windows NT 6.1; U; en) Presto/2.10.289 Version/12.02", "Opera on Windows", Computer),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "A browser on macOS", Computer),
        // Phones and tablets.
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {W} Version/18.1 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
            Phone,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {W} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1",
            "Chrome on iPhone",
            Phone,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {W} FxiOS/133.0 Mobile/15E148 Safari/605.1.15",
            "Firefox on iPhone",
            Phone,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {W} Version/18.0 EdgiOS/131.0 Mobile/15E148 Safari/604.1",
            "Edge on iPhone",
            Phone,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {W} Mobile/15E148",
            "An app on iPhone",
            Phone,
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) {W} Version/12.1 Mobile/15E148 Safari/604.1",
            "Safari on iPad",
            Tablet,
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {W} Version/18.1 Mobile/15E148 Safari/604.1",
            "Safari on iPad",
            Tablet,
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {W} CriOS/131 Version/11.1.1 Safari/605.1.15",
            "Chrome on iPad",
            Tablet,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) {B} Chrome/131.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
            Phone,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) {B} Chrome/131.0.0.0 Safari/537.36",
            "Chrome on Android",
            Tablet,
        ),
        ("Mozilla/5.0 (Android 15; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0", "Firefox on Android", Phone),
        (
            "Mozilla/5.0 (Android 15; Tablet; rv:133.0) Gecko/133.0 Firefox/133.0",
            "Firefox on Android",
            Tablet,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) {B} SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
            Phone,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) {B} Chrome/131.0.0.0 Mobile Safari/537.36 EdgA/131.0.0.0",
            "Edge on Android",
            Phone,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) {B} Chrome/131.0.0.0 Mobile Safari/537.36 OPR/86.0.0.0",
            "Opera on Android",
            Phone,
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) {B} Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36",
            "An app on Android",
            Phone,
        ),
        // Browsers without pictures, or nearly.
        ("Lynx/2.9.0dev.10 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.7.1", "Lynx", Computer),
        ("Lynx/2.8.9rel.1 libwww-FM/2.14", "Lynx", Computer),
        ("w3m/0.5.3+git20230121", "w3m", Computer),
        ("Links (2.29; Linux 6.1.0 x86_64; GNU C 12.2; text)", "Links on Linux", Computer),
        ("Links (2.21; FreeBSD 13.1 amd64; text)", "Links on FreeBSD", Computer),
        ("ELinks/0.16.1.1 (textmode; Linux 6.1.0 x86_64; 190x50-3)", "ELinks on Linux", Computer),
        ("ELinks (0.13.GIT; Linux 5.4 i686; 80x24)", "ELinks on Linux", Computer),
        ("Dillo/3.0.5", "Dillo", Computer),
        ("NetSurf/3.10 (Linux)", "NetSurf on Linux", Computer),
        ("Emacs-w3m/1.4.632 w3m/0.5.3", "Emacs", Computer),
        ("URL/Emacs Emacs/29.1 (X11; x86_64-pc-linux-gnu)", "Emacs on Linux", Computer),
        ("Offpunk/2.4", "Offpunk", Computer),
        ("edbrowse/3.8.2", "edbrowse", Computer),
        ("retawq/0.2.6c [en] (text)", "retawq", Computer),
        // Programs.
        ("curl/8.11.0", "curl", Program),
        ("Wget/1.21.4", "Wget", Program),
        ("HTTPie/3.2.4", "HTTPie", Program),
        ("python-requests/2.32.3", "Python Requests", Program),
        ("okhttp/4.12.0", "OkHttp", Program),
        ("PostmanRuntime/7.43.0", "Postman", Program),
        ("Go-http-client/1.1", "Go", Program),
        ("Java/21.0.1", "Java", Program),
        ("Apache-HttpClient/4.5.14 (Java/17.0.9)", "Java", Program),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot", Program),
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "Bingbot", Program),
        ("Mozilla/5.0 (compatible; ExampleBot/1.0; +http://example.com/bot)", "A bot", Program),
        ("Our-Own-App/1.0 CFNetwork/1568 Darwin/24.1.0", "A program", Program),
        ("You-have-won.example/1.0", "A program", Program),
        // Nothing to go by.
        ("", "An unknown device", Unknown),
        ("-", "An unknown device", Unknown),
        ("Mozilla/5.0", "An unknown device", Unknown),
        ("hello", "An unknown device", Unknown),
        ("<script>alert(1)</script>", "An unknown device", Unknown),
        ("\u{202e}\u{0}\u{1b}[31m\r\nSet-Cookie: a=b", "An unknown device", Unknown),
    ];

    #[test]
    fn people_recognise_their_devices() {
        let mut wrong = String::new();
        for (agent, name, kind) in SEEN {
            let device = Device::of(&agent.replace("{W}", WEBKIT).replace("{B}", BLINK));
            if (device.name().as_str(), device.kind) != (*name, *kind) {
                wrong +=
                    &format!("\n{agent}\n  reads {:?}, {}; not {name:?}, {kind}", device.name(), device.kind);
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    #[test]
    fn browser_and_system_are_told_apart() {
        let device = Device::of("Chrome/120 macOS");
        assert_eq!((device.browser.as_str(), device.os.as_str()), ("Chrome", "macOS"));
        let device = Device::of("curl/8.11.0");
        assert_eq!((device.browser.as_str(), device.os.as_str()), ("curl", UNKNOWN));
    }

    #[test]
    fn a_strangers_words_never_become_the_name() {
        let rubbish = [
            "x".repeat(10_000),
            "Chrome/".repeat(2_000),
            format!("Mozilla/5.0 ({}) Chrome/1", "\u{200b}é\u{7f}".repeat(4_000)),
            "Chrome/1 \u{202e}<b>Visit evil.example</b> macOS".into(),
            "Visit-evil.example/1 Windows".into(),
            "KDDI-evil.example UP.Browser/6 DoCoMo/2.0 evil.example(c100;FOMA;)".into(),
            (1..=255u8).map(char::from).collect(),
        ];
        for agent in &rubbish {
            let device = Device::of(agent);
            for field in [&device.browser, &device.os, &device.name()] {
                assert!(field.chars().count() <= 64 && field.is_ascii(), "{field:?}");
                assert!(!field.contains(|c: char| c.is_control() || "<>&\"'".contains(c)), "{field:?}");
                assert!(!field.contains("evil"), "{field:?}");
            }
        }
    }

    #[test]
    fn every_beginning_of_a_user_agent_can_be_read() {
        for (agent, ..) in SEEN {
            for (end, _) in agent.char_indices() {
                Device::of(&agent[..end]);
                Device::of(&agent[end..]);
            }
        }
    }

    #[test]
    fn kinds_survive_the_trip_through_text() {
        for kind in [Computer, Phone, Tablet, Program, Unknown] {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).ok(), Some(kind.as_str().into()));
        }
        assert_eq!("toaster".parse(), Ok(Unknown));
    }
}
