//! How a contact is pointed at: by a chat id, or by one of the numbers that the book gave it. Only a chat id can bring a
//! contact into being.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::domain::{ChatId, ContactId, Invalid};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    Chat(ChatId),
    Id(ContactId),
    Uuid(Uuid),
    Vendor(VendorId),
}

impl From<ChatId> for Who {
    fn from(id: ChatId) -> Self {
        Self::Chat(id)
    }
}

/// 24 hexadecimal digits, as some vendors number contacts: the first twelve bytes of the contact's UUID, so that it needs
/// no column of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VendorId([u8; 12]);

impl VendorId {
    pub fn of(uuid: Uuid) -> Self {
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&uuid.as_bytes()[..12]);
        Self(bytes)
    }

    /// The first and the last UUID that begin like this.
    pub fn range(self) -> (Uuid, Uuid) {
        let with = |rest| {
            let mut bytes = [rest; 16];
            bytes[..12].copy_from_slice(&self.0);
            Uuid::from_bytes(bytes)
        };
        (with(0), with(0xff))
    }
}

impl FromStr for VendorId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refused = || Invalid::new("id", "must be 24 hexadecimal digits");
        // `from_str_radix` alone would take a sign for a digit.
        if text.len() != 24 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refused());
        }
        let mut bytes = [0; 12];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[place * 2..place * 2 + 2], 16).map_err(|_| refused())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for VendorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_vendor_id_prints_parses_and_leads_back_to_its_uuid(bytes in any::<[u8; 16]>()) {
            let uuid = Uuid::from_bytes(bytes);
            let id = VendorId::of(uuid);
            prop_assert_eq!(id.to_string().parse::<VendorId>().unwrap(), id);
            let (first, last) = id.range();
            prop_assert!(first <= uuid && uuid <= last);
        }

        #[test]
        fn only_hexadecimal_digits_are_a_vendor_id(text in "[0-9a-f+-]{24}") {
            prop_assert_eq!(text.parse::<VendorId>().is_ok(), !text.contains(['+', '-']));
        }

        #[test]
        fn arbitrary_text_never_panics(text in any::<String>(), hex in "[0-9a-fA-F+]{20,28}") {
            let _ = text.parse::<VendorId>();
            let _ = hex.parse::<VendorId>();
        }
    }
}
