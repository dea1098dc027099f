use roster_domain::Roster;
use roster_domain::entities::Request;
use roster_domain::ports::Ids;
use roster_domain::use_cases::RemovalProgress;

use super::{say, waiting};
use crate::Failure;
use crate::composition::compose;
use crate::expiry;
use crate::server::StartError;
use roster_settings::Settings;

/// Purges old trash and removes images, as the service's jobs do, but at once. What was done is told also where a store
/// then goes away: it can't be seen in the stores any more.
pub(super) fn run() -> Result<(), Failure> {
    let settings = Settings::load()?;
    waiting(settings.log, async {
        let composition = compose(&settings).await.map_err(StartError::from)?;
        let (roster, ids) = (&composition.roster, &composition.ids);
        let mut purged = 0;
        let ended = purge(roster, ids.as_ref(), &mut purged).await;
        say(&format!("{purged} users deleted for good, who were in the trash for too long"))?;
        ended?;
        if let Some(left) = expiry::told(roster.expired_trash().await?, "by the next run") {
            say(&left)?;
        }
        let mut progress = RemovalProgress::default();
        let ended = roster.remove_images(&mut progress, Request::of_roster(ids.request_id())).await;
        say(&format!("{} images removed", progress.removed()))?;
        ended?;
        for store in roster.removals_out_of_reach().await? {
            say(&format!("images in {} wait to be removed: it is not configured", store.as_str()))?;
        }
        Ok(())
    })
}

async fn purge(roster: &Roster, ids: &dyn Ids, purged: &mut usize) -> Result<(), roster_domain::Error> {
    loop {
        match roster.purge_expired_trash(Request::of_roster(ids.request_id())).await? {
            0 => return Ok(()),
            batch => *purged += batch,
        }
    }
}
