//! What passes for an e-mail address, the same in every room. That there is somebody behind it only a letter could prove.

use crate::domain::Invalid;

/// Something before one @ and something after it, without blanks; blank text is no e-mail: `Ok(None)`. More than this
/// only a letter could prove.
pub fn email(text: &str, field: &'static str) -> Result<Option<Box<str>>, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let is_plain =
        |part: &str| !part.chars().any(|c| c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"@".contains(c));
    let is_email = text.chars().count() <= 254
        && text.split_once('@').is_some_and(|(local, host)| {
            let labels = || host.split('.');
            (1..=64).contains(&local.chars().count())
                && is_plain(local)
                && is_plain(host)
                && labels().all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
        });
    if is_email { Ok(Some(text.into())) } else { Err(Invalid::new(field, "must be an e-mail address")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_email_has_one_at_and_no_blanks() {
        for text in ["a@b", "a.b+c@example.com", "用户@例子.广告", " ahmed@example.com "] {
            assert_eq!(email(text, "email").unwrap().unwrap().as_ref(), text.trim());
        }
        for text in
            ["a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b c", "a@.b", "a@b.", "a@-b", "a@b,c@d", "A <a@b>", "a\n@b"]
        {
            assert!(email(text, "email").is_err(), "{text:?}");
        }
        assert!(email(&format!("{}@b", "a".repeat(65)), "email").is_err());
        assert_eq!(email("  ", "email").unwrap(), None);
    }

    proptest! {
        #[test]
        fn any_text_is_an_email_or_none_without_a_panic(text in any::<String>()) {
            let _ = email(&text, "email");
        }
    }
}
