//! A list of email addresses as people paste it: from a column, from the field of a mail program, from a message.

use std::mem;

/// The marks that stand between two addresses, besides white space.
const SEPARATORS: [char; 9] = [',', ';', '，', '、', '；', '\u{2028}', '\u{2029}', '\n', '\r'];

/// What a mail program or a word processor puts around an address: quotes, bullets, and what cannot be seen.
const AROUND: [char; 23] = [
    '"', '\'', '“', '”', '„', '‘', '’', '«', '»', '`', '•', '·', '‣', '◦', '–', '—', '*', '<', '>',
    '\u{feff}', '\u{200b}', '\u{200e}', '\u{200f}',
];

/// Each address that a text names, as it was typed, without names, quotes, comments, bullets and `mailto:`. What is no
/// address stays in one piece, so that it can be named.
pub(crate) fn read(text: &str) -> Vec<String> {
    entries(text).iter().flat_map(|entry| addresses(entry)).collect()
}

/// The text between separators: those in quotes, in `<…>` and in comments are none (RFC 5322 §3.4). What is not closed on
/// its line is taken as it stands.
fn entries(text: &str) -> Vec<String> {
    let (mut entries, mut entry) = (Vec::<String>::new(), String::new());
    // From where on commas alone have stood between entries, as in `Smith, Alice <…>`.
    let mut by_commas = 0;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let close = match c {
            '"' => Some('"'),
            '<' => Some('>'),
            '(' => Some(')'),
            _ => None,
        };
        if let Some(close) = close
            && let Some(length) = rest.as_str().find([close, '\n', '\r'])
            && rest.as_str().get(length..).is_some_and(|left| left.starts_with(close))
        {
            let (inside, after) = rest.as_str().split_at(length);
            rest = after.get(close.len_utf8()..).unwrap_or_default().chars();
            match c {
                '<' => {
                    // The name before it goes.
                    while entries.len() > by_commas && entries.last().is_some_and(|name| !name.contains('@'))
                    {
                        entries.pop();
                    }
                    entries.push(inside.to_owned());
                    entry.clear();
                }
                '(' if entry.trim().is_empty() => entry.push_str(inside),
                '(' => entry.push(' '),
                _ => {
                    entry.push(' ');
                    entry.push_str(&inside.replace(|c: char| SEPARATORS.contains(&c), " "));
                    entry.push(' ');
                }
            }
        } else if SEPARATORS.contains(&c) {
            entries.push(mem::take(&mut entry));
            if c != ',' {
                by_commas = entries.len();
            }
        } else if c == ':' && is_group(&entry) {
            entry.clear();
        } else {
            entry.push(c);
        }
    }
    entries.push(entry);
    entries
}

/// Whether a colon ends the name of a group (`Team: a@x, b@x;`), and is none of `mailto:`.
fn is_group(entry: &str) -> bool {
    let name = entry.trim();
    !name.is_empty() && !name.contains('@') && !name.to_lowercase().ends_with("mailto")
}

/// The addresses of an entry: each word with an `@` where there is one, else the whole.
fn addresses(entry: &str) -> Vec<String> {
    let words: Vec<&str> = entry.split_whitespace().map(trimmed).filter(|word| !word.is_empty()).collect();
    let found: Vec<String> =
        words.iter().filter(|word| word.contains('@')).map(|word| (*word).to_owned()).collect();
    let whole = words.iter().skip_while(|word| is_bullet(word)).copied().collect::<Vec<_>>().join(" ");
    match found.is_empty() {
        false => found,
        true if whole.is_empty() => Vec::new(),
        true => vec![whole],
    }
}

fn is_bullet(word: &str) -> bool {
    word == "-" || word.strip_suffix(['.', ')']).is_some_and(|number| number.parse::<u32>().is_ok())
}

fn trimmed(word: &str) -> &str {
    let word = word.trim_matches(AROUND);
    let word = match word.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => word.get(7..).unwrap_or_default(),
        _ => word,
    };
    match word.contains('@') {
        // Begins like a bullet, or ends like a sentence.
        true => word.trim_start_matches(['-', '(']).trim_end_matches(['.', ')']).trim_matches(AROUND),
        false => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_paste_a_list() {
        let both = ["a@x.example", "b@x.example"].as_slice();
        let one = ["a@x.example"].as_slice();
        for (typed, found) in [
            ("", &[] as &[&str]),
            (" \r\n\t ,;", &[]),
            ("a@x.example b@x.example", both),
            ("a@x.example\tb@x.example", both),
            ("a@x.example,b@x.example;", both),
            ("a@x.example\r\nb@x.example\r\n", both),
            ("a@x.example；b@x.example", both),
            ("a@x.example，b@x.example", both),
            ("a@x.example、b@x.example", both),
            ("a@x.example\u{2028}b@x.example", both),
            ("\"Smith, Alice\" <a@x.example>, Bob B. <b@x.example>", both),
            ("Smith, Alice <a@x.example>", one),
            ("Alice <a@x.example> Bob <b@x.example>", both),
            ("<a@x.example><b@x.example>", both),
            ("'a@x.example' “b@x.example”", both),
            ("\"a@x.example\", \"b@x.example\"", both),
            ("• a@x.example\n•b@x.example", both),
            ("- a@x.example\n-b@x.example", both),
            ("1. a@x.example\n2) b@x.example", both),
            ("mailto:a@x.example, <MAILTO:b@x.example>", both),
            ("\u{feff}a@x.example\u{200e}\n\u{200b}b@x.example", both),
            ("a@x.example.", one),
            ("a@x.example (Ada, of London)", one),
            ("(a@x.example)", one),
            ("Smith, Alice <a@x.example>; Byron, Bob <b@x.example>", both),
            ("a@x.example, Byron, Bob <b@x.example>", both),
            ("Team: a@x.example, b@x.example;", both),
            ("\"a@x.example", one),
            ("Ada <a@x.example", one),
            ("not an address", &["not an address"]),
            ("\"Smith, Alice\"", &["Smith Alice"]),
            ("-", &[]),
            ("ä@x.example", &["ä@x.example"]),
        ] {
            assert_eq!(read(typed), found, "{typed:?}");
        }
    }
}
