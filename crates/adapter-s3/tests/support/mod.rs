//! What the tests of buckets have in common.

use std::sync::Arc;

use roster_adapter_s3::{Connection, Credentials, S3Images};
use roster_test_s3::{Config, TestS3};

pub(crate) const PREFIX: &str = "profile/images";
pub(crate) const PUBLIC_URL: &str = "https://images.example.com";

/// A way to a server, with its own keys.
pub(crate) async fn connection(s3: &TestS3) -> Connection {
    connection_to(s3.url(), s3.config()).await
}

pub(crate) async fn connection_to(url: String, keys: &Config) -> Connection {
    let credentials = Credentials {
        access_key_id: keys.access_key_id.clone(),
        secret_access_key: keys.secret_access_key.clone().into(),
        session_token: None,
    };
    Connection::new("eu-central-1".to_owned(), Some(url), Some(credentials)).await
}

/// What is below a prefix in a server's bucket.
pub(crate) async fn images(s3: &TestS3) -> Arc<S3Images> {
    Arc::new(S3Images::new(&connection(s3).await, &s3.config().bucket, PREFIX, PUBLIC_URL))
}
