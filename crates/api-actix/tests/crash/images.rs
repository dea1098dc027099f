//! The folder of images as it lies on the disk.

use std::collections::BTreeMap;
use std::path::Path;

use crate::harness::TestApp;
use crate::store::Stored;

/// Every file in it by its key, the owner's folder and the file's name.
pub(crate) struct Images(BTreeMap<String, Vec<u8>>);

impl Images {
    /// # Panics
    /// Where an unfinished file is left.
    pub(crate) fn read(app: &TestApp) -> Self {
        let root = app.folder().join("data/images");
        let key = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        // One that is being removed may be gone by the time it is read; then there is nothing to be said of it.
        let read = |path: &Path| std::fs::read(path).ok().map(|content| (key(path), content));
        let files: BTreeMap<_, _> = app.images().iter().filter_map(|path| read(path)).collect();
        let unfinished: Vec<_> = files.keys().filter(|key| key.starts_with(".tmp/")).collect();
        assert!(unfinished.is_empty(), "temporary files are left: {unfinished:?}");
        Self(files)
    }

    /// Each is a user's, or there is a promise to remove it.
    pub(crate) fn belong_to(&self, stored: &Stored) {
        for key in self.0.keys() {
            let is_users = stored.users.values().any(|user| user.image.as_ref() == Some(key));
            assert!(is_users || stored.removals.contains(key), "nobody knows of {key}: {stored:#?}");
        }
    }

    /// Each user's is there, whole.
    pub(crate) fn hold_those_of(&self, stored: &Stored) {
        for key in stored.users.values().filter_map(|user| user.image.as_ref()) {
            let content = self.0.get(key).unwrap_or_else(|| panic!("the image {key} is lost"));
            let is_png =
                content.starts_with(b"\x89PNG\r\n\x1A\n") && content.ends_with(b"IEND\xAE\x42\x60\x82");
            let is_jpeg = content.starts_with(b"\xFF\xD8\xFF") && content.ends_with(b"\xFF\xD9");
            assert!(is_png || is_jpeg, "{key} is half an image of {} bytes", content.len());
        }
    }
}
