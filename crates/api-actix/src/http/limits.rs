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

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 64 * 1024,
            body_deadline: Duration::from_secs(30),
            image: LARGEST_IMAGE,
            // Two of the largest for one user.
            spools: SpoolLimits { all: 256 * 1024 * 1024, each_user: 2 * LARGEST_IMAGE },
            upload_stall: Duration::from_secs(30),
            upload_rate: 4096,
            upload_deadline: Duration::from_mins(10),
        }
    }
}
