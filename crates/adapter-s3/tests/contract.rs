//! A bucket keeps the contract of image stores.

use std::sync::Arc;

use roster_domain::ports::ImageStore;
use roster_test_s3::TestS3;

mod support;

async fn fresh() -> (Arc<dyn ImageStore>, TestS3) {
    let s3 = TestS3::start();
    let images = support::images(&s3).await;
    (images, s3)
}

roster_domain_testkit::image_store_contract!(fresh);
