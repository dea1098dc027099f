//! What the log says of a request that failed, where that is ours to know: what the client did wrong is the access log's.

use std::fmt::Display;
use std::time::Duration;

use roster_domain::Chain;
use roster_domain::entities::Request;
use roster_domain::ports::Unavailable;

use crate::outages::{FORGOTTEN, Outages};

/// After how long without one the next request that there is no room for is told again.
const CALM: Duration = Duration::from_mins(1);

/// What is at fault in a failure that other requests meet as well, or the same one each time it is repeated.
#[derive(Debug, Clone, Copy)]
pub enum Blame {
    /// A store that is away, or answers what makes no sense.
    Store,
    /// Too much to do.
    Load,
    /// Who configured it: something is not there that users need.
    Settings,
    /// Whoever took an image away.
    Image,
    /// Whoever put something else in an image's place, or answers instead of its store.
    Content,
}

/// Tells of a failure that no other request need meet.
pub fn tell_of_one(error: &(impl Display + ?Sized), request: Request) {
    tracing::error!(event = "request failed", %error, %request, "a request failed");
}

/// Tells of a failure that may meet a thousand requests: with the first of them, unless the store that fails tells it.
pub fn tell_of_many(
    outages: &Outages,
    cause: &'static str,
    blame: Blame,
    error: &impl Display,
    request: Request,
) {
    let is_news = match blame {
        Blame::Store => outages.is_untold(cause, error),
        Blame::Load => outages.is_news(cause, String::new(), CALM),
        Blame::Settings | Blame::Image => outages.is_news(cause, String::new(), FORGOTTEN),
        // Each user's, and each way in which it is wrong.
        Blame::Content => outages.is_news(cause, error.to_string(), FORGOTTEN),
    };
    match blame {
        _ if !is_news => tracing::debug!(event = "request failed", %error, %request, "a request failed"),
        Blame::Load => {
            tracing::warn!(
                event = "overload begins",
                cause,
                %error,
                %request,
                "requests are refused: too much waits"
            );
        }
        Blame::Store => {
            tracing::error!(
                event = "request failed",
                cause,
                %error,
                %request,
                "requests fail: a store answers what makes no sense"
            );
        }
        Blame::Settings => {
            tracing::warn!(
                event = "requests are refused",
                cause,
                %error,
                %request,
                "requests are refused: the settings lack something"
            );
        }
        Blame::Image => {
            tracing::error!(
                event = "image missing",
                cause,
                %error,
                %request,
                "a user's image is not where it was stored"
            );
        }
        Blame::Content => {
            tracing::error!(
                event = "image damaged",
                cause,
                %error,
                %request,
                "what the store answers is not the image that was stored"
            );
        }
    }
}

/// Tells that an image broke off while it was sent, unless the store that failed tells it.
pub fn tell_of_broken_image(outages: &Outages, error: &Unavailable, request: Request) {
    let (cause, error) = (error.kind, Chain(error));
    if outages.is_untold(cause, &error) {
        tracing::error!(
            event = "image broke off",
            cause,
            %error,
            %request,
            "an image could not be read to its end"
        );
    } else {
        tracing::debug!(
            event = "image broke off",
            cause,
            %error,
            %request,
            "an image could not be read to its end"
        );
    }
}
