use super::*;

const ADA: Context = Context { address: "Ada.Lovelace@Example.com", name: "Ada Lovelace", app: "Vestibule" };

/// Listed passwords, English words, names, keyboard walks, repeats and sequences.
const COMMON: &[&str] = &[
    "password",
    "12345678",
    "123456789",
    "1234567890",
    "qwertyuiop",
    "iloveyou",
    "sunshine",
    "trustno1",
    "1qaz2wsx",
    "football",
    "baseball",
    "baseball1",
    "princess",
    "superman",
    "starwars",
    "whatever",
    "computer",
    "michelle",
    "corvette",
    "11111111",
    "00000000",
    "88888888",
    "87654321",
    "987654321",
    "password1",
    "password0",
    "password9",
    "p@ssw0rd",
    "pa$$w0rd",
    "passw0rd",
    "qwerty123",
    "abcd1234",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1q2w3e4r5t6y",
    "zaq12wsx",
    "!qaz2wsx",
    "asdfghjkl",
    "zxcvbnm.",
    "123123123",
    "12341234",
    "147258369",
    "patrick9",
    "1william",
    "12345671",
    "iloveyou!",
    "melissa2",
    "letmein6",
    "jessica0",
    "123456789g",
    "abcdefgh",
    "aaaaaaaa",
    "abcabcabc",
    "passwordpassword",
    "drowssap",
    "letmein1",
    "liverpool",
    "chocolate",
    "changeme",
    "elizabeth",
    "washington",
    "alexander",
    "p030710p$e4o",
    "iddqdiddqd",
    "password1!",
    "        ",
    "jennifer",
    "zaq!2wsx",
];

fn says(password: &str) -> Vec<&'static str> {
    weaknesses(password, &ADA)
}

#[test]
fn eight_characters_are_enough_and_pass12345_is_let_through() {
    for fine in ["pass12345", "correct horse battery staple", "xK9#mQ2$", "tulip-ochre-9", "日本語で話そうね"]
    {
        assert_eq!(says(fine), [""; 0], "{fine}");
    }
}

#[test]
fn characters_are_counted_as_people_count_them() {
    assert_eq!(says("xK9#mQ2"), [TOO_SHORT]);
    assert_eq!(says(""), [TOO_SHORT]);
    assert_eq!(says("\u{1f512}é\u{1f512}ü"), [TOO_SHORT], "bytes do not count");
    assert_eq!(says("e\u{301}xK9#mQ"), [TOO_SHORT], "a letter and its accent are one");
    assert_eq!(says("e\u{301}xK9#mQ2"), [""; 0]);
    let long: String = "xK9#mQ2$vL7& ".chars().cycle().take(LONGEST - 1).chain(['!']).collect();
    assert_eq!(says(&long), [""; 0]);
    assert_eq!(says(&format!("{long}!")), [TOO_LONG]);
    assert_eq!(says(&"\u{fdfa}".repeat(LONGEST)), [TOO_COMMON], "as long as may be, but one letter");
    assert_eq!(says(&"x".repeat(1_000_000)), [TOO_LONG]);
}

#[test]
fn control_characters_are_characters() {
    assert_eq!(says("xK9\0mQ2\n"), [""; 0]);
    assert_eq!(says("\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}"), [TOO_COMMON]);
}

#[test]
fn what_attackers_try_first_is_refused_in_any_case() {
    for common in COMMON {
        let capital = common[..1].to_uppercase() + &common[1..];
        let mixed: String = common
            .chars()
            .enumerate()
            .map(|(i, c)| if i % 2 == 0 { c } else { c.to_ascii_uppercase() })
            .collect();
        for common in [*common, &capital, &common.to_uppercase(), &mixed] {
            assert_eq!(says(common), [TOO_COMMON], "{common}");
        }
    }
}

#[test]
fn digits_behind_a_common_word_make_it_no_better() {
    for common in [
        "summer2023",
        "password2025",
        "Winter2024!",
        "SPRING2026",
        "autumn24",
        "summer1",
        "dragon12345",
        "monkey1234567890",
        "football99",
        "p@ssword2025",
        "P4ssword2025!!",
        "charlie1987",
        "berlin31122024",
        "welcome2024#",
        "qwertz2024",
    ] {
        let expected = if common.chars().count() < SHORTEST { TOO_SHORT } else { TOO_COMMON };
        assert_eq!(says(common), [expected], "{common}");
    }
    for fine in [
        "pass12345",
        "pass2024",
        "hey20242024",
        "tulipochre2024",
        "summer-ochre-2024",
        "summer73619284650",
        "2024 summer nights",
        "xkqzvw2024",
    ] {
        assert_eq!(says(fine), [""; 0], "{fine}");
    }
}

#[test]
fn a_common_password_said_over_and_over_is_still_common() {
    for (word, times) in [("a", 256), ("password", 32), ("12345678901234567890", 3), ("abc", 50)] {
        assert_eq!(says(&word.repeat(times)), [TOO_COMMON], "{word}");
    }
    assert_eq!(says(&"tulip-ochre-9/".repeat(9)), [""; 0]);
}

#[test]
fn words_that_everybody_knows_of_the_account_are_refused() {
    for near in [
        "Ada.Lovelace",
        "adalovelace1815",
        "ADA_LOVELACE",
        "lovelace",
        "Lovelace!!",
        "1815lovelace",
        "lovelaceada",
        "ada.lovelace@example.com",
        "example.com",
        "Example2024!",
        "vestibule",
        "Vestibule123",
        "!!Vestibule!!",
        "vestibule-lovelace-1",
        "adavestibule",
        "AdaAdaAda",
        "ADA12345",
    ] {
        assert!(says(near).contains(&TOO_NEAR), "{near}");
    }
    for fine in
        ["lovelace likes tulips", "vest1bule-ochre", "ada7361lovelace", "my vestibule is blue", "lovelacex"]
    {
        assert!(!says(fine).contains(&TOO_NEAR), "{fine}");
    }
}

#[test]
fn words_are_compared_in_every_script() {
    let context =
        Context { address: "strauss@xn--e1afmkfd.example", name: "Дарья Strauß", app: "Bücherei" };
    for near in ["ДАРЬЯ2024", "STRAUSS99", "strauß1899", "BU\u{308}CHEREI", "strauss.дарья"] {
        assert!(weaknesses(near, &context).contains(&TOO_NEAR), "{near}");
    }
}

#[test]
fn an_account_without_words_has_none_to_avoid() {
    for context in [Context::default(), Context { address: "@", name: " . ", app: "X" }] {
        assert_eq!(weaknesses("tulip-ochre-9", &context), [""; 0]);
        assert_eq!(weaknesses("73619284650", &context), [""; 0]);
    }
    let phone = Context { address: "4915173619284@example.com", ..Context::default() };
    assert_eq!(weaknesses("4915173619284", &phone), [TOO_NEAR]);
}

#[test]
fn a_password_of_nothing_but_signs_does_not_keep_us_busy() {
    let began = std::time::Instant::now();
    let signs: String = "4@8({[<369!1|70$5+%2".chars().cycle().take(LONGEST).collect();
    for length in SHORTEST..=LONGEST {
        says(&signs[..length]);
    }
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
