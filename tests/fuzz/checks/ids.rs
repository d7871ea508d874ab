//! Every way in which an id is read: what is taken prints as text that is read as the same.

use wabook::domain::{ChatId, InstanceId};

pub fn chat_id(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for read in [text.parse(), ChatId::phone(text), ChatId::lid(text)] {
        match read {
            Ok(id) => is_sound(id),
            Err(refusal) => assert!(!refusal.to_string().is_empty() && !refusal.field.is_empty()),
        }
    }
    // Spaces around it and a plus before a phone say nothing.
    let plain: Result<ChatId, _> = text.parse();
    assert_eq!(format!("  {text} ").parse::<ChatId>(), plain);
    if let Ok(phone @ ChatId::Phone(digits)) = plain {
        for spelling in [format!("+{digits}"), format!("{digits}@s.whatsapp.net"), format!("{digits}:7@c.us")] {
            assert_eq!(spelling.parse(), Ok(phone), "{spelling}");
        }
    }
    if let Ok(instance) = text.parse::<InstanceId>() {
        assert_eq!(instance.to_string().parse::<InstanceId>().expect("an id that was printed is one"), instance);
        // It names a folder.
        assert!(!text.contains(['/', '\\', '\0']) && !text.starts_with('.'), "{text:?}");
    }
}

fn is_sound(id: ChatId) {
    let digits = id.digits().as_str();
    let most = if id.is_phone() { 15 } else { 20 };
    assert!((3..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    assert_eq!(id.to_string().parse(), Ok(id), "{id}");
    assert_eq!(if id.is_phone() { ChatId::phone(digits) } else { ChatId::lid(digits) }, Ok(id), "{id}");
}
