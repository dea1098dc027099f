//! Settings: a `.env` file is read, or refused with one line; neither shows a secret.

#![no_main]

use std::ffi::OsString;

use libfuzzer_sys::fuzz_target;
use roster_settings::Settings;

/// Short, so that it is refused for that too; and no text that a mutation would hit upon.
const SECRET: &str = "\u{1F5DD}hunter2";

/// The variables that hold it.
const SECRETS: [&str; 4] =
    ["SECRET_KEY", "SECRET_KEY_PREVIOUS", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

fuzz_target!(|content: &[u8]| {
    let known = |name: &str| SECRETS.contains(&name).then(|| OsString::from(SECRET));
    let shown = match Settings::read_over(known, content) {
        Ok(settings) => {
            assert!((4..=16).contains(&settings.bcrypt_cost));
            assert!(settings.hash_queue > 0 && !settings.hash_deadline.is_zero());
            format!("{settings:?}")
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.is_empty() && !line.chars().any(char::is_control), "{line:?} is no line");
            line
        }
    };
    assert!(!shown.contains(SECRET), "{shown}");
});
