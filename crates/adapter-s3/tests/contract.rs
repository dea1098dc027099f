//! A bucket keeps the contract of image stores, also where its service is reached below a path.

mod support;

mod at_the_top {
    use std::sync::Arc;

    use roster_domain::ports::ImageStore;
    use roster_test_s3::TestS3;

    use crate::support::images;

    async fn fresh() -> (Arc<dyn ImageStore>, TestS3) {
        let s3 = TestS3::start();
        (images(&s3).await, s3)
    }

    roster_domain_testkit::image_store_contract!(fresh);
}

mod below_a_path {
    use std::sync::Arc;

    use roster_domain::ports::ImageStore;
    use roster_test_s3::TestS3;

    use crate::support::images;

    async fn fresh() -> (Arc<dyn ImageStore>, TestS3) {
        let s3 = TestS3::start_below("/storage/v1");
        (images(&s3).await, s3)
    }

    roster_domain_testkit::image_store_contract!(fresh);
}
