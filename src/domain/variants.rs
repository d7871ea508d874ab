//! Other numbers that may be the same phone: in Brazil, Mexico and Argentina one mobile is written with and without a
//! digit in the middle. These are suggestions for a person to look at. Nothing is ever merged or rewritten by them: only
//! a mapping that a phone reported makes two contacts one.

use crate::domain::{ChatId, Digits};

/// A country in which mobiles are written in two ways.
struct Habit {
    country: &'static str,
    /// The digit that may stand there, and after how many digits of the national number.
    extra: char,
    after: usize,
    /// How long the national number is without it.
    length: usize,
    is_mobile: fn(&[u8]) -> bool,
    why: &'static str,
}

const HABITS: [Habit; 3] = [
    // Anatel's Resolution 553 of 2010: a 9 before the eight digits of every mobile, in all areas since November 2016. Mobiles
    // began with 6 to 9 then, fixed lines with 2 to 5; an area is 11 to 99 without zeros. Older accounts keep the id
    // without it.
    Habit {
        country: "55",
        extra: '9',
        after: 2,
        length: 10,
        is_mobile: |number| number[..2].iter().all(is_not_zero) && number[2] >= b'6',
        why: "a Brazilian mobile is written with and without its ninth digit, a 9 after the area code",
    },
    // WhatsApp's help page on the international format has asked for a 1 after +52, which the IFT took out of the national
    // numbering on 3 August 2019; ids with it remain.
    Habit {
        country: "52",
        extra: '1',
        after: 0,
        length: 10,
        is_mobile: |number| number[0] >= b'2',
        why: "a Mexican mobile is written with and without a 1 after the country code",
    },
    // The same page asks for a 9 between +54 and the area code (1, 2 or 3 and on) and for the national 15 to be left out;
    // ENACOM's plan has the 9 only when calling a mobile from abroad. A number with 15 in it is no international one, and
    // is left alone.
    Habit {
        country: "54",
        extra: '9',
        after: 0,
        length: 10,
        is_mobile: |number| matches!(number[0], b'1'..=b'3'),
        why: "an Argentine mobile is written with and without a 9 after the country code",
    },
];

/// A number that may be the same phone's, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    pub phone: ChatId,
    pub why: &'static str,
}

pub fn variants(phone: &Digits) -> Vec<Variant> {
    HABITS.iter().filter_map(|habit| habit.variant(phone.as_str())).collect()
}

impl Habit {
    fn variant(&self, phone: &str) -> Option<Variant> {
        let national = phone.strip_prefix(self.country)?;
        let other = if national.len() == self.length {
            let (before, rest) = national.split_at(self.after);
            format!("{before}{}{rest}", self.extra)
        } else {
            let (before, rest) = national.split_at_checked(self.after)?;
            format!("{before}{}", rest.strip_prefix(self.extra)?)
        };
        let short = if other.len() < national.len() { &other } else { national };
        if short.len() != self.length || !(self.is_mobile)(short.as_bytes()) {
            return None;
        }
        let phone = ChatId::phone(&format!("{}{other}", self.country)).ok()?;
        Some(Variant { phone, why: self.why })
    }
}

fn is_not_zero(digit: &u8) -> bool {
    *digit != b'0'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn of(phone: &str) -> Vec<String> {
        let found = variants(ChatId::phone(phone).unwrap().digits());
        found.iter().map(|variant| variant.phone.digits().to_string()).collect()
    }

    #[rstest]
    #[case("5511987654321", "551187654321")]
    #[case("5521998765432", "552198765432")]
    #[case("5215512345678", "525512345678")]
    #[case("5491123456789", "541123456789")]
    #[case("5493511234567", "543511234567")]
    fn a_mobile_with_the_digit_and_without_suggest_each_other(#[case] with: &str, #[case] without: &str) {
        assert_eq!(of(with), [without]);
        assert_eq!(of(without), [with]);
    }

    #[rstest]
    // Fixed lines, areas that there are not, the national 15, wrong lengths, other countries.
    #[case("551133334444")]
    #[case("5511933334444")]
    #[case("5510987654321")]
    #[case("5521987")]
    #[case("5200000000000")]
    #[case("5411155551234")]
    #[case("541115123456789")]
    #[case("543")]
    #[case("15551234567")]
    #[case("4915112345678")]
    #[case("9715512345678")]
    fn what_is_no_such_mobile_suggests_nothing(#[case] phone: &str) {
        assert_eq!(of(phone), [""; 0]);
    }

    proptest! {
        #[test]
        fn a_suggestion_suggests_the_number_back_and_is_never_the_number_itself(
            phone in prop_oneof!["(55|52|54)[0-9]{8,12}", "[1-9][0-9]{2,14}", "55[1-9]{2}9?[6-9][0-9]{7}", "521?[2-9][0-9]{9}", "549?[1-3][0-9]{9}"]
        ) {
            let phone = ChatId::phone(&phone).unwrap();
            for variant in variants(phone.digits()) {
                prop_assert_ne!(variant.phone, phone);
                prop_assert_eq!(variant.phone.to_string().parse::<ChatId>().unwrap(), variant.phone);
                let back = variants(variant.phone.digits());
                prop_assert!(back.iter().any(|back| back.phone == phone));
            }
        }
    }
}
