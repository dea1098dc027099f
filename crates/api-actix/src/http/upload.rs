//! Reads the file of a multipart form.

use std::io;
use std::rc::Rc;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_TYPE, ContentDisposition};
use actix_web::web::{self, Bytes};
use futures_util::{Stream, StreamExt};
use roster_domain::Error;
use roster_domain::ports::{Spool, SpoolShare, StoreCalls};
use roster_fastapi_body::{Fault, Pace, Problem, without_padding};
use tokio::time::{timeout, timeout_at};

use super::call::Call;
use super::error::Refusal;
use super::spool::SpoolFile;

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
    let pace = Rc::new(Pace::new(limits.upload_stall, limits.upload_rate));
    let headers = call.http().headers();
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let body = without_padding(content_type, at_most(most, payload, Rc::clone(&pace)));
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

/// Writes a field into a file.
async fn spool(
    field: &mut Field,
    limit: u64,
    pace: &Pace,
    share: SpoolShare,
    folder: &StoreCalls,
) -> Result<Spool, Refusal> {
    let mut file = SpoolFile::make(folder, share).await?;
    while let Some(chunk) = next(field, pace).await {
        let chunk = chunk.map_err(|error| unreadable(&error))?;
        if file.length() + chunk.len() as u64 > limit {
            return Err(Refusal::TooLarge);
        }
        file.append(&chunk).await?;
    }
    Ok(file.finish().await?)
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
}
