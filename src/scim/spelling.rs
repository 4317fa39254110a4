//! Filters and paths that are not of the RFC's grammar, and what they are in it.

/// A filter or path in the spelling of the RFC: texts in double quotes, and a backslash that escapes nothing is one.
pub(super) fn usual(text: &str) -> String {
    let is_single = !text.contains('"') && text.matches('\'').count().is_multiple_of(2);
    let text = if is_single { text.replace('\'', "\"") } else { text.to_owned() };
    let (mut usual, mut chars) = (String::new(), text.chars().peekable());
    while let Some(one) = chars.next() {
        usual.push(one);
        if one == '\\' {
            match chars.next_if(|next| "\"\\/bfnrtu".contains(*next)) {
                Some(escaped) => usual.push(escaped),
                None => usual.push('\\'),
            }
        }
    }
    usual
}

/// `externalId eq jyoung` with its quotes.
pub(super) fn quoted(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let (name, op, value, None) = (words.next()?, words.next()?, words.next()?, words.next()) else {
        return None;
    };
    let is_plain = op.eq_ignore_ascii_case("eq")
        && !value.contains(['"', '\\', '(', ')', '[', ']'])
        && !value.eq_ignore_ascii_case("null")
        && !name.contains(['(', '[']);
    is_plain.then(|| format!("{name} eq \"{value}\""))
}

/// `emails[type eq "work"].value eq "x"`, which is no filter of the RFC and is sent all the same: `emails[type eq "work" and value eq "x"]`.
pub(super) fn within(text: &str) -> Option<String> {
    let (list, rest) = text.trim().split_once('[')?;
    let (chosen, compared) = rest.split_once("].")?;
    let is_one = !chosen.contains(['[', ']']) && !compared.contains(['[', ']', '(', ')']);
    is_one.then(|| format!("{list}[({chosen}) and {compared}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_spelled_as_the_grammar_has_it() {
        for (sent, spelled) in [
            ("a eq 'x y'", r#"a eq "x y""#),
            ("a eq O'Brien", "a eq O'Brien"),
            (r#"a eq "it's 'x'""#, r#"a eq "it's 'x'""#),
            (r#"a eq "DOM\joe""#, r#"a eq "DOM\\joe""#),
            (r#"a eq "x\"y\u0000""#, r#"a eq "x\"y\u0000""#),
        ] {
            assert_eq!(usual(sent), spelled, "{sent}");
        }
        assert_eq!(quoted("a eq 4711").as_deref(), Some("a eq \"4711\""));
        assert_eq!(quoted("a eq null"), None);
        assert_eq!(within("e[t eq 1].v eq 2").as_deref(), Some("e[(t eq 1) and v eq 2]"));
    }
}
