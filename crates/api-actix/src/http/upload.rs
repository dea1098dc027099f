//! Reads a multipart upload into a file that has no name, with little of it in memory.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::http::header::ContentDisposition;
use actix_web::web::{self, Bytes};
use futures_util::{Stream, StreamExt};
use roster_domain::Error;
use roster_domain::ports::{Spool, Unavailable};
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use super::Limits;
use super::call::Call;
use super::error::Refusal;
use super::validation::{Fault, Problem};

/// How many bytes are written to the file at once.
const BATCH: usize = 32 * 1024;

/// How many bytes an upload may have beside the image: boundaries, and fields that nobody asked for.
const BESIDE_THE_IMAGE: u64 = 64 * 1024;

/// What the names of images end in.
const EXTENSIONS: [&str; 3] = [".jpg", ".jpeg", ".png"];

/// What was uploaded.
pub(super) struct Upload {
    /// The file's content.
    pub(super) file: Spool,
    /// Whether the client's name for it ends as an image's does. Nothing else is made of that name.
    pub(super) named_as_image: bool,
}

/// Reads the file in that field of the form, the first of several; other fields are ignored.
pub(super) async fn receive(
    call: &Call,
    payload: web::Payload,
    field: &'static str,
) -> Result<Upload, Refusal> {
    let limits = call.limits();
    let most = limits.image.saturating_add(BESIDE_THE_IMAGE);
    if call.announced_length().is_some_and(|length| length > most) {
        return Err(Refusal::TooLarge);
    }
    let received = Rc::default();
    let form = Multipart::new(call.http().headers(), at_most(most, payload, Rc::clone(&received)));
    let pace = Pace { limits, started: Instant::now(), received };
    timeout(limits.upload_deadline, read_form(form, field, &pace)).await.map_err(|_| Refusal::TooSlow)?
}

/// The same stream, which counts its bytes and fails once it is longer.
fn at_most(
    limit: u64,
    payload: impl Stream<Item = Result<Bytes, PayloadError>>,
    received: Rc<Cell<u64>>,
) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    payload.map(move |chunk| {
        let chunk = chunk?;
        received.set(received.get() + chunk.len() as u64);
        if received.get() > limit { Err(PayloadError::Overflow) } else { Ok(chunk) }
    })
}

/// How fast an upload has to be: it holds a file.
struct Pace<'a> {
    limits: &'a Limits,
    started: Instant,
    received: Rc<Cell<u64>>,
}

impl Pace<'_> {
    /// When more has to be there at the latest.
    fn deadline(&self) -> Instant {
        let Limits { upload_stall: stall, upload_rate: rate, .. } = *self.limits;
        let earned = Duration::from_millis(self.received.get().saturating_mul(1000) / u64::from(rate.max(1)));
        (self.started + stall + earned).min(Instant::now() + stall)
    }
}

async fn read_form(mut form: Multipart, name: &'static str, pace: &Pace<'_>) -> Result<Upload, Refusal> {
    let mut upload = None;
    // The form is read to its end, so that the connection can be used again.
    while let Some(field) = next(&mut form, pace).await {
        let mut field = match field {
            Ok(field) => field,
            Err(error) if is_no_form(&error) => break,
            Err(error) => return Err(unreadable(&error)),
        };
        if upload.is_some() || field.name() != Some(name) {
            while let Some(chunk) = next(&mut field, pace).await {
                chunk.map_err(|error| unreadable(&error))?;
            }
            continue;
        }
        let Some(file_name) = field.content_disposition().and_then(file_name) else {
            let problem = Problem::rule("Expected UploadFile, received: <class 'str'>");
            return Err(Refusal::Invalid(vec![Fault::new("body", problem, Value::Null).at(name)]));
        };
        let named_as_image = is_image_name(file_name);
        upload = Some(Upload { file: spool(&mut field, pace).await?, named_as_image });
    }
    upload.ok_or_else(|| Refusal::Invalid(vec![Fault::new("body", Problem::missing(), Value::Null).at(name)]))
}

/// The stream's next item; a fault where none came in time.
async fn next<T>(
    stream: &mut (impl Stream<Item = Result<T, MultipartError>> + Unpin),
    pace: &Pace<'_>,
) -> Option<Result<T, MultipartError>> {
    let stalled = || MultipartError::Payload(PayloadError::Io(io::ErrorKind::TimedOut.into()));
    timeout_at(pace.deadline(), stream.next()).await.unwrap_or_else(|_| Some(Err(stalled())))
}

/// The client's name for the file. Of two, the extended one counts, as RFC 6266 has it.
fn file_name(disposition: &ContentDisposition) -> Option<&[u8]> {
    let extended = disposition.get_filename_ext().map(|name| name.value.as_slice());
    extended.or_else(|| disposition.get_filename().map(str::as_bytes))
}

fn is_image_name(name: &[u8]) -> bool {
    EXTENSIONS.iter().any(|extension| {
        name.len()
            .checked_sub(extension.len())
            .is_some_and(|stem| name[stem..].eq_ignore_ascii_case(extension.as_bytes()))
    })
}

/// A body that is no form at all has no field either.
fn is_no_form(error: &MultipartError) -> bool {
    use MultipartError::{ContentTypeIncompatible, ContentTypeMissing, ContentTypeParse};
    matches!(error, ContentTypeMissing | ContentTypeParse | ContentTypeIncompatible)
}

fn unreadable(error: &MultipartError) -> Refusal {
    match error {
        MultipartError::Payload(PayloadError::Overflow) => Refusal::TooLarge,
        MultipartError::Payload(PayloadError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
            Refusal::TooSlow
        }
        _ => Refusal::Unreadable,
    }
}

/// Writes a field into a file that has no name, off the async threads.
async fn spool(field: &mut Field, pace: &Pace<'_>) -> Result<Spool, Refusal> {
    let file = Arc::new(blocking(tempfile::tempfile).await?);
    let mut length = 0;
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(chunk) = next(field, pace).await {
        let chunk = chunk.map_err(|error| unreadable(&error))?;
        length += chunk.len() as u64;
        if length > pace.limits.image {
            return Err(Refusal::TooLarge);
        }
        for piece in chunk.chunks(BATCH) {
            if batch.len() + piece.len() > BATCH {
                batch = write(&file, batch).await?;
            }
            batch.extend_from_slice(piece);
        }
    }
    write(&file, batch).await?;
    let file =
        Arc::into_inner(file).ok_or_else(|| Error::Internal("the file is still being written".into()))?;
    Ok(Spool::new(file, length))
}

/// Writes a batch to the file, and gives it back empty.
async fn write(file: &Arc<File>, mut batch: Vec<u8>) -> Result<Vec<u8>, Error> {
    let file = Arc::clone(file);
    blocking(move || {
        (&*file).write_all(&batch)?;
        batch.clear();
        Ok(batch)
    })
    .await
}

/// Runs what waits for the disk on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let done = spawn_blocking(work).await.map_err(|panic| Error::Internal(panic.into()))?;
    Ok(done.map_err(|error| Unavailable::new("the folder for temporary files", error))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("filename=me.png", Some("me.png"))]
    #[case("filename*=utf-8''m%C3%A9.png", Some("mé.png"))]
    #[case("filename=me.gif; filename*=utf-8''me.png", Some("me.png"))]
    #[case("filename*=utf-8''me.gif; filename=me.png", Some("me.gif"))]
    #[case("size=5", None)]
    fn the_extended_name_of_a_file_wins(#[case] parameters: &str, #[case] expected: Option<&str>) {
        let header = format!("form-data; name=image; {parameters}").parse().unwrap();
        let disposition = ContentDisposition::from_raw(&header).unwrap();
        assert_eq!(file_name(&disposition), expected.map(str::as_bytes));
    }

    #[rstest::rstest]
    #[case("me.jpg", true)]
    #[case("ME.JPEG", true)]
    #[case("../../etc/passwd\u{0}.PnG", true)]
    #[case(".png", true)]
    #[case("é.png", true)]
    #[case("me.gif", false)]
    #[case("png", false)]
    #[case("me.jpg.exe", false)]
    #[case("éé", false)]
    #[case("", false)]
    fn the_name_of_an_image_ends_as_one(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(is_image_name(name.as_bytes()), expected);
    }
}
