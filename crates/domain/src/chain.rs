use std::error::Error;
use std::fmt;

/// An error with all its sources, on one line, for whoever runs Roster.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts = Vec::new();
        let mut next = Some(self.0);
        while let Some(error) = next {
            texts.push(error.to_string().replace(['\r', '\n'], " "));
            next = error.source();
        }
        f.write_str(&texts.join(": "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Unavailable;

    #[test]
    fn a_chain_is_one_line() {
        let error = Unavailable::new("the database", "disk\nfull");
        assert_eq!(Chain(&error).to_string(), "the database is unavailable: disk full");
    }
}
