use url::Url;

use crate::error::{WrongValue, shown};

const REMEDY: &str =
    "give origins parted by commas, each as browsers send it: https://app.example.com,http://localhost:3000";

/// The origins of a comma-separated list, as browsers write them.
pub(crate) fn parse(text: &str) -> Result<Vec<String>, WrongValue> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(origin).collect()
}

fn origin(text: &str) -> Result<String, WrongValue> {
    if text.contains('*') {
        let problem = "has *, which would let every site in a browser act for its visitors";
        return Err(WrongValue::new(problem, REMEDY));
    }
    if text.contains('@') {
        return Err(WrongValue::new("has an origin with a user name or password", REMEDY));
    }
    let refused = |why: &str| WrongValue::new(format!("has {}, which {why}", shown(text)), REMEDY);
    let (scheme, rest) = text.split_once("://").ok_or_else(|| refused("has no scheme"))?;
    if rest.contains(['/', '?', '#', '\\']) {
        return Err(refused("has more than scheme, host and port (mind the slash at the end)"));
    }
    let url = Url::parse(text).map_err(|_| refused("is no origin"))?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| refused("has no host"))?;
    let scheme = scheme.to_ascii_lowercase();
    Ok(match url.port() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_parted_by_commas_and_written_as_browsers_do() {
        let text =
            " https://App.Example.com:443, http://localhost:3000,,http://[::1]:80,https://bücher.de, app://x";
        let origins = [
            "https://app.example.com",
            "http://localhost:3000",
            "http://[::1]",
            "https://xn--bcher-kva.de",
            "app://x",
        ];
        assert_eq!(parse(text).unwrap(), origins);
    }

    #[rstest::rstest]
    #[case("*", "every site")]
    #[case("https://*.example.com", "every site")]
    #[case("https://a.example/", "slash")]
    #[case("https://a.example/path", "more than scheme")]
    #[case("https://a.example?q", "more than scheme")]
    #[case("https://a.example#f", "more than scheme")]
    #[case("https://me:hunter2@a.example", "password")]
    #[case("a.example", "no scheme")]
    #[case("null", "no scheme")]
    #[case("https://", "no origin")]
    #[case("https://a b", "no origin")]
    #[case("https://a.example:99999", "no origin")]
    #[case("https://good.example,bad", "\"bad\"")]
    fn what_no_browser_sends_is_refused(#[case] text: &str, #[case] why: &str) {
        let wrong = parse(text).unwrap_err().to_string();
        assert!(wrong.contains(why), "{wrong}");
        assert!(!wrong.contains("hunter2"), "{wrong}");
    }
}
