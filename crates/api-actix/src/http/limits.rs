use std::time::Duration;

use roster_domain::ports::SpoolLimits;

/// How much a request may send, and how slowly.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most bytes of a JSON body.
    pub body: usize,
    /// How long a JSON body may take to arrive.
    pub body_deadline: Duration,
    /// The most bytes of an image.
    pub image: u64,
    /// The most bytes of images that have been uploaded and are not stored yet, in files.
    pub spools: SpoolLimits,
    /// How far an upload may fall behind its pace.
    pub upload_stall: Duration,
    /// The pace: how many bytes a second an upload has to send. It is no earlier for having been faster before.
    pub upload_rate: u32,
    /// How long an upload may take in all.
    pub upload_deadline: Duration,
}

/// The most bytes of an image that is uploaded.
const LARGEST_IMAGE: u64 = 10 * 1024 * 1024;

impl Limits {
    /// The same, but for spools that take so many bytes together: two of the largest images for one user, and half of all for
    /// one client, so that no client keeps the others out.
    #[must_use]
    pub const fn with_spools(mut self, all: u64) -> Self {
        self.spools = spools(all);
        self
    }
}

const fn spools(all: u64) -> SpoolLimits {
    SpoolLimits { all, each_user: 2 * LARGEST_IMAGE, each_client: all / 2 }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 64 * 1024,
            body_deadline: Duration::from_secs(30),
            image: LARGEST_IMAGE,
            spools: spools(256 * 1024 * 1024),
            upload_stall: Duration::from_secs(30),
            upload_rate: 4096,
            upload_deadline: Duration::from_mins(10),
        }
    }
}
