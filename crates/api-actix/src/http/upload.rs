//! Spools a multipart upload to an unnamed temporary file, with a bounded part of it in memory.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_TYPE, ContentDisposition};
use actix_web::web::{self, Bytes};
use futures_util::{Stream, StreamExt};
use roster_domain::Error;
use roster_domain::ports::{Access, CallOutcome, Spool, SpoolShare, StoreCalls, Unavailable};
use roster_fastapi_body::{Fault, Problem};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use super::call::Call;
use super::error::Refusal;
use super::limits::Limits;
use super::padding::without_padding;
use super::state::TEMPORARY;

/// How many bytes are written to the file at once.
const BATCH: usize = 32 * 1024;

/// How many bytes an upload may have beside the image: boundaries, and fields that nobody asked for.
const BESIDE_THE_IMAGE: u64 = 64 * 1024;

/// The types of content that names may promise: those of `.jpg`, `.jpeg`, `.jfif` and `.png`.
const TYPES: [&str; 2] = ["image/jpeg", "image/png"];

/// What was uploaded.
pub(super) struct Upload {
    /// The file's content.
    pub(super) file: Spool,
    /// Whether the client called it a file at all. Nothing else is made of its name.
    pub(super) has_name: bool,
}

/// Reads the file in that field of the form, the first of several; other fields are ignored.
///
/// It holds its room from the beginning where the client tells the body's length: then it is refused before it is read,
/// and not in its middle.
pub(super) async fn receive(
    call: &Call,
    payload: web::Payload,
    field: &'static str,
    share: SpoolShare,
) -> Result<Upload, Refusal> {
    let limits = call.limits();
    let most = limits.image.saturating_add(BESIDE_THE_IMAGE);
    let announced = call.announced_length().unwrap_or_default();
    if announced > most {
        return Err(Refusal::TooLarge);
    }
    share.grow_to(announced.min(limits.image)).map_err(Error::from)?;
    let pace = Rc::new(Pace::new(limits));
    let headers = call.http().headers();
    let body = without_padding(headers.get(CONTENT_TYPE), at_most(most, payload, Rc::clone(&pace)));
    let form = Multipart::new(headers, body);
    let state = call.state();
    let reading = read_form(form, field, limits.image, &pace, share, &state.temporary);
    timeout(limits.upload_deadline, reading).await.map_err(|_| Refusal::TooSlow)?
}

/// The same stream, which tells the pace of its bytes and fails once it is longer.
fn at_most(
    limit: u64,
    payload: impl Stream<Item = Result<Bytes, PayloadError>>,
    pace: Rc<Pace>,
) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    let mut received = 0;
    payload.map(move |chunk| {
        let chunk = chunk?;
        let length = chunk.len() as u64;
        received += length;
        pace.received(length);
        if received > limit { Err(PayloadError::Overflow) } else { Ok(chunk) }
    })
}

/// How fast an upload has to be: it holds room that others want.
///
/// Each byte puts off the time at which it is too slow, but never further than it may stall: what came in a burst is no
/// credit for a trickle.
struct Pace {
    stall: Duration,
    rate: u32,
    too_slow: Cell<Instant>,
}

impl Pace {
    fn new(limits: &Limits) -> Self {
        let Limits { upload_stall: stall, upload_rate, .. } = *limits;
        Self { stall, rate: upload_rate.max(1), too_slow: Cell::new(Instant::now() + stall) }
    }

    fn received(&self, bytes: u64) {
        let earned = Duration::from_micros(bytes.saturating_mul(1_000_000) / u64::from(self.rate));
        self.too_slow.set((self.too_slow.get() + earned).min(Instant::now() + self.stall));
    }

    /// When more has to be there at the latest.
    fn deadline(&self) -> Instant {
        self.too_slow.get()
    }
}

async fn read_form(
    mut form: Multipart,
    name: &'static str,
    limit: u64,
    pace: &Pace,
    share: SpoolShare,
    folder: &StoreCalls,
) -> Result<Upload, Refusal> {
    let (mut upload, mut share) = (None, Some(share));
    // The form is read to its end, so that the connection can be used again.
    while let Some(field) = next(&mut form, pace).await {
        let mut field = match field {
            Ok(field) => field,
            Err(error) if is_no_form(&error) => break,
            Err(error) => return Err(unreadable(&error)),
        };
        let Some(share) = share.take_if(|_| field.name() == Some(name)) else {
            while let Some(chunk) = next(&mut field, pace).await {
                chunk.map_err(|error| unreadable(&error))?;
            }
            continue;
        };
        let file_name = field.content_disposition().and_then(file_name);
        let has_name = file_name.is_some();
        if file_name.is_some_and(promises_another_type) {
            return Err(Refusal::NotAnImageName);
        }
        upload = Some(Upload { file: spool(&mut field, limit, pace, share, folder).await?, has_name });
    }
    upload.ok_or_else(|| Refusal::Invalid(vec![Fault::new("body", Problem::missing()).at(name)]))
}

/// What a field that is not called a file, and is none, is told.
pub(super) fn not_a_file(field: &'static str) -> Refusal {
    let problem = Problem::rule("Expected UploadFile, received: <class 'str'>");
    Refusal::Invalid(vec![Fault::new("body", problem).at(field)])
}

/// The stream's next item; a fault where none came in time.
async fn next<T>(
    stream: &mut (impl Stream<Item = Result<T, MultipartError>> + Unpin),
    pace: &Pace,
) -> Option<Result<T, MultipartError>> {
    let stalled = || MultipartError::Payload(PayloadError::Io(io::ErrorKind::TimedOut.into()));
    timeout_at(pace.deadline(), stream.next()).await.unwrap_or_else(|_| Some(Err(stalled())))
}

/// The client's name for the file. Of two, the extended one counts, as RFC 6266 has it.
fn file_name(disposition: &ContentDisposition) -> Option<&[u8]> {
    let extended = disposition.get_filename_ext().map(|name| name.value.as_slice());
    extended.or_else(|| disposition.get_filename().map(str::as_bytes))
}

/// Whether the name ends as those of other files do. Where it has no ending, or one that nobody knows, as `blob` and
/// `image` have none, it promises nothing and the content decides.
fn promises_another_type(name: &[u8]) -> bool {
    let Some(dot) = name.iter().rposition(|byte| *byte == b'.') else { return false };
    let Ok(extension) = str::from_utf8(&name[dot + 1..]) else { return false };
    let known = mime_guess::from_ext(extension);
    !known.is_empty() && !known.iter().any(|known| TYPES.contains(&known.essence_str()))
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

/// Writes a field into a file that has no name, off the async threads. Its room is there before its bytes are.
async fn spool(
    field: &mut Field,
    limit: u64,
    pace: &Pace,
    share: SpoolShare,
    folder: &StoreCalls,
) -> Result<Spool, Refusal> {
    let file = Arc::new(blocking(folder, "make", Access::Read, tempfile::tempfile).await?);
    let mut length = 0;
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(chunk) = next(field, pace).await {
        let chunk = chunk.map_err(|error| unreadable(&error))?;
        length += chunk.len() as u64;
        if length > limit {
            return Err(Refusal::TooLarge);
        }
        share.grow_to(length).map_err(Error::from)?;
        for piece in chunk.chunks(BATCH) {
            if batch.len() + piece.len() > BATCH {
                batch = write(folder, &file, batch).await?;
            }
            batch.extend_from_slice(piece);
        }
    }
    write(folder, &file, batch).await?;
    let spool = Spool::new(move |buffer, position| file.read_at(buffer, position), length);
    Ok(spool.with_share(Some(Arc::new(share))))
}

/// Writes a batch to the file, and gives it back empty.
async fn write(folder: &StoreCalls, file: &Arc<File>, mut batch: Vec<u8>) -> Result<Vec<u8>, Error> {
    let (file, access) = (Arc::clone(file), Access::written(!batch.is_empty()));
    blocking(folder, "write", access, move || {
        (&*file).write_all(&batch)?;
        batch.clear();
        Ok(batch)
    })
    .await
}

/// Runs what waits for the disk on a thread that may wait. A full one makes files, and does not write to them.
async fn blocking<T: Send + 'static>(
    folder: &StoreCalls,
    operation: &'static str,
    access: Access,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let call = folder.begin(operation, access);
    let done = spawn_blocking(work).await.map_err(|panic| Error::Internal(panic.into()))?;
    call.end(match &done {
        Ok(_) => CallOutcome::Done(access),
        Err(error) => CallOutcome::Failed(error),
    });
    Ok(done.map_err(|error| Unavailable::new(TEMPORARY, error))?)
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
    fn a_name_with_an_ending_that_others_have_promises_another_type(
        #[values(
            "me.gif",
            "me.svg",
            "ME.HTML",
            "me.jpg.exe",
            "a.b.webp",
            "IMG_1.HEIC",
            "../x.php",
            ".pdf",
            "é.gif"
        )]
        name: &str,
    ) {
        assert!(promises_another_type(name.as_bytes()));
    }

    #[rstest::rstest]
    fn any_other_name_promises_nothing_else_than_an_image(
        #[values(
            "me.jpg",
            "ME.JPEG",
            "me.jfif",
            "me.jpe",
            "../../etc/passwd\u{0}.PnG",
            ".png",
            "é.png",
            "me.gif.png",
            "blob",
            "image",
            "png",
            "gif",
            "",
            ".",
            "me.",
            "a.b/c",
            "me.2024",
            "me.jpgx",
            "éé",
            "me.é"
        )]
        name: &str,
    ) {
        assert!(!promises_another_type(name.as_bytes()));
        assert!(!promises_another_type(b"me.\xFF\xFE"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_no_credit_for_a_trickle() {
        let limits = Limits { upload_stall: Duration::from_secs(30), upload_rate: 4096, ..Limits::default() };
        let (pace, started) = (Pace::new(&limits), Instant::now());
        pace.received(10 << 20);
        while pace.deadline() > Instant::now() {
            tokio::time::advance(Duration::from_secs(18)).await;
            pace.received(1);
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_keeps_the_pace_is_in_time() {
        let limits = Limits { upload_stall: Duration::from_secs(30), upload_rate: 4096, ..Limits::default() };
        let pace = Pace::new(&limits);
        for _ in 0..100 {
            tokio::time::advance(Duration::from_secs(25)).await;
            assert!(pace.deadline() > Instant::now());
            pace.received(25 * 4096);
        }
    }
}
