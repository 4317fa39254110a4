//! Codes that people copy by hand, in Crockford's base 32: without i, l, o and u, which are read as others or make words.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup},
};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// `length` random letters, of 5 bits each.
pub(crate) fn random(length: usize) -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    // 256 is a multiple of 32, so every letter is as likely.
    Ok(Zeroizing::new(bytes.iter().map(|byte| ALPHABET[usize::from(byte % 32)] as char).collect()))
}

// Longer than any code with whatever comes along when it is pasted.
const MOST: usize = 64;

/// What was typed or pasted as a code, as codes are compared: the letters and digits alone, small, in ASCII wherever they
/// have a counterpart there (NFKC; the decimal digits of any alphabet), and those that are easily mistaken as what they
/// were mistaken for. Blanks, dashes, punctuation, symbols and what is not seen at all do not count. Anything else stays,
/// so that a code with it is wrong, and not a shorter one.
pub(crate) fn fold(typed: &str) -> String {
    let composed = ComposingNormalizerBorrowed::new_nfkc().normalize_iter(typed.chars());
    composed.filter(|c| is_part(*c)).map(plain).take(MOST).collect()
}

/// Whether a code of this alphabet, folded, has this shape.
pub(crate) fn is_code(folded: &str, length: usize) -> bool {
    folded.len() == length && folded.bytes().all(|character| ALPHABET.contains(&character))
}

fn is_part(c: char) -> bool {
    use GeneralCategoryGroup as Group;
    let beside = [Group::Separator, Group::Punctuation, Group::Symbol, Group::Control, Group::Format];
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let is_unseen = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c);
    // A Japanese keyboard has the prolonged sound mark where others have the hyphen, and a keycap encloses its digit.
    !is_unseen
        && c != '\u{30fc}'
        && category != GeneralCategory::EnclosingMark
        && !beside.iter().any(|group| group.contains(category))
}

/// The letter that was typed, small; one that is easily mistaken is what it was mistaken for.
fn plain(typed: char) -> char {
    match typed.to_ascii_lowercase() {
        'o' => '0',
        // Turkish keyboards have two of them, with the dot and without.
        'i' | 'l' | '\u{131}' | '\u{130}' => '1',
        c if c.is_ascii() => c,
        c => decimal(c).unwrap_or(c),
    }
}

/// The value of a decimal digit. Each alphabet has its ten in order and in one piece (Unicode Standard §4.6); some
/// alphabets lie side by side.
fn decimal(c: char) -> Option<char> {
    let categories = CodePointMapData::<GeneralCategory>::new();
    let mut alphabets = categories.iter_ranges_for_value(GeneralCategory::DecimalNumber);
    let alphabet = alphabets.find(|digits| digits.contains(&u32::from(c)))?;
    char::from_digit((u32::from(c) - alphabet.start()) % 10, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_of_every_alphabet_are_digits() {
        let mut alphabets = 0;
        for zero in ('\0'..=char::MAX).filter(|c| c.is_numeric() && fold(&c.to_string()) == "0") {
            let ten: String = (0..10).filter_map(|value| char::from_u32(u32::from(zero) + value)).collect();
            // A zero that is no decimal digit, as on a clock, stands alone.
            alphabets += usize::from(fold(&ten) == "0123456789");
        }
        assert!(alphabets > 60, "{alphabets}");
    }

    #[test]
    fn what_does_not_belong_makes_a_code_wrong_and_not_shorter() {
        for (typed, folded) in [
            ("0110abcdefgu", "0110abcdefgu"),
            ("0110abcdefg\u{e9}", "0110abcdefg\u{e9}"),
            ("12345\u{4e00}", "12345\u{4e00}"),
            ("12345\u{301}6", "12345\u{301}6"),
            ("\u{430}bcdefgh0123", "\u{430}bcdefgh0123"),
        ] {
            assert_eq!(fold(typed), folded);
            assert!(!is_code(&fold(typed), 12) && !is_code(&fold(typed), 6), "{typed}");
        }
        assert_eq!(fold(&"1".repeat(100_000)).len(), MOST);
    }
}
