//! Codes as they are typed, dictated, pasted and mended by keyboards: every kind of code is read alike.

use serde_json::json;

use crate::harness::{Owner, TestApp};

type Hand = fn(&str) -> String;

/// Who types, and what becomes of the code `7h2m-01ab` in that hand.
const HANDS: &[(&str, Hand)] = &[
    ("as it is shown", str::to_owned),
    ("in capitals", |code| code.to_uppercase()),
    ("with blanks around it", |code| format!("  {code}\t")),
    ("with a line break behind it", |code| format!("{code}\r\n")),
    ("with a no-break space", |code| parted(code, "\u{a0}")),
    ("with an ideographic space", |code| parted(code, "\u{3000}")),
    ("with a thin space", |code| parted(code, "\u{2009}")),
    ("with a narrow no-break space", |code| parted(code, "\u{202f}")),
    ("with a zero-width space and a byte order mark", |code| {
        format!("\u{feff}{}\u{200b}", parted(code, "\u{200b}"))
    }),
    ("between marks of direction", |code| format!("\u{2066}\u{200e}{code}\u{200f}\u{2069}")),
    ("with a soft hyphen", |code| parted(code, "\u{ad}")),
    ("with a word joiner", |code| parted(code, "\u{2060}")),
    ("with a hyphen that does not break", |code| parted(code, "\u{2011}")),
    ("with an en dash", |code| parted(code, "\u{2013}")),
    ("with an em dash", |code| parted(code, "\u{2014}")),
    ("with a figure dash", |code| parted(code, "\u{2012}")),
    ("with a minus sign", |code| parted(code, "\u{2212}")),
    ("with a small hyphen", |code| parted(code, "\u{fe63}")),
    ("with a wide hyphen", |code| parted(code, "\u{ff0d}")),
    ("with a hyphen of a Japanese keyboard", |code| parted(code, "\u{30fc}")),
    ("with a wave dash", |code| parted(code, "\u{301c}")),
    ("with a full stop at the end", |code| format!("{code}.")),
    ("with an ideographic full stop", |code| format!("{code}\u{3002}")),
    ("with a comma and a semicolon", |code| format!("{code},;")),
    ("in typographic quotes", |code| format!("\u{201c}{code}\u{201d}")),
    ("in German quotes", |code| format!("\u{201e}{code}\u{201f}")),
    ("in corner brackets", |code| format!("\u{300c}{code}\u{300d}")),
    ("in brackets", |code| format!("({code})")),
    ("as code in a chat", |code| format!("`{code}`")),
    ("in bold in a chat", |code| format!("**{code}**")),
    ("with middle dots", |code| parted(code, "\u{b7}")),
    ("with underscores", |code| parted(code, "_")),
    ("in wide letters and digits", |code| shifted(code, 0xfee0)),
    ("in wide capitals", |code| shifted(&code.to_uppercase(), 0xfee0)),
    ("in Arabic digits", |code| in_digits(code, '\u{660}')),
    ("in Persian digits", |code| in_digits(code, '\u{6f0}')),
    ("in Devanagari digits", |code| in_digits(code, '\u{966}')),
    ("in Bengali digits", |code| in_digits(code, '\u{9e6}')),
    ("in Thai digits", |code| in_digits(code, '\u{e50}')),
    ("in Khmer digits", |code| in_digits(code, '\u{17e0}')),
    ("in Burmese digits", |code| in_digits(code, '\u{1040}')),
    ("in Tibetan digits", |code| in_digits(code, '\u{f20}')),
    ("in Adlam digits, beyond the first plane", |code| in_digits(code, '\u{1e950}')),
    ("in Pa'o Karen digits, beside others", |code| in_digits(code, '\u{116d0}')),
    ("in Eastern Pwo Karen digits, right behind those", |code| in_digits(code, '\u{116da}')),
    ("in bold mathematical digits", |code| in_digits(code, '\u{1d7ce}')),
    ("in superscripts of a footnote", |code| {
        code.replace('1', "\u{b9}").replace('2', "\u{b2}").replace('3', "\u{b3}").replace('0', "\u{2070}")
    }),
    ("on keycaps", |code| {
        let keycap =
            |c: char| if c.is_ascii_digit() { format!("{c}\u{fe0f}\u{20e3}") } else { c.to_string() };
        code.chars().map(keycap).collect()
    }),
    ("with letters that look alike", |code| code.replace('0', "O").replace('1', "l")),
    ("with others that look alike", |code| code.replace('0', "o").replace('1', "I")),
    ("with those of a Turkish keyboard", |code| code.replacen('1', "\u{131}", 1).replace('1', "\u{130}")),
];

fn parted(code: &str, between: &str) -> String {
    let emails: Vec<String> = code.chars().filter(|c| *c != '-').map(String::from).collect();
    emails.chunks(3).map(<[String]>::concat).collect::<Vec<_>>().join(between)
}

fn shifted(code: &str, by: u32) -> String {
    code.chars().filter_map(|c| char::from_u32(u32::from(c) + by)).collect()
}

fn in_digits(code: &str, zero: char) -> String {
    let foreign =
        |c: char| c.to_digit(10).and_then(|value| char::from_u32(u32::from(zero) + value)).unwrap_or(c);
    code.chars().map(foreign).collect()
}

/// So many people with an app, for whoever needs more recovery codes than one has.
async fn people(app: &TestApp, count: usize) -> Vec<Owner> {
    let mut people = Vec::new();
    for number in 0..count {
        people.push(app.with_app(&format!("ada{number}@example.com")).await);
    }
    people
}

#[actix_web::test]
async fn a_code_of_an_app_is_read_in_every_hand() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let mut wrong = Vec::new();
    for (who, hand) in HANDS {
        let device = app.curl();
        ada.submits_password(&device).await.is(200);
        let typed = hand(&app.next_code(&ada.secret));
        if device.submits_code(&typed).await.status != 200 {
            wrong.push(format!("{who}: {typed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[actix_web::test]
async fn a_recovery_code_is_read_in_every_hand() {
    let app = TestApp::open().await;
    let people = people(&app, HANDS.len().div_ceil(10)).await;
    let codes = people.iter().flat_map(|owner| owner.recovery_codes.iter().map(move |code| (owner, code)));
    let mut wrong = Vec::new();
    for ((who, hand), (owner, code)) in HANDS.iter().zip(codes) {
        let device = app.curl();
        owner.submits_password(&device).await.is(200);
        let typed = hand(code);
        if device.submits_code(&typed).await.status != 200 {
            wrong.push(format!("{who}: {typed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[actix_web::test]
async fn the_short_code_of_a_link_is_read_in_every_hand() {
    let app = TestApp::open().await;
    app.verified("ada@example.com").await;
    let mut wrong = Vec::new();
    for (who, hand) in HANDS {
        let (laptop, phone) = (app.curl(), app.curl());
        laptop.post_json("/login/magic-link", json!({ "email": "ada@example.com" })).await.is(200);
        let token = app.token_for("ada@example.com").await;
        let shown = phone.get(&format!("/login/magic-link/verify?token={token}")).await.is(200).json();
        let typed = hand(shown["code"].as_str().unwrap());
        let answer = laptop.post_json("/login/magic-link/verify", json!({ "code": typed })).await;
        if answer.status != 200 {
            wrong.push(format!("{who}: {typed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[actix_web::test]
async fn a_step_up_and_a_new_app_take_codes_in_every_hand_too() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    for (_, hand) in HANDS.iter().step_by(7) {
        let typed = hand(&app.next_code(&ada.secret));
        ada.curl.post_json("/auth/confirm", json!({ "code": typed })).await.is(200);
    }
    let secret = app.waiting_app(&ada.curl).await;
    let typed = in_digits(&app.code(&secret), '\u{6f0}');
    ada.curl.post_json("/me/2fa/totp/confirm", json!({ "code": format!("{typed}\u{3002}") })).await.is(200);
}

#[actix_web::test]
async fn what_is_not_the_code_stays_wrong() {
    let app = TestApp::open().await;
    let ada = app.with_app("ada@example.com").await;
    let code = app.next_code(&ada.secret);
    let others = [
        code[1..].to_owned(),
        format!("{code}0"),
        format!("{code}x"),
        format!("{}\u{4e00}", &code[1..]),
        format!("{code}\u{301}"),
        code.chars().rev().collect::<String>() + "\u{bd}",
        "\u{2013}\u{3000}.".to_owned(),
    ];
    for typed in others {
        let device = app.curl();
        ada.submits_password(&device).await.is(200);
        device.submits_code(&typed).await.refuses(422, "invalid");
    }
}
