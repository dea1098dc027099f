//! The image store in memory keeps the contract.

use std::future::{Ready, ready};
use std::sync::Arc;

use roster_domain::ports::ImageStore;
use roster_domain_testkit::image_store_contract;
use roster_domain_testkit::memory::MemoryImages;

fn fresh() -> Ready<(Arc<dyn ImageStore>, ())> {
    ready((Arc::new(MemoryImages::new("memory")), ()))
}

image_store_contract!(fresh);
