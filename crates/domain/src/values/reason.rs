use super::text::{TextError, check_length};

/// Why a user was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// The most code points of a reason.
    pub const MAX: usize = 1000;

    /// Takes 1 to 1,000 code points, trimmed.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text.trim();
        check_length(text, 1, Self::MAX)?;
        Ok(Self(text.to_owned()))
    }

    /// Rehydrates a stored reason, whatever it is.
    #[must_use]
    pub fn from_store(text: String) -> Self {
        Self(text)
    }

    /// The reason.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_trimmed_and_holds_1_to_1000_code_points() {
        assert_eq!(Reason::parse(" spam ").map(|reason| reason.0), Ok("spam".to_owned()));
        assert_eq!(Reason::parse("  "), Err(TextError::TooShort { min: 1 }));
        assert!(Reason::parse(&"é".repeat(1000)).is_ok());
        assert_eq!(Reason::parse(&"é".repeat(1001)), Err(TextError::TooLong { max: 1000 }));
    }
}
