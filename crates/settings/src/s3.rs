use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use crate::bucket::{self, Bucket};
use crate::error::{SettingsError, WrongValue, shown};
use crate::location::ImagesUrl;
use crate::reader::Reader;

/// The region that requests to other services than AWS are signed for, unless it is set.
const REGION_ELSEWHERE: &str = "us-east-1";

/// Where images are stored.
#[derive(Debug, Clone)]
pub enum Images {
    /// In a folder, and what is uploaded to S3 there, where it is set up.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// S3, where it is set up.
        s3: Option<S3Settings>,
    },
    /// In S3.
    S3 {
        /// The bucket where `/profile-upload/` stores.
        bucket: Bucket,
        /// How it is reached, and where `/profile-upload-s3/` stores.
        s3: S3Settings,
    },
}

/// S3, where it is used.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Where `/profile-upload-s3/` stores.
    pub uploads: Bucket,
    /// What stands before an object's key in its address there, without a slash at its end.
    pub public_url: Option<String>,
    /// Whether it is Roster that answers there.
    pub public_through_roster: bool,
    /// The region of the buckets.
    pub region: String,
    /// Where S3 is, unless it is AWS; without a slash at its end.
    pub endpoint: Option<String>,
    /// The keys; without them it is the AWS SDK's chain that finds some.
    pub keys: Option<S3Keys>,
}

/// An access key.
#[derive(Debug, Clone)]
pub struct S3Keys {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: SecretString,
    /// What belongs to one that ends.
    pub session_token: Option<SecretString>,
}

impl Images {
    /// Where nothing is stored in S3, the variables of AWS may hold whatever they like.
    pub(crate) fn read(
        reader: &Reader<'_>,
        url: ImagesUrl,
        public_through_roster: bool,
    ) -> Result<Self, SettingsError> {
        let bucket = reader.optional("S3_BUCKET", bucket::name)?;
        let access = Access { public_through_roster, ..Access::read(reader)? };
        match (url, bucket) {
            (ImagesUrl::Folder(_), None) if access.public_url.is_some() => {
                let wrong =
                    WrongValue::new("is set, but no bucket is", "give S3_BUCKET too, or leave it out");
                Err(SettingsError::variable("S3_PUBLIC_URL", wrong))
            }
            (ImagesUrl::Folder(folder), None) => Ok(Self::Folder { folder, s3: None }),
            (ImagesUrl::Folder(folder), Some(name)) => {
                Ok(Self::Folder { folder, s3: Some(access.to(Bucket::whole(name))?) })
            }
            (ImagesUrl::S3(images), Some(name)) if name != images.name => {
                Ok(Self::S3 { bucket: images, s3: access.to(Bucket::whole(name))? })
            }
            (ImagesUrl::S3(images), _) => Ok(Self::S3 { bucket: images.clone(), s3: access.to(images)? }),
        }
    }

    /// That place alone, with what the variables say of S3.
    pub(crate) fn only(reader: &Reader<'_>, url: ImagesUrl) -> Result<Self, SettingsError> {
        Ok(match url {
            ImagesUrl::Folder(folder) => Self::Folder { folder, s3: None },
            ImagesUrl::S3(bucket) => Self::S3 { s3: Access::read(reader)?.to(bucket.clone())?, bucket },
        })
    }

    /// S3, where it is set up.
    #[must_use]
    pub const fn s3(&self) -> Option<&S3Settings> {
        match self {
            Self::Folder { s3, .. } => s3.as_ref(),
            Self::S3 { s3, .. } => Some(s3),
        }
    }
}

impl fmt::Display for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { folder, .. } => folder.display().fmt(f),
            Self::S3 { bucket, .. } => bucket.fmt(f),
        }
    }
}

/// The variables of S3, still as they are.
struct Access {
    public_url: Option<String>,
    public_through_roster: bool,
    region: Option<String>,
    endpoint: Option<String>,
    key_id: Option<String>,
    secret: Option<String>,
    session_token: Option<String>,
}

impl Access {
    fn read(reader: &Reader<'_>) -> Result<Self, SettingsError> {
        let remedy = "give what stands before the keys in public, such as https://images.example.com";
        Ok(Self {
            public_url: reader.optional("S3_PUBLIC_URL", |text| web_address(text, remedy))?,
            public_through_roster: false,
            region: reader.text("AWS_REGION")?,
            endpoint: reader.text("AWS_ENDPOINT_URL_S3")?,
            key_id: reader.text("AWS_ACCESS_KEY_ID")?,
            secret: reader.text("AWS_SECRET_ACCESS_KEY")?,
            session_token: reader.text("AWS_SESSION_TOKEN")?,
        })
    }

    fn to(self, uploads: Bucket) -> Result<S3Settings, SettingsError> {
        let endpoint = self.endpoint.map(|text| endpoint_url(&text)).transpose()?;
        let region = region_of(self.region, endpoint.is_some())?;
        let keys = keys(self.key_id, self.secret, self.session_token)?;
        let Self { public_url, public_through_roster, .. } = self;
        Ok(S3Settings { uploads, public_url, public_through_roster, region, endpoint, keys })
    }
}

impl S3Settings {
    /// What stands before an object's key in its public address, in that bucket.
    #[must_use]
    pub fn public_url(&self, bucket: &Bucket) -> String {
        let public_url = self.public_url.clone().filter(|_| *bucket == self.uploads);
        public_url.unwrap_or_else(|| self.address_at_the_service(&bucket.name))
    }

    /// What stands before an image's key in its public address, in that bucket.
    #[must_use]
    pub fn address(&self, bucket: &Bucket) -> String {
        let top = self.public_url(bucket);
        // Where Roster answers, it adds the prefix itself.
        let is_ours = self.public_through_roster && self.public_url.is_some() && *bucket == self.uploads;
        if bucket.prefix.is_empty() || is_ours { top } else { format!("{top}/{}", bucket.prefix) }
    }

    fn address_at_the_service(&self, bucket: &str) -> String {
        if let Some(endpoint) = &self.endpoint {
            return format!("{endpoint}/{bucket}");
        }
        let country = if self.region.starts_with("cn-") { ".cn" } else { "" };
        let host = format!("s3.{}.amazonaws.com{country}", self.region);
        // AWS's certificate holds for one label before its host's name.
        if bucket.contains('.') {
            format!("https://{host}/{bucket}")
        } else {
            format!("https://{bucket}.{host}")
        }
    }
}

fn endpoint_url(text: &str) -> Result<String, SettingsError> {
    web_address(text, "give the URL of a service that speaks like S3, such as http://127.0.0.1:9000")
        .map_err(|wrong| SettingsError::variable("AWS_ENDPOINT_URL_S3", wrong))
}

/// An address to which a path can be added.
fn web_address(text: &str, remedy: &str) -> Result<String, WrongValue> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    // What is no URL may hold a password all the same, and is not shown then.
    let has_user = |url: &Url| !url.username().is_empty() || url.password().is_some();
    if url.as_ref().map_or_else(|| text.contains('@'), has_user) {
        return Err(WrongValue::new("has a user name or password", remedy));
    }
    if url.is_none() {
        return Err(WrongValue::new(
            format!("is {}, which is no http:// or https:// URL", shown(text)),
            remedy,
        ));
    }
    if text.contains(|c: char| matches!(c, '?' | '#' | '\\') || c.is_whitespace() || c.is_control()) {
        return Err(WrongValue::new(
            format!("is {}, which has more than host and path", shown(text)),
            remedy,
        ));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn region_of(given: Option<String>, elsewhere: bool) -> Result<String, SettingsError> {
    let remedy = "give the bucket's region, such as eu-central-1";
    let wrong = match given {
        Some(region) => {
            let is_region = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            if region.len() <= 63 && region.bytes().all(is_region) {
                return Ok(region);
            }
            WrongValue::new(format!("is {}, which can't be a region", shown(&region)), remedy)
        }
        None if elsewhere => return Ok(REGION_ELSEWHERE.to_owned()),
        None => {
            WrongValue::new("is not set, and AWS has to be told it (AWS_ENDPOINT_URL_S3 is not set)", remedy)
        }
    };
    Err(SettingsError::variable("AWS_REGION", wrong))
}

fn keys(
    id: Option<String>,
    secret: Option<String>,
    session_token: Option<String>,
) -> Result<Option<S3Keys>, SettingsError> {
    let missing = |name, other| {
        let wrong = WrongValue::new(format!("is not set, but {other} is"), "give both, or neither");
        Err(SettingsError::variable(name, wrong))
    };
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(Some(S3Keys {
            id,
            secret: SecretString::from(secret),
            session_token: session_token.map(SecretString::from),
        })),
        (None, None) if session_token.is_some() => missing("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"),
        (None, None) => Ok(None),
        (Some(_), None) => missing("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        (None, Some(_)) => missing("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use secrecy::ExposeSecret;

    use super::*;
    use crate::Settings;

    fn read(variables: &[(&str, &str)]) -> Result<Option<S3Settings>, String> {
        let settings = Settings::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        });
        settings.map(|settings| settings.images.s3().cloned()).map_err(|error| error.to_string())
    }

    fn used(variables: &[(&str, &str)]) -> S3Settings {
        read(variables).unwrap().unwrap()
    }

    /// What is wrong with it, on AWS.
    fn wrong(variable: &str, value: &str) -> String {
        let variables = [(variable, value), ("S3_BUCKET", "faces"), ("AWS_REGION", "eu-north-1")];
        read(&variables).unwrap_err()
    }

    const ELSEWHERE: (&str, &str) = ("AWS_ENDPOINT_URL_S3", "https://s3.example.com:9000/");

    #[test]
    fn it_is_not_used_where_no_bucket_is_named_whatever_stands_in_the_variables_of_aws() {
        let aws = [("AWS_REGION", "no region"), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_ENDPOINT_URL_S3", "?")];
        assert!(read(&aws).unwrap().is_none());
    }

    #[rstest::rstest]
    #[case(&[("S3_BUCKET", "faces")], "faces", "")]
    #[case(&[("IMAGES_URL", "s3://faces")], "faces", "")]
    #[case(&[("IMAGES_URL", "s3://faces/")], "faces", "")]
    #[case(&[("IMAGES_URL", "s3://faces/a/b_c.d/")], "faces", "a/b_c.d")]
    #[case(&[("IMAGES_URL", "s3://faces/a"), ("S3_BUCKET", "faces")], "faces", "a")]
    #[case(&[("IMAGES_URL", "s3://faces/a"), ("S3_BUCKET", "others")], "others", "")]
    fn uploads_to_s3_go_to_its_bucket_or_to_the_images(
        #[case] variables: &[(&str, &str)],
        #[case] name: &str,
        #[case] prefix: &str,
    ) {
        let s3 = used(&[variables, &[ELSEWHERE]].concat());
        assert_eq!(s3.uploads, Bucket { name: name.to_owned(), prefix: prefix.to_owned() });
    }

    #[test]
    fn a_region_is_needed_on_aws_alone() {
        assert_eq!(used(&[("S3_BUCKET", "faces"), ELSEWHERE]).region, "us-east-1");
        assert_eq!(used(&[("S3_BUCKET", "faces"), ELSEWHERE, ("AWS_REGION", "garage")]).region, "garage");
        assert_eq!(used(&[("S3_BUCKET", "faces"), ("AWS_REGION", "eu-north-1")]).region, "eu-north-1");
        let line = read(&[("S3_BUCKET", "faces")]).unwrap_err();
        assert!(line.starts_with("AWS_REGION is not set") && line.contains(": give "), "{line}");
    }

    #[rstest::rstest]
    #[case(&[("AWS_REGION", "eu-north-1")], "https://faces.s3.eu-north-1.amazonaws.com/a")]
    #[case(&[("AWS_REGION", "cn-north-1")], "https://faces.s3.cn-north-1.amazonaws.com.cn/a")]
    #[case(&[ELSEWHERE], "https://s3.example.com:9000/faces/a")]
    #[case(&[("AWS_ENDPOINT_URL_S3", "https://example.com/v1/s3")], "https://example.com/v1/s3/faces/a")]
    #[case(&[("AWS_ENDPOINT_URL_S3", "https://example.com/v1/s3/")], "https://example.com/v1/s3/faces/a")]
    #[case(&[ELSEWHERE, ("S3_PUBLIC_URL", "https://cdn.example/x/")], "https://cdn.example/x/a")]
    fn an_address_is_the_buckets_own_unless_it_is_set(
        #[case] variables: &[(&str, &str)],
        #[case] address: &str,
    ) {
        let s3 = used(&[variables, &[("IMAGES_URL", "s3://faces/a")]].concat());
        assert_eq!(s3.address(&s3.uploads), address);
    }

    #[test]
    fn an_at_sign_in_the_path_is_no_user_name() {
        let s3 = used(&[ELSEWHERE, ("S3_BUCKET", "faces"), ("S3_PUBLIC_URL", "https://cdn.example/@faces")]);
        assert_eq!(s3.address(&s3.uploads), "https://cdn.example/@faces");
    }

    #[test]
    fn the_address_that_is_set_is_of_the_bucket_for_uploads_to_s3_alone() {
        let s3 = used(&[ELSEWHERE, ("S3_BUCKET", "faces"), ("S3_PUBLIC_URL", "https://cdn.example")]);
        let another = Bucket { name: "others".to_owned(), prefix: "b".to_owned() };
        assert_eq!(s3.address(&s3.uploads), "https://cdn.example");
        assert_eq!(s3.address(&another), "https://s3.example.com:9000/others/b");
    }

    #[test]
    fn a_bucket_whose_name_has_dots_is_part_of_the_path_on_aws() {
        let s3 = used(&[("S3_BUCKET", "faces.example.com"), ("AWS_REGION", "eu-north-1")]);
        assert_eq!(s3.address(&s3.uploads), "https://s3.eu-north-1.amazonaws.com/faces.example.com");
    }

    #[test]
    fn keys_are_given_whole_or_not_at_all_and_never_shown() {
        let place = [("S3_BUCKET", "faces"), ELSEWHERE];
        let with = |keys: &[(&'static str, &'static str)]| read(&[&place, keys].concat());
        let (id, secret) = (("AWS_ACCESS_KEY_ID", "an id"), ("AWS_SECRET_ACCESS_KEY", "hunter2"));
        let token = ("AWS_SESSION_TOKEN", "hunter3");

        assert!(with(&[]).unwrap().unwrap().keys.is_none());
        let given = with(&[id, secret, token]).unwrap().unwrap();
        assert!(!format!("{given:?}").contains("hunter"), "{given:?}");
        let keys = given.keys.unwrap();
        assert_eq!((keys.id.as_str(), keys.secret.expose_secret()), ("an id", "hunter2"));
        assert_eq!(keys.session_token.unwrap().expose_secret(), "hunter3");

        let refused = [
            (with(&[id]), "AWS_SECRET_ACCESS_KEY"),
            (with(&[secret]), "AWS_ACCESS_KEY_ID"),
            (with(&[token]), "AWS_ACCESS_KEY_ID"),
            (with(&[id, token]), "AWS_SECRET_ACCESS_KEY"),
        ];
        for (answer, name) in refused {
            let line = answer.unwrap_err();
            assert!(line.starts_with(&format!("{name} is not set")) && line.contains(": give "), "{line}");
            assert!(!line.contains("hunter"), "{line}");
        }
    }

    #[rstest::rstest]
    #[case("S3_BUCKET", "a")]
    #[case("S3_BUCKET", "Faces")]
    #[case("S3_BUCKET", "-faces")]
    #[case("S3_BUCKET", "faces.")]
    #[case("S3_BUCKET", "fa..ces")]
    #[case("S3_BUCKET", "faces/a")]
    #[case("S3_BUCKET", "s3://faces")]
    #[case("IMAGES_URL", "s3://")]
    #[case("IMAGES_URL", "s3:///a")]
    #[case("IMAGES_URL", "s3://faces//")]
    #[case("IMAGES_URL", "s3://faces/a//b")]
    #[case("IMAGES_URL", "s3://faces/../b")]
    #[case("IMAGES_URL", "s3://faces/a b")]
    #[case("IMAGES_URL", "s3://faces/a?b")]
    #[case("AWS_ENDPOINT_URL_S3", "s3.example.com")]
    #[case("AWS_ENDPOINT_URL_S3", "ftp://s3.example.com")]
    #[case("AWS_ENDPOINT_URL_S3", "https://s3.example.com/?a")]
    #[case("AWS_ENDPOINT_URL_S3", "https://me:hunter2@s3.example.com")]
    #[case("AWS_ENDPOINT_URL_S3", "https://me:hunter2@")]
    #[case("AWS_ENDPOINT_URL_S3", "me:hunter2@s3.example.com")]
    #[case("AWS_ENDPOINT_URL_S3", "https://")]
    #[case("S3_PUBLIC_URL", "cdn.example.com")]
    #[case("S3_PUBLIC_URL", "https://cdn.example.com#a")]
    #[case("AWS_REGION", "eu central")]
    #[case("AWS_REGION", "https://eu")]
    fn what_cannot_be_right_stops_with_one_line(#[case] variable: &str, #[case] value: &str) {
        let line = wrong(variable, value);
        assert!(line.starts_with(&format!("{variable} ")) && line.contains(": give "), "{line}");
        assert!(!line.contains("hunter2") && !line.contains('\n'), "{line}");
    }

    #[test]
    fn a_public_address_without_a_bucket_cannot_be_right() {
        let line = read(&[("S3_PUBLIC_URL", "https://cdn.example")]).unwrap_err();
        assert!(line.starts_with("S3_PUBLIC_URL ") && line.contains("S3_BUCKET"), "{line}");
    }
}
