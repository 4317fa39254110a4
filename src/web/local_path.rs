//! Where to go afterwards: never to another site.

// As it goes out. Applications put their whole state into an address; a browser takes longer ones than this.
const LONGEST_PATH: usize = 8 * 1024;

/// Where to go afterwards: a path on this site, or nothing. What is not ASCII in it, as a person copies it, is
/// percent-encoded in UTF-8 (RFC 3987 §3.1).
pub(crate) fn local_path(next: Option<&str>) -> Option<String> {
    let typed = next?;
    // A browser reads `\` as `/` and drops tabs and newlines, so `/\evil` and `/<tab>/evil` leave this site. U+FFFD stands
    // for what could not be read.
    let is_strange = |c: char| c == '\\' || c.is_control() || c == char::REPLACEMENT_CHARACTER;
    if !typed.starts_with('/')
        || typed.starts_with("//")
        || typed.len() > LONGEST_PATH
        || typed.contains(is_strange)
        // Nobody signs in to be signed out, and it is no page.
        || typed.split(['?', '#']).next() == Some("/logout")
    {
        return None;
    }
    let mut path = String::with_capacity(typed.len());
    for c in typed.chars() {
        match c.is_ascii_graphic() {
            true => path.push(c),
            false => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| path += &format!("%{byte:02X}")),
        }
    }
    (path.len() <= LONGEST_PATH).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_on_this_site_is_a_place_to_go() {
        let long = format!("/app?state={}", "x".repeat(8_000));
        for fine in ["/", "/me", "/me/sessions?page=2", "/a//b", "/caf%C3%A9", "/a#b", "/%2F/b", &long] {
            assert_eq!(local_path(Some(fine)).as_deref(), Some(fine));
        }
        for (typed, sent) in
            [("/café", "/caf%C3%A9"), ("/a b", "/a%20b"), ("/日本?q=ü", "/%E6%97%A5%E6%9C%AC?q=%C3%BC")]
        {
            assert_eq!(local_path(Some(typed)).as_deref(), Some(sent));
        }
        let long = format!("/{}", "x".repeat(9_000));
        let long_when_encoded = format!("/{}", "日".repeat(2_000));
        for evil in [
            "",
            "me",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil",
            "https://evil.example",
            "/\t/evil",
            "/\r\nX: y",
            "javascript:alert(1)",
            "/caf\u{fffd}",
            "/a\u{85}b",
            "/\u{0}",
            " /me",
            "/logout",
            "/logout?x=1",
            &long,
            &long_when_encoded,
        ] {
            assert_eq!(local_path(Some(evil)), None, "{evil}");
        }
    }
}
