//! A phone number or LID as people and programs type it into address books, read as a chat id. Knows the decorations
//! that files have and a chat id has not; digits are never rewritten, and no country is guessed.

use crate::domain::{ChatId, Invalid};

pub(super) fn chat_id(text: &str) -> Result<ChatId, Invalid> {
    let text = text.trim();
    let text = match text.split_at_checked(4) {
        // RFC 3966: parameters follow a semicolon.
        Some((scheme, number)) if scheme.eq_ignore_ascii_case("tel:") => number.split(';').next().unwrap_or_default(),
        _ => text,
    };
    // Whoever dials from abroad leaves this zero out: with it, it is somebody else's number.
    if text.replace(char::is_whitespace, "").contains("(0)") {
        return Err(Invalid::new("phone", "has (0) within it: write the number as it is dialled from abroad"));
    }
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+@:_ -.()".contains(&byte));
    let parsed = if is_plain { text.parse() } else { text.replace(is_decoration, "").parse() };
    parsed.map_err(|invalid: Invalid| invalid.in_field("phone"))
}

/// Spaces of any width, dashes of any length, slashes, and the marks of writing direction that phones copy along.
fn is_decoration(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '/' | '\u{ad}' | '\u{2010}'..='\u{2015}' | '\u{2212}')
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for text in [
            "+49 170 123-4567",
            "tel:+49-170-123-4567;ext=7",
            "TEL:491701234567",
            "\u{202a}+49\u{a0}170\u{2011}1234567\u{202c}",
            "+49 170/1234567",
            "+49 (170) 1234567",
            "491701234567@c.us",
            " 491701234567 ",
        ] {
            assert_eq!(chat_id(text).unwrap().to_string(), "491701234567@c.us", "{text:?}");
        }
        assert_eq!(chat_id("123456@lid").unwrap().to_string(), "123456@lid");
    }

    #[test]
    fn what_would_be_somebody_elses_number_is_refused() {
        for text in ["+49 (0) 170 1234567", "+49 (0)170", "0170 1234567", "0049170", "", "tel:", "ext. 12", "+49170#7"]
        {
            assert!(chat_id(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_number_or_none_without_a_panic(text in any::<String>(), near in "(tel:)?[+0-9 ;()/-]{0,20}") {
            let _ = (chat_id(&text), chat_id(&near));
        }
    }
}
