//! Moving accounts, and images, from one store to another: `roster-transfer` does it, this opens the stores and tells of it.

mod opened;
mod progress;
mod stopped;

use clap::Args;

use roster_settings::MigrationSettings;
use roster_transfer::{Compared, ImageMove, Report, Transfer};

use self::opened::open_pair;
use self::progress::Bar;
use self::stopped::stopped;
use super::{Failure, say, waiting};

/// What is told behind the arguments.
pub(super) const HELP: &str = "\
Stop the service on the source first, and do not start it on the target before this has ended
with exit code 0: what changes meanwhile is not moved. The database of --from is only read, and
stays as it is, byte for byte. A run that was cut off is run again, and goes on where it was.

The target is looked at first: one that holds users who are not in the source is refused before
anything is written. In the end every account is read again from both, and every image that was
moved, and compared. Who is in the trash is purged a day after the copy at the earliest.

On a MongoDB the path of the URL names the database, and DB_NAME where it has none. Buckets are
reached with the settings of S3 (AWS_ENDPOINT_URL_S3, AWS_REGION, keys). Without --images-from
and --images-to, images stay where they are. docs/commands.md says more.";

/// From where to where.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the accounts are: sqlite:// and a file's path, or a mongodb:// URL
    #[arg(long, value_name = "URL")]
    from: String,
    /// Where they are to be, likewise
    #[arg(long, value_name = "URL")]
    to: String,
    /// Where the images are: file:// and a folder's path, or s3:// and a bucket, a slash and a prefix
    #[arg(long, value_name = "URL", requires = "images_to")]
    images_from: Option<String>,
    /// Where they are to be, likewise
    #[arg(long, value_name = "URL", requires = "images_from")]
    images_to: Option<String>,
}

/// Moves what the arguments name.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let images = arguments.images_from.as_deref().zip(arguments.images_to.as_deref());
    let settings = MigrationSettings::load(&arguments.from, &arguments.to, images)?;
    waiting(settings.log, async { migrate(&open_pair(&settings).await?).await })
}

async fn migrate(transfer: &Transfer) -> Result<(), Failure> {
    let Report { copied, removals, equal } = transfer.run(&mut Bar::default()).await.map_err(stopped)?;
    say(&format!("{} accounts written, {} were there already", copied.written, copied.there))?;
    if removals > 0 {
        say(&format!("{removals} promises to remove an image carried over"))?;
    }
    say(&format!("{} accounts, {} of them in the trash, are equal in both", equal.accounts, equal.in_trash))?;
    tell_of_images(transfer.images.as_ref(), &equal.images)?;
    if equal.images.missing > 0 && equal.images.equal == 0 {
        return Err(Failure::Migration(
            "none of the images is in --images-from: is it the right place? Run it again with the right one"
                .to_owned(),
        ));
    }
    if transfer.forgets_admins().await.map_err(stopped)? {
        say(
            "no account is an admin, but there has been one: with ADMIN_SIGNUP=bootstrap anyone may sign up as one",
        )?;
    }
    Ok(())
}

fn tell_of_images(images: Option<&ImageMove>, compared: &Compared) -> Result<(), Failure> {
    if let Some(images) = images {
        let (equal, from, to) = (compared.equal, images.from.name(), images.to.name());
        say(&format!("{equal} images are equal in {} and {}", from.as_str(), to.as_str()))?;
    }
    if compared.missing > 0 {
        let first = compared.first_missing.as_ref().map(ToString::to_string).unwrap_or_default();
        say(&format!("{} images were missing already, the first that of user {first}", compared.missing))?;
    }
    if compared.elsewhere > 0 {
        say(&format!("{} images stay in their stores: {}", compared.elsewhere, compared.stores()))?;
    }
    if compared.originals > 0 {
        let count = compared.originals;
        say(&format!(
            "{count} images of the FastAPI service keep their names; their files are yours to copy"
        ))?;
    }
    Ok(())
}
