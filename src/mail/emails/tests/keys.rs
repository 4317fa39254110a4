use super::*;

fn key(news: KeyNews, organisation: Option<&str>, expires: Option<&str>, not_me: Option<&str>) -> Email {
    let (name, hint, path, when) = ("Nightly build", "vstp_4Kx2…", "/me/keys", "21 November 2026, 14:05 UTC");
    let told = KeyTold { name, hint, organisation, path, when, expires, not_me };
    api_key(&site(), (&ada(), "Ada"), news, &told).unwrap()
}

fn made(news: MakerNews) -> Email {
    let is_suspended = news == MakerNews::InDoubt;
    let keys = [("Nightly build", "vsto_4Kx2…", is_suspended), ("evil.example", "vsto_9abc…", false)];
    let keys = keys.map(|(name, hint, is_suspended)| (key_in_words(name, hint), is_suspended));
    keys_of_maker(&site(), (&ada(), "Ada"), ("Acme", "acme", "bea@example.com"), &keys, news).unwrap()
}

/// The emails about API keys.
pub(super) fn all() -> Vec<Email> {
    use KeyNews::{Expires, FormerFound, Found, Made, Resumed, Revoked, Rolled};
    let until = Some("19 February 2027, 14:05 UTC");
    let mut emails = vec![made(MakerNews::Left), made(MakerNews::InDoubt)];
    for organisation in [None, Some("Acme")] {
        for news in [Made, Rolled, Resumed, Revoked, Found, FormerFound, Expires] {
            let not_me = Some("t0ken").filter(|_| organisation.is_none());
            emails.push(key(news, organisation, until, not_me));
            emails.push(key(news, organisation, None, None));
        }
    }
    emails
}

#[test]
fn a_key_is_told_by_its_name_where_that_is_only_a_name() {
    let email = made(MakerNews::Left);
    assert!(email.text.contains("\nNightly build (vsto_4Kx2…)\nvsto_9abc…\n"), "{}", email.text);
    let email = key(KeyNews::Made, None, None, Some("t0ken"));
    assert!(email.text.contains("\nNightly build (vstp_4Kx2…).\n\nIt does not expire.\n"), "{}", email.text);
    assert_eq!(email.subject, "API key created for your Acme & Sons account");
}
