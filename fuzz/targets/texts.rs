//! The other texts that clients send: usernames, reasons, searches, passwords, ids.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roster_domain::values::{Password, Reason, SearchTerm, UserId, Username};

fuzz_target!(|text: &str| {
    let key = Username::from_store(text.to_owned()).key();
    assert_eq!(Username::from_store(key.clone()).key(), key);
    if let Ok(name) = Username::parse(text) {
        assert_eq!(Username::parse(name.as_str()), Ok(name.clone()), "its normal form is its own");
        assert_eq!(name.key(), key, "what it is compared by does not depend on how it was written");
        assert!((1..=64).contains(&name.as_str().chars().count()));
        assert!(!name.as_str().chars().any(char::is_control));
        if let Ok(Some(search)) = SearchTerm::parse(text) {
            assert!(name.folded().contains(search.folded()), "a search for a whole name finds it");
        }
    }
    if let Ok(reason) = Reason::parse(text) {
        assert_eq!(reason.as_str(), text.trim());
        assert!((1..=1000).contains(&reason.as_str().chars().count()));
    }
    if let Ok(password) = Password::parse(text.to_owned()) {
        let again = Password::parse(password.expose().to_owned()).expect("its composed form is a password");
        assert_eq!(again.expose(), password.expose(), "it is composed once for all");
        assert!(!text.is_ascii() || password.expose() == text);
        assert!((1..=1024).contains(&password.expose().chars().count()));
    }
    if let Ok(id) = text.parse::<UserId>() {
        assert_eq!(id.to_string(), text);
    }
});
