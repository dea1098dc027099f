use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use roster_domain::Chain;
use roster_domain::ports::{Database, Identity, Occupancy};
use roster_settings::{Images, MigrationSettings, Place};
use roster_transfer::{ImageMove, Target, Transfer};

use crate::commands::Failure;
use crate::composition::{CompositionError, System, database, open_images, patiently};

/// Opens what the settings name: the target is looked at first, then the source, and nothing is made before both will do.
pub(super) async fn open_pair(settings: &MigrationSettings) -> Result<Transfer, Failure> {
    let system = System::new();
    is_there(settings)?;
    let named =
        |place: &Place| database(&place.database, &system).map_err(|error| unopened(place.argument, &error));
    let MigrationSettings { from, to, .. } = settings;
    let (source, target) = (named(from)?, named(to)?);
    refuse_strangers(to, target.as_ref()).await?;
    let opened = patiently(async || source.source().await).await;
    let Some(accounts) = opened.map_err(|error| unopened(from.argument, &error))? else {
        return Err(Failure::Migration(format!(
            "{} holds no users: is it the right database? Nothing was changed",
            from.argument
        )));
    };
    if let (Some(one), Some(other)) =
        (identity(from, source.as_ref()).await?, identity(to, target.as_ref()).await?)
        && one.is(&other)
    {
        return Err(Failure::Settings(settings.same()));
    }
    let images = match &settings.images {
        None => None,
        Some((from, to)) => Some(ImageMove {
            from: open_images(from).await.map_err(|error| unopened("--images-from", &error))?,
            to: open_images(to).await.map_err(|error| unopened("--images-to", &error))?,
        }),
    };
    let target = patiently(async || target.open(None).await).await;
    let target = target.map_err(|error| unopened(to.argument, &error))?;
    let target = Target {
        accounts: Arc::clone(&target) as _,
        archive: Arc::clone(&target) as _,
        profile_images: target,
    };
    let System { clock, ids } = system;
    Ok(Transfer { source: accounts, target, images, clock, ids })
}

/// Refuses a target whose users opening it would take over: they are another program's.
async fn refuse_strangers(place: &Place, target: &dyn Database) -> Result<(), Failure> {
    let Place { argument, database } = place;
    let examined = patiently(async || target.examine().await).await;
    match examined.map_err(|error| unopened(argument, &error))? {
        Occupancy::Nobody | Occupancy::Users => Ok(()),
        Occupancy::Unadopted => Err(Failure::Migration(format!(
            "{argument}: the database {} holds users whom Roster has not written: give an empty database; nothing was \
             changed",
            database.name()
        ))),
    }
}

/// What tells the database from others: two URLs may lead to the same one.
async fn identity(place: &Place, database: &dyn Database) -> Result<Option<Identity>, Failure> {
    let identity = patiently(async || database.identity().await).await;
    identity.map_err(|error| unopened(place.argument, &error))
}

fn is_there(settings: &MigrationSettings) -> Result<(), Failure> {
    let missing = |argument, path: &Path| {
        Err(Failure::Migration(format!("{argument}: {} is not there", path.display())))
    };
    match (settings.from.database.file(), &settings.images) {
        (Some(file), _) if !file.is_file() => missing("--from", file),
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
