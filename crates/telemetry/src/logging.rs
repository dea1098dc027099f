//! The log on standard output: one event per line.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use tracing::{Level, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use roster_settings::{LogFormat, LogSettings};

/// How many lines may wait for a slow reader of standard output. What is beyond is lost, and counted: a reader that
/// stalls must not stall requests.
const MOST_LINES: usize = 8192;

/// How long what waits may take to be written in the end.
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);

/// What writes the log, until it is finished.
static WRITER: Mutex<Option<(WorkerGuard, ErrorCounter)>> = Mutex::new(None);

/// The log, which is finished with this value.
#[must_use]
pub struct Log(());

impl Drop for Log {
    fn drop(&mut self) {
        finish();
    }
}

/// Logs from now on, in all threads. It has to be the first to do so.
pub fn start(settings: LogSettings) -> Log {
    let terminal = io::stdout().is_terminal();
    let format = settings.format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let (writer, guard) = non_blocking(io::stdout());
    *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some((guard, writer.error_counter()));
    subscriber(settings.level, format, terminal, writer).init();
    Log(())
}

/// Logs to standard error from now on, in all threads: standard output is for what a command has to say.
pub fn start_beside_output(settings: LogSettings) {
    let terminal = io::stderr().is_terminal();
    let format = settings.format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    subscriber(settings.level, format, terminal, io::stderr).init();
}

/// Writes what waits, as far as it is read in time. What is logged after that is lost.
pub fn finish() {
    let Some((guard, lost)) = WRITER.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let lines = lost.dropped_lines();
    if lines > 0 {
        tracing::warn!(event = "log lines lost", lines, "standard output was not read fast enough");
    }
    let (done, written) = mpsc::channel();
    // On a thread of its own: where the buffer is full, the guard itself prints, and waits for the same reader.
    let writing = thread::Builder::new().spawn(move || {
        drop(guard);
        // Who waited may have given up.
        let _ = done.send(());
    });
    if writing.is_ok() {
        // Later than that is too late: the process ends all the same.
        let _ = written.recv_timeout(WRITTEN_WITHIN);
    }
}

fn non_blocking(output: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(MOST_LINES)
        .thread_name("log")
        .finish(output)
}

fn subscriber<W>(
    level: Level,
    format: LogFormat,
    colours: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Of the libraries only warnings: below that they may log whole requests, tokens included.
    // Of the dispatcher nothing: it tells an error for whatever a stranger sends that is no HTTP.
    // Of the search for credentials of AWS nothing: whoever needed them tells it, with the request.
    let filter = Targets::new()
        .with_default(level.min(Level::WARN))
        .with_target("actix_http::h1::dispatcher", LevelFilter::OFF)
        .with_target("aws_config::meta::credentials", LevelFilter::OFF)
        .with_target("roster", level);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => Box::new(registry.with(fmt::layer().with_ansi(colours).with_writer(writer))),
        LogFormat::Json => {
            let layer =
                fmt::layer().json().flatten_event(true).with_span_list(false).with_current_span(false);
            Box::new(registry.with(layer.with_writer(writer)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;

    fn logged(level: Level, format: LogFormat, log: impl FnOnce()) -> String {
        let buffer = Arc::new(Mutex::new(Vec::new()));
        tracing::subscriber::with_default(
            subscriber(level, format, false, TestWriter(Arc::clone(&buffer))),
            log,
        );
        String::from_utf8(buffer.lock().unwrap().clone()).unwrap()
    }

    struct TestWriter(Arc<Mutex<Vec<u8>>>);

    impl<'a> MakeWriter<'a> for TestWriter {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            Self(Arc::clone(&self.0))
        }
    }

    impl io::Write for TestWriter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_flat_json_object_with_its_time() {
        let log = logged(Level::INFO, LogFormat::Json, || {
            tracing::info!(event = "answered", status = 200, "two\nlines");
        });
        assert_eq!(log.lines().count(), 1);
        let event: Value = serde_json::from_str(&log).unwrap();
        assert_eq!(event["level"], "INFO");
        assert_eq!(event["event"], "answered");
        assert_eq!(event["status"], 200);
        assert_eq!(event["message"], "two\nlines");
        assert!(event["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn text_has_no_colours_where_there_is_no_terminal() {
        let log = logged(Level::INFO, LogFormat::Text, || tracing::info!("hello"));
        assert!(log.contains("INFO") && log.contains("hello") && !log.contains('\u{1b}'), "{log:?}");
    }

    #[test]
    fn the_level_is_ours_and_libraries_tell_warnings_at_most() {
        let log = logged(Level::TRACE, LogFormat::Text, || {
            tracing::trace!("our trace");
            tracing::info!(target: "actix_http", "their info");
            tracing::warn!(target: "actix_http", "their warning");
            tracing::error!(target: "actix_http::h1::dispatcher", "a stranger's fault");
            tracing::warn!(target: "aws_config::meta::credentials::chain", "no credentials here");
        });
        assert!(!log.contains("stranger") && !log.contains("credentials"), "{log}");
        assert!(log.contains("our trace") && log.contains("their warning"), "{log}");
        assert!(!log.contains("their info"), "{log}");
        let log = logged(Level::ERROR, LogFormat::Text, || {
            tracing::warn!("our warning");
            tracing::warn!(target: "actix_http", "their warning");
            tracing::error!("our error");
        });
        assert!(log.contains("our error") && !log.contains("warning"), "{log}");
    }

    /// An output that nobody reads until it is told to go on.
    struct Stalled {
        go_on: mpsc::Receiver<()>,
        written: mpsc::Sender<String>,
    }

    impl io::Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // It goes on for good once the other side is dropped.
            let _ = self.go_on.recv();
            self.written.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stalls_stalls_nobody_and_loses_the_last_lines_alone() {
        let (stalled, go_on) = mpsc::channel();
        let (sender, written) = mpsc::channel();
        let (writer, guard) = non_blocking(Stalled { go_on, written: sender });
        let lost = writer.error_counter();
        tracing::subscriber::with_default(subscriber(Level::INFO, LogFormat::Text, false, writer), || {
            for number in 0..2 * MOST_LINES {
                tracing::info!("line {number}.");
            }
        });
        drop(stalled);
        drop(guard);
        let lines: Vec<String> = written.iter().collect();
        assert_eq!(lines.len() + lost.dropped_lines(), 2 * MOST_LINES);
        assert!(lines.len() >= MOST_LINES);
        for (number, line) in lines.iter().enumerate() {
            assert!(line.contains(&format!("line {number}.")), "{line}");
        }
    }
}
