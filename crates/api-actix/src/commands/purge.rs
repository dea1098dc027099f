use roster_domain::Roster;
use roster_domain::entities::Request;
use roster_domain::ports::{Ids, Occupancy};
use roster_domain::use_cases::RemovalProgress;
use roster_jobs::told_of_expired;
use roster_settings::Settings;

use super::{Failure, say, waiting};
use crate::composition::{System, compose, database, patiently, refuse_lost};
use crate::server::StartError;

/// Purges old trash and removes images, as the service's jobs do, but at once. What was done is told also where a store
/// then goes away: it can't be seen in the stores any more.
pub(super) fn run() -> Result<(), Failure> {
    let settings = Settings::load()?;
    waiting(settings.log, async {
        refuse_empty(&settings).await?;
        say(&format!("purging {}", settings.database.place()))?;
        let composition = compose(&settings).await.map_err(StartError::from)?;
        let (roster, ids) = (&composition.roster, &composition.ids);
        let mut purged = 0;
        let ended = purge(roster, ids.as_ref(), &mut purged).await;
        say(&format!("{purged} users deleted for good, who were in the trash for too long"))?;
        ended?;
        if let Some(left) = told_of_expired(roster.expired_trash().await?, "by the next run") {
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

/// A database that is not there is not made: there is nothing to purge in it.
async fn refuse_empty(settings: &Settings) -> Result<(), Failure> {
    refuse_lost(settings).map_err(StartError::from)?;
    let is_there = if let Some(file) = settings.database.file() {
        file.exists()
    } else {
        let database = database(&settings.database, &System::new()).map_err(StartError::from)?;
        let found = patiently(async || database.examine().await).await.map_err(StartError::from)?;
        found != Occupancy::Nobody
    };
    if is_there {
        Ok(())
    } else {
        Err(Failure::Usage(format!("there are no users in {}: DATABASE_URL", settings.database.place())))
    }
}

async fn purge(roster: &Roster, ids: &dyn Ids, purged: &mut usize) -> Result<(), roster_domain::Error> {
    loop {
        match roster.purge_expired_trash(Request::of_roster(ids.request_id())).await? {
            0 => return Ok(()),
            batch => *purged += batch,
        }
    }
}
