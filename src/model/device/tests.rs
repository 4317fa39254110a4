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
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {W} Mobile/15E148", "An app on iPhone", Phone),
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
    ("Mozilla/5.0 (Linux; Android 10; K) {B} Chrome/131.0.0.0 Safari/537.36", "Chrome on Android", Tablet),
    ("Mozilla/5.0 (Android 15; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0", "Firefox on Android", Phone),
    ("Mozilla/5.0 (Android 15; Tablet; rv:133.0) Gecko/133.0 Firefox/133.0", "Firefox on Android", Tablet),
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
