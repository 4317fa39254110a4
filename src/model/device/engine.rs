//! What a device cannot change by itself: which engine its browsers are built on, and whose system it runs.

use super::{Device, DeviceKind};

/// What draws the pages, whatever the browser around it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    WebKit,
    Blink,
    Gecko,
    Trident,
    Presto,
}

/// Systems that are one to their browsers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Ios,
    MacOs,
    Windows,
    Android,
    Unix,
}

// How user agents tell their engine, the most particular sign first: each claims to be those that came before it. Where
// WebKit's number stands, it says more than any brand: Blink froze it when it left.
const ENGINES: &[(&str, Engine)] = &[
    ("Trident/", Engine::Trident),
    ("MSIE ", Engine::Trident),
    ("Presto/", Engine::Presto),
    ("Opera/", Engine::Presto),
    ("AppleWebKit/537.36", Engine::Blink),
    ("AppleWebKit/", Engine::WebKit),
    ("Firefox", Engine::Gecko),
    ("Gecko/", Engine::Gecko),
    ("Goanna/", Engine::Gecko),
    ("Chrome", Engine::Blink),
    ("Chromium", Engine::Blink),
    ("Edg", Engine::Blink),
    ("OPR/", Engine::Blink),
    ("SamsungBrowser", Engine::Blink),
    ("Brave", Engine::Blink),
    ("Safari", Engine::WebKit),
];

// Engines without a person in front of them (lower case), which print or test a page with the cookie of its user.
const RENDERERS: &[&str] = &[
    "headless",
    "prerender",
    "rendertron",
    "lighthouse",
    "wkhtmlto",
    "phantomjs",
    "slimerjs",
    "splash",
    "puppeteer",
    "playwright",
    "cypress",
    "selenium",
    "electron",
];

/// Whether one device can have sent both user agents. Only another engine on another family of systems says no.
///
/// A browser changes its name by itself: the desktop site, for which an iPhone is a Mac and an Android phone is Linux, an
/// app that shows a page, another mode, a newer version, a name that privacy froze. None of these changes its engine, but
/// for modes within one system. And what passes its cookie on, a proxy or a program, may give a name of its own, or none.
pub(crate) fn can_be_one(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    match (traits(one), traits(other)) {
        (Some((engine, family)), Some((other_engine, other_family))) => {
            engine == other_engine || family == other_family
        }
        _ => true,
    }
}

/// Engine and family of a browser; nothing for a program, and where either is not told.
fn traits(agent: &str) -> Option<(Engine, Family)> {
    let device = Device::of(agent);
    let lower = agent.to_ascii_lowercase();
    if device.kind == DeviceKind::Program || RENDERERS.iter().any(|name| lower.contains(name)) {
        return None;
    }
    let family = match device.os.as_str() {
        // Apple lets no other engine onto these.
        "iPhone" | "iPad" | "iPod" => return Some((Engine::WebKit, Family::Ios)),
        "macOS" => Family::MacOs,
        "Windows" | "Windows Phone" | "Xbox" => Family::Windows,
        "Android" | "HarmonyOS" | "Quest" | "KaiOS" | "Firefox OS" => Family::Android,
        "Linux" | "ChromeOS" | "FreeBSD" | "OpenBSD" | "NetBSD" => Family::Unix,
        _ => return None,
    };
    let (_, engine) = ENGINES.iter().find(|(sign, _)| agent.contains(sign))?;
    // Safari froze WebKit's number in 2018. Another one on a computer is the desktop site of some browser on a phone, which
    // wears an old name.
    let is_worn = *engine == Engine::WebKit && !agent.contains("AppleWebKit/605.1.");
    (!is_worn).then_some((*engine, family))
}
