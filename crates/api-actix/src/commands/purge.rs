use roster_domain::use_cases::{PURGE_BATCH, RemovalProgress};

use super::{say, waiting};
use crate::Failure;
use crate::composition::compose;
use crate::server::StartError;
use crate::settings::Settings;

/// Purges old trash and removes images, as the service's jobs do, but at once.
pub(super) fn run() -> Result<(), Failure> {
    let settings = Settings::load()?;
    waiting(settings.log, async {
        let composition = compose(&settings).await.map_err(StartError::from)?;
        let (roster, ids) = (&composition.roster, &composition.ids);
        let mut purged = 0;
        loop {
            let batch = roster.purge_expired_trash(ids.request_id()).await?;
            purged += batch;
            if batch < PURGE_BATCH {
                break;
            }
        }
        say(&format!("{purged} users deleted for good, who were in the trash for too long"))?;
        let mut progress = RemovalProgress::default();
        let removed = roster.remove_images(&mut progress, ids.request_id()).await?;
        say(&format!("{removed} images removed"))?;
        for store in roster.removals_out_of_reach().await? {
            say(&format!("images in {} wait to be removed: it is not configured", store.as_str()))?;
        }
        Ok(())
    })
}
