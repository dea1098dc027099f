use std::error::Error;
use std::sync::Arc;

use roster_domain::Chain;
use roster_domain::ports::{Clock, Ids, UserQuery};
use roster_domain::values::{PageNumber, PageRequest, PerPage};

use super::images::ImageMove;
use super::stopped;
use crate::Failure;
use crate::composition::{
    CompositionError, Found, Store, Wait, are_one, examine_database, open_database, open_images,
};
use crate::system::{RandomIds, SystemClock};
use roster_settings::{Database, Images, MigrationSettings, Place};

/// Both stores, and the places of images where they are moved.
pub(super) struct Opened {
    pub(super) source: Store,
    pub(super) target: Store,
    pub(super) images: Option<ImageMove>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
}

impl Opened {
    /// How many accounts the source has.
    pub(super) async fn total(&self) -> Result<u64, Failure> {
        let (Some(first), Some(one)) = (PageNumber::new(1), PerPage::<1>::new(1)) else { return Ok(0) };
        let page = PageRequest::new(first, one);
        let live = self.source.users.list(&UserQuery { search: None, page }).await.map_err(stopped)?.total;
        Ok(live + self.source.trash.list(page).await.map_err(stopped)?.total)
    }
}

/// Opens what the settings name. Nothing is made where the source should be, nor in it where it is not what was meant.
pub(super) async fn open_pair(settings: &MigrationSettings) -> Result<Opened, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids: Arc<dyn Ids> = Arc::new(RandomIds::new(Arc::clone(&clock)));
    is_there(settings)?;
    refuse_nobody(&settings.from, &clock, &ids).await?;
    let open = async |place: &Place| {
        let opened = open_database(&place.database, &place.name, &clock, &ids).await;
        opened.map_err(|error| unopened(place.argument, &error))
    };
    let source = open(&settings.from).await?;
    refuse_strangers(&settings.to, &clock, &ids).await?;
    let target = open(&settings.to).await?;
    if are_one(&source, &target).await.map_err(stopped)? {
        return Err(Failure::Settings(settings.same()));
    }
    let images = match &settings.images {
        None => None,
        Some((from, to)) => Some(ImageMove {
            from: open_images(from).await.map_err(|error| unopened("--images-from", &error))?,
            to: open_images(to).await.map_err(|error| unopened("--images-to", &error))?,
        }),
    };
    Ok(Opened { source, target, images, clock, ids })
}

/// Refuses a source with nobody in it: opening it would make what is not there.
async fn refuse_nobody(source: &Place, clock: &Arc<dyn Clock>, ids: &Arc<dyn Ids>) -> Result<(), Failure> {
    let Place { argument, .. } = source;
    match examine(source, clock, ids).await? {
        Found::Users | Found::Unadopted => Ok(()),
        Found::Nobody => Err(Failure::Migration(format!(
            "{argument} holds no users: is it the right database? Nothing was changed"
        ))),
    }
}

/// Refuses a target whose users opening it would take over: they are another program's.
async fn refuse_strangers(target: &Place, clock: &Arc<dyn Clock>, ids: &Arc<dyn Ids>) -> Result<(), Failure> {
    let Place { argument, name, .. } = target;
    match examine(target, clock, ids).await? {
        Found::Nobody | Found::Users => Ok(()),
        Found::Unadopted => Err(Failure::Migration(format!(
            "{argument}: the database {name} holds users whom Roster has not written: give an empty database; nothing \
             was changed"
        ))),
    }
}

async fn examine(place: &Place, clock: &Arc<dyn Clock>, ids: &Arc<dyn Ids>) -> Result<Found, Failure> {
    let Place { argument, database, name } = place;
    let examined = examine_database(database, name, Wait::AsAtStart, clock, ids).await;
    examined.map_err(|error| unopened(argument, &error))
}

fn is_there(settings: &MigrationSettings) -> Result<(), Failure> {
    let missing = |argument, path: &std::path::Path| {
        Err(Failure::Migration(format!("{argument}: {} is not there", path.display())))
    };
    match (&settings.from.database, &settings.images) {
        (Database::Sqlite(file), _) if !file.is_file() => missing("--from", file),
        (_, Some((Images::Folder { folder, .. }, _))) if !folder.is_dir() => missing("--images-from", folder),
        _ => Ok(()),
    }
}

/// Why it could not be opened, without the setting that would name it for the service.
fn unopened(argument: &str, error: &CompositionError) -> Failure {
    let cause = error.source().map_or_else(|| error.to_string(), |cause| Chain(cause).to_string());
    let why = format!("{argument}: {cause}");
    if error.blames_a_setting() { Failure::Usage(why) } else { Failure::Migration(why) }
}
