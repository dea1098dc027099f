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
    /// The same, but for spools that take so many bytes together: two of the largest images for one user, and for one client half of
    /// all, so that no client keeps the others out, but never less than for one user.
    #[must_use]
    pub const fn with_spools(mut self, all: u64) -> Self {
        self.spools = spools(all);
        self
    }
}

const fn spools(all: u64) -> SpoolLimits {
    let (each_user, half) = (2 * LARGEST_IMAGE, all / 2);
    SpoolLimits { all, each_user, each_client: if half > each_user { half } else { each_user } }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_half_of_all_and_what_one_user_has_at_least() {
        for (all, each_client) in [(20, 20), (30, 20), (40, 20), (42, 21), (256, 128)] {
            let SpoolLimits { each_user, each_client: found, .. } = spools(all << 20);
            assert_eq!((each_user, found), (20 << 20, each_client << 20));
        }
    }
}
