//! What is taken for an email address is in its normal form, and no longer than an address may be.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roster_domain::values::Email;

fuzz_target!(|text: &str| {
    // What a store holds has a key, whatever it is, and one key alone.
    let key = Email::from_store(text.to_owned()).key();
    assert_eq!(Email::from_store(key.clone()).key(), key);

    match Email::parse(text) {
        Ok(email) => {
            let address = email.as_str();
            assert_eq!(Email::parse(address), Ok(email.clone()), "its normal form is its own");
            assert_eq!(email.key(), key, "what it is compared by does not depend on how it was written");
            assert!(address.len() <= 254);
            assert!(!address.chars().any(|c| c.is_control() || c.is_whitespace()));
            let (local, domain) = address.split_once('@').expect("an address has two parts");
            assert!((1..=64).contains(&local.len()));
            assert!(domain.contains('.') && !domain.contains('@'));
        }
        Err(error) => {
            let reason = error.to_string();
            assert!(!reason.chars().any(char::is_control), "a reason shows no character that can't be seen");
        }
    }
});
