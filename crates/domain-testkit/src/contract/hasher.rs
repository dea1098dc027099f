//! [`PasswordHasher`](roster_domain::ports::PasswordHasher). That it costs the same time with and without a hash, on
//! which threads it works and how much may wait is each adapter's own to test.

use std::sync::Arc;

use roster_domain::ports::{HashError, PasswordHasher, Verdict};
use roster_domain::values::{Password, PasswordHash};

use super::support::race;
use crate::fixtures::{asker, hash};

fn password(text: &str) -> Password {
    Password::parse(text.to_owned()).expect("a valid password")
}

async fn hashed(hasher: &Arc<dyn PasswordHasher>, text: &str) -> PasswordHash {
    hasher.hash(password(text), asker()).await.expect("a password is hashed")
}

async fn verified(hasher: &Arc<dyn PasswordHasher>, text: &str, hash: Option<PasswordHash>) -> Verdict {
    hasher.verify(password(text), hash, asker()).await.expect("a password is checked")
}

pub async fn a_password_matches_its_hash(hasher: Arc<dyn PasswordHasher>) {
    for text in
        ["s", "secret", "  spaces  ", "pass wörd", "🦀", "nul\0nul", &"x".repeat(72), &"é".repeat(1_024)]
    {
        let hash = hashed(&hasher, text).await;
        assert_eq!(verified(&hasher, text, Some(hash)).await, Verdict::Match, "{text:?}");
    }
}

pub async fn another_password_does_not_match(hasher: Arc<dyn PasswordHasher>) {
    let hash = hashed(&hasher, "secret").await;
    for other in ["Secret", "secre", "secrets", " secret", "secret ", "secret\0", "s\0ecret"] {
        assert_eq!(verified(&hasher, other, Some(hash.clone())).await, Verdict::Mismatch, "{other:?}");
    }
}

pub async fn passwords_that_differ_anywhere_are_told_apart(hasher: Arc<dyn PasswordHasher>) {
    for length in [2, 71, 72, 73, 74, 100, 1_024] {
        let stem = "x".repeat(length - 1);
        let hash = hashed(&hasher, &format!("{stem}a")).await;
        let other = format!("{stem}b");
        assert_eq!(verified(&hasher, &other, Some(hash.clone())).await, Verdict::Mismatch, "byte {length}");
        assert_eq!(verified(&hasher, &stem, Some(hash)).await, Verdict::Mismatch, "without byte {length}");
    }
    let hash = hashed(&hasher, "a\0b").await;
    assert_eq!(verified(&hasher, "a\0c", Some(hash)).await, Verdict::Mismatch);
    let hash = hashed(&hasher, &format!("{}a", "é".repeat(1_023))).await;
    let other = format!("{}b", "é".repeat(1_023));
    assert_eq!(verified(&hasher, &other, Some(hash)).await, Verdict::Mismatch);
}

pub async fn without_a_hash_nothing_matches(hasher: Arc<dyn PasswordHasher>) {
    for text in ["secret", "x", &"x".repeat(100)] {
        assert_eq!(verified(&hasher, text, None).await, Verdict::Mismatch);
    }
}

pub async fn a_hash_that_can_not_be_read_matches_nothing(hasher: Arc<dyn PasswordHasher>) {
    for unreadable in [
        "",
        "secret",
        "$",
        "$2b$",
        "$2b$04$",
        "$2b$99$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu",
        "$2b$04$too short",
        "$bcrypt-sha256$",
        "$bcrypt-sha256$v=2,t=2b,r=4$",
        "$argon2id$v=19$m=16,t=2,p=1$c2FsdA$aGFzaA",
        "é\0",
    ] {
        let verdict = verified(&hasher, "secret", Some(hash(unreadable))).await;
        assert_eq!(verdict, Verdict::Mismatch, "{unreadable:?}");
    }
}

pub async fn of_many_at_once_each_is_answered_right_or_refused(hasher: Arc<dyn PasswordHasher>) {
    let hash = hashed(&hasher, "secret").await;
    let checks = (0..64).map(|number| {
        let (hasher, hash) = (Arc::clone(&hasher), hash.clone());
        let (text, expected) =
            if number % 2 == 0 { ("secret", Verdict::Match) } else { ("Secret", Verdict::Mismatch) };
        async move { (hasher.verify(password(text), Some(hash), asker()).await, expected) }
    });
    let answers = race(checks.collect()).await;
    for (answer, expected) in &answers {
        match answer {
            Ok(verdict) => assert_eq!(verdict, expected),
            Err(HashError::Overloaded) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(answers.iter().any(|(answer, _)| answer.is_ok()));
    assert_eq!(verified(&hasher, "secret", Some(hash)).await, Verdict::Match);
}
