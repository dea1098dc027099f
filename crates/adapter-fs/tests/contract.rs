//! A folder keeps the contract of image stores.

use std::sync::Arc;

use roster_adapter_fs::FolderImages;
use roster_domain::ports::ImageStore;
use tempfile::TempDir;

async fn fresh() -> (Arc<dyn ImageStore>, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let images = FolderImages::open(folder.path()).expect("an open folder");
    (Arc::new(images), folder)
}

roster_domain_testkit::image_store_contract!(fresh);
