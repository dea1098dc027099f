use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStreamError;
use roster_domain::ports::Unavailable;
use roster_domain::values::StoreName;

/// What the log calls such a store.
pub(crate) const STORE: &str = "image store";

/// What went wrong, in words for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum S3Fault {
    /// S3 answered, and said no.
    #[error("{doing} was answered with {status} {code}: {message}")]
    Refused { doing: &'static str, status: u16, code: String, message: String },
    /// There was no answer, or none that could be understood.
    #[error("{doing} failed")]
    NoAnswer { doing: &'static str, source: Box<dyn Error + Send + Sync> },
    #[error("an object that nobody has stored is there: is it S3 that answers?")]
    NotS3,
    #[error("an object came too slowly")]
    Stalled,
    #[error("an object was cut off")]
    Cut(#[source] ByteStreamError),
    #[error("an object ended {missing} bytes too early")]
    TooShort { missing: u64 },
}

impl S3Fault {
    pub(crate) fn of_sdk<E>(doing: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match &error {
            SdkError::ServiceError(refused) => {
                let text = |text: Option<&str>| text.unwrap_or("without a reason").to_owned();
                Self::Refused {
                    doing,
                    status: refused.raw().status().as_u16(),
                    code: text(refused.err().code()),
                    message: text(refused.err().message()),
                }
            }
            _ => Self::NoAnswer { doing, source: Box::new(error) },
        }
    }

    pub(crate) fn in_store(self, store: &StoreName) -> Unavailable {
        Unavailable::new(STORE, InStore { store: store.clone(), fault: self })
    }
}

/// Where it went wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}", store.as_str())]
struct InStore {
    store: StoreName,
    #[source]
    fault: S3Fault,
}
