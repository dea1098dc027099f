//! The URLs that name places for images, and what the URLs of all stores have in common.

use std::path::PathBuf;

use crate::bucket::{self, Bucket};
use crate::error::{WrongValue, shown};

/// What `IMAGES_URL` names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ImagesUrl {
    Folder(PathBuf),
    S3(Bucket),
}

/// What a `file://` or `s3://` URL names.
pub(crate) fn images(text: &str) -> Result<ImagesUrl, WrongValue> {
    let remedy = "give file:// and a folder's path, such as file://data/images or file:///var/lib/roster/images, or \
         s3://bucket/prefix";
    match text.split_once("://") {
        Some(("file", "")) => Err(WrongValue::new("is \"file://\", without a path", remedy)),
        Some(("file", path)) => plain_path(text, path, remedy).map(ImagesUrl::Folder),
        Some(("s3", place)) => bucket::parse(place).map(ImagesUrl::S3),
        other => Err(unknown_scheme(other, remedy)),
    }
}

/// The path is taken as it is written, so whatever asks for more than that is refused.
pub(crate) fn plain_path(text: &str, path: &str, remedy: &str) -> Result<PathBuf, WrongValue> {
    if path.contains(['?', '#', '%', '\0']) {
        let problem = format!("is {}, which has more than a plain path (none of ?, # and %)", shown(text));
        return Err(WrongValue::new(problem, remedy));
    }
    Ok(PathBuf::from(path))
}

/// Shows the scheme alone: what follows may hold a password.
pub(crate) fn unknown_scheme(split: Option<(&str, &str)>, remedy: &str) -> WrongValue {
    match split {
        Some((scheme, _)) => {
            WrongValue::new(format!("starts with {}, which is not known", shown(scheme)), remedy)
        }
        None => WrongValue::new("is not a URL with ://", remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("file://data/images", "data/images")]
    #[case("file:///var/images/", "/var/images/")]
    fn an_image_folder_is_a_relative_or_absolute_path(#[case] text: &str, #[case] path: &str) {
        assert_eq!(images(text).unwrap(), ImagesUrl::Folder(path.into()));
    }

    #[test]
    fn a_bucket_may_have_a_prefix() {
        let bucket = Bucket { name: "faces".to_owned(), prefix: "a/b".to_owned() };
        assert_eq!(images("s3://faces/a/b").unwrap(), ImagesUrl::S3(bucket));
    }

    #[rstest::rstest]
    #[case("file://", "without a path")]
    #[case("file://data?x", "plain path")]
    #[case("https://me:hunter2@example.com", "\"https\"")]
    #[case("data/images", "not a URL")]
    fn any_other_image_store_is_refused(#[case] text: &str, #[case] why: &str) {
        let wrong = images(text).unwrap_err().to_string();
        assert!(wrong.contains(why) && wrong.contains("file://data/images"), "{wrong}");
        assert!(!wrong.contains("hunter2"), "{wrong}");
    }
}
