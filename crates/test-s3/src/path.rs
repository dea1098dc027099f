use std::collections::BTreeMap;
use std::fmt::Write as _;

use hyper::Request;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use ring::{digest, hmac};

/// A path that all requests come below. The server behind it knows nothing of it.
#[derive(Clone)]
pub(crate) struct Below {
    pub(crate) path: String,
    pub(crate) secret: String,
}

impl Below {
    /// The request without the path; `None` where it is elsewhere. A signature that is right for the whole path is made anew
    /// for what is left of it; any other stays, and is wrong.
    #[expect(clippy::expect_used, reason = "a part of a request is one")]
    pub(crate) fn strip<B>(&self, mut request: Request<B>) -> Option<Request<B>> {
        if self.path.is_empty() {
            return Some(request);
        }
        let whole = request.uri().path();
        let left = whole.strip_prefix(&self.path).filter(|left| left.starts_with('/'))?.to_owned();
        if let Some(signed) = Signed::by(request.headers())
            && signed.signature == self.sign(&request, whole, &signed)
        {
            let anew = self.sign(&request, &left, &signed);
            let header = signed.header.replace(&signed.signature, &anew);
            request.headers_mut().insert(AUTHORIZATION, header.parse().expect("a header"));
        }
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        *request.uri_mut() = format!("{left}{query}").parse().expect("an address");
        Some(request)
    }

    /// A request's signature, were its path this one (AWS Signature Version 4).
    fn sign<B>(&self, request: &Request<B>, path: &str, signed: &Signed) -> String {
        let header = |name: &str| request.headers().get(name).and_then(text).unwrap_or_default();
        let mut canonical = format!("{}\n{path}\n", request.method());
        let pairs = request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs: BTreeMap<_, _> = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        canonical.extend([&pairs.join("&"), "\n"]);
        for name in signed.headers.split(';') {
            canonical.extend([name, ":", header(name).trim(), "\n"]);
        }
        canonical.extend(["\n", &signed.headers, "\n", header("x-amz-content-sha256")]);

        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            header("x-amz-date"),
            signed.scope,
            hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref()),
        );
        let first = format!("AWS4{}", self.secret).into_bytes();
        let key = signed.scope.split('/').fold(first, |key, part| tag(&key, part));
        hex(&tag(&key, &to_sign))
    }
}

/// What a header says of a request's signature.
struct Signed {
    header: String,
    /// Day, region, service and an end.
    scope: String,
    headers: String,
    signature: String,
}

impl Signed {
    fn by(headers: &HeaderMap) -> Option<Self> {
        let header = text(headers.get(AUTHORIZATION)?)?;
        let fields = header.strip_prefix("AWS4-HMAC-SHA256 ")?.split(',');
        let fields: BTreeMap<_, _> = fields.filter_map(|field| field.trim().split_once('=')).collect();
        Some(Self {
            header: header.to_owned(),
            scope: fields.get("Credential")?.split_once('/')?.1.to_owned(),
            headers: (*fields.get("SignedHeaders")?).to_owned(),
            signature: (*fields.get("Signature")?).to_owned(),
        })
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

fn tag(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
