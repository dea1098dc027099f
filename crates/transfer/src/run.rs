use crate::accounts::{Copied, Equal, compare, copy, refuse_others};
use crate::error::TransferError;
use crate::progress::Progress;
use crate::removals::carry_over;
use crate::transfer::Transfer;

/// What a transfer came to that reached its end.
pub struct Report {
    /// What was written.
    pub copied: Copied,
    /// How many promises to remove an image were carried over.
    pub removals: u64,
    /// What was found equal in both.
    pub equal: Equal,
}

impl Transfer {
    /// Moves everything, and compares it in the end.
    pub async fn run(&self, progress: &mut dyn Progress) -> Result<Report, TransferError> {
        let total = self.source.count().await?;
        refuse_others(self.source.as_ref(), self.target.archive.as_ref()).await?;
        let copied = copy(self, total, progress).await?;
        let removals = carry_over(self).await?;
        let equal = compare(self, total, progress).await?;
        Ok(Report { copied, removals, equal })
    }

    /// Whether the target does not know that there has been an admin, though the source does: all of them were deleted for good, and the
    /// target learns of an admin from its accounts alone.
    pub async fn forgets_admins(&self) -> Result<bool, TransferError> {
        Ok(self.source.has_had_admin().await? && !self.target.accounts.has_had_admin().await?)
    }
}
