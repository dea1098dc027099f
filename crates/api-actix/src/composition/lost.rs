use std::path::{Path, PathBuf};

use roster_adapter_crypto::key_file;
use roster_adapter_fs::FolderImages;
use roster_settings::{Images, Settings};

use super::error::CompositionError;

/// Refuses a file that is missing or empty beside what belonged to a database: an empty one in its place would lose everybody
/// without a word, and let the next stranger become an admin.
pub(crate) fn refuse_lost(settings: &Settings) -> Result<(), CompositionError> {
    let Some(file) = settings.database.file() else { return Ok(()) };
    // One with tables may well have nobody in it.
    if file.metadata().is_ok_and(|found| found.len() > 0) {
        return Ok(());
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let remains = match key_file::remains(folder) {
        Some(key) => Some(key),
        None => images_that_remain(settings)?,
    };
    remains.map_or(Ok(()), |remains| {
        let (database, remains) = (file.display().to_string(), remains.display().to_string());
        Err(CompositionError::Lost { database, remains })
    })
}

/// The folder of images, where any user's image lies in it.
fn images_that_remain(settings: &Settings) -> Result<Option<PathBuf>, CompositionError> {
    let Images::Folder { folder, .. } = &settings.images else { return Ok(None) };
    match FolderImages::has_images(folder) {
        Ok(has_images) => Ok(has_images.then(|| folder.clone())),
        Err(source) => Err(CompositionError::Unseen { folder: folder.display().to_string(), source }),
    }
}
