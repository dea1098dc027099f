/// What a user may do beyond their own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Their own account only.
    Regular,
    /// Everybody's account, and the trash.
    Admin,
}

impl Role {
    /// As it is stored and answered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Admin => "admin",
        }
    }

    /// Rehydrates a stored role. One that is not known gives the fewest rights.
    #[must_use]
    pub fn from_store(text: &str) -> Self {
        if text == "admin" { Self::Admin } else { Self::Regular }
    }
}
