use roster_adapter_crypto::key_file::KeyFileError;
use roster_domain::ports::{OpenError, Unavailable};

/// What could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum CompositionError {
    /// What `DATABASE_URL` names.
    #[error("can't open the database of DATABASE_URL")]
    Database(#[source] OpenError),
    /// No store has the scheme of the database's URL.
    #[error("no store has URLs that begin with {0}://")]
    Scheme(String),
    /// The database is gone, or empty, and what belonged to it is there yet.
    #[error(
        "the database {database} is missing or empty, but {remains} remains, which belongs to one: put the database back from a \
         backup (or set DATABASE_URL right); where an empty one is wanted, move {remains} away first"
    )]
    Lost {
        /// Which database.
        database: String,
        /// What remains of it.
        remains: String,
    },
    /// What remains of a database could not be looked for.
    #[error("can't look for images in {folder}")]
    Unseen {
        /// Where.
        folder: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The database did not answer once it was open.
    #[error("can't read the database of DATABASE_URL")]
    Store(#[source] Unavailable),
    /// The folder that `IMAGES_URL` names.
    #[error("can't open the image folder of IMAGES_URL")]
    Images(#[source] roster_adapter_fs::OpenError),
    /// The threads that hash passwords.
    #[error("can't start hashing")]
    Hasher(#[source] roster_adapter_crypto::StartError),
    /// The threads that make pictures.
    #[error("can't start the threads for images")]
    Processor(#[source] std::io::Error),
    /// The signing key that is kept beside the database.
    #[error(transparent)]
    SecretKey(#[from] KeyFileError),
}

impl CompositionError {
    /// Whether a setting can't be right, whatever the machine does.
    #[must_use]
    pub const fn blames_a_setting(&self) -> bool {
        matches!(self, Self::Database(OpenError::Url(_)) | Self::Scheme(_))
    }
}
