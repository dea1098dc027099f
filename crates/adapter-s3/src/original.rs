//! Images that the FastAPI service stored, found by the URLs that it kept.

use percent_encoding::percent_decode_str;

/// The longest key that S3 knows, in bytes.
const LONGEST_KEY: usize = 1024;

/// The key of the object that has this address, where it lies in the bucket. `public_url` is what stands before the bucket's
/// keys in public.
pub(crate) fn key_at(address: &str, bucket: &str, public_url: &str) -> Option<String> {
    let below = |place: &str| address.strip_prefix(place)?.strip_prefix('/');
    let encoded = below(public_url).or_else(|| at_aws(address, bucket))?;
    let key = percent_decode_str(encoded).decode_utf8().ok()?;
    let whole = !key.is_empty() && key.len() <= LONGEST_KEY && !key.contains('\0');
    // No object that was stored with an address has such a part in its key, and some servers would leave the bucket by it.
    let climbs = key.split('/').any(|part| part == "." || part == "..");
    (whole && !climbs).then(|| key.into_owned())
}

/// What follows the bucket in one of the addresses that AWS gives its objects.
fn at_aws<'a>(address: &'a str, bucket: &str) -> Option<&'a str> {
    let (host, path) = address.strip_prefix("https://")?.split_once('/')?;
    let host = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    if let Some(service) = host.strip_prefix(bucket).and_then(|rest| rest.strip_prefix('.')) {
        is_s3(service).then_some(path)
    } else {
        is_s3(host).then(|| path.strip_prefix(bucket)?.strip_prefix('/'))?
    }
}

/// Whether a host's name is S3's, with or without a region: `s3`, `s3.eu-north-1`, and `s3-eu-north-1` of old.
fn is_s3(service: &str) -> bool {
    service.strip_prefix("s3").is_some_and(|rest| {
        let region = rest.strip_prefix(['.', '-']).unwrap_or(rest);
        rest.is_empty()
            || (region.len() < rest.len()
                && !region.is_empty()
                && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PUBLIC: &str = "https://images.example.com/faces";

    #[rstest]
    #[case("https://faces.s3.amazonaws.com/me.jpg", "me.jpg")]
    #[case("https://faces.s3.eu-north-1.amazonaws.com/me.jpg", "me.jpg")]
    #[case("https://faces.s3-eu-west-1.amazonaws.com/me.jpg", "me.jpg")]
    #[case("https://faces.s3.cn-north-1.amazonaws.com.cn/me.jpg", "me.jpg")]
    #[case("https://s3.amazonaws.com/faces/me.jpg", "me.jpg")]
    #[case("https://s3.eu-north-1.amazonaws.com/faces/a/b/me.jpg", "a/b/me.jpg")]
    #[case("https://faces.s3.amazonaws.com/a%20face%2B.jpg", "a face+.jpg")]
    #[case("https://faces.s3.amazonaws.com/a face.jpg", "a face.jpg")]
    #[case("https://images.example.com/faces/me.jpg", "me.jpg")]
    fn an_address_in_the_bucket_is_its_key(#[case] address: &str, #[case] key: &str) {
        assert_eq!(key_at(address, "faces", PUBLIC).as_deref(), Some(key));
    }

    #[rstest]
    #[case("")]
    #[case("me.jpg")]
    #[case("http://faces.s3.amazonaws.com/me.jpg")]
    #[case("https://faces.s3.amazonaws.com")]
    #[case("https://faces.s3.amazonaws.com/")]
    #[case("https://other.s3.amazonaws.com/me.jpg")]
    #[case("https://s3.amazonaws.com/other/me.jpg")]
    #[case("https://s3.amazonaws.com/faces2/me.jpg")]
    #[case("https://faces.s3.amazonaws.com.example.com/me.jpg")]
    #[case("https://faces.s3.amazonaws.com@example.com/me.jpg")]
    #[case("https://faces.s3.a.b.amazonaws.com/me.jpg")]
    #[case("https://faces.s3evil.amazonaws.com/me.jpg")]
    #[case("https://faces.s3.amazonaws.com/../other/me.jpg")]
    #[case("https://faces.s3.amazonaws.com/%2e%2e/other/me.jpg")]
    #[case("https://faces.s3.amazonaws.com/me%00.jpg")]
    #[case("https://faces.s3.amazonaws.com/%ff.jpg")]
    #[case("https://images.example.com/faces2/me.jpg")]
    #[case("https://images.example.com.evil.example/faces/me.jpg")]
    fn any_other_text_is_none(#[case] address: &str) {
        assert_eq!(key_at(address, "faces", PUBLIC), None);
    }

    #[test]
    fn a_key_is_as_long_as_s3_lets_it_be_and_no_longer() {
        let address = |length| format!("https://faces.s3.amazonaws.com/{}", "k".repeat(length));
        assert!(key_at(&address(LONGEST_KEY), "faces", PUBLIC).is_some());
        assert!(key_at(&address(LONGEST_KEY + 1), "faces", PUBLIC).is_none());
    }
}
