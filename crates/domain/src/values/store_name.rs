use std::fmt;
use std::sync::Arc;

/// The name of a store, which holds users or images.
///
/// In references to images it is `file` for the folder, an `s3://bucket/prefix` for a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreName(Arc<str>);

impl StoreName {
    /// A store's name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<StoreName> for Arc<str> {
    fn from(name: StoreName) -> Self {
        name.0
    }
}
