use std::fmt;
use std::str::FromStr;

/// A text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
pub struct NotAnId;

/// Makes a type of `N` bytes that is written as lower-case hex digits and is ordered as its bytes are.
macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// From its bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Its bytes, in the order in which ids are sorted.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            /// Takes lower-case hex digits alone, twice as many as there are bytes.
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let digits: &[u8; 2 * $bytes] = text.as_bytes().try_into().map_err(|_| NotAnId)?;
                let mut bytes = [0; $bytes];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    *byte = hex_value(pair[0])? << 4 | hex_value(pair[1])?;
                }
                Ok(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = [0; 2 * $bytes];
                for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
                    pair[0] = HEX[usize::from(byte >> 4)];
                    pair[1] = HEX[usize::from(byte & 15)];
                }
                f.write_str(str::from_utf8(&digits).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn hex_value(digit: u8) -> Result<u8, NotAnId> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(NotAnId),
    }
}

hex_id! {
    /// A user's id: an `ObjectId` of 24 lower-case hex digits. Ids of later users are larger.
    UserId, 12
}
hex_id! {
    /// A trash entry's id, of the same form as a user's. Ids of later deletions are larger.
    TrashEntryId, 12
}
hex_id! {
    /// A session's id: 128 random bits.
    SessionId, 16
}
hex_id! {
    /// A request's id: 128 random bits. It is in the log and in the response header `x-request-id` where its client has not
    /// named the request.
    RequestId, 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_is_read_back_as_it_was_written(bytes: [u8; 12]) {
            let id = UserId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn ids_are_ordered_as_their_texts_are(a: [u8; 12], b: [u8; 12]) {
            let (a, b) = (UserId::from_bytes(a), UserId::from_bytes(b));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }

    #[rstest::rstest]
    #[case("")]
    #[case("67a9940edc65a0145ee7398")]
    #[case("67a9940edc65a0145ee739800")]
    #[case("67A9940EDC65A0145EE73980")]
    #[case("67a9940edc65a0145ee7398g")]
    #[case("é7a9940edc65a0145ee7398")]
    fn what_is_not_24_lower_case_hex_digits_is_no_id(#[case] text: &str) {
        assert_eq!(text.parse::<UserId>(), Err(NotAnId));
    }
}
