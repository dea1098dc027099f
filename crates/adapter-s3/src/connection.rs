use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_http_client::tls;
use secrecy::{ExposeSecret, SecretString};

/// How long S3 may take to take a connection, to answer one try, and to answer at all.
const CONNECT: Duration = Duration::from_secs(2);
const TRY: Duration = Duration::from_secs(4);
const ALL_TRIES: Duration = Duration::from_secs(10);

/// The same for a removal, which a job tries again later. Until then somebody may wait who has uploaded the next image.
const CONNECT_TO_REMOVE: Duration = Duration::from_secs(1);
const REMOVE: Duration = Duration::from_secs(2);

/// How often a call is tried in all. S3 asks for another try where it is busy.
const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A line that is slower than this, in bytes a second, is given up: an image of 5 MB may take 20 seconds longer.
const SLOWEST: u64 = 256 * 1024;

/// How long an upload may stand still.
const STALL: Duration = Duration::from_secs(5);

/// Keys that the settings hold.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: SecretString,
    /// What belongs to keys that end.
    pub session_token: Option<SecretString>,
}

/// A way to S3, which several buckets may share.
#[derive(Debug, Clone)]
pub struct Connection {
    client: Client,
}

impl Connection {
    /// To AWS in that region, or to another service at that URL, where the bucket then follows the URL's path, which may end
    /// in a slash or not. Without credentials it is the chain of the AWS SDK that looks for them, when they are needed. Nothing is asked yet.
    pub async fn new(region: String, endpoint: Option<String>, credentials: Option<Credentials>) -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let retries = RetryConfig::standard()
            .with_max_attempts(TRIES)
            .with_initial_backoff(FIRST_PAUSE)
            .with_max_backoff(LONGEST_PAUSE);
        // Whoever reads an image times its pieces.
        let stalls = StalledStreamProtectionConfig::enabled()
            .download_enabled(false)
            .upload_enabled(true)
            .grace_period(STALL)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            // Where none is set, the SDK would ask a service of AWS's own machines for it.
            .region(Region::new(region))
            .retry_config(retries)
            .timeout_config(timeouts(0))
            .stalled_stream_protection(stalls)
            // Not every service that speaks like S3 knows the checksums that the SDK adds by itself.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(keys) = credentials {
            loader = loader.credentials_provider(aws_sdk_s3::config::Credentials::new(
                keys.access_key_id,
                keys.secret_access_key.expose_secret(),
                keys.session_token.map(|token| token.expose_secret().to_owned()),
                None,
                "settings",
            ));
        }
        let shared = loader.load().await;
        let mut config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(endpoint.is_some());
        // Also where there is none: the SDK takes one from variables and profiles of its own, which nobody else knows of.
        config.set_endpoint_url(endpoint.map(|url| with_slash(&url)));
        Self { client: Client::from_conf(config.build()) }
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }
}

/// The SDK appends the bucket to the URL as it is: `/v1` and `images` would become `/v1images`.
fn with_slash(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}

/// How long so many bytes take on the slowest line.
pub(crate) const fn sending(bytes: u64) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1_000) / SLOWEST)
}

/// How long a call may take that sends so many bytes.
pub(crate) fn timeouts(bytes: u64) -> TimeoutConfig {
    let sending = sending(bytes);
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(TRY + sending)
        .operation_timeout(ALL_TRIES + sending)
        .build()
}

/// How long a removal may take.
pub(crate) fn removal_timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TO_REMOVE)
        .operation_attempt_timeout(REMOVE)
        .operation_timeout(REMOVE)
        .build()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use aws_sdk_s3::presigning::PresigningConfig;

    use super::*;

    /// Set where a test runs in a process of its own, for its variables.
    const CHILD: &str = "ROSTER_TEST_CHILD";

    async fn address_of_an_object(endpoint: Option<&str>) -> String {
        let keys = Credentials {
            access_key_id: "an id".to_owned(),
            secret_access_key: "a secret".into(),
            session_token: None,
        };
        let connection =
            Connection::new("eu-north-1".to_owned(), endpoint.map(str::to_owned), Some(keys)).await;
        let presigning = PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
        let object = connection.client().get_object().bucket("faces").key("a.png");
        let address = object.presigned(presigning).await.unwrap().uri().to_owned();
        address.split_once('?').unwrap().0.to_owned()
    }

    #[tokio::test]
    async fn an_endpoint_is_the_one_of_the_settings_or_that_of_aws_whatever_the_sdk_would_find() {
        const TEST: &str = "connection::tests::\
                            an_endpoint_is_the_one_of_the_settings_or_that_of_aws_whatever_the_sdk_would_find";
        if std::env::var_os(CHILD).is_some() {
            let of_aws = "https://faces.s3.eu-north-1.amazonaws.com/a.png";
            assert_eq!(address_of_an_object(None).await, of_aws);
            for (url, address) in [
                ("http://127.0.0.1:9000", "http://127.0.0.1:9000/faces/a.png"),
                ("http://127.0.0.1:9000/", "http://127.0.0.1:9000/faces/a.png"),
                ("http://127.0.0.1:9000/v1", "http://127.0.0.1:9000/v1/faces/a.png"),
                ("https://s3.example.com/storage/v1/s3/", "https://s3.example.com/storage/v1/s3/faces/a.png"),
            ] {
                assert_eq!(address_of_an_object(Some(url)).await, address);
            }
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let profiles = folder.path().join("config");
        std::fs::write(&profiles, "[default]\nendpoint_url = http://127.0.0.1:1\n").unwrap();
        for (variable, value) in [
            ("AWS_ENDPOINT_URL_S3", ""),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_CONFIG_FILE", profiles.to_str().unwrap()),
        ] {
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", TEST])
                .env(CHILD, "")
                .env(variable, value)
                .output()
                .unwrap();
            let output = String::from_utf8_lossy(&child.stdout);
            assert!(child.status.success() && output.contains("1 passed"), "{variable}={value}: {output}");
        }
    }
}
