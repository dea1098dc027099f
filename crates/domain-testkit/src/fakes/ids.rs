use std::sync::atomic::{AtomicU64, Ordering};

use roster_domain::ports::Ids;
use roster_domain::values::{RequestId, SessionId, TokenId, TrashEntryId, UserId};

/// Ids that are counted from 1, the same ones in every test. Anybody can guess them.
#[derive(Debug, Default)]
pub struct CountingIds(AtomicU64);

impl CountingIds {
    /// Ids from 1 on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn twelve_bytes(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[4..].copy_from_slice(&self.next().to_be_bytes());
        bytes
    }

    fn sixteen_bytes(&self) -> [u8; 16] {
        u128::from(self.next()).to_be_bytes()
    }
}

impl Ids for CountingIds {
    fn user_id(&self) -> UserId {
        UserId::from_bytes(self.twelve_bytes())
    }

    fn trash_entry_id(&self) -> TrashEntryId {
        TrashEntryId::from_bytes(self.twelve_bytes())
    }

    fn session_id(&self) -> SessionId {
        SessionId::from_bytes(self.sixteen_bytes())
    }

    fn token_id(&self) -> TokenId {
        TokenId(self.sixteen_bytes())
    }

    fn request_id(&self) -> RequestId {
        RequestId::from_bytes(self.sixteen_bytes())
    }

    fn image_name(&self) -> [u8; 16] {
        self.sixteen_bytes()
    }

    /// The number in base 26, its lowest digit first, so that two in a row differ whatever their length.
    fn letters(&self, count: usize) -> String {
        let mut number = self.next();
        let mut letters = String::with_capacity(count);
        for _ in 0..count {
            letters.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or_default()));
            number /= 26;
        }
        letters
    }
}
