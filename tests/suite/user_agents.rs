//! One device says several names: only what cannot be the same device ends a session.

use serde_json::json;

use crate::harness::{PASSWORD, TestApp, Visitor};

const WEBKIT: &str = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
const BLINK: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";

const IPHONE: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {W} Version/18.1 Mobile/15E148 Safari/604.1";
const IPHONE_CHROME: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {W} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1";
const IPHONE_APP: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {W} Mobile/15E148";
const IPHONE_FACEBOOK: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {W} Mobile/22B83 [FBAN/FBIOS;FBAV/490.0]";
const IPAD: &str =
    "Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) {W} Version/16.6 Mobile/15E148 Safari/604.1";
const MAC_SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {W} Version/18.1 Safari/605.1.15";
const MAC_CHROME: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {B} Chrome/131.0.0.0 Safari/537.36";
const MAC_FIREFOX: &str =
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:133.0) Gecko/20100101 Firefox/133.0";
const IPAD_CHROME_DESKTOP: &str =
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {W} CriOS/131 Version/11.1.1 Safari/605.1.15";
const ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K) {B} Chrome/131.0.0.0 Mobile Safari/537.36";
const ANDROID_OLD: &str =
    "Mozilla/5.0 (Linux; Android 13; Pixel 7) {B} Chrome/106.0.5249.126 Mobile Safari/537.36";
const ANDROID_TABLET: &str = "Mozilla/5.0 (Linux; Android 10; K) {B} Chrome/131.0.0.0 Safari/537.36";
const ANDROID_APP: &str =
    "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) {B} Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36";
const ANDROID_SAMSUNG: &str =
    "Mozilla/5.0 (Linux; Android 10; K) {B} SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36";
const SAMSUNG_DESKTOP: &str =
    "Mozilla/5.0 (X11; Linux x86_64) {B} SamsungBrowser/27.0 Chrome/125.0.0.0 Safari/537.36";
const ANDROID_FIREFOX: &str = "Mozilla/5.0 (Android 15; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0";
const ANDROID_STOCK: &str =
    "Mozilla/5.0 (Linux; U; Android 4.0.3; de-de) AppleWebKit/534.30 Version/4.0 Mobile Safari/534.30";
const ANDROID_OPERA: &str =
    "Mozilla/5.0 (Linux; Android 10; K) {B} Chrome/131.0.0.0 Mobile Safari/537.36 OPR/86.0.0.0";
const OPERA_MINI: &str = "Opera/9.80 (Android; Opera Mini/36.2/119.132; U; id) Presto/2.12.423 Version/12.16";
const LINUX_CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) {B} Chrome/131.0.0.0 Safari/537.36";
const LINUX_FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
const UBUNTU_FIREFOX: &str = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
const CHROMEBOOK: &str = "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {B} Chrome/131.0.0.0 Safari/537.36";
const WINDOWS_CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/131.0.0.0 Safari/537.36";
const WINDOWS_CHROME_7: &str = "Mozilla/5.0 (Windows NT 6.1; Win64; x64) {B} Chrome/109.0.0.0 Safari/537.36";
const WINDOWS_EDGE: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0";
const WINDOWS_EDGE_OLD: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763";
const WINDOWS_IE: &str = "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko";
const WINDOWS_IE_COMPATIBLE: &str =
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C)";
const WINDOWS_OPERA: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/131.0.0.0 Safari/537.36 OPR/115.0.0.0";
const WINDOWS_FIREFOX: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0";
const LUMIA: &str = "Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) {B} Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15063";
const ELECTRON: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {B} OurApp/1.2 Chrome/128.0.0.0 Electron/32.0 Safari/537.36";
const MAC_APP: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {W}";
const GNOME_WEB: &str = "Mozilla/5.0 (X11; Linux x86_64) {W} Version/17.0 Safari/605.1.15 Epiphany/605.1.15";
const SHORT_CHROME: &str = "Chrome/120 macOS";
const SHORT_SAFARI: &str = "Safari/17 iPhone";

/// What happens, the name at the sign-in, the name afterwards. No name at all where it is empty.
const ONE_DEVICE: &[(&str, &str, &str)] = &[
    ("the desktop site on an Android phone", ANDROID, LINUX_CHROME),
    ("the desktop site in Samsung's browser", ANDROID_SAMSUNG, SAMSUNG_DESKTOP),
    ("the desktop site in Firefox on Android", ANDROID_FIREFOX, LINUX_FIREFOX),
    ("the desktop site on an iPhone", IPHONE, MAC_SAFARI),
    ("the mobile site on an iPad", MAC_SAFARI, IPAD),
    ("the desktop site in Chrome on an iPad", IPAD, IPAD_CHROME_DESKTOP),
    ("Chrome on an iPhone opens Safari's view", IPHONE_CHROME, IPHONE),
    ("a page on the home screen of an iPhone", IPHONE, IPHONE_APP),
    ("an app on an iPhone that shows the page", IPHONE_FACEBOOK, IPHONE),
    ("a web app in the dock of a Mac", MAC_SAFARI, MAC_APP),
    ("an app on Android that shows the page", ANDROID, ANDROID_APP),
    ("a page opened by Samsung's browser", ANDROID_SAMSUNG, ANDROID),
    ("a name that privacy froze", ANDROID_OLD, ANDROID),
    ("a phone that says it is a tablet", ANDROID, ANDROID_TABLET),
    ("Opera Mini's saving mode", ANDROID_OPERA, OPERA_MINI),
    ("an old phone gets a newer browser", ANDROID_STOCK, ANDROID),
    ("Edge's mode for old pages", WINDOWS_EDGE, WINDOWS_IE),
    ("compatibility view", WINDOWS_IE, WINDOWS_IE_COMPATIBLE),
    ("Edge becomes Chromium", WINDOWS_EDGE_OLD, WINDOWS_EDGE),
    ("Windows 7 becomes 10", WINDOWS_CHROME_7, WINDOWS_CHROME),
    ("Opera hides its name", WINDOWS_OPERA, WINDOWS_CHROME),
    ("Edge shows Chrome's name to some pages", WINDOWS_EDGE, WINDOWS_CHROME),
    ("a telephone with Windows asks for desktop pages", LUMIA, WINDOWS_EDGE_OLD),
    ("a distribution adds its name", UBUNTU_FIREFOX, LINUX_FIREFOX),
    ("a Chromebook shows Android's browser", CHROMEBOOK, ANDROID),
    ("an app made of a browser", MAC_CHROME, ELECTRON),
    ("another engine on one machine, as a bridge between browsers has it", MAC_SAFARI, MAC_FIREFOX),
    ("GNOME's browser on Linux beside Firefox", GNOME_WEB, LINUX_FIREFOX),
    ("an extension that names another system", WINDOWS_FIREFOX, LINUX_FIREFOX),
    ("a proxy that drops the name", WINDOWS_CHROME, ""),
    ("a browser that gives no name at first", "", ANDROID),
    ("a browser that only says Mozilla", IPHONE, "Mozilla/5.0"),
    ("a back end in Node", IPHONE, "node"),
    ("a back end with axios", ANDROID, "axios/1.7.9"),
    ("a back end in Python", MAC_SAFARI, "python-requests/2.32.3"),
    ("a back end in Go", WINDOWS_CHROME, "Go-http-client/2.0"),
    ("a back end in Java", LINUX_FIREFOX, "Java/21.0.1"),
    ("a back end in PHP", IPAD, "GuzzleHttp/7"),
    ("a back end in Ruby", ANDROID_FIREFOX, "Faraday v2.9.0"),
    ("a back end with undici", MAC_CHROME, "undici"),
    ("an app's own client", ANDROID_APP, "okhttp/4.12.0"),
    ("an iPhone app's own client", IPHONE_APP, "OurApp/3.1 CFNetwork/1568 Darwin/24.1.0"),
    ("the browser's tools copy a request", WINDOWS_CHROME, "curl/8.9.1"),
    ("a workbench", MAC_CHROME, "PostmanRuntime/7.43.0"),
    ("Wget with the browser's cookies", LINUX_FIREFOX, "Wget/1.21.4"),
    ("a gateway that asks for itself", WINDOWS_EDGE, "nginx/1.27 (auth_request)"),
    ("a proxy's health check", IPHONE, "HAProxy"),
    ("a preview", ANDROID, "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"),
    ("a scanner", MAC_SAFARI, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    (
        "PowerShell with the browser's cookies",
        WINDOWS_EDGE,
        "Mozilla/5.0 (Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041",
    ),
    ("a program first, then the browser", "curl/8.9.1", IPHONE),
    ("a text browser beside the other", LINUX_FIREFOX, "Lynx/2.9.0 libwww-FM/2.14"),
    (
        "Opera's desktop site on an iPhone",
        IPHONE,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {W} Version/17 Safari/605.1.15 OPR/4.3",
    ),
    (
        "Brave's desktop site on an iPad",
        IPAD,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {W} Version/17 Safari/605.1.15 Brave/1",
    ),
    (
        "Edge's desktop site on an iPad",
        IPAD,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {W} Version/17 EdgiOS/131 Safari/605.1.15",
    ),
    ("a printer", IPHONE, "Mozilla/5.0 (X11; Linux x86_64) {B} HeadlessChrome/131.0.0.0 Safari/537.36"),
    (
        "an older printer",
        WINDOWS_FIREFOX,
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/534.34 (KHTML, like Gecko) wkhtmltopdf Safari/534.34",
    ),
    (
        "a printer in an app",
        IPHONE,
        "Mozilla/5.0 (X11; Linux x86_64) {B} electron-pdf/20 Chrome/120 Electron/28.0 Safari/537.36",
    ),
    (
        "a test of the page",
        MAC_SAFARI,
        "Mozilla/5.0 (Linux; Android 11; moto g power) {B} Chrome/131.0.0.0 Mobile Safari/537.36 Chrome-Lighthouse",
    ),
    (
        "a page drawn ahead",
        IPHONE,
        "Mozilla/5.0 (X11; Linux x86_64) {B} Chrome/131.0.0.0 Safari/537.36 Prerender (+https://github.com/prerender/prerender)",
    ),
    (
        "PhantomJS",
        ANDROID_FIREFOX,
        "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
    ),
    ("SlimerJS", IPHONE, "Mozilla/5.0 (X11; Linux x86_64; rv:59.0) Gecko/20100101 Firefox/59.0 SlimerJS/1.0"),
    (
        "Splash",
        WINDOWS_FIREFOX,
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/602.1 (KHTML, like Gecko) splash Version/9.0 Safari/602.1",
    ),
    ("Puppeteer", IPHONE, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {B} Chrome/131 Safari/537.36 Puppeteer"),
    ("Playwright", IPHONE, "Mozilla/5.0 (X11; Linux x86_64) {B} Chrome/131 Safari/537.36 playwright/1.49"),
    ("a console, which tells little", "Mozilla/5.0 (PlayStation; PlayStation 5/2.26) {W}", WINDOWS_CHROME),
];

const TWO_DEVICES: &[(&str, &str, &str)] = &[
    ("an iPhone's cookie on Windows", IPHONE, WINDOWS_CHROME),
    ("an iPhone's cookie on Android", IPHONE, ANDROID),
    ("an iPhone's cookie on Linux", IPHONE_CHROME, LINUX_CHROME),
    ("an iPhone's cookie in Firefox", IPHONE_APP, WINDOWS_FIREFOX),
    ("an iPad's cookie on Windows", IPAD, WINDOWS_EDGE),
    ("an Android phone's cookie in Firefox on Windows", ANDROID, WINDOWS_FIREFOX),
    ("an Android phone's cookie in Firefox on a Mac", ANDROID_SAMSUNG, MAC_FIREFOX),
    ("an Android phone's cookie on an iPhone", ANDROID_OPERA, IPHONE_CHROME),
    ("a Mac's cookie on Windows", MAC_SAFARI, WINDOWS_CHROME),
    ("a Mac's cookie in Firefox on Linux", MAC_CHROME, LINUX_FIREFOX),
    ("a cookie of Windows on a Mac", WINDOWS_CHROME, MAC_SAFARI),
    ("a cookie of Windows on Linux", WINDOWS_FIREFOX, LINUX_CHROME),
    ("a Chromebook's cookie on a Mac", CHROMEBOOK, MAC_FIREFOX),
    ("a cookie of the old Internet Explorer on Android", WINDOWS_IE, ANDROID),
    ("an iPhone's cookie in Chrome on a Mac", IPHONE, MAC_CHROME),
    ("an Android phone's cookie in Firefox on Linux", ANDROID, LINUX_FIREFOX),
    (
        "an iPhone's cookie in Opera on a Mac",
        IPHONE,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {B} Chrome/131.0.0.0 Safari/537.36 OPR/115.0.0.0",
    ),
    ("short names", SHORT_CHROME, SHORT_SAFARI),
];

fn named(visitor: Visitor, agent: &str) -> Visitor {
    match agent {
        "" => visitor.without("user-agent"),
        agent => visitor.named(&agent.replace("{W}", WEBKIT).replace("{B}", BLINK)),
    }
}

/// Signs in under one name, comes with the other, and back under the first. Both have to be answered so.
async fn wrong_of(app: &TestApp, rows: &[(&str, &str, &str)], status: u16) -> Vec<String> {
    let mut wrong = Vec::new();
    for (what, before, after) in rows {
        let first = named(app.curl(), before);
        first.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
        let other = named(first.clone(), after).get("/me").await.status.as_u16();
        let again = first.get("/me").await.status.as_u16();
        if (other, again) != (status, status) {
            wrong.push(format!("{what}: {other}, then {again}"));
        }
    }
    wrong
}

#[actix_web::test]
async fn one_device_stays_signed_in_whatever_it_calls_itself() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;

    let wrong = wrong_of(&app, ONE_DEVICE, 200).await;

    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(app.count("audit WHERE event = 'session_locked'").await, 0);
}

#[actix_web::test]
async fn a_cookie_on_what_cannot_be_the_same_device_opens_nothing_there_and_no_longer_here() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;

    let wrong = wrong_of(&app, TWO_DEVICES, 401).await;

    assert!(wrong.is_empty(), "{wrong:#?}");
    let locked = app.count("audit WHERE event = 'session_locked'").await;
    assert_eq!(locked, i64::try_from(TWO_DEVICES.len()).unwrap());
}

#[actix_web::test]
async fn a_thief_does_not_get_there_in_small_steps() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let owner = named(app.curl(), IPHONE);
    owner.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);

    // Each step for itself might be one device; the session goes by the name that it began with.
    for step in [MAC_SAFARI, GNOME_WEB] {
        named(owner.clone(), step).get("/me").await.is(200);
        app.wait(chrono::TimeDelta::minutes(2));
        named(owner.clone(), step).get("/me").await.is(200);
    }
    named(owner.clone(), WINDOWS_CHROME).get("/me").await.is(401);
}

#[actix_web::test]
async fn the_list_keeps_the_name_of_the_device_and_not_that_of_the_program_between() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let phone = named(app.curl(), ANDROID);
    phone.post_json("/login", json!({ "email": "ada@example.com", "password": PASSWORD })).await.is(200);
    app.wait(chrono::TimeDelta::minutes(2));

    named(phone.clone(), "node").get("/me").await.is(200);
    named(phone.clone(), LINUX_CHROME).get("/me").await.is(200);

    let sessions = phone.get("/me/sessions").await.is(200).json();
    let current = sessions["sessions"].as_array().unwrap().iter().find(|one| one["current"] == true).unwrap();
    assert_eq!((&current["deviceName"], &current["warning"]), (&json!("Chrome on Android"), &json!(null)));
}
