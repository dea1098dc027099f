use std::fmt;

use crate::error::{WrongValue, shown};

/// The most bytes of a prefix, so that S3 takes a key after it.
const LONGEST_PREFIX: usize = 512;

/// A bucket, or what is below a prefix in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// What stands before all keys, without a slash at its end; it may be empty.
    pub prefix: String,
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{slash}{}", self.name, self.prefix)
    }
}

impl Bucket {
    pub(crate) fn whole(name: String) -> Self {
        Self { name, prefix: String::new() }
    }
}

/// What is after `s3://`: a bucket, and perhaps a prefix.
pub(crate) fn parse(text: &str) -> Result<Bucket, WrongValue> {
    let (name, prefix) = text.split_once('/').unwrap_or((text, ""));
    let name = self::name(name)?;
    let (prefix, given) = (prefix.strip_suffix('/').unwrap_or(prefix), prefix);
    let is_plain = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    if !given.is_empty() && (prefix.len() > LONGEST_PREFIX || !prefix.split('/').all(is_plain)) {
        let remedy = "give at most 512 letters, digits, -, _ and . with slashes between them, such as \
                      s3://my-bucket/profile/images";
        return Err(WrongValue::new(format!("has the prefix {}, which can't be one", shown(given)), remedy));
    }
    Ok(Bucket { name, prefix: prefix.to_owned() })
}

/// A bucket's name, as AWS has it.
pub(crate) fn name(text: &str) -> Result<String, WrongValue> {
    let is_outer = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    let is_name = (3..=63).contains(&bytes.len())
        && bytes.iter().all(|b| is_outer(Some(b)) || matches!(b, b'-' | b'.'))
        && is_outer(bytes.first())
        && is_outer(bytes.last())
        && !text.contains("..");
    if is_name {
        Ok(text.to_owned())
    } else {
        let remedy = "give 3 to 63 small letters, digits, - and . such as my-bucket";
        Err(WrongValue::new(format!("has {}, which can't be the name of a bucket", shown(text)), remedy))
    }
}
