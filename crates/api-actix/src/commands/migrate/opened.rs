use std::error::Error;
use std::sync::Arc;

use roster_domain::Chain;
use roster_domain::entities::{Change, Request};
use roster_domain::ports::{Clock, Ids};

use super::images::ImageMove;
use crate::Failure;
use crate::composition::{
    CompositionError, Found, Source, Store, Wait, examine_database, open_database, open_images,
};
use crate::system::{RandomIds, SystemClock};
use roster_settings::{Database, Images, MigrationSettings, Place};

/// How many accounts are read at a time. Of the source twice as many are held: those that are being written, and the next.
pub(super) const BATCH: usize = 500;

/// The source, which is only read, the target, and the places of images where they are moved.
pub(super) struct Opened {
    pub(super) source: Source,
    pub(super) target: Store,
    pub(super) images: Option<ImageMove>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
}

impl Opened {
    /// A change that this run makes now.
    pub(super) fn change(&self) -> Change {
        let request = Request::of_roster(self.ids.request_id());
        Change { actor: None, at: self.clock.now(), request }
    }
}

/// Opens what the settings name: the target is looked at first, then the source, and nothing is made before both will do.
pub(super) async fn open_pair(settings: &MigrationSettings) -> Result<Opened, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids: Arc<dyn Ids> = Arc::new(RandomIds::new(Arc::clone(&clock)));
    is_there(settings)?;
    let MigrationSettings { from, to, .. } = settings;
    refuse_strangers(to, &clock, &ids).await?;
    let source = Source::open(&from.database, &from.name, &clock, &ids).await;
    let Some(source) = source.map_err(|error| unopened(from.argument, &error))? else {
        return Err(Failure::Migration(format!(
            "{} holds no users: is it the right database? Nothing was changed",
            from.argument
        )));
    };
    let is_one = source.is(&to.database, &to.name).await;
    if is_one.map_err(|error| unopened(to.argument, &error))? {
        return Err(Failure::Settings(settings.same()));
    }
    let images = match &settings.images {
        None => None,
        Some((from, to)) => Some(ImageMove {
            from: open_images(from).await.map_err(|error| unopened("--images-from", &error))?,
            to: open_images(to).await.map_err(|error| unopened("--images-to", &error))?,
        }),
    };
    let target = open_database(&to.database, &to.name, &clock, &ids, None).await;
    let target = target.map_err(|error| unopened(to.argument, &error))?;
    Ok(Opened { source, target, images, clock, ids })
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
