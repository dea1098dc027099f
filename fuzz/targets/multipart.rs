//! Uploads: whatever the form is, and in whatever pieces it arrives, it is read alike.

#![no_main]

use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use roster_fuzz::{Request, call};

fuzz_target!(|bytes: &[u8]| {
    // How large the pieces are, the content type's line, the body.
    let Some((chunk, rest)) = bytes.split_first() else { return };
    let line = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let Ok(content_type) = HeaderValue::from_bytes(&rest[..line]) else { return };
    let body = rest.get(line + 1..).unwrap_or_default();

    let upload = |chunk| {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer USER"));
        headers.insert(CONTENT_TYPE, content_type.clone());
        let uri = "/api/v1/profile-upload/".parse().expect("a path");
        call(Request { method: Method::POST, uri, headers, body: body.to_vec(), chunk })
    };
    let (whole, pieces) = (upload(body.len()), upload(usize::from(*chunk) + 1));
    assert!([200, 400, 413, 422].contains(&whole.status.as_u16()), "{}", whole.status);
    assert_eq!(whole.status, pieces.status, "{} bytes at once", usize::from(*chunk) + 1);
    if whole.status != 200 {
        assert_eq!(whole.body, pieces.body);
    }
});
