//! What people typed, in emails to others.

use super::*;

#[test]
fn edge_122_names_are_repeated_as_they_are_or_not_at_all() {
    for name in [
        "Ada",
        "Ada Lovelace",
        "J. R. R. Tolkien",
        "J.R.R. Tolkien",
        "Martin Luther King Jr.",
        "O'Brien",
        "Ludwig van Beethoven 2",
        "用户",
        "علی\u{200c}رضا",
        "Łukasz 🦀",
    ] {
        assert_eq!(greeting(&format!(" {name} ")), format!("Hello {name},"));
    }
    for name in [
        "",
        "  ",
        "evil.example",
        "www.evil.example",
        "Ada www.evil.example",
        "http://evil.example",
        "javascript:alert(1)",
        "mailto:eve@evil.example",
        "eve@evil",
        "evil。example",
        "evil․example",
        "evil.\u{200c}example",
        "evil/path",
        "call +1 555 0100 99",
        "Ada\nYou have won",
        "Ada\u{202e}lla",
        "e\u{200b}vil",
        "[click](here)",
        "<b>Ada</b>",
        &"a".repeat(61),
    ] {
        assert_eq!(greeting(name), "Hello,", "{name:?}");
    }
}

#[test]
fn edge_122_markup_in_what_people_typed_stays_text() {
    let email =
        reset_password(&site(), &ada(), "Tom & \"Jerry\"", ResetOccasion::Asked, "t", "24 hours").unwrap();

    assert!(email.text.contains("Hello Tom & \"Jerry\","));
    assert!(email.html.contains("Hello Tom &#38; &#34;Jerry&#34;,"));
}

#[test]
fn a_device_that_lies_about_itself_is_an_unknown_device() {
    let email = password_changed(
        &site(),
        &ada(),
        "Ada",
        ("today", "Evil.example/1 on <b>"),
        &KeptCredentials::default(),
        "t0ken",
    )
    .unwrap();

    assert!(email.text.contains("from an unknown device."));
}
